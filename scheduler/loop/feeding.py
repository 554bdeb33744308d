"""Feeding: Redis is told about ready chunks, at most a window of them at a time."""

from __future__ import annotations

from itertools import groupby, islice, repeat

from db import chunks
from scheduler.broker import Broker
from scheduler.loop import fairness
from scheduler.loop.fairness import Part
from scheduler.loop.turns import Did, Turns
from workers.kinds import all_kinds
from workers.settings import Settings

#: Messages of one kind and priority that are sent in a turn.
TURN_MESSAGES = 500


class Feeder:
    """Keeps min(ready chunks, window) messages of each kind and priority in Redis, shared by the jobs."""

    def __init__(self, turns: Turns, broker: Broker, settings: Settings) -> None:
        self._turns = turns
        self._broker = broker
        self._settings = settings
        self._order = fairness.Turns()

    def feed(self) -> Did:
        """Send what is missing. A message that Redis lost is sent again, since the chunk is still ready in the
        store."""
        with self._turns.store.look() as session:
            found = chunks.waiting(session, self._settings.window)
        self._order.keep(job.job_id for job in found)
        did = Did.WATCHED if found else Did.NOTHING
        for (priority, kind), some in groupby(found, lambda job: (job.priority, job.kind)):
            if self._turns.stopping.is_set():
                break
            parts = [Part(job) for job in some if job.n_ready]
            if parts and self._fill(kind, priority, parts):
                did = Did.WORKED
        return did

    def _fill(self, kind: str, priority: int, parts: list[Part]) -> bool:
        """Send what is missing of one kind and priority; whether anything was."""
        if fairness.is_uneven(parts):
            self._take_back(kind, priority, parts)
            parts = [part.taken_back for part in parts]
        missing = self._missing(parts, self._broker.depth(kind, priority))
        order = self._order.order(parts, missing)
        if len(order) < missing:
            # Redis has lost some: they are sent again once that is certain.
            again = (job_id for part in parts for job_id in repeat(part.job.job_id, part.job.n_sent))
            order += islice(again, missing - len(order))
        if order:
            self._send(order)
        return bool(order)

    def _missing(self, parts: list[Part], depth: int) -> int:
        n_ready = sum(part.job.n_ready for part in parts)
        return min(TURN_MESSAGES, min(n_ready, self._settings.window) - depth)

    def _take_back(self, kind: str, priority: int, parts: list[Part]) -> None:
        """Make room for a job behind many messages of others. First in the store: if this ends in the middle, some
        messages are there twice, which is harmless."""
        with self._turns.write() as session:
            chunks.unsend_jobs(session, [part.job.job_id for part in parts])
        self._broker.take_back(kind, priority)

    def _send(self, order: list[int]) -> None:
        with self._turns.write() as session:
            messages = chunks.take_for_sending(session, order, self._settings.resend_seconds)
        try:
            self._broker.send(messages, all_kinds())
        except Exception:
            with self._turns.write() as session:
                chunks.unsend(session, [message.chunk_id for message in messages])
            raise
