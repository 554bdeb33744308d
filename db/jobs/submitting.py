"""A new job: its row, and the chunks that its documents are cut into, in one transaction."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from sqlalchemy import Select, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from db import chunks, earlier, quarantine, selection, where, work
from db.chunks import ChunkSize
from db.corrections import Sources
from db.errors import ConflictError, NothingToDoError
from db.jobs import turns
from db.selection import DependsOn, LeftOut, NewOnly
from db.sql import now, one_of
from db.states import ChunkState, JobState
from db.tables import Document, Job
from db.work import Work


@dataclass(frozen=True)
class NewJob:
    """Everything that makes a job, checked."""

    kind: str
    parameters: dict[str, Any]
    collection_id: int
    #: Of the kind's code, and what its parameters are compared with (db.work).
    epoch: int = 1
    defaults: dict[str, Any] = field(default_factory=dict)
    ignored: frozenset[str] = frozenset()
    n_stages: int = 1
    #: None: all documents in one chunk.
    chunk_size: ChunkSize | None = field(default_factory=lambda: ChunkSize(256, 1_000_000))
    model_ref: str | None = None
    model_version_id: int | None = None
    priority: int = 5
    key: str | None = None
    after_job_id: int | None = None
    run_id: int | None = None
    #: Who asks for it.
    submitter: str | None = None
    #: No other job of its collection and kind runs beside it.
    exclusive: bool = False
    #: If a job that has not ended does the same, that one is returned.
    unique: bool = False
    labelled_only: bool = False
    #: For a training: further collections, and documents of yet others.
    sources: Sources = field(default_factory=Sources)
    corrections: tuple[int, ...] = ()
    only_new: bool = False
    #: With `only_new`: results depend on other documents than their own.
    depends_on: DependsOn | None = None
    #: A selection as people write it (db.where): of the documents that the job would take otherwise.
    where: str | None = None
    #: The trace that it belongs to.
    traceparent: str | None = None
    #: The model's version is decided when the job starts, since it waits for another job.
    model_comes_later: bool = False
    #: Take the documents that failed in this job.
    failed_in_job_id: int | None = None
    #: Only the ones with these ids: of those, or of the collection.
    document_ids: tuple[int, ...] | None = None
    #: These documents, whatever else is said: (id, characters), and a third column if they are not taken in the order
    #: of their ids.
    documents: Select[*tuple[Any, ...]] | None = None

    @property
    def work(self) -> Work:
        return Work(
            self.kind, self.parameters, self.model_version_id, self.epoch, self.defaults, self.ignored
        )


class TellsCorrections(Protocol):
    """What is said of corrections (scheduler.corrections)."""

    @property
    def words(self) -> str: ...
    def as_json(self) -> dict[str, Any]: ...


@dataclass(frozen=True, slots=True)
class Submitted:
    """A job's number and size; `created` is False when the key had been used for the same request before."""

    job_id: int
    n_documents: int
    created: bool
    #: It was there before, since it was to be unique, not since it has the same key.
    does_the_same: bool = False
    #: For a job over new documents only: what it left out.
    left_out: LeftOut | None = None
    #: For a training that learns corrections: those that it takes, and those that it does not.
    corrections: TellsCorrections | None = None


def submit(session: Session, new: NewJob) -> Submitted:
    """Write the job and its chunks. The same key and request again return the job that is there. Raises
    NothingToDoError when the job would have no document, ValueError for a bad selection; the caller rolls back
    then."""
    if new.key is not None and (before := _same_key(session, new)) is not None:
        return before
    turns.lock(session, new.collection_id, alone=new.exclusive or new.unique)
    if new.unique and (same := turns.doing_the_same(session, new)) is not None:
        return Submitted(same.id, same.n_documents, created=False, does_the_same=True)
    new = _in_turn(session, new)
    job = _job_of(new)
    if turns.has_to_wait(session, job):
        job.state, job.started_at = JobState.WAITING, None
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
    first = ChunkState.BLOCKED if job.state == JobState.WAITING else ChunkState.READY
    n_documents = chunks.cut(session, job, chosen, new.chunk_size, first)
    if not n_documents:
        raise NothingToDoError("the job would have no document", left_out)
    for stage in range(1, new.n_stages):
        chunks.add_stage(session, job, stage)
    session.execute(update(Job).where(Job.id == job.id).values(n_documents=n_documents))
    return Submitted(job.id, n_documents, created=True, left_out=left_out)


def _in_turn(session: Session, new: NewJob) -> NewJob:
    """A job over some documents, whose results depend on all of them, waits for the one before it: that one writes the
    results which this one has to read, or makes the vectors among which it searches."""
    if new.after_job_id or new.depends_on is None:
        return new
    updates_others = (new.only_new or new.documents is not None) and new.depends_on.are_updated
    if not updates_others and new.where is None and new.failed_in_job_id is None:
        return new
    selection.one_at_a_time(session, new.collection_id)
    return replace(new, after_job_id=earlier.last_unfinished(session, new.work, new.collection_id))


def _job_of(new: NewJob) -> Job:
    return Job(
        kind=new.kind,
        parameters=new.parameters,
        epoch=new.epoch,
        collection_id=new.collection_id,
        sources=new.sources.as_json(),
        model_ref=new.model_ref,
        model_version_id=new.model_version_id,
        priority=new.priority,
        key=new.key,
        after_job_id=new.after_job_id,
        run_id=new.run_id,
        where_clause=new.where,
        submitter=new.submitter,
        is_exclusive=new.exclusive,
        traceparent=new.traceparent,
        state=JobState.WAITING if new.after_job_id else JobState.RUNNING,
        started_at=None if new.after_job_id else now(),
        n_documents=0,
    )


def _selection(session: Session, new: NewJob, job: Job) -> tuple[Select[*tuple[Any, ...]], LeftOut | None]:
    if new.documents is not None:
        return new.documents, None
    selected = () if new.where is None else (where.where(session, new.where, new.collection_id),)
    if new.failed_in_job_id is not None and new.document_ids is not None:
        return quarantine.failed_in(new.failed_in_job_id, new.document_ids).where(*selected), None
    if new.failed_in_job_id is not None:
        return selection.failed_in(new.failed_in_job_id).where(*selected), None
    chosen = selection.latest(
        new.collection_id,
        labelled_only=new.labelled_only,
        also=new.sources.collections,
        corrections=new.corrections,
    ).where(*selected)
    if new.document_ids is not None:
        chosen = chosen.where(one_of(Document.id, new.document_ids or (0,)))
    if not new.only_new:
        return chosen, None
    selection.one_at_a_time(session, new.collection_id)
    alike = work.compared(session, new.work, new.collection_id, but=job.id).alike
    new_only = NewOnly(job, alike, new.model_comes_later, new.depends_on)
    return new_only.of(chosen), new_only.left_out(session, chosen)


def _same_key(session: Session, new: NewJob) -> Submitted | None:
    job = session.scalar(select(Job).where(Job.key == new.key))
    if job is None:
        return None
    asked = (
        new.kind,
        new.parameters,
        new.collection_id,
        new.model_ref,
        new.sources.collections,
        new.where,
    )
    there = (
        job.kind,
        job.parameters,
        job.collection_id,
        job.model_ref,
        Sources.of_job(job).collections,
        job.where_clause,
    )
    if asked != there:
        raise ConflictError(
            f"key {new.key!r} belongs to job {job.id}, a {job.kind} job with other settings: use another key"
        )
    return Submitted(job.id, job.n_documents, created=False)
