"""Schedules: when they are due in their time zone, and the firing itself.

Times follow Debian's cron at the changes of the clock: a fixed time that a spring night skips fires right
after the gap, one that an autumn night repeats fires once. Times missed while no scheduler ran are one firing.
"""

from __future__ import annotations

import logging
import threading
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from db import schedules
from db.jobs import Submitted
from db.schedules import Due
from db.sql import clock
from db.store import Store, is_infrastructure_error
from scheduler.requests import JobRequest, submit

log = logging.getLogger("docmill.scheduler")


def check(cron: str, time_zone: str) -> None:
    """Raise ValueError, with an example, for a cron expression or time zone that means nothing."""
    next_after(cron, time_zone, datetime.now(UTC))


def next_after(cron: str, time_zone: str, moment: datetime) -> datetime:
    """The first due time after `moment`, in UTC."""
    try:
        found = next(CronSim(cron, moment.astimezone(_zone(time_zone))))
    except CronSimError as error:
        raise ValueError(f"cron {cron!r}: {error}; '0 2 * * *' is every night at two") from None
    except StopIteration:
        raise ValueError(f"cron {cron!r} never comes") from None
    return found.astimezone(UTC)


def latest_due(due: Due, moment: datetime) -> datetime:
    """The last due time not after `moment`: what is fired when several were missed."""
    # Backwards, CronSim leaves out the time that it starts from.
    from_here = (moment + timedelta(seconds=1)).astimezone(_zone(due.time_zone))
    backwards = (found.astimezone(UTC) for found in CronSim(due.cron, from_here, reverse=True))
    return max(next(found for found in backwards if found <= moment), due.next_at)


def fire_due(store: Store, stopping: threading.Event | None = None) -> bool:
    """Fire every schedule that is due, until told to stop; each firing and its jobs are one transaction. Whether
    there was one."""
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
    """Submit a schedule's jobs by hand, as one run."""
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
    log.info("schedule %s fired: jobs %s", due.name, [job.job_id for job in submitted])


def _skip(store: Store, due: Due, fault: str) -> None:
    """A firing that cannot submit is kept with its reason, and the schedule goes on to its next time."""
    with store.write() as session:
        moment = clock(session)
        run_id = schedules.take(
            session, due, latest_due(due, moment), next_after(due.cron, due.time_zone, moment)
        )
        if run_id is not None:
            schedules.record_fault(session, run_id, fault)


def _submit_all(session, requests: list[dict], run_id: int) -> list[Submitted]:  # type: ignore[no-untyped-def, type-arg]
    """The schedule's jobs, each after the one before."""
    submitted: list[Submitted] = []
    for request in requests:
        after = submitted[-1].job_id if submitted else None
        submitted.append(submit(session, JobRequest(**request | {"after": after}), run_id))
    return submitted


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"there is no time zone {name!r}: write one like Asia/Seoul or UTC") from None
