"""Batches of requests: their states, and the lines and groups of each.

                  check_done            submitted            jobs ended           written
    validating ─────────────▶ in_progress ──────▶ (waits) ────────────▶ finalizing ──────▶ completed | expired
        │ bad lines              │ cancel
        ▼                        ▼
      failed                 cancelling ───────────────────────────────────────────────▶ cancelled

Every change is an UPDATE that names the number of the last one (`step`): a step that two schedulers make at the same
time is made once, and `MovedOnError` rolls the other one back.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    and_,
    delete,
    exists,
    func,
    or_,
    select,
    update,
)
from sqlalchemy.orm import Session

from db import api_files, jobs
from db.api_files import is_public_id
from db.compare_and_set import changed, n_changed
from db.errors import ConflictError, NotFoundError
from db.sql import now
from db.states import ENDED, BatchPhase, ErrorCode, RequestState
from db.tables import Chunk, Job, RequestBatch, RequestGroup, RequestLine

#: A batch in one of these states never changes again.
BATCH_ENDED = (RequestState.FAILED, RequestState.COMPLETED, RequestState.EXPIRED, RequestState.CANCELLED)


class MovedOnError(Exception):
    """Somebody else has changed the batch since it was read."""


@dataclass(frozen=True)
class NewBatch:
    """A batch, checked."""

    input_file: str
    endpoint: str
    kind: str
    completion_window: str
    seconds: float
    details: Mapping[str, str]
    #: The collection for its documents; None for one of its own.
    collection: str | None
    owner: str
    output_seconds: int | None = None


def create(session: Session, new: NewBatch) -> RequestBatch:
    """A new batch; the scheduler begins with it at once."""
    public_id = f"batch_{secrets.token_hex(16)}"
    made = RequestBatch(
        public_id=public_id,
        input_file=new.input_file,
        endpoint=new.endpoint,
        kind=new.kind,
        completion_window=new.completion_window,
        details=dict(new.details),
        collection=new.collection or public_id,
        owner=new.owner,
        output_seconds=new.output_seconds,
        state=RequestState.VALIDATING,
        phase=BatchPhase.READING,
        errors=[],
        expires_at=now(new.seconds),
    )
    session.add(made)
    session.flush()
    return made


def find(session: Session, public_id: str) -> RequestBatch:
    """The batch of this id; NotFoundError."""
    query = select(RequestBatch).where(RequestBatch.public_id == public_id)
    found = session.scalar(query) if is_public_id(public_id) else None
    if found is None:
        raise NotFoundError(f"there is no batch {public_id!r}")
    return found


def page(session: Session, *, after: str | None, limit: int) -> list[RequestBatch]:
    """The newest batches, or those before one. NotFoundError for an unknown one."""
    query = select(RequestBatch).order_by(RequestBatch.id.desc()).limit(limit)
    if after is not None:
        query = query.where(RequestBatch.id < find(session, after).id)
    return list(session.scalars(query))


@dataclass(frozen=True, slots=True)
class Counts:
    """Requests of a batch."""

    total: int
    completed: int
    failed: int


def counts(session: Session, batch: RequestBatch) -> Counts:
    """How far a batch is. Until its files are written, by the chunks of its jobs: where requests have
    several documents each, about."""
    if batch.phase not in (BatchPhase.SUBMITTING, BatchPhase.RUNNING, BatchPhase.WRITING):
        return Counts(batch.n_lines, batch.n_completed, batch.n_failed)
    mine = and_(RequestGroup.batch_id == batch.id, RequestGroup.job_id == Chunk.job_id)
    done = select(func.coalesce(func.sum(Chunk.n_ok), 0), func.coalesce(func.sum(Chunk.n_error), 0))
    n_ok, n_error = session.execute(done.select_from(Chunk).join(RequestGroup, mine)).one()
    share = min(1.0, batch.n_lines / max(1, batch.n_documents))
    return Counts(
        batch.n_lines,
        max(batch.n_completed, int(int(n_ok) * share)),
        max(batch.n_failed, int(int(n_error) * share)),
    )


# --- steps -----------------------------------------------------------------------------------------------------------


def next_open(session: Session, after: int, limit: int) -> list[RequestBatch]:
    """Some batches that have a next step: first those after a batch, then those before it."""
    query = select(RequestBatch).where(_has_next())
    return list(
        session.scalars(query.order_by((RequestBatch.id > after).desc(), RequestBatch.id).limit(limit))
    )


def has_next() -> ColumnElement[bool]:
    """Whether any batch has a next step."""
    return exists().where(_has_next())


def expires() -> Select[Any]:
    """When the completion window of the next batch is over."""
    waits = (RequestBatch.phase == BatchPhase.RUNNING, RequestBatch.ending.is_(None))
    return select(func.min(RequestBatch.expires_at)).where(*waits)


def _has_next() -> ColumnElement[bool]:
    """A batch that waits for its jobs has none until they have ended, or its window is over."""
    still_open = exists().where(
        RequestGroup.batch_id == RequestBatch.id, Job.id == RequestGroup.job_id, Job.state.not_in(ENDED)
    )
    is_over = and_(RequestBatch.ending.is_(None), RequestBatch.expires_at <= now())
    return and_(
        RequestBatch.phase != BatchPhase.DONE,
        or_(RequestBatch.phase != BatchPhase.RUNNING, ~still_open, is_over),
    )


def move(session: Session, batch: RequestBatch, **values: Any) -> None:
    """Change a batch as it was read; MovedOnError if somebody else did so first. The row is locked from then on."""
    as_read = update(RequestBatch).where(RequestBatch.id == batch.id, RequestBatch.step == batch.step)
    if not changed(session, as_read.values(step=batch.step + 1, **values)):
        raise MovedOnError(batch.public_id)


def note(session: Session, batch: RequestBatch, **values: Any) -> None:
    """Further values of a batch that was moved in this transaction."""
    session.execute(update(RequestBatch).where(RequestBatch.id == batch.id).values(**values))


def end(session: Session, batch: RequestBatch, state: RequestState, **values: Any) -> None:
    """The batch gets the state in which it stays."""
    move(session, batch, state=state, phase=BatchPhase.DONE, ended_at=now(), **values)


def is_over(session: Session, batch: RequestBatch) -> bool:
    """Whether its completion window has passed."""
    passed = select(RequestBatch.id).where(RequestBatch.id == batch.id, RequestBatch.expires_at <= now())
    return session.scalar(passed) is not None


def cancel(session: Session, public_id: str) -> RequestBatch:
    """Stop a batch: its jobs are cancelled, and what they have done until then is written to the output file. Repeating
    it changes nothing. ConflictError if the batch has ended, or writes its files already."""
    batch = find(session, public_id)
    session.refresh(batch, with_for_update=True)
    if batch.state == RequestState.CANCELLING:
        return batch
    if batch.ending is not None or batch.phase in (BatchPhase.WRITING, BatchPhase.DONE):
        raise ConflictError(f"batch {public_id} is {batch.state}: there is nothing left to cancel")
    stop(session, batch, RequestState.CANCELLED, state=RequestState.CANCELLING, cancelling_at=now())
    session.refresh(batch)
    return batch


def stop(session: Session, batch: RequestBatch, ending: RequestState, **values: Any) -> None:
    """Stop its jobs, and run no more. While its lines are being read, that goes on: each of them gets its answer."""
    phase = BatchPhase.READING if batch.phase == BatchPhase.READING else BatchPhase.RUNNING
    move(session, batch, ending=ending, phase=phase, **values)
    query = (
        select(Job.id)
        .join(RequestGroup, RequestGroup.job_id == Job.id)
        .where(RequestGroup.batch_id == batch.id, Job.state.not_in(ENDED))
        .order_by(Job.id)
    )
    for job_id in session.scalars(query).all():
        jobs.stop(session, job_id, ErrorCode.CANCELLED, f"{batch.public_id} is {ending}")


def open_jobs(session: Session, batch: RequestBatch) -> int:
    """How many of its jobs have not ended."""
    query = select(func.count()).select_from(RequestGroup).join(Job, Job.id == RequestGroup.job_id)
    return session.scalar(query.where(RequestGroup.batch_id == batch.id, Job.state.not_in(ENDED))) or 0


def old(session: Session, after: int, seconds: float, *, lock: bool) -> RequestBatch | None:
    """The next batch that ended so long ago, locked if it is to be."""
    query = select(RequestBatch).where(
        RequestBatch.id > after,
        RequestBatch.phase == BatchPhase.DONE,
        RequestBatch.ended_at < now(-seconds),
    )
    first = query.order_by(RequestBatch.id).limit(1)
    return session.scalar(first.with_for_update(skip_locked=True) if lock else first)


def insist_on_end(batch: RequestBatch) -> None:
    """ConflictError if a batch has not ended."""
    if batch.phase != BatchPhase.DONE:
        raise ConflictError(
            f"batch {batch.public_id} is {batch.state}: cancel it, or wait until it has ended"
        )


def remove_some(session: Session, batch: RequestBatch, limit: int) -> int | None:
    """Remove some lines of a batch that has ended, and with the last of them the batch and its files. None when it is
    gone, else the number of lines. Its documents and jobs stay. ConflictError if it has not ended."""
    insist_on_end(batch)
    some = select(RequestLine.line).where(RequestLine.batch_id == batch.id).order_by(RequestLine.line)
    numbers = list(session.scalars(some.limit(limit)))
    mine = RequestLine.batch_id == batch.id
    if numbers:
        n_changed(session, delete(RequestLine).where(mine, RequestLine.line <= numbers[-1]))
    if len(numbers) == limit:
        return len(numbers)
    n_changed(session, delete(RequestGroup).where(RequestGroup.batch_id == batch.id))
    n_changed(session, delete(RequestBatch).where(RequestBatch.id == batch.id))
    named: tuple[str | None, ...] = (batch.output_file, batch.error_file)
    still_read = select(RequestBatch.id).where(RequestBatch.input_file == batch.input_file).limit(1)
    if session.scalar(still_read) is None:
        named = (*named, batch.input_file)
    api_files.forget(session, [name for name in named if name is not None])
    return None
