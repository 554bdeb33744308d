"""Whose chunk is next: the jobs of one kind and priority share the workers.

A job's part is what workers hold of it and what waits for them in the broker, divided by its weight. The next chunk is
one of the job with the smallest part, so that running jobs have workers in proportion to their weights, and so their
time, whatever a document costs. This is the rule of Hadoop's fair scheduler (M. Zaharia et al., Delay Scheduling,
EuroSys 2010, section 2). It needs no history: what counts is in the store, and a scheduler that starts anew, or
another one beside it, comes to the same.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import prod

from db.chunks import Waiting
from db.limits import State

#: Messages are taken back from the broker if a job's part of it is more than this many times that of one which would
#: get its first. Below, filling up what workers take evens the parts out.
UNEVEN = 2.0
#: A job that has had no chunk for this number of turns of others gets one, however small its weight is.
LONG_TURNS = 200


@dataclass
class Room:
    """What a limit leaves to the jobs under it."""

    n_chunks: float


@dataclass(frozen=True, slots=True)
class Part:
    """A job, and its part of the workers."""

    job: Waiting
    weight: float = 1.0
    rooms: tuple[Room, ...] = ()

    @property
    def can_have_more(self) -> bool:
        """Whether its limits leave room for another chunk, if it has one."""
        return self.job.n_unsent > 0 and all(room.n_chunks >= 1 for room in self.rooms)

    def of(self, n_more: int = 0) -> float:
        """The part that it has with `n_more` chunks more."""
        return (self.job.n_leased + self.job.n_sent + n_more) / self.weight


def parts_of(jobs: Sequence[Waiting], states: Sequence[State]) -> list[Part]:
    """The parts of jobs under their limits. What was sent takes room, since it may be claimed at any moment."""
    holding = [[state.scope.has(job.collection, job.kind, job.submitter) for job in jobs] for state in states]
    rooms = [_room(state, [job for job, is_in in zip(jobs, held, strict=True) if is_in])
             for state, held in zip(states, holding, strict=True)]  # fmt: skip
    parts = []
    for n, job in enumerate(jobs):
        mine = [place for place, held in enumerate(holding) if held[n]]
        weight = prod(states[place].limit.weight or 1.0 for place in mine)
        parts.append(Part(job, weight, tuple(rooms[place] for place in mine)))
    return parts


def _room(state: State, jobs: Sequence[Waiting]) -> Room:
    size = max((job.n_documents for job in jobs if job.n_ready), default=1)
    return Room(state.chunks_left(size) - sum(job.n_sent for job in jobs))


class Turns:
    """The order of the jobs that have equal parts: the one that had its turn longest ago is first."""

    def __init__(self) -> None:
        self._latest = 0
        self._last: dict[int, int] = {}

    def keep(self, job_ids: Iterable[int]) -> None:
        """Forget every other job. A new one has its turn after those that are there."""
        self._last = {job_id: self._last.get(job_id) or self._next() for job_id in job_ids}

    def order(self, parts: Sequence[Part], limit: int) -> list[int]:
        """The jobs of the next chunks, at most `limit`: a job stands there as often as it gets a chunk."""
        chosen: list[int] = []
        heap = [(self._key(part, 1), 1, part) for part in parts if part.can_have_more]
        heapq.heapify(heap)
        while heap and len(chosen) < limit:
            _, n, part = heap[0]
            if not part.can_have_more:
                # The jobs before it have taken the room.
                heapq.heappop(heap)
                continue
            for room in part.rooms:
                room.n_chunks -= 1
            chosen.append(part.job.job_id)
            self._last[part.job.job_id] = self._next()
            if n < part.job.n_unsent:
                heapq.heapreplace(heap, (self._key(part, n + 1), n + 1, part))
            else:
                heapq.heappop(heap)
        return chosen

    def _key(self, part: Part, n_more: int) -> tuple[bool, float, int]:
        last = self._last.get(part.job.job_id, 0)
        has_waited = self._latest - last >= LONG_TURNS
        return not has_waited, part.of(n_more), last

    def _next(self) -> int:
        self._latest += 1
        return self._latest


def is_uneven(parts: Sequence[Part]) -> bool:
    """Whether a job waits for its first chunks behind messages of others that have much larger parts."""
    first = min((part.of(1) for part in parts if part.can_have_more), default=None)
    return first is not None and any(part.job.n_sent and part.of() > UNEVEN * first for part in parts)
