"""Every change of a job's state, each one function, each a compare-and-set.

    waiting -> running <-> paused;   any of these -> cancelling -> cancelled;   running -> finished

What happens to a job's chunks in between is in db.chunks.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import Select, case, exists, func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, aliased

from db import progress, quarantine, selection
from db.chunks import changed, close_many_with_error, close_part_with_error, job_in, n_changed
from db.errors import ConflictError, NotFoundError, NothingToDoError
from db.selection import ChunkSize, LeftOut, NewOnly
from db.sql import now, one_of
from db.tables import Chunk, Document, Job, Outcome

ENDED = ("finished", "cancelled")
#: Of the error that a failed job ends with, its note holds so much.
MOST_NOTE_CHARS = 500

#: What one transaction of the scheduler touches at most, so that nobody waits long for its locks: documents that
#: get an outcome, chunks that change, and outcomes that are counted.
STEP_DOCUMENTS, STEP_CHUNKS, STEP_COUNT = 5_000, 1_000, 20_000


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
    #: The model's version is settled when the job starts, since it waits for another.
    model_comes_later: bool = False
    #: Take the documents that failed in this job.
    failed_in_job_id: int | None = None
    #: Only the ones with these numbers: of those, or of the collection.
    document_ids: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class Submitted:
    """A job's number and size; `created` is False when the key had been used for the same request before."""

    job_id: int
    n_documents: int
    created: bool
    #: Of a job over new documents only: what it did not take.
    left_out: LeftOut | None = None


def submit(session: Session, new: NewJob) -> Submitted:
    """Write the job and its chunks. The same key and request again return the job that is there. Raises
    NothingToDoError when the job would have no document; the caller rolls back then."""
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
    chosen, left_out = _selection(session, new, job)
    first = "blocked" if new.after_job_id else "ready"
    n_documents = selection.cut(session, job, chosen, new.chunk_size, first)
    if not n_documents:
        raise NothingToDoError("the job would have no document", left_out)
    for stage in range(1, new.n_stages):
        selection.add_stage(session, job, stage)
    session.execute(update(Job).where(Job.id == job.id).values(n_documents=n_documents))
    return Submitted(job.id, n_documents, created=True, left_out=left_out)


def open_waiting(session: Session, job_id: int, model_version_id: int | None) -> bool:
    """waiting -> running, once the job it waits for has finished and its model is known. `open_some` then makes
    its chunks ready."""
    return changed(
        session,
        update(Job)
        .where(Job.id == job_id, Job.state == "waiting")
        .values(state="running", model_version_id=model_version_id, started_at=now()),
    )


def open_some(session: Session, job_id: int, limit: int = STEP_CHUNKS) -> int:
    """Make some blocked chunks of a running job ready: those of the first stage in which not every chunk is closed.
    Returns how many were opened: call until it is 0."""
    earlier = aliased(Chunk)
    next_stage = (
        select(func.min(earlier.stage))
        .where(earlier.job_id == job_id, earlier.state != "closed")
        .scalar_subquery()
    )
    some = (
        select(Chunk.id)
        .where(Chunk.job_id == job_id, Chunk.state == "blocked", Chunk.stage == next_stage)
        .order_by(Chunk.seq)
        .limit(limit)
        .scalar_subquery()
    )
    return n_changed(
        session,
        update(Chunk)
        .where(Chunk.id.in_(some), Chunk.state == "blocked", job_in("running"))
        .values(state="ready"),
    )


def has_open_chunks(session: Session, job_id: int) -> bool:
    """Whether a chunk of the job is not closed."""
    return bool(session.scalar(select(exists().where(Chunk.job_id == job_id, Chunk.state != "closed"))))


def has_blocked_chunks(session: Session, job_id: int) -> bool:
    """Whether `open_some` has something to open."""
    first = select(func.min(Chunk.stage)).where(Chunk.job_id == job_id, Chunk.state != "closed")
    blocked = exists().where(
        Chunk.job_id == job_id, Chunk.state == "blocked", Chunk.stage == first.scalar_subquery()
    )
    return bool(session.scalar(select(blocked)))


@dataclass(frozen=True, slots=True)
class Count:
    """How many outcomes of a job were counted so far, in the order of their documents."""

    n_ok: int = 0
    n_error: int = 0
    last_document_id: int = 0
    is_whole: bool = False


def count_some(session: Session, job_id: int, so_far: Count, limit: int = STEP_COUNT) -> Count:
    """Count some more outcomes of a job all of whose chunks are closed: call until the count is whole."""
    some = (
        select(Outcome.document_id, Outcome.state)
        .where(Outcome.job_id == job_id, Outcome.document_id > so_far.last_document_id)
        .order_by(Outcome.document_id)
        .limit(limit)
        .subquery()
    )
    n, n_ok, last = session.execute(
        select(
            func.count(), func.sum(case((some.c.state == "ok", 1), else_=0)), func.max(some.c.document_id)
        ).select_from(some)
    ).one()
    n_ok = int(n_ok or 0)
    return Count(
        so_far.n_ok + n_ok,
        so_far.n_error + n - n_ok,
        last or so_far.last_document_id,
        is_whole=n < limit,
    )


def finish(session: Session, job_id: int, count: Count) -> bool:
    """running -> finished, cancelling -> cancelled, when every chunk is closed. The outcomes were counted once
    more after the last chunk was closed, and the table's CHECK refuses an end at which not every document has
    one."""
    still_open = exists().where(Chunk.job_id == job_id, Chunk.state != "closed")
    ended = changed(
        session,
        update(Job)
        .where(Job.id == job_id, Job.state.in_(("running", "cancelling")), ~still_open)
        .values(
            state=case((Job.state == "running", "finished"), else_="cancelled"),
            n_ok=count.n_ok,
            n_error=count.n_error,
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


@dataclass(frozen=True, slots=True)
class Part:
    """How far `stop_some` is in a chunk that is too large for one step. Its document ids are read once: a
    million of them take longer to read than a step may take."""

    chunk_id: int
    document_ids: array[int]
    n_done: int


@dataclass(frozen=True, slots=True)
class Stopped:
    """One step of `stop_some`: how many chunks it closed or went on with, and what the next step should be given,
    once this one is committed."""

    n_chunks: int
    part: Part | None = None


def stop_some(
    session: Session,
    job_id: int,
    part: Part | None = None,
    *,
    limit: int = STEP_CHUNKS,
    documents: int = STEP_DOCUMENTS,
) -> Stopped:
    """Close some open chunks of a stopped job, whoever holds them; their documents without an outcome get the
    job's stop code. At most `limit` chunks with `documents` documents, or a part of one that has more. Call until no
    chunk is left. A chunk that a worker writes to at this moment is left for the next call."""
    job = session.execute(
        select(Job.stop_code, Job.stop_detail).where(Job.id == job_id, Job.state == "cancelling")
    ).one_or_none()
    if job is None:
        return Stopped(0)
    error = (job.stop_code or "CANCELLED", job.stop_detail or "")
    some = _open_chunks(session, job_id, limit, documents)
    if len(some) == 1 and some[0][1] > documents:
        return Stopped(1, _stop_part(session, job_id, some[0][0], part, documents, error))
    if some:
        close_many_with_error(session, [chunk_id for chunk_id, _ in some], *error)
    return Stopped(len(some))


def _stop_part(
    session: Session, job_id: int, chunk_id: int, part: Part | None, documents: int, error: tuple[str, str]
) -> Part | None:
    if part is None or part.chunk_id != chunk_id:
        ids = session.scalars(select(Chunk.document_ids).where(Chunk.id == chunk_id)).one()
        part = Part(chunk_id, array("q", ids), 0)
    n_done = part.n_done + documents
    close_part_with_error(session, chunk_id, job_id, part.document_ids[part.n_done : n_done], *error)
    return replace(part, n_done=n_done) if part.n_done < len(part.document_ids) else None


def _open_chunks(session: Session, job_id: int, limit: int, documents: int) -> list[tuple[int, int]]:
    """(number, documents) of some open chunks of one stage, locked: at least one, and no more than hold so many
    documents together."""
    first = select(func.min(Chunk.stage)).where(Chunk.job_id == job_id, Chunk.state != "closed")
    rows = session.execute(
        select(Chunk.id, Chunk.n_documents)
        .where(Chunk.job_id == job_id, Chunk.state != "closed", Chunk.stage == first.scalar_subquery())
        .order_by(Chunk.seq)
        .limit(min(limit, documents))
        .with_for_update(skip_locked=True)
    ).all()
    chosen: list[tuple[int, int]] = []
    n = 0
    for chunk_id, n_documents in rows:
        n += n_documents
        if chosen and n > documents:
            break
        chosen.append((chunk_id, n_documents))
    return chosen


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


def _selection(session: Session, new: NewJob, job: Job) -> tuple[Select[int, int], LeftOut | None]:
    if new.failed_in_job_id is not None and new.document_ids is not None:
        return quarantine.failed_in(new.failed_in_job_id, new.document_ids), None
    if new.failed_in_job_id is not None:
        return selection.failed_in(new.failed_in_job_id), None
    chosen = selection.latest(new.collection_id, labelled_only=new.labelled_only)
    if new.document_ids is not None:
        chosen = chosen.where(one_of(Document.id, new.document_ids or (0,)))
    if not new.only_new:
        return chosen, None
    selection.one_at_a_time(session, new.collection_id)
    new_only = NewOnly(job, new.model_comes_later)
    return new_only.of(chosen), new_only.left_out(session, chosen)


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
