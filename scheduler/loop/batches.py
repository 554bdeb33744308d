"""Moving batches of requests on: each that has a next step gets it, and old files are deleted."""

from __future__ import annotations

import logging
import time

from db import api_files, request_batches
from db.request_batches import MovedOnError
from db.store import is_infrastructure_error, is_lock_timeout
from db.tables import RequestBatch
from scheduler.batches.moving import move_batch
from scheduler.loop.turns import Did, Turns

log = logging.getLogger("docmill.scheduler")

#: Batches that are looked at in one turn.
TURN_BATCHES = 100
#: A batch whose step raised an unexpected error is tried again after this time.
AGAIN_SECONDS = 60.0


class BatchMover:
    """Gives every batch its next step."""

    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        #: The last batch that was looked at: the next turn begins with the one after it.
        self._last = 0
        #: Batches that could not be moved, and when they are tried again.
        self._later: dict[int, float] = {}

    def move(self) -> Did:
        """One turn."""
        turn = self._turns.begin()
        with self._turns.store.look() as session:
            found = request_batches.next_open(session, self._last, TURN_BATCHES)
        found = [batch for batch in found if time.monotonic() >= self._later.get(batch.id, 0)]
        for batch in found:
            self._move(batch)
            self._last = batch.id
            if turn.is_over():
                return Did.WORKED
        return Did.WORKED if self._sweep() or found else Did.NOTHING

    def _move(self, batch: RequestBatch) -> None:
        try:
            move_batch(self._turns.store, batch)
        except MovedOnError:
            log.debug("%s: another scheduler was faster", batch.public_id)
        except Exception as error:
            if is_lock_timeout(error):
                log.info("%s is locked by another transaction; trying again later", batch.public_id)
            elif is_infrastructure_error(error):
                raise
            else:
                # One batch that cannot be moved must not hold up the others.
                log.exception("%s cannot be moved on; trying again in a minute", batch.public_id)
                self._later[batch.id] = time.monotonic() + AGAIN_SECONDS

    def _sweep(self) -> bool:
        with self._turns.store.look() as session:
            first = session.scalar(api_files.expired())
        if first is None:
            return False
        with self._turns.write() as session:
            return api_files.sweep(session) > 0
