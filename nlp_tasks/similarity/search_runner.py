"""The stage `search`: from documents to their nearest neighbours and shared words. Reads vectors, no text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from nlp_tasks.errors import DocumentError
from nlp_tasks.kind import Document, Result, RowAbout, Setup
from nlp_tasks.similarity import NeighbourRow, NeighbourTermRow, SimilarityParameters
from nlp_tasks.similarity import model as models
from nlp_tasks.similarity.exact_search import Index
from nlp_tasks.similarity.increments import Increment, Near
from nlp_tasks.similarity.shared_terms import Terms, idf

#: Number of nearest documents by Doc2Vec that `hybrid` ranks, or twice k if that is more.
CANDIDATES = 100
#: Lists that become result rows at a time.
LISTS_TOGETHER = 256
#: The weight of the tf-idf cosine in a hybrid score; the rest is Doc2Vec. Chosen by experiment: docs/similarity.md.
TFIDF_SHARE = 0.8


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
        """At most k NeighbourRows with their NeighbourTermRows for each document; NO_VECTOR if it is no longer the
        latest version of its key. With the first new document come the rows about documents of other jobs to which one
        of the new documents is nearer than their neighbours."""
        index = self._index or self._load()
        known = [self._row_of[document.id] for document in documents if document.id in self._row_of]
        found = self._lists(index, known)
        results: list[Result] = [
            next(found) if document.id in self._row_of else _no_vector() for document in documents
        ]
        if self._increment is not None:
            new = [
                i for i, d in enumerate(documents) if d.id in self._row_of and self._increment.is_new(d.id)
            ]
            rows = [self._row_of[documents[i].id] for i in new]
            if rows:
                results[new[0]] = [*results[new[0]], *self._about_others(index, self._increment, rows)]  # type: ignore[misc]
        return results

    def _about_others(self, index: Index, increment: Increment, new: list[int]) -> list[RowAbout]:
        """The new lists of the other documents that one of these new ones enters."""
        changed = increment.changed(index, new, self._setup.beat)
        return [
            RowAbout(self._ids[row], each)
            for row, rows in zip(changed, self._lists(index, changed), strict=True)
            for each in rows
        ]

    def _lists(self, index: Index, rows: list[int]) -> Iterator[list[NeighbourRow | NeighbourTermRow]]:
        """The neighbours of these rows of the index."""
        near = self._increment.merged(index, rows, self._setup.beat) if self._increment is not None else {}
        searched = [row for row in rows if row not in near]
        near |= zip(searched, self._search(index, searched), strict=True)
        for start in range(0, len(rows), LISTS_TOGETHER):
            some = rows[start : start + LISTS_TOGETHER]
            yield from self._rows(some, [near[row] for row in some])
            self._setup.beat()

    def _search(self, index: Index, rows: list[int]) -> Iterator[Near]:
        """The nearest documents of these rows among all."""
        wanted = self._parameters
        n = wanted.k if wanted.method == "doc2vec" else max(CANDIDATES, 2 * wanted.k)
        found = index.neighbours(np.array(rows, dtype=np.int64), n, self._setup.beat)
        for row, (others, scores) in zip(rows, found, strict=True):
            if wanted.method == "hybrid":
                others, scores = self._rescored(row, others, scores)
            near = scores >= wanted.min_score
            yield others[near], scores[near]
            self._setup.beat()

    def _load(self) -> Index:
        assert self._setup.corpus is not None
        vectors = self._setup.corpus()
        self._ids = vectors.ids.tolist()
        self._keys = vectors.keys
        self._row_of = {id_: row for row, id_ in enumerate(self._ids)}
        if self._parameters.needs_terms:
            model = self._model
            self._terms = Terms(vectors.terms, idf(model.document_counts, model.n_documents))
        matrix = vectors.matrix - self._model.mean if len(self._ids) else vectors.matrix
        self._index = Index(matrix, vectors.keys, self._setup.device)
        if self._setup.earlier is not None and self._parameters.others.are_updated:
            self._increment = Increment(self._setup.earlier(), self._ids, self._keys, self._parameters)
        return self._index

    def _rows(self, rows: list[int], near: list[Near]) -> Iterator[list[NeighbourRow | NeighbourTermRow]]:
        """The result rows of some lists."""
        words = iter(self._evidence(rows, near))
        for others, scores in near:
            ranked = enumerate(zip(others.tolist(), scores.tolist(), strict=True), start=1)
            of_list: list[NeighbourRow | NeighbourTermRow] = [
                NeighbourRow(rank, self._ids[other], score) for rank, (other, score) in ranked
            ]
            for neighbour_rank, shared in enumerate(islice(words, len(others)), start=1):
                of_list += [
                    NeighbourTermRow(neighbour_rank, rank, self._model.words[number], weight)
                    for rank, (number, weight) in enumerate(shared, start=1)
                ]
            yield of_list

    def _rescored(
        self, row: int, others: NDArray[np.int64], scores: NDArray[np.float32]
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """The k best candidates by both cosines, best first, ties ordered by key."""
        assert self._terms is not None
        share = self.tfidf_share
        mixed = share * self._terms.cosines(row, others) + (1 - share) * scores
        values, rows = mixed.tolist(), others.tolist()
        order = sorted(range(len(rows)), key=lambda place: (-values[place], self._keys[rows[place]]))
        best = order[: self._parameters.k]
        return others[best], mixed[best]

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
