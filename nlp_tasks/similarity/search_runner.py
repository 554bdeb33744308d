"""The stage `search`: from documents to their nearest neighbours and shared words. Reads vectors, no text."""

from __future__ import annotations

import logging
import resource
import sys
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from nlp_tasks.errors import DocumentError
from nlp_tasks.kind import Document, Result, Row, RowsAbout, Setup
from nlp_tasks.similarity import NeighbourRow, NeighbourTermRow, SimilarityParameters, search_recall
from nlp_tasks.similarity import model as models
from nlp_tasks.similarity.exact_search import Index
from nlp_tasks.similarity.increments import Increment, Known, Near, searched, size_with_spares
from nlp_tasks.similarity.inverted_lists import INDEXED_FROM, InvertedIndex, memory
from nlp_tasks.similarity.mixed_search import MixedIndex
from nlp_tasks.similarity.shared_terms import TFIDF_SHARE, TRUSTED_WORDS, Terms, idf

log = logging.getLogger("docmill.worker")

#: Lists that become result rows at a time.
LISTS_TOGETHER = 256


class SearchModel(Protocol):
    """What a search takes of a model."""

    @property
    def words(self) -> list[str]: ...
    @property
    def document_counts(self) -> NDArray[np.int64]: ...
    @property
    def n_documents(self) -> int: ...
    @property
    def mean(self) -> NDArray[np.float32]: ...


class Searcher:
    """Runner of the stage `search`. Loads the vectors at the first batch."""

    batch_documents = 1024
    batch_chars = 4_000_000

    #: The weight of the tf-idf cosine in a mixed score.
    tfidf_share = TFIDF_SHARE
    #: The vector of a document with fewer different words has less weight.
    trusted_words = TRUSTED_WORDS

    def __init__(self, setup: Setup) -> None:
        assert setup.model_dir is not None
        self._model: SearchModel = models.load(setup.model_dir)
        self._start(setup)

    def _start(self, setup: Setup) -> None:
        self._parameters: SimilarityParameters = setup.parameters
        self._setup = setup
        self._index: Index | None = None
        self._increment: Increment | None = None
        self._terms: Terms | None = None

    def run(self, documents: Sequence[Document]) -> Sequence[Result]:
        """At most k NeighbourRows with their NeighbourTermRows for each document, and a NeighbourListRow where later
        jobs update the list; NO_VECTOR if it is no longer the latest version of its key. With the first new document
        come the rows about documents of other jobs to which one of the new documents is nearer than their neighbours.
        """
        index = self._index or self._load()
        rows = self._rows_of(documents)
        found = self._lists(index, [row for row in rows if row >= 0])
        results: list[Result] = [next(found) if row >= 0 else _no_vector() for row in rows]
        if self._increment is not None:
            new = [i for i, row in enumerate(rows) if row >= 0 and self._increment.is_new(row)]
            rows = [rows[i] for i in new]
            if rows:
                results[new[0]] = [*results[new[0]], *self._about_others(index, self._increment, rows)]  # type: ignore[misc]
        return results

    def _rows_of(self, documents: Sequence[Document]) -> list[int]:
        """The row of each document in the index; -1 for one that is not there."""
        ids = np.array([document.id for document in documents], np.int64)
        rows = np.searchsorted(self._ids, ids)
        there = rows < len(self._ids)
        there[there] = self._ids[rows[there]] == ids[there]
        return np.where(there, rows, -1).tolist()  # type: ignore[no-any-return]

    def _about_others(self, index: Index, increment: Increment, new: list[int]) -> list[RowsAbout]:
        """The new lists of the other documents that one of these new ones enters."""
        changed = increment.changed(index, new, self._setup.beat)
        return [
            RowsAbout(int(self._ids[row]), rows)
            for row, rows in zip(changed, self._lists(index, changed), strict=True)
        ]

    def _lists(self, index: Index, rows: list[int]) -> Iterator[list[Row]]:
        """The result rows of these rows of the index."""
        known = self._increment.merged(index, rows, self._setup.beat) if self._increment is not None else {}
        unknown = [row for row in rows if row not in known]
        known |= zip(unknown, self._search(index, unknown), strict=True)
        for start in range(0, len(rows), LISTS_TOGETHER):
            some = rows[start : start + LISTS_TOGETHER]
            yield from self._rows(some, [known[row] for row in some])
            self._setup.beat()

    def _search(self, index: Index, rows: list[int]) -> Iterator[Known]:
        """The nearest documents of these rows among all."""
        k = self._parameters.k
        n = size_with_spares(k) if self._increment is not None else k
        found = index.neighbours(np.array(rows, dtype=np.int64), n, self._setup.beat)
        for near in found:
            yield searched(near, self._parameters)
            self._setup.beat()

    def _load(self) -> Index:
        assert self._setup.corpus is not None
        # First the lists: every document that the jobs of these lists had is then among the vectors.
        is_updated = self._setup.earlier is not None and self._parameters.others.are_updated
        earlier = self._setup.earlier() if is_updated and self._setup.earlier is not None else None
        vectors = self._setup.corpus()
        self._ids = vectors.ids
        self._keys = vectors.keys
        if self._parameters.needs_terms:
            model = self._model
            self._terms = Terms(
                vectors.terms, idf(model.document_counts, model.n_documents), self.trusted_words
            )
        scales = vectors.scales if vectors.scales is not None else np.ones(len(self._ids))
        self._index = self._new_index(vectors.matrix, scales)
        if earlier is not None:
            self._increment = Increment(earlier, self._ids, self._keys, self._parameters)
        return self._index

    def _new_index(self, matrix: NDArray[np.float32], scales: NDArray[np.float64]) -> Index:
        asked, device = self._parameters, self._setup.device
        if asked.search == "index" and len(matrix) >= INDEXED_FROM:
            return self._inverted(matrix)
        if len(matrix):
            matrix = matrix - self._model.mean
        if asked.method == "doc2vec":
            return Index(matrix, self._keys, device)
        assert self._terms is not None
        return MixedIndex(matrix, self._keys, self._terms, self.tfidf_share, scales, device)

    def _inverted(self, matrix: NDArray[np.float32]) -> InvertedIndex:
        gigabytes = memory(*matrix.shape) / 1e9
        log.info("an index of %d vectors of %d numbers takes about %.1f GB", *matrix.shape, gigabytes)
        asked, setup = self._parameters, self._setup
        index = InvertedIndex(
            matrix, self._model.mean, self._keys, asked.target_recall, setup.device, setup.beat, asked.k
        )
        unit = 1 if sys.platform == "darwin" else 1024
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9
        log.info(
            "%d of the index's %d lists are read for a document; this process has taken %.1f GB at most",
            index.n_probed, index.n_lists, peak,
        )  # fmt: skip
        return index

    def _rows(self, rows: list[int], known: list[Known]) -> Iterator[list[Row]]:
        """The result rows of some lists."""
        k = self._parameters.k
        near = [(each.near[0][:k], each.near[1][:k]) for each in known]
        words = iter(self._evidence(rows, near))
        measured = search_recall.measured(self._index, rows, near, self._parameters, self._setup.beat)
        spelled = self._model.words
        for row, each, (others, scores) in zip(rows, known, near, strict=True):
            ranks = range(1, len(others) + 1)
            of_list: list[Row] = [*map(NeighbourRow, ranks, self._ids[others].tolist(), scores.tolist())]
            for neighbour_rank, shared in enumerate(islice(words, len(others)), start=1):
                for rank, (number, weight) in enumerate(shared, start=1):
                    of_list.append(NeighbourTermRow(neighbour_rank, rank, spelled[number], weight))
            if self._increment is not None:
                of_list.append(self._increment.row(each))
            if row in measured:
                of_list.append(measured[row])
            yield of_list

    def _evidence(self, rows: list[int], near: list[Near]) -> list[list[tuple[int, float]]]:
        """The shared words of each neighbour, list by list; nothing if none are wanted."""
        others = np.concatenate([others for others, _ in near]) if near else np.zeros(0, np.int64)
        if not self._parameters.terms or not len(others):
            return []
        assert self._terms is not None
        lengths = [len(others) for others, _ in near]
        return self._terms.shared(
            np.repeat(np.array(rows, np.int64), lengths), others, self._parameters.terms
        )


def _no_vector() -> DocumentError:
    return DocumentError(
        "NO_VECTOR", "no vector of this model is stored for the text: it was replaced by a newer one"
    )
