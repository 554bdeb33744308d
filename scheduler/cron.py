"""Schedules: when they are due in their time zone, and how they fire.

When the clocks change, times follow Debian's cron: a fixed time that is skipped in spring fires right after the gap,
and one that is repeated in autumn fires once. Times that were missed while no scheduler ran become one firing.
"""

from __future__ import annotations

import logging
import threading
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from db import schedules
from db.errors import NothingToDoError
from db.jobs import Submitted
from db.schedules import Due
from db.sql import clock
from db.store import Store, is_infrastructure_error
from scheduler.requests import JobRequest, submit

log = logging.getLogger("docmill.scheduler")


#: The names that cron has for common times.
WORDS = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
FIELDS = 5


def check(cron: str, time_zone: str) -> None:
    """Raise ValueError, with an example, for a cron expression or time zone that means nothing."""
    fields = cron.split()
    if len(fields) == FIELDS + 1:
        raise ValueError(
            f"cron {cron!r} has six fields; docmill does not schedule by seconds. Write minute, hour, day of "
            f"month, month, day of week: {' '.join(fields[1:])!r}, or '0 2 * * *' for every night at two"
        )
    if cron.strip().startswith("@") and cron.strip().lower() not in WORDS:
        raise ValueError(f"cron {cron!r} is unknown; there are {', '.join(WORDS)}, or '0 2 * * *'")
    next_after(cron, time_zone, datetime.now(UTC))


def next_after(cron: str, time_zone: str, moment: datetime) -> datetime:
    """The first due time after `moment`, in UTC."""
    try:
        found = next(CronSim(_fields(cron), moment.astimezone(_zone(time_zone))))
    except CronSimError as error:
        raise ValueError(f"cron {cron!r}: {error}; '0 2 * * *' is every night at two") from None
    except StopIteration:
        raise ValueError(f"cron {cron!r} never comes") from None
    return found.astimezone(UTC)


def latest_due(due: Due, moment: datetime) -> datetime:
    """The last due time not after `moment`: what is fired when several were missed."""
    # Backwards, CronSim does not return the time that it starts from.
    from_here = (moment + timedelta(seconds=1)).astimezone(_zone(due.time_zone))
    backwards = (found.astimezone(UTC) for found in CronSim(_fields(due.cron), from_here, reverse=True))
    return max(next(found for found in backwards if found <= moment), due.next_at)


def _fields(cron: str) -> str:
    """The five fields. Schedules with six, the first for seconds, were stored once: they fire once a minute at
    most."""
    cron = cron.strip()
    fields = WORDS.get(cron.lower(), cron).split()
    return " ".join(fields[-FIELDS:] if len(fields) == FIELDS + 1 else fields)


def fire_due(store: Store, stopping: threading.Event | None = None) -> bool:
    """Fire every schedule that is due, until told to stop. Each firing and its jobs are one transaction. Returns
    whether a schedule was due."""
    with store.read() as session:
        waiting = schedules.due(session)
    for schedule in waiting:
        if stopping is not None and stopping.is_set():
            break
        try:
            _fire(store, schedule)
        except Exception as error:
            if is_infrastructure_error(error):
                raise
            log.warning("schedule %s cannot submit: %s", schedule.name, error)
            _skip(store, schedule, str(error))
    return bool(waiting)


def run_now(store: Store, name: str) -> list[Submitted]:
    """Submit a schedule's jobs by hand, as one run; those that have nothing to do are left out."""
    with store.write() as session:
        row = schedules.by_name(session, name)
        run_id = schedules.start_run(session, row.id, clock(session))
        return _submit_all(session, row.requests, run_id)


def _fire(store: Store, due: Due) -> None:
    with store.write() as session:
        moment = clock(session)
        run_id = schedules.take(
            session, due, latest_due(due, moment), next_after(due.cron, due.time_zone, moment)
        )
        if run_id is None:
            return
        submitted = _submit_all(session, schedules.requests_of(session, due.id), run_id)
    numbers = [job.job_id for job in submitted]
    log.info("schedule %s fired: %s", due.name, f"jobs {numbers}" if numbers else "there is nothing to do")


def _skip(store: Store, due: Due, fault: str) -> None:
    """Store a firing that could not submit, with its reason; the schedule goes on to its next time."""
    with store.write() as session:
        moment = clock(session)
        run_id = schedules.take(
            session, due, latest_due(due, moment), next_after(due.cron, due.time_zone, moment)
        )
        if run_id is not None:
            schedules.record_fault(session, run_id, fault)


def _submit_all(session, requests: list[dict], run_id: int) -> list[Submitted]:  # type: ignore[no-untyped-def, type-arg]
    """The schedule's jobs, each after the one before. One that would have no document is not made; what comes after it
    waits for the last one that was."""
    from scheduler.nights import scheduled

    submitted: list[Submitted] = []
    for request in requests:
        if request.get("do") == scheduled.DO:
            submitted += scheduled.start(session, request, run_id)
            continue
        after = submitted[-1].job_id if submitted else None
        with suppress(NothingToDoError), session.begin_nested():
            submitted.append(submit(session, JobRequest(**request | {"after": after}), run_id))
    return submitted


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"there is no time zone {name!r}: write one like Asia/Seoul or UTC") from None
