"""The next step of a batch: what its phase does, unless its completion window is over."""

from __future__ import annotations

from collections.abc import Callable

from db import request_batches
from db.sql import now
from db.states import BatchPhase, RequestState
from db.store import Store
from db.tables import RequestBatch
from scheduler.batches import adding, reading, submitting, writing

_STEPS: dict[BatchPhase, Callable[[Store, RequestBatch], None]] = {
    BatchPhase.READING: reading.read_part,
    BatchPhase.ADDING: adding.add_part,
    BatchPhase.SUBMITTING: submitting.submit_next,
    BatchPhase.WRITING: writing.write_part,
}


def move_batch(store: Store, batch: RequestBatch) -> None:
    """The next step of a batch, as it was read. MovedOnError if somebody else made it."""
    is_running = batch.phase not in (BatchPhase.READING, BatchPhase.WRITING)
    if is_running and batch.ending is None and _is_over(store, batch):
        with store.write() as session:
            request_batches.stop(
                session, batch, RequestState.EXPIRED, state=RequestState.FINALIZING, finalizing_at=now()
            )
    elif batch.phase == BatchPhase.RUNNING:
        _write_next(store, batch)
    else:
        _STEPS[batch.phase](store, batch)


def _is_over(store: Store, batch: RequestBatch) -> bool:
    with store.read() as session:
        return request_batches.is_over(session, batch)


def _write_next(store: Store, batch: RequestBatch) -> None:
    """Once its jobs have ended, the answers are written."""
    with store.write() as session:
        if request_batches.open_jobs(session, batch):
            return
        is_stopped = batch.ending is not None
        state = {} if is_stopped else {"state": RequestState.FINALIZING, "finalizing_at": now()}
        request_batches.move(session, batch, phase=BatchPhase.WRITING, position=0, line=0, **state)
