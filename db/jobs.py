"""Every change of a job's state, each one function, each a compare-and-set.

    waiting -> running <-> paused;   any of these -> cancelling -> cancelled;   running -> finished

What happens to a job's chunks in between is in db.chunks.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Select, case, exists, func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, aliased

from db import progress, quarantine, selection
from db.chunks import changed, close_with_error, job_in
from db.errors import ConflictError, NotFoundError
from db.models import Chunk, Job, Outcome
from db.selection import ChunkSize
from db.sql import now

ENDED = ("finished", "cancelled")
#: Of the error that a failed job ends with, its note holds so much.
MOST_NOTE_CHARS = 500


@dataclass(frozen=True)
class NewJob:
    """Everything that makes a job, checked."""

    kind: str
    parameters: dict[str, Any]
    collection_id: int
    n_stages: int = 1
    #: None: all documents in one chunk.
    chunk_size: ChunkSize | None = field(default_factory=lambda: ChunkSize(256, 1_000_000))
    model_ref: str | None = None
    model_version_id: int | None = None
    priority: int = 5
    key: str | None = None
    after_job_id: int | None = None
    run_id: int | None = None
    labelled_only: bool = False
    only_new: bool = False
    #: Take the documents that failed in this job.
    failed_in_job_id: int | None = None
    #: Of those, only the ones with these numbers.
    document_ids: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class Submitted:
    """A job's number and size; `created` is False when the key had been used for the same request before."""

    job_id: int
    n_documents: int
    created: bool


def submit(session: Session, new: NewJob) -> Submitted:
    """Write the job and its chunks. The same key and request again return the job that is there."""
    if new.key is not None and (before := _same_key(session, new)) is not None:
        return before
    job = Job(
        kind=new.kind,
        parameters=new.parameters,
        collection_id=new.collection_id,
        model_ref=new.model_ref,
        model_version_id=new.model_version_id,
        priority=new.priority,
        key=new.key,
        after_job_id=new.after_job_id,
        run_id=new.run_id,
        state="waiting" if new.after_job_id else "running",
        started_at=None if new.after_job_id else now(),
        n_documents=0,
    )
    try:
        with session.begin_nested():
            session.add(job)
            session.flush()
    except IntegrityError:
        # Somebody else used the key just now.
        if new.key is not None and (before := _same_key(session, new)) is not None:
            return before
        raise
    chosen = _selection(new, job)
    first = "blocked" if new.after_job_id else "ready"
    n_documents = selection.cut(session, job, chosen, new.chunk_size, first)
    for stage in range(1, new.n_stages):
        selection.add_stage(session, job, stage)
    session.execute(update(Job).where(Job.id == job.id).values(n_documents=n_documents))
    return Submitted(job.id, n_documents, created=True)


def open_waiting(session: Session, job_id: int, model_version_id: int | None) -> bool:
    """waiting -> running, once the job it waits for has finished and its model is known."""
    opened = changed(
        session,
        update(Job)
        .where(Job.id == job_id, Job.state == "waiting")
        .values(state="running", model_version_id=model_version_id, started_at=now()),
    )
    if opened:
        session.execute(
            update(Chunk)
            .where(Chunk.job_id == job_id, Chunk.stage == 0, Chunk.state == "blocked")
            .values(state="ready")
        )
    return opened


def open_next_stage(session: Session, job_id: int) -> bool:
    """Make the next stage's chunks ready when every chunk of the stages before it is closed."""
    earlier = aliased(Chunk)
    next_stage = (
        select(func.min(earlier.stage))
        .where(earlier.job_id == job_id, earlier.state != "closed")
        .scalar_subquery()
    )
    return changed(
        session,
        update(Chunk)
        .where(Chunk.job_id == job_id, Chunk.state == "blocked", Chunk.stage == next_stage, job_in("running"))
        .values(state="ready"),
        many=True,
    )


def open_chunks(session: Session, job_id: int) -> tuple[int, int]:
    """(chunks that are not closed, those of them that are ready or leased)."""
    moving = func.sum(case((Chunk.state != "blocked", 1), else_=0))
    n_open, n_moving = session.execute(
        select(func.count(), moving).where(Chunk.job_id == job_id, Chunk.state != "closed")
    ).one()
    return n_open, n_moving or 0


def finish(session: Session, job_id: int) -> bool:
    """running -> finished, cancelling -> cancelled, when every chunk is closed. The outcomes are counted once
    more, and the table's CHECK refuses an end at which not every document has one."""

    def counted(state: str) -> Any:
        return select(func.count()).where(Outcome.job_id == job_id, Outcome.state == state).scalar_subquery()

    still_open = exists().where(Chunk.job_id == job_id, Chunk.state != "closed")
    ended = changed(
        session,
        update(Job)
        .where(Job.id == job_id, Job.state.in_(("running", "cancelling")), ~still_open)
        .values(
            state=case((Job.state == "running", "finished"), else_="cancelled"),
            n_ok=counted("ok"),
            n_error=counted("error"),
            finished_at=now(),
        ),
    )
    if ended:
        _note_the_end(session, job_id)
    return ended


def _note_the_end(session: Session, job_id: int) -> None:
    """What a training said of itself on its way is not left standing: a job without a single result says that it
    failed and why, a cancelled one how far it was."""
    job = session.execute(
        select(Job.state, Job.n_documents, Job.n_ok, Job.note).where(Job.id == job_id)
    ).one()
    note = job.note
    if job.state == "cancelled":
        note = f"cancelled at {note}" if progress.is_underway(note) else note
    elif job.n_documents and not job.n_ok:
        note = f"{progress.FAILED}{_first_error(session, job_id)}"
    elif progress.is_underway(note):
        note = None
    if note != job.note:
        session.execute(update(Job).where(Job.id == job_id).values(note=note))


def _first_error(session: Session, job_id: int) -> str:
    code, detail = session.execute(
        select(Outcome.error_code, Outcome.error_detail)
        .where(Outcome.job_id == job_id, Outcome.state == "error")
        .order_by(Outcome.document_id)
        .limit(1)
    ).one()
    return f"{code}: {detail or ''}"[:MOST_NOTE_CHARS]


def stop(session: Session, job_id: int, code: str, detail: str) -> None:
    """End a job early: no chunk of it is claimed any more. `stop_some` then closes what is open. Raises
    ConflictError when it has ended, NotFoundError when there is none. Stopping twice is one stop."""
    values = {"state": "cancelling", "stop_code": code, "stop_detail": detail}
    stoppable = ("waiting", "running", "paused")
    if not changed(session, update(Job).where(Job.id == job_id, Job.state.in_(stoppable)).values(values)):
        state = job_state(session, job_id)
        if state != "cancelling":
            raise ConflictError(f"job {job_id} is {state}: there is nothing left to cancel")


def stop_some(session: Session, job_id: int, limit: int = 50) -> int:
    """Close some open chunks of a stopped job, whoever holds them; their documents without an outcome get the
    job's stop code. Returns how many chunks were closed: call until it is 0."""
    job = session.execute(
        select(Job.stop_code, Job.stop_detail).where(Job.id == job_id, Job.state == "cancelling")
    ).one_or_none()
    if job is None:
        return 0
    open_chunks = session.scalars(
        select(Chunk.id)
        .where(Chunk.job_id == job_id, Chunk.state != "closed")
        .order_by(Chunk.id)
        .limit(limit)
        .with_for_update()
    ).all()
    for chunk_id in open_chunks:
        close_with_error(session, chunk_id, job.stop_code or "CANCELLED", job.stop_detail or "")
    return len(open_chunks)


def pause(session: Session, job_id: int) -> None:
    """running -> paused: chunks that are being worked on end, no other is claimed."""
    if not changed(
        session, update(Job).where(Job.id == job_id, Job.state == "running").values(state="paused")
    ):
        state = job_state(session, job_id)
        if state != "paused":
            raise ConflictError(f"job {job_id} is {state}: only a running job can be paused")


def resume(session: Session, job_id: int) -> None:
    """paused -> running."""
    if not changed(
        session, update(Job).where(Job.id == job_id, Job.state == "paused").values(state="running")
    ):
        state = job_state(session, job_id)
        if state != "running":
            raise ConflictError(f"job {job_id} is {state}: only a paused job can be resumed")


def job_state(session: Session, job_id: int) -> str:
    """A job's state, or NotFoundError."""
    state = session.scalar(select(Job.state).where(Job.id == job_id))
    if state is None:
        raise NotFoundError(f"there is no job {job_id}: `docmill status` lists the jobs")
    return state


def _selection(new: NewJob, job: Job) -> Select[int, int]:
    if new.failed_in_job_id is not None and new.document_ids is not None:
        return quarantine.failed_in(new.failed_in_job_id, new.document_ids)
    if new.failed_in_job_id is not None:
        return selection.failed_in(new.failed_in_job_id)
    chosen = selection.latest(new.collection_id, labelled_only=new.labelled_only)
    return selection.without_result(chosen, job) if new.only_new else chosen


def _same_key(session: Session, new: NewJob) -> Submitted | None:
    job = session.scalar(select(Job).where(Job.key == new.key))
    if job is None:
        return None
    asked = (new.kind, new.parameters, new.collection_id, new.model_ref)
    if asked != (job.kind, job.parameters, job.collection_id, job.model_ref):
        raise ConflictError(
            f"key {new.key!r} belongs to job {job.id}, a {job.kind} job with other settings: use another key"
        )
    return Submitted(job.id, job.n_documents, created=False)
