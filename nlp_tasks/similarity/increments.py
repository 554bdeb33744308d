"""Lists of neighbours that are brought up to date from what earlier jobs stored, without another search.

A new document enters a full list if its cosine is at least that of the last neighbour, and a list that is not full if
its cosine is at least `min_score`. Nothing else can enter a full list while all of its neighbours stay: it is merged
with the new documents. A list that is not full is searched again: it may be short because a document was removed.
Where a neighbour has gone, one of those that were not on the list may move up. They rank after
everything that was on it, so the merged list is right as far as the last neighbour that stayed, or the old last score.
If that is not far enough, the list is searched again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nlp_tasks.kind import Earlier
from nlp_tasks.similarity import SimilarityParameters
from nlp_tasks.similarity.exact_search import Index

#: Neighbours as rows of the index, and their cosines, nearest first.
Near = tuple[NDArray[np.int64], NDArray[np.float32]]
#: Rows that are merged at a time.
MERGED_TOGETHER = 4096
#: A list that more new documents enter than this, beyond twice k, is searched: that takes less memory.
CROWD = 100


@dataclass(frozen=True, slots=True)
class _List:
    """A stored list: its neighbours that are still there, as rows of the index."""

    #: (cosine, row), nearest first.
    kept: list[tuple[float, int]]
    n_gone: int
    is_full: bool
    #: The cosine that a new document needs to enter it.
    limit: float


class Increment:
    """The lists that earlier jobs made, and the new documents of this one."""

    def __init__(
        self, earlier: Earlier, ids: Sequence[int], keys: Sequence[str], parameters: SimilarityParameters
    ) -> None:
        """`ids` and `keys`: of the documents of the index, row by row, in ascending order of the ids."""
        self._earlier = earlier
        self._ids = np.asarray(ids, dtype=np.int64)
        self._keys = keys
        self._k = parameters.k
        self._min_score = float(np.float32(max(parameters.min_score, -1.0)))
        #: The cosine that a new document needs to enter a document's list; infinite where no list is updated.
        self._limits = np.full(len(ids), np.inf, np.float32)  # (N,)
        is_full = earlier.counts >= parameters.k
        needed = np.where(is_full, earlier.least, np.float32(self._min_score))
        _, rows, listed = np.intersect1d(self._ids, earlier.ids, assume_unique=True, return_indices=True)
        self._limits[rows] = needed[listed]
        self._new = np.array([row for row, id_ in enumerate(ids) if id_ not in earlier.known], np.int64)
        #: A job over all documents searches all lists: it is what others are compared with.
        self._is_partial = len(rows) > 0

    def is_new(self, document_id: int) -> bool:
        """Whether no earlier job had this document."""
        return document_id not in self._earlier.known

    def changed(self, index: Index, new: Sequence[int], beat: Callable[[], None]) -> list[int]:
        """The rows whose lists one of these new rows enters, without those that the job has already written."""
        rows = index.reached(np.asarray(new, dtype=np.int64), self._limits, beat)
        written = self._earlier.written(self._ids[rows].tolist()) if len(rows) else ()
        return [row for row in rows.tolist() if self._ids[row] not in written]

    def merged(self, index: Index, rows: Sequence[int], beat: Callable[[], None]) -> dict[int, Near]:
        """The lists of those of these rows that need no search, merged with all new documents of the index, not only
        with those of one chunk: a list is written once in a job."""
        found: dict[int, Near] = {}
        known = [row for row in rows if not self.is_new(int(self._ids[row]))] if self._is_partial else []
        for start in range(0, len(known), MERGED_TOGETHER):
            some = known[start : start + MERGED_TOGETHER]
            stored = self._stored(some)
            limits = np.array([stored[row].limit for row in some], np.float32)
            entries = index.entries(np.array(some, np.int64), self._new, limits, 2 * self._k + CROWD, beat)
            for row, entered in zip(some, entries, strict=True):
                near = self._merge(stored[row], entered)
                if near is not None:
                    found[row] = near
            beat()
        return found

    def _stored(self, rows: Sequence[int]) -> dict[int, _List]:
        """The stored list of each row."""
        listed: dict[int, list[tuple[int, float]]] = {int(self._ids[row]): [] for row in rows}
        for id_, neighbour_id, score in self._earlier.rows(list(listed)):
            listed[id_].append((neighbour_id, score))
        return {row: self._list(listed[int(self._ids[row])]) for row in rows}

    def _list(self, stored: list[tuple[int, float]]) -> _List:
        named = np.array([id_ for id_, _ in stored], np.int64)
        places = np.minimum(np.searchsorted(self._ids, named), len(self._ids) - 1)
        kept = [
            (score, place)
            for (_, score), place, is_there in zip(
                stored, places.tolist(), (self._ids[places] == named).tolist(), strict=True
            )
            if is_there
        ]
        is_full = len(stored) >= self._k
        return _List(kept, len(stored) - len(kept), is_full, stored[-1][1] if is_full else self._min_score)

    def _merge(self, old: _List, entered: Near | None) -> Near | None:
        """The new list, in the order that a search gives; None if only a search can tell."""
        # Of a list that is not full, rows of removed documents may be gone.
        if entered is None or not old.is_full:
            return None
        new = zip(entered[1].tolist(), entered[0].tolist(), strict=True)
        # A document whose vector came too early is on the list although it is new.
        merged = sorted({*old.kept, *new}, key=lambda one: (-one[0], self._keys[one[1]]))[: self._k]
        if old.n_gone:
            kept = set(old.kept)
            if sum(one in kept or one[0] > old.limit for one in merged) < self._k:
                return None
        return np.array([row for _, row in merged], np.int64), np.array(
            [score for score, _ in merged], np.float32
        )
