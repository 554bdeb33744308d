"""Which documents of earlier jobs get another list of neighbours because of new documents.

A list is full, and a new document enters it if its cosine is at least that of the last neighbour; or it is not full,
and a new document enters it if its cosine is at least `min_score`. Every other list stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from nlp_tasks.kind import Earlier
from nlp_tasks.similarity import SimilarityParameters
from nlp_tasks.similarity.exact_search import Index


class Increment:
    """The lists that earlier jobs made, and the new documents of this one."""

    def __init__(self, earlier: Earlier, ids: Sequence[int], parameters: SimilarityParameters) -> None:
        """`ids`: the documents of the index, row by row, in ascending order."""
        self._earlier = earlier
        self._ids = np.asarray(ids, dtype=np.int64)
        #: The cosine that a new document needs to enter a document's list; infinite where no list is updated.
        self._limits = np.full(len(ids), np.inf, np.float32)  # (N,)
        is_full = earlier.counts >= parameters.k
        needed = np.where(is_full, earlier.least, np.float32(max(parameters.min_score, -1.0)))
        _, rows, listed = np.intersect1d(self._ids, earlier.ids, assume_unique=True, return_indices=True)
        self._limits[rows] = needed[listed]

    def is_new(self, document_id: int) -> bool:
        """Whether no earlier job had this document."""
        return document_id not in self._earlier.known

    def changed(self, index: Index, new: Sequence[int], beat: Callable[[], None]) -> list[int]:
        """The rows whose lists one of these new rows enters, without those that the job has already written."""
        rows = index.reached(np.asarray(new, dtype=np.int64), self._limits, beat)
        written = self._earlier.written(self._ids[rows].tolist()) if len(rows) else ()
        return [row for row in rows.tolist() if self._ids[row] not in written]
