"""Reaping: chunks whose lease has run out are requeued."""

from __future__ import annotations

import logging
import time

from sqlalchemy import exists, select

from db import chunks
from scheduler.loop.turns import Turns

log = logging.getLogger("docmill.scheduler")

#: Chunks that are requeued in one transaction.
STEP_REAPED = 20


class Reaper:
    """Requeues the chunks of workers that are gone."""

    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        #: Nothing is reaped before this moment.
        self.not_before = 0.0

    def wait(self, seconds: float) -> None:
        """Reap nothing for a while. After an outage of the store, workers first get time to renew their leases, since
        they could not during the outage."""
        self.not_before = time.monotonic() + seconds

    def reap(self) -> bool:
        """Requeue expired chunks for a turn; whether there were any."""
        turn, n_reaped = self._turns.begin(), 0
        while time.monotonic() >= self.not_before:
            with self._turns.store.read() as session:
                if not session.scalar(select(exists().where(*chunks.expired()))):
                    break
            with self._turns.write() as session:
                reaped = chunks.reap(session, STEP_REAPED)
            n_reaped += len(reaped)
            if reaped:
                log.warning("the lease of chunks %s ran out: they are ready again", reaped)
            if not reaped or turn.is_over():
                break
        return n_reaped > 0
