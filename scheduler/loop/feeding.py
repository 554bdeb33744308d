"""Feeding: Redis is told about ready chunks, at most a window of them at a time."""

from __future__ import annotations

from db import chunks
from scheduler.broker import Broker
from scheduler.loop.turns import Turns
from workers.kinds import all_kinds
from workers.settings import Settings

#: Messages of one kind and priority that are sent in a turn.
TURN_MESSAGES = 500


class Feeder:
    """Keeps min(ready chunks, window) messages of each kind and priority in Redis."""

    def __init__(self, turns: Turns, broker: Broker, settings: Settings) -> None:
        self._turns = turns
        self._broker = broker
        self._settings = settings

    def feed(self) -> bool:
        """Send what is missing; whether a chunk is ready. A message that Redis lost is sent again, since the chunk is
        still ready in the store."""
        with self._turns.store.read() as session:
            waiting = chunks.ready(session, self._settings.window)
        for kind, priority, n_ready in waiting:
            if self._turns.stopping.is_set():
                break
            missing = min(n_ready, self._settings.window) - self._broker.depth(kind, priority)
            if missing > 0:
                self._send(kind, priority, min(missing, TURN_MESSAGES))
        return bool(waiting)

    def _send(self, kind: str, priority: int, limit: int) -> None:
        with self._turns.write() as session:
            messages = chunks.take_for_sending(session, kind, priority, limit, self._settings.resend_seconds)
        try:
            self._broker.send(messages, all_kinds())
        except Exception:
            with self._turns.write() as session:
                chunks.unsend(session, [message.chunk_id for message in messages])
            raise
        self._turns.metrics.count("docmill_scheduler_messages_total", kind, n=len(messages))
