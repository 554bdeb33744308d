"""Lists of neighbours that are brought up to date from what earlier jobs stored, without another search.

A new document enters a full list if its score is at least that of the last neighbour, and a list that is not full if
its score is at least `min_score`. Every other list stands while all of its neighbours are there.

Beside its neighbours, a list stores spare ones, the next nearest documents, and a bound: whatever it left out had a
score of at most that. What is stored, merged with the documents that came since the list was made, is right as far as
it is above the bound. If that is fewer than k, the list is searched again. Otherwise it has k neighbours, some spare
ones, and the same bound, or a higher one if not all spare ones are kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nlp_tasks.kind import Earlier
from nlp_tasks.similarity import NeighbourListRow, SimilarityParameters
from nlp_tasks.similarity.exact_search import Index

#: Documents as rows of the index, and their scores, nearest first.
Near = tuple[NDArray[np.int64], NDArray[np.float32]]
#: Rows that are merged at a time.
MERGED_TOGETHER = 4096
#: A list that more new documents enter than this, beyond its own size, is searched: that takes less memory.
CROWD = 100
#: A list is searched if more than this share of all documents came since it was made: that takes less time.
MANY_NEW = 0.5
#: The least number of spare neighbours; a list has at least as many as neighbours.
LEAST_SPARES = 4
#: The bound of a list that leaves out no document.
NONE_LEFT_OUT = -2.0
#: Of the documents that no earlier job had.
_NEVER = np.iinfo(np.int64).max
_ID, _SCORE = np.dtype("<i8"), np.dtype("<f4")


def size_with_spares(k: int) -> int:
    """How many documents a list stores."""
    return k + max(LEAST_SPARES, k)


@dataclass(frozen=True, slots=True)
class Known:
    """A list with its spare neighbours."""

    near: Near
    #: No document that is left out has a higher score.
    bound: float


def searched(near: Near, parameters: SimilarityParameters) -> Known:
    """The list that a search for `size_with_spares` documents has found."""
    n = size_with_spares(parameters.k)
    wanted = near[1] >= np.float32(parameters.min_score)
    rows, scores = near[0][wanted][:n], near[1][wanted][:n]
    return Known((rows, scores), float(scores[-1]) if len(rows) == n else NONE_LEFT_OUT)


def lowest_score(parameters: SimilarityParameters) -> float:
    """The lowest score of a neighbour."""
    return float(np.float32(parameters.min_score))


@dataclass(frozen=True, slots=True)
class _Stored:
    """A stored list: those of its documents that are still there, as rows of the index."""

    #: (score, row), nearest first.
    kept: list[tuple[float, int]]
    bound: float


class Increment:
    """The lists that earlier jobs made, and the new documents of this one."""

    def __init__(
        self,
        earlier: Earlier,
        ids: Sequence[int] | NDArray[np.int64],
        keys: Sequence[str],
        parameters: SimilarityParameters,
    ) -> None:
        """`ids` and `keys`: of the documents of the index, row by row, in ascending order of the ids."""
        self._earlier = earlier
        self._ids = np.asarray(ids, dtype=np.int64)
        self._keys = keys
        self._k = parameters.k
        self._size = size_with_spares(parameters.k)
        self._lowest = lowest_score(parameters)
        #: The score that a new document needs to enter a document's list; infinite where no list is updated.
        self._limits = np.full(len(ids), np.inf, np.float32)  # (N,)
        _, rows, listed = np.intersect1d(self._ids, earlier.ids, assume_unique=True, return_indices=True)
        self._limits[rows] = earlier.least[listed]
        #: The job that gave each document its first result.
        self._since = np.full(len(ids), _NEVER, np.int64)  # (N,)
        _, have, known = np.intersect1d(self._ids, earlier.known, assume_unique=True, return_indices=True)
        self._since[have] = earlier.since[known]
        #: A job over all documents searches all lists: it is what others are compared with.
        self._is_partial = len(rows) > 0

    def row(self, known: Known) -> NeighbourListRow:
        """A list as it is stored."""
        rows, scores = known.near
        least = float(scores[self._k - 1]) if len(rows) >= self._k else self._lowest
        stored = self._ids[rows].astype(_ID).tobytes() + scores.astype(_SCORE).tobytes()
        return NeighbourListRow(least, known.bound, stored)

    def is_new(self, row: int) -> bool:
        """Whether no earlier job had this document."""
        return bool(self._since[row] == _NEVER)

    def changed(self, index: Index, new: Sequence[int], beat: Callable[[], None]) -> list[int]:
        """The rows whose lists one of these new rows enters, without those that the job has already written."""
        rows = index.reached(np.asarray(new, dtype=np.int64), self._limits, beat)
        written = self._earlier.written(self._ids[rows].tolist()) if len(rows) else ()
        return [row for row in rows.tolist() if self._ids[row] not in written]

    def merged(self, index: Index, rows: Sequence[int], beat: Callable[[], None]) -> dict[int, Known]:
        """The lists of those of these rows that need no search, merged with all documents that came since they were
        made, not only with those of one chunk: a list is written once in a job."""
        found: dict[int, Known] = {}
        known = [row for row in rows if not self.is_new(row)] if self._is_partial else []
        for start in range(0, len(known), MERGED_TOGETHER):
            for those, lists in self._by_job(known[start : start + MERGED_TOGETHER]):
                found |= self._merge_with_new(index, those, lists, beat)
            beat()
        return found

    def _by_job(self, rows: Sequence[int]) -> Iterator[tuple[NDArray[np.int64], dict[int, _Stored]]]:
        """The stored lists of these rows, by row: each time those that one job made, with the rows that came since."""
        by_job: dict[int, dict[int, _Stored]] = {}
        ids = self._ids[np.array(rows, np.int64)]
        row_of = dict(zip(ids.tolist(), rows, strict=True))
        for id_, job_id, stored in self._earlier.lists(ids.tolist()):
            by_job.setdefault(job_id, {})[row_of[id_]] = self._list(stored)
        for job_id, lists in by_job.items():
            yield np.flatnonzero(self._since > job_id), lists

    def _list(self, row: NeighbourListRow) -> _Stored:
        n = len(row.stored) // (_ID.itemsize + _SCORE.itemsize)
        named = np.frombuffer(row.stored, _ID, n)
        scores = np.frombuffer(row.stored, _SCORE, n, n * _ID.itemsize)
        places = np.minimum(np.searchsorted(self._ids, named), len(self._ids) - 1)
        there = self._ids[places] == named
        kept = list(zip(scores[there].tolist(), places[there].tolist(), strict=True))
        return _Stored(kept, row.bound)

    def _merge_with_new(
        self, index: Index, new: NDArray[np.int64], lists: dict[int, _Stored], beat: Callable[[], None]
    ) -> dict[int, Known]:
        if len(new) > MANY_NEW * len(self._ids):
            return {}
        limits = np.array([max(each.bound, self._lowest) for each in lists.values()], np.float32)
        rows = np.array(list(lists), np.int64)
        entries = index.entries(rows, new, limits, self._size + CROWD, beat)
        merged = (
            (row, self._merge(lists[row], entered)) for row, entered in zip(lists, entries, strict=True)
        )
        return {row: known for row, known in merged if known is not None}

    def _merge(self, old: _Stored, entered: Near | None) -> Known | None:
        """The new list, in the order that a search gives; None if only a search can tell."""
        if entered is None:
            return None
        new = zip(entered[1].tolist(), entered[0].tolist(), strict=True)
        # A document whose vector came before its job is on the list although it came since.
        merged = sorted({*old.kept, *new}, key=lambda one: (-one[0], self._keys[one[1]]))
        kept = set(old.kept)
        # What was left out ranks after all that was stored, and after any higher score than the bound.
        certain = [place for place, one in enumerate(merged) if one in kept or one[0] > old.bound]
        n_certain = certain[-1] + 1 if certain else 0
        if n_certain < self._k and old.bound > NONE_LEFT_OUT:
            return None
        rows = np.array([row for _, row in merged[:n_certain][: self._size]], np.int64)
        scores = np.array([score for score, _ in merged[:n_certain][: self._size]], np.float32)
        return Known((rows, scores), float(scores[-1]) if n_certain > self._size else old.bound)
