"""Runs: the firings of schedules. Each transition is one function, and each function is a compare-and-set.

            add                 start              end
    (new) ──────▶ queued ──────────────▶ running ──────────▶ succeeded, failed or cancelled
       │             │ skip_queued
       │ add         ▼
       └──────▶ skipped, missed

A run has ended when all of its jobs have, and nothing awaits more (`expect_more`, `no_more`).
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, case, exists, null, select, update
from sqlalchemy.orm import Session, aliased

from db import growth, jobs
from db.compare_and_set import changed, n_changed
from db.errors import ConflictError, NotFoundError
from db.sql import clock, now
from db.states import (
    ENDED,
    OPEN_RUNS,
    UNFINISHED,
    ChunkState,
    ErrorCode,
    JobState,
    RunCause,
    RunState,
)
from db.tables import Chunk, Job, Run


def add(
    session: Session,
    schedule_id: int,
    due_at: datetime,
    *,
    cause: RunCause = RunCause.TIME,
    state: RunState = RunState.QUEUED,
    deadline_at: datetime | None = None,
    note: str | None = None,
) -> int:
    """A new run: queued, or one that never starts (skipped, missed)."""
    ended_at = None if state in OPEN_RUNS else clock(session)
    run = Run(
        schedule_id=schedule_id,
        due_at=due_at,
        cause=cause,
        state=state,
        deadline_at=deadline_at,
        note=note,
        ended_at=ended_at,
    )
    session.add(run)
    session.flush()
    return run.id


def by_id(session: Session, run_id: int) -> Run:
    """The run, or NotFoundError."""
    row = session.get(Run, run_id)
    if row is None:
        raise NotFoundError(f"there is no run {run_id}")
    return row


def open_runs(session: Session, schedule_id: int) -> list[Run]:
    """The runs of a schedule that have not ended, in the order in which they are due."""
    query = select(Run).where(Run.schedule_id == schedule_id, Run.ended_at.is_(None)).order_by(Run.due_at)
    return list(session.scalars(query.execution_options(populate_existing=True)))


def has_work(session: Session, run: Run) -> bool:
    """Whether a run that has not ended waits, or has work left. One whose documents are all done, and whose jobs nobody
    has counted yet (the scheduler was away), has none."""
    if run.state == RunState.QUEUED or run.awaits_more:
        return True
    open_chunk = exists().where(Chunk.job_id == Job.id, Chunk.state != ChunkState.CLOSED)
    left = select(Job.id).where(Job.run_id == run.id, Job.state.not_in(ENDED), open_chunk)
    return session.scalar(left.limit(1)) is not None


def history(session: Session, schedule_id: int, limit: int) -> list[Run]:
    """The last runs of a schedule, the newest first."""
    query = select(Run).where(Run.schedule_id == schedule_id).order_by(Run.due_at.desc()).limit(limit)
    return list(session.scalars(query))


def jobs_of(session: Session, run_id: int) -> list[Job]:
    """The jobs of a run, in the order in which they were submitted."""
    return list(session.scalars(select(Job).where(Job.run_id == run_id).order_by(Job.id)))


# --- transitions -------------------------------------------------------------------------------------------------


def start(session: Session, run_id: int) -> bool:
    """queued -> running; its jobs are submitted in the same transaction."""
    queued = update(Run).where(Run.id == run_id, Run.state == RunState.QUEUED)
    return changed(session, queued.values(state=RunState.RUNNING, started_at=now()))


def end(
    session: Session, run_id: int, state: RunState, ended_at: datetime, *, note: str | None, fault: str | None
) -> bool:
    """running -> succeeded, failed or cancelled."""
    running = update(Run).where(Run.id == run_id, Run.state == RunState.RUNNING)
    values = {"state": state, "ended_at": ended_at, "awaits_more": False, "note": note, "fault": fault}
    has_ended = changed(session, running.values(values))
    if has_ended:
        growth.note_run(session, run_id)
    return has_ended


def skip_queued(session: Session, schedule_id: int, note: str) -> int:
    """queued -> skipped, for all of a schedule; returns how many. They cannot be late any more, unless their deadline
    has passed and nobody has looked yet."""
    queued = update(Run).where(Run.schedule_id == schedule_id, Run.state == RunState.QUEUED)
    passed = case((Run.deadline_at <= now(), Run.deadline_at), else_=null())
    values = {"state": RunState.SKIPPED, "ended_at": now(), "note": note, "deadline_at": passed}
    return n_changed(session, queued.values(values))


def stop(session: Session, run_id: int, note: str) -> None:
    """A later run replaces it: its jobs are cancelled, and it ends when they have. What submits more jobs to it has to
    look at `stopped_at`."""
    n_changed(session, update(Run).where(Run.id == run_id).values(stopped_at=now(), note=note))
    for job in jobs_of(session, run_id):
        if job.state in UNFINISHED:
            # One that ends at this moment needs no stop.
            with suppress(ConflictError):
                jobs.stop(session, job.id, ErrorCode.CANCELLED, note)


def expect_more(session: Session, run_id: int) -> None:
    """More jobs will be submitted to it (a night that is planned first): it does not end until `no_more`."""
    n_changed(session, update(Run).where(Run.id == run_id).values(awaits_more=True))


def no_more(session: Session, run_id: int, fault: str | None = None, note: str | None = None) -> None:
    """Every job of it was submitted: it ends when they have. With `fault`, why something could not be submitted, it
    ends as failed."""
    values = {"awaits_more": False} | ({"fault": fault} if fault else {}) | ({"note": note} if note else {})
    n_changed(session, update(Run).where(Run.id == run_id).values(values))


# --- what the scheduler looks for --------------------------------------------------------------------------------


def has_no_more_to_do(session: Session, run_id: int) -> bool:
    """Whether a running run waits for nothing any more."""
    return session.scalar(select(Run.id).where(Run.id == run_id, is_at_its_end())) is not None


def at_their_end(session: Session, limit: int = 100) -> list[tuple[int, int]]:
    """(schedule, run) of running runs that wait for nothing any more."""
    query = select(Run.schedule_id, Run.id).where(is_at_its_end()).order_by(Run.id).limit(limit)
    return [(schedule_id, run_id) for schedule_id, run_id in session.execute(query)]


def to_start(session: Session) -> list[int]:
    """Schedules with a queued run and none that runs."""
    return sorted(set(session.scalars(select(Run.schedule_id).where(may_start()))))


def may_start() -> ColumnElement[bool]:
    """The condition that a run is queued, and that none of its schedule runs."""
    other = aliased(Run)
    runs_already = exists().where(
        other.schedule_id == Run.schedule_id, other.ended_at.is_(None), other.state == RunState.RUNNING
    )
    found: ColumnElement[bool] = Run.ended_at.is_(None) & (Run.state == RunState.QUEUED) & ~runs_already
    return found


def past_deadline(session: Session, limit: int = 100) -> list[tuple[int, int]]:
    """(schedule, run) of those whose deadline has passed and of which it is not decided whether they are late."""
    query = select(Run.schedule_id, Run.id).where(
        Run.is_late.is_(None), Run.deadline_at.is_not(None), Run.deadline_at <= now()
    )
    rows = session.execute(query.order_by(Run.deadline_at, Run.id).limit(limit))
    return [(schedule_id, run_id) for schedule_id, run_id in rows]


def decide_late(session: Session, run: Run) -> bool:
    """Decide once whether a run whose deadline has passed is late: whether neither it nor a later run of its schedule
    succeeded in time. True only for the caller whose decision it is that it is late."""
    other = aliased(Run)
    done = exists().where(
        other.schedule_id == run.schedule_id,
        other.due_at >= run.due_at,
        other.state == RunState.SUCCEEDED,
        other.ended_at <= run.deadline_at,
    )
    is_late = not session.scalar(select(done))
    undecided = update(Run).where(Run.id == run.id, Run.is_late.is_(None))
    return changed(session, undecided.values(is_late=is_late)) and is_late


def forget_deadlines(session: Session, schedule_id: int) -> None:
    """No run of this schedule is late any more."""
    undecided = update(Run).where(Run.schedule_id == schedule_id, Run.is_late.is_(None))
    n_changed(session, undecided.values(deadline_at=None))


def is_first_after_late(session: Session, run: Run) -> bool:
    """Whether a run that has succeeded is the first to do so since one of its schedule was late; itself counts."""
    before = (
        select(Run.ended_at)
        .where(Run.schedule_id == run.schedule_id, Run.id != run.id, Run.state == RunState.SUCCEEDED)
        .order_by(Run.ended_at.desc())
        .limit(1)
    )
    last_success = session.scalar(before)
    late = select(Run.id).where(Run.schedule_id == run.schedule_id, Run.is_late.is_(True))
    if last_success is not None:
        late = late.where(Run.deadline_at > last_success)
    return session.scalar(late.limit(1)) is not None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a run came to."""

    state: RunState
    note: str | None
    ended_at: datetime


def verdict(session: Session, run: Run) -> Verdict:
    """What a run came to whose jobs have all ended. It ended when the last of them did."""
    found = jobs_of(session, run.id)
    ended_at = max([job.finished_at for job in found if job.finished_at is not None], default=clock(session))
    failed = [job for job in found if _has_failed(job)]
    cancelled = [job for job in found if job.stop_code == ErrorCode.CANCELLED]
    if run.stopped_at is not None:
        return Verdict(RunState.CANCELLED, run.note, ended_at)
    if run.fault or failed:
        words = "; ".join(f"job {job.id} ({job.kind}): {_why(job)}" for job in failed[:3])
        return Verdict(RunState.FAILED, words or run.note, ended_at)
    if cancelled:
        return Verdict(RunState.CANCELLED, f"job {cancelled[0].id} was cancelled", ended_at)
    return Verdict(RunState.SUCCEEDED, run.note, ended_at)


def _has_failed(job: Job) -> bool:
    """Whether it gave no result at all, though nobody cancelled it."""
    if job.state == JobState.CANCELLED:
        return job.stop_code not in (ErrorCode.CANCELLED, ErrorCode.CARRIED_OVER)
    return bool(job.n_documents) and not job.n_ok


def _why(job: Job) -> str:
    detail = job.stop_detail if job.state == JobState.CANCELLED else job.note
    return (detail or "no document has a result").removeprefix("failed: ")


def is_at_its_end() -> ColumnElement[bool]:
    """The condition that a running run waits for nothing any more."""
    open_job = exists().where(Job.run_id == Run.id, Job.state.not_in(ENDED))
    found: ColumnElement[bool] = (
        Run.ended_at.is_(None) & (Run.state == RunState.RUNNING) & ~Run.awaits_more & ~open_job
    )
    return found
