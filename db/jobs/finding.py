"""A job by its number, and those that a scheduler has to move on."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import exists, literal, select, true
from sqlalchemy.orm import Session

from db.errors import NoSuchJobError
from db.jobs.conditions import can_move, is_underway
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


@dataclass(frozen=True, slots=True)
class ToMove:
    """Jobs that have a next step, with their states; and whether any job runs or is being stopped."""

    jobs: tuple[tuple[int, JobState], ...]
    some_are_underway: bool


def to_move(session: Session, after_id: int, limit: int) -> ToMove:
    """The jobs that have a next step: first those after a job, then those before it. One statement."""
    some = (
        select(Job.id, Job.state)
        .where(can_move())
        .order_by((Job.id > after_id).desc(), Job.id)
        .limit(limit)
        .subquery()
    )
    one = select(literal(1).label("one")).subquery()
    rows = session.execute(
        select(exists().where(is_underway()), some.c.id, some.c.state)
        .select_from(one.outerjoin(some, true()))
        .order_by((some.c.id > after_id).desc(), some.c.id)
    ).all()
    found = tuple((job_id, state) for _, job_id, state in rows if job_id is not None)
    return ToMove(found, bool(rows[0][0]))
