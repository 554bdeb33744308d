"""The end of a job: its outcomes are counted, a step at a time, and it is finished or cancelled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import case, exists, func, literal, select, update
from sqlalchemy.orm import Session

from db import growth, progress, tallies
from db.chunks.conditions import is_open
from db.compare_and_set import changed
from db.sql import now, one_of
from db.states import JobState, OutcomeState
from db.tables import Job, Outcome
from db.tallies import Counted

#: Outcomes that one transaction of the scheduler counts at most.
STEP_COUNT = 20_000
#: The note of a failed job holds at most this much of its first error.
MAX_NOTE_CHARS = 500


@dataclass(frozen=True, slots=True)
class Count:
    """How many outcomes of a job were counted so far, in the order of their documents."""

    n_ok: int = 0
    n_error: int = 0
    last_document_id: int = 0
    is_whole: bool = False


def count_some(session: Session, job_id: int, so_far: Count, limit: int = STEP_COUNT) -> Count:
    """Count some more outcomes of a job whose chunks are all closed: call until the count is whole."""
    some = (
        select(Outcome.document_id, Outcome.state)
        .where(Outcome.job_id == job_id, Outcome.document_id > so_far.last_document_id)
        .order_by(Outcome.document_id)
        .limit(limit)
        .subquery()
    )
    is_ok = case((some.c.state == OutcomeState.OK, 1), else_=0)
    n, n_ok, last = session.execute(
        select(func.count(), func.sum(is_ok), func.max(some.c.document_id)).select_from(some)
    ).one()
    n_ok = int(n_ok or 0)
    return Count(
        so_far.n_ok + n_ok,
        so_far.n_error + n - n_ok,
        last or so_far.last_document_id,
        is_whole=n < limit,
    )


def finish(session: Session, job_id: int, count: Count) -> bool:
    """running -> finished, cancelling -> cancelled, when every chunk is closed. The count was made after the last
    chunk was closed, and a CHECK of the table refuses an end at which a document has no outcome."""
    finished, cancelled = (
        literal(state, Job.state.type) for state in (JobState.FINISHED, JobState.CANCELLED)
    )
    ended = changed(
        session,
        update(Job)
        .where(
            Job.id == job_id,
            Job.state.in_((JobState.RUNNING, JobState.CANCELLING)),
            ~exists().where(*is_open(job_id)),
        )
        .values(
            state=case((Job.state == JobState.RUNNING, finished), else_=cancelled),
            n_ok=count.n_ok,
            n_error=count.n_error,
            finished_at=now(),
        ),
    )
    if ended:
        _count_and_note(session, job_id)
        growth.note_job(session, job_id)
    return ended


def _count_and_note(session: Session, job_id: int) -> None:
    """Count the end of a job, and replace the last report of progress: a job without a single result says that it
    failed and why, a cancelled one says how far it was."""
    job = session.execute(
        select(Job.kind, Job.state, Job.n_documents, Job.n_ok, Job.note).where(Job.id == job_id)
    ).one()
    tallies.add(session, Counted.JOBS, job.kind, job.state)
    note = job.note
    if job.state == JobState.CANCELLED:
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
        .where(Outcome.job_id == job_id, Outcome.state == OutcomeState.ERROR)
        .order_by(Outcome.document_id)
        .limit(1)
    ).one()
    return f"{code}: {detail or ''}"[:MAX_NOTE_CHARS]


def erase_notes(session: Session, document_ids: Sequence[int]) -> None:
    """The note of a failed job repeats its first error, whose detail may quote a document that is being removed."""
    quoted = session.execute(
        select(Job.id, Job.note, Outcome.error_code, Outcome.error_detail)
        .join(Outcome, Outcome.job_id == Job.id)
        .where(
            one_of(Outcome.document_id, document_ids),
            Outcome.error_detail.is_not(None),
            Job.note.startswith(progress.FAILED, autoescape=True),
        )
        .distinct()
    ).all()
    for job_id, note, code, detail in quoted:
        if f"{progress.FAILED}{code}: {detail}".startswith(note or progress.FAILED):
            stays = f"{progress.FAILED}{code}: its document was removed"
            session.execute(update(Job).where(Job.id == job_id, Job.note == note).values(note=stays))
