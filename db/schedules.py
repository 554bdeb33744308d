"""Schedules as rows, and their firings: a compare-and-set on `next_at`, and one run row for each due time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import CursorResult, select, update
from sqlalchemy.orm import Session

from db.errors import ConflictError, NotFoundError
from db.sql import clock, now
from db.tables import Run, Schedule


@dataclass(frozen=True, slots=True)
class Due:
    """A schedule that is due."""

    id: int
    name: str
    cron: str
    time_zone: str
    next_at: datetime


def add(
    session: Session, name: str, cron: str, time_zone: str, requests: list[dict[str, Any]], next_at: datetime
) -> int:
    """Store a schedule; ConflictError if the name is taken by one that was not removed."""
    row = session.scalar(select(Schedule).where(Schedule.name == name))
    if row is not None and row.removed_at is None:
        raise ConflictError(f"there is a schedule {name!r} already: `docmill schedule remove {name}` first")
    if row is None:
        row = Schedule(name=name)
        session.add(row)
    row.cron, row.time_zone, row.requests, row.next_at, row.removed_at = (
        cron,
        time_zone,
        requests,
        next_at,
        None,
    )
    session.flush()
    return row.id


def remove(session: Session, name: str) -> None:
    """Remove a schedule: it does not fire any more."""
    by_name(session, name).removed_at = clock(session)


def by_name(session: Session, name: str) -> Schedule:
    """The schedule of this name, or NotFoundError with the names there are."""
    row = session.scalar(select(Schedule).where(Schedule.name == name, Schedule.removed_at.is_(None)))
    if row is None:
        there_are = ", ".join(schedule.name for schedule in active(session))
        raise NotFoundError(f"there is no schedule {name!r} (there are: {there_are or 'none'})")
    return row


def active(session: Session) -> list[Schedule]:
    """The schedules that fire, by name."""
    return list(
        session.scalars(select(Schedule).where(Schedule.removed_at.is_(None)).order_by(Schedule.name))
    )


def due(session: Session) -> list[Due]:
    """The schedules that are due, by the database's clock."""
    rows = session.execute(
        select(Schedule.id, Schedule.name, Schedule.cron, Schedule.time_zone, Schedule.next_at).where(
            Schedule.removed_at.is_(None), Schedule.next_at <= now()
        )
    )
    return [Due(*row) for row in rows]


def take(session: Session, schedule: Due, latest_due: datetime, next_at: datetime) -> int | None:
    """Win the firing: only one of the schedulers that try moves `next_at`, and gets the id of a new run. Times
    that were missed while no scheduler ran become one firing, for the latest of them."""
    result: CursorResult[Any] = session.execute(  # type: ignore[assignment]
        update(Schedule)
        .where(
            Schedule.id == schedule.id, Schedule.next_at == schedule.next_at, Schedule.removed_at.is_(None)
        )
        .values(next_at=next_at)
    )
    return start_run(session, schedule.id, latest_due) if result.rowcount == 1 else None


def start_run(session: Session, schedule_id: int, due_at: datetime) -> int:
    """A run by hand or by time; its jobs are submitted in the same transaction."""
    run = Run(schedule_id=schedule_id, due_at=due_at)
    session.add(run)
    session.flush()
    return run.id


def record_fault(session: Session, run_id: int, fault: str) -> None:
    """Store why a firing could not submit its jobs."""
    session.execute(update(Run).where(Run.id == run_id).values(fault=fault))


def requests_of(session: Session, schedule_id: int) -> list[dict[str, Any]]:
    """What a schedule submits."""
    return list(session.scalars(select(Schedule.requests).where(Schedule.id == schedule_id)).one())


def last_runs(session: Session) -> dict[int, Run]:
    """The last firing of each schedule."""
    runs = session.scalars(select(Run).order_by(Run.due_at))
    return {run.schedule_id: run for run in runs}
