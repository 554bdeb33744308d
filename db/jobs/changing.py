"""The transitions of a job that are one UPDATE: it starts, is paused, goes on, or is stopped.

Repeating one changes nothing. ConflictError if the job's state does not allow it, NoSuchJobError if there is no job.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import update
from sqlalchemy.orm import Session

from db import chunks
from db.compare_and_set import changed
from db.errors import ConflictError
from db.jobs.finding import state_of
from db.jobs.turns import runs_beside_none
from db.sql import now, one_of
from db.states import UNFINISHED, JobState
from db.tables import Job


def open_waiting(session: Session, job_id: int, model_version_id: int | None) -> bool:
    """waiting -> running, once the job it waits for has ended and its model is known. `chunks.open_some` then makes
    its chunks ready. False if it was not waiting, or may not run beside another."""
    return changed(
        session,
        update(Job)
        .where(Job.id == job_id, Job.state == JobState.WAITING, runs_beside_none())
        .values(state=JobState.RUNNING, model_version_id=model_version_id, started_at=now()),
    )


def pause(session: Session, job_id: int) -> None:
    """running -> paused: chunks that workers hold are worked to their end, and no other is claimed."""
    if not _move(session, job_id, JobState.RUNNING, JobState.PAUSED):
        state = state_of(session, job_id)
        if state != JobState.PAUSED:
            raise ConflictError(f"job {job_id} is {state}: only a running job can be paused")


def resume(session: Session, job_id: int) -> None:
    """paused -> running."""
    if not _move(session, job_id, JobState.PAUSED, JobState.RUNNING):
        state = state_of(session, job_id)
        if state != JobState.RUNNING:
            raise ConflictError(f"job {job_id} is {state}: only a paused job can be resumed")


def stop(session: Session, job_id: int, code: str, detail: str) -> None:
    """waiting, running or paused -> cancelling: no chunk of the job is claimed any more. `stop_some` then closes the
    open ones, and their documents without an outcome get this error."""
    stoppable = update(Job).where(Job.id == job_id, Job.state.in_(UNFINISHED))
    values = {"state": JobState.CANCELLING, "stop_code": code, "stop_detail": detail}
    if not changed(session, stoppable.values(values)):
        state = state_of(session, job_id)
        if state != JobState.CANCELLING:
            raise ConflictError(f"job {job_id} is {state}: there is nothing left to cancel")


def set_priority(session: Session, job_id: int, priority: int) -> None:
    """Change the priority of a job that has not ended, with that of its chunks that nobody holds. Messages that were
    sent with the old one are hints like any other: their chunks are sent again under the new one at once."""
    open_job = update(Job).where(Job.id == job_id, Job.state.in_(UNFINISHED))
    if not changed(session, open_job.values(priority=priority)):
        state = state_of(session, job_id)
        raise ConflictError(f"job {job_id} is {state}: its priority means nothing any more")
    chunks.set_priority(session, job_id, priority)


def _move(session: Session, job_id: int, before: JobState, after: JobState) -> bool:
    return changed(session, update(Job).where(Job.id == job_id, Job.state == before).values(state=after))


def forget_runs(session: Session, run_ids: Sequence[int]) -> None:
    """The runs are being deleted: their jobs, which have ended, no longer say which run they belonged to."""
    session.execute(update(Job).where(one_of(Job.run_id, run_ids)).values(run_id=None))
