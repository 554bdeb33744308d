"""Phase 3: a job for each group of lines."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from db import jobs, request_batches, request_lines
from db.errors import NotFoundError, StoreError
from db.sql import one_of
from db.states import BatchPhase
from db.store import Store
from db.tables import Document, RequestBatch, RequestGroup
from scheduler import requests
from scheduler.batches.inputs import as_error
from scheduler.requests import JobRequest


def submit_next(store: Store, batch: RequestBatch) -> None:
    """Submit the job of the next group that has none. A group that cannot be run gets an error instead: that of each of
    its lines."""
    with store.read() as session:
        waiting = [
            group
            for group in request_lines.groups(session, batch.id)
            if group.job_id is None and group.error is None
        ]
    if not waiting:
        with store.write() as session:
            request_batches.move(session, batch, phase=BatchPhase.RUNNING)
        return
    try:
        with store.write() as session:
            request_batches.move(session, batch)
            _note(session, batch, waiting[0], job_id=_submit(session, batch, waiting[0]))
    except (StoreError, ValueError) as error:
        with store.write() as session:
            request_batches.move(session, batch)
            _note(session, batch, waiting[0], error=_words(error))


def _submit(session: Session, batch: RequestBatch, group: RequestGroup) -> int:
    """The job over exactly the documents that the lines became, also where others have newer versions by now."""
    request = JobRequest(
        batch.kind,
        batch.collection,
        model=group.model,
        parameters=group.parameters,
        key=f"{batch.public_id}/{group.number}",
        submitter=batch.owner,
    )
    new = requests.prepare(session, request)
    ids = request_lines.documents_of(session, batch.id, group.number)
    chosen = select(Document.id, Document.body_chars).where(one_of(Document.id, ids)).order_by(Document.id)
    return jobs.submit(session, replace(new, documents=chosen)).job_id


def _note(session: Session, batch: RequestBatch, group: RequestGroup, **values: Any) -> None:
    mine = update(RequestGroup).where(RequestGroup.batch_id == batch.id, RequestGroup.number == group.number)
    session.execute(mine.values(**values))


def _words(error: Exception) -> dict[str, Any]:
    """A model that is not there is the usual reason."""
    if isinstance(error, NotFoundError):
        return as_error(error, 404, "model_not_found")
    return as_error(error, 400, "invalid_parameter")
