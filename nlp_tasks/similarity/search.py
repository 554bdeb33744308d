"""The stage `search`: documents in, their nearest neighbours out. Reads vectors, no text."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from nlp_tasks.errors import DocumentError
from nlp_tasks.kind import Document, Result, Setup
from nlp_tasks.similarity import NeighbourRow, SimilarityParameters
from nlp_tasks.similarity.nearest import Index


class Searcher:
    """Runner of the stage `search`. Loads the vectors with the first batch."""

    batch_documents = 1024
    batch_chars = 4_000_000

    def __init__(self, setup: Setup) -> None:
        assert setup.corpus is not None
        self._parameters: SimilarityParameters = setup.parameters
        self._setup = setup
        self._index: Index | None = None

    def run(self, documents: Sequence[Document]) -> Sequence[Result]:
        """At most k NeighbourRows for each document; NO_VECTOR if it is no longer the latest of its key."""
        index = self._index or self._load()
        known = [self._row_of[document.id] for document in documents if document.id in self._row_of]
        found = index.neighbours(np.array(known, dtype=np.int64), self._parameters.k, self._setup.beat)
        return [
            self._rows(*next(found)) if document.id in self._row_of else _no_vector()
            for document in documents
        ]

    def _load(self) -> Index:
        assert self._setup.corpus is not None
        vectors = self._setup.corpus()
        self._ids = vectors.ids.tolist()
        self._row_of = {id_: row for row, id_ in enumerate(self._ids)}
        self._index = Index(vectors.matrix, vectors.keys, self._setup.device)
        return self._index

    def _rows(self, rows: NDArray[np.int64], scores: NDArray[np.float32]) -> list[NeighbourRow]:
        near = zip(rows.tolist(), scores.tolist(), strict=True)
        return [
            NeighbourRow(rank, self._ids[row], score)
            for rank, (row, score) in enumerate(near, start=1)
            if score >= self._parameters.min_score
        ]


def _no_vector() -> DocumentError:
    return DocumentError(
        "NO_VECTOR", "no vector of this model is stored for the text: it was replaced by a newer one"
    )
