"""A job by its number."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.errors import NoSuchJobError
from db.states import JobState
from db.tables import Job


def by_id(session: Session, job_id: int) -> Job:
    """The job with this number; raises NoSuchJobError."""
    job = session.get(Job, job_id)
    if job is None:
        raise NoSuchJobError(job_id)
    return job


def state_of(session: Session, job_id: int) -> JobState:
    """The state of the job with this number, as it is now; raises NoSuchJobError."""
    state = session.scalar(select(Job.state).where(Job.id == job_id))
    if state is None:
        raise NoSuchJobError(job_id)
    return state
