"""Schedules as rows: what they do, when they are due, and whether they fire. Their firings are in db.runs."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from db import notifications, runs
from db.compare_and_set import changed
from db.errors import ConflictError, NotFoundError
from db.policies import Policies
from db.sql import clock, now
from db.tables import Run, Schedule

DEFAULT = Policies()


@dataclass(frozen=True, slots=True)
class Due:
    """A schedule that is due."""

    id: int
    name: str
    cron: str
    time_zone: str
    next_at: datetime


def owner(name: str) -> str:
    """Who is notified of its runs: the owner in db.notifications."""
    return f"schedule {name}"


def add(
    session: Session,
    name: str,
    cron: str,
    time_zone: str,
    requests: list[dict[str, Any]],
    next_at: datetime,
    policies: Policies = DEFAULT,
) -> int:
    """Store a schedule; ConflictError if the name is taken by one that was not removed."""
    row = session.scalar(select(Schedule).where(Schedule.name == name))
    if row is not None and row.removed_at is None:
        raise ConflictError(
            f"there is a schedule {name!r} already: `docmill schedule edit {name}` changes it, "
            f"`docmill schedule remove {name}` removes it"
        )
    if row is None:
        row = Schedule(name=name)
        session.add(row)
    row.cron, row.time_zone, row.requests, row.next_at = cron, time_zone, requests, next_at
    row.removed_at = row.paused_at = row.paused_why = None
    row.n_failures = 0
    set_policies(row, policies)
    session.flush()
    return row.id


def policies_of(row: Schedule) -> Policies:
    """A schedule's policies as a value."""
    return Policies(**{name: getattr(row, name) for name in asdict(DEFAULT)})


def set_policies(row: Schedule, policies: Policies) -> None:
    """Change all of a schedule's policies. They hold for the times to come."""
    for name, value in asdict(policies).items():
        setattr(row, name, value)


def remove(session: Session, name: str) -> None:
    """Remove a schedule: it does not fire any more, its jobs go on, and nobody is notified of them."""
    row = by_name(session, name)
    lock(session, row.id)
    row.removed_at = clock(session)
    notifications.configure(session, owner(name), [])
    runs.skip_queued(session, row.id, "the schedule was removed")
    runs.forget_deadlines(session, row.id)


def pause(session: Session, name: str, why: str) -> None:
    """The schedule does not fire until it is enabled; what runs goes on."""
    row = by_name(session, name)
    lock(session, row.id)
    if row.paused_at is None:
        row.paused_at, row.paused_why = clock(session), why
        session.flush()
    runs.skip_queued(session, row.id, f"the schedule is paused: {row.paused_why}")


def resume(session: Session, name: str, next_at: datetime) -> bool:
    """The schedule fires again, first at `next_at`; what came in between is not caught up. False if it was not
    paused."""
    row = by_name(session, name)
    lock(session, row.id)
    if row.paused_at is None:
        return False
    row.paused_at = row.paused_why = None
    row.next_at, row.n_failures = next_at, 0
    session.flush()
    return True


def by_name(session: Session, name: str) -> Schedule:
    """The schedule of this name, or NotFoundError with the names there are."""
    row = session.scalar(select(Schedule).where(Schedule.name == name, Schedule.removed_at.is_(None)))
    if row is None:
        there_are = ", ".join(schedule.name for schedule in active(session))
        raise NotFoundError(f"there is no schedule {name!r} (there are: {there_are or 'none'})")
    return row


def active(session: Session) -> list[Schedule]:
    """The schedules that were not removed, by name."""
    return list(
        session.scalars(select(Schedule).where(Schedule.removed_at.is_(None)).order_by(Schedule.name))
    )


def page(session: Session, after: str | None, limit: int) -> list[Schedule]:
    """Schedules that were not removed, by name, from the one after a name on."""
    query = select(Schedule).where(Schedule.removed_at.is_(None)).order_by(Schedule.name).limit(limit)
    return list(session.scalars(query if after is None else query.where(Schedule.name > after)))


def lock(session: Session, schedule_id: int) -> Schedule:
    """The schedule as it is now. Until the end of the transaction no other scheduler fires it, nor starts or ends
    one of its runs."""
    query = select(Schedule).where(Schedule.id == schedule_id).with_for_update()
    return session.scalars(query.execution_options(populate_existing=True)).one()


def due(session: Session) -> list[Due]:
    """The schedules that are due, by the database's clock."""
    rows = session.execute(
        select(Schedule.id, Schedule.name, Schedule.cron, Schedule.time_zone, Schedule.next_at)
        .where(Schedule.removed_at.is_(None), Schedule.paused_at.is_(None), Schedule.next_at <= now())
        .order_by(Schedule.next_at, Schedule.id)
    )
    return [Due(*row) for row in rows]


def take(session: Session, schedule: Due, next_at: datetime) -> bool:
    """Win the firing: only one of the schedulers that try moves `next_at`."""
    is_still_due = (
        Schedule.id == schedule.id,
        Schedule.next_at == schedule.next_at,
        Schedule.removed_at.is_(None),
        Schedule.paused_at.is_(None),
    )
    return changed(session, update(Schedule).where(*is_still_due).values(next_at=next_at))


def last_runs(session: Session) -> dict[int, Run]:
    """The last firing of each schedule that was not removed."""
    found = {row.id: runs.history(session, row.id, 1) for row in active(session)}
    return {schedule_id: last[0] for schedule_id, last in found.items() if last}
