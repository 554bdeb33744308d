"""When a scheduler has something to do: one statement for all of its steps, so that an idle one asks nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Select, case, exists, func, literal_column, or_, select
from sqlalchemy.orm import Session

from db import api_files, growth, request_batches, runs
from db.jobs.conditions import can_start, is_underway
from db.sql import now
from db.states import NIGHT_ENDED, ChunkState, NotificationState
from db.tables import Chunk, Night, Notification, RetentionPolicy, Run, Schedule, SearchList, SearchWaiting


@dataclass(frozen=True, slots=True)
class Agenda:
    """For each step the seconds until it is due: 0 for now, None for nothing that is known."""

    #: There are jobs that run or are being stopped, or that can start.
    jobs: float | None
    #: The next lease runs out.
    leases: float | None
    #: A schedule fires, a run starts, ends, or is late.
    schedules: float | None
    nights: float | None
    notifications: float | None
    retention: float | None
    #: Documents wait for the full text index, or lists of frequent words are due.
    search: float | None
    #: A batch of requests has a next step, its window is over, or a file expires.
    batches: float | None
    #: What nights and jobs changed is to be counted.
    growth: float | None


def look(session: Session) -> Agenda:
    """What there is to do. It reads indexes of what is open, whose size does not grow with the store."""
    row = session.execute(_query()).one()
    (
        moment,
        has_jobs,
        lease,
        has_runs,
        fires,
        deadline,
        has_nights,
        notification,
        retention,
        waits,
        is_uncounted,
        *of_batches,
    ) = row
    until = [_seconds(moment, then) for then in (lease, fires, deadline, notification, retention)]
    has_batches, *batches = of_batches
    windows = [0.0 if has_batches else None, *(_seconds(moment, then) for then in batches)]
    schedules = [0.0 if has_runs else None, until[1], until[2]]
    return Agenda(
        jobs=0.0 if has_jobs else None,
        leases=until[0],
        schedules=min((seconds for seconds in schedules if seconds is not None), default=None),
        nights=0.0 if has_nights else None,
        notifications=until[3],
        retention=until[4],
        search=0.0 if waits else None,
        batches=min((seconds for seconds in windows if seconds is not None), default=None),
        growth=0.0 if is_uncounted else None,
    )


@cache
def _query() -> Select[*tuple[Any, ...]]:
    is_open = Run.ended_at.is_(None)
    return select(
        now(),
        or_(exists().where(is_underway()), exists().where(can_start())),
        _first(Chunk.lease_until, Chunk.state == ChunkState.LEASED),
        or_(exists().where(is_open, runs.is_at_its_end()), exists().where(is_open, runs.may_start())),
        _first(Schedule.next_at, Schedule.removed_at.is_(None), Schedule.paused_at.is_(None)),
        _first(Run.deadline_at, Run.is_late.is_(None), Run.deadline_at.is_not(None)),
        exists().where(Night.state.not_in([literal_column(f"'{state}'") for state in NIGHT_ENDED])),
        _first(
            _later(Notification.not_before, Notification.lease_until),
            Notification.state == NotificationState.PENDING,
        ),
        _first(_later(RetentionPolicy.next_at, RetentionPolicy.busy_until)),
        or_(exists().where(SearchWaiting.id > 0), exists().where(SearchList.due_at <= now())),
        growth.is_any_uncounted().scalar_subquery(),
        request_batches.has_next(),
        request_batches.expires().scalar_subquery(),
        api_files.expires().scalar_subquery(),
    )


def _first(moment: Any, *conditions: ColumnElement[bool]) -> ColumnElement[Any]:
    found: ColumnElement[Any] = select(func.min(moment)).where(*conditions).scalar_subquery()
    return found


def _later(one: Any, other: Any) -> ColumnElement[Any]:
    return case((other > one, other), else_=one)


def _seconds(moment: datetime, then: datetime | None) -> float | None:
    return None if then is None else max(0.0, (then - moment).total_seconds())
