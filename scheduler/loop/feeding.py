"""Feeding: Redis is told about ready chunks, at most a window of them at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby, islice, repeat

from db import chunks, limits
from db.chunks import Waiting
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
        if not found:
            return Did.NOTHING
        with self._turns.store.look() as session:
            states = limits.states(session)
        self._order.keep(job.job_id for job in found)
        found = self._even_out(found, states)
        # Held back by a limit, it may go on at any moment.
        did = Did.WORKED if any(state.reason for state in states) else Did.WATCHED
        for (priority, kind), parts in _by_queue(fairness.parts_of(found, states)):
            if self._turns.stopping.is_set():
                break
            if self._fill(kind, priority, parts):
                did = Did.WORKED
        return did

    def _even_out(self, found: Sequence[Waiting], states: Sequence[limits.State]) -> list[Waiting]:
        """Make room for a job that is behind many messages of others: those are taken back. Returns the jobs as they
        are then."""
        uneven = [
            parts for _, parts in _by_queue(fairness.parts_of(found, states)) if fairness.is_uneven(parts)
        ]
        back = {part.job.job_id for parts in uneven for part in parts}
        for parts in uneven:
            # First in the store: if this ends in the middle, messages are there twice, which is harmless.
            with self._turns.write() as session:
                chunks.unsend_jobs(session, [part.job.job_id for part in parts])
            self._broker.take_back(parts[0].job.kind, parts[0].job.priority)
        return [replace(job, n_sent=0, n_unsent=job.n_ready) if job.job_id in back else job for job in found]

    def _fill(self, kind: str, priority: int, parts: Sequence[Part]) -> bool:
        """Send what is missing of one kind and priority; whether anything was."""
        depth = self._broker.depth(kind, priority)
        n_ready = sum(part.job.n_ready for part in parts)
        missing = min(TURN_MESSAGES, min(n_ready, self._settings.window) - depth)
        order = self._order.order(parts, missing)
        n_lost = min(missing - len(order), sum(part.job.n_sent for part in parts) - depth)
        if n_lost > 0:
            # Redis has lost some: they are sent again once that is certain.
            again = (job_id for part in parts for job_id in repeat(part.job.job_id, part.job.n_sent))
            order += islice(again, n_lost)
        return bool(order) and self._send(kind, order)

    def _send(self, kind: str, order: list[int]) -> bool:
        with self._turns.write() as session:
            messages = chunks.take_for_sending(session, order, self._settings.resend_seconds)
        try:
            self._broker.send(messages, all_kinds())
        except Exception:
            with self._turns.write() as session:
                chunks.unsend(session, [message.chunk_id for message in messages])
            raise
        self._turns.metrics.count("docmill_scheduler_messages_total", kind, n=len(messages))
        return bool(messages)


def _by_queue(parts: Sequence[Part]) -> list[tuple[tuple[int, str], list[Part]]]:
    """The parts of jobs with ready chunks, by priority and kind."""
    ready = [part for part in parts if part.job.n_ready]
    found = groupby(ready, lambda part: (part.job.priority, part.job.kind))
    return [(queue, list(some)) for queue, some in found]
