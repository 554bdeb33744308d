"""Firing: a schedule that is due gets a run for each of its times; runs start, end, and are found late.

Every step locks the schedule, so that however many schedulers there are, each time has one run, one run of a schedule
starts at a time, and each event is reported once. A report is written in the transaction of the event that it reports.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import TypeVar

from sqlalchemy.orm import Session

from db import run_messages, runs, schedules
from db.jobs import Submitted
from db.schedules import Due
from db.sql import clock
from db.states import Catchup, Overlap, RunCause, RunState
from db.store import Store, is_infrastructure_error
from db.tables import Run, Schedule
from scheduler import cron, starting

log = logging.getLogger("docmill.scheduler")

T = TypeVar("T")

#: A time that is fired within this many seconds was not missed: schedulers restart.
ON_TIME_SECONDS = 300.0
#: Of the times that were missed, this many get a run each, the last ones; older ones are forgotten.
MAX_MISSED = 1_000
#: A night that stops at its `finish_by` needs so long to stop; it is late after that.
FINISH_GRACE_SECONDS = 60.0


def turn(store: Store, stopping: threading.Event | None = None) -> bool:
    """One turn of the scheduler: fire what is due, end and start runs, find those that are late. Whether there was
    something to do."""
    busy = [step(store, stopping) for step in (end_runs, fire_due, start_queued, find_late)]
    return any(busy)


def fire_due(store: Store, stopping: threading.Event | None = None) -> bool:
    """Fire every schedule that is due, until told to stop. Each firing and its jobs are one transaction."""
    with store.read() as session:
        waiting = schedules.due(session)
    return _each(waiting, lambda due: _fire(store, due), stopping, lambda due: f"schedule {due.name}")


def end_runs(store: Store, stopping: threading.Event | None = None) -> bool:
    """End the runs whose jobs have all ended, and start those that waited for them."""
    with store.read() as session:
        found = runs.at_their_end(session)

    def end(which: tuple[int, int]) -> None:
        with store.write() as session:
            row = schedules.lock(session, which[0])
            _end_if_over(session, row, which[1])
            _start_next(session, row)

    return _each(found, end, stopping, lambda which: f"run {which[1]}")


def start_queued(store: Store, stopping: threading.Event | None = None) -> bool:
    """Start runs that wait for nothing any more."""
    with store.read() as session:
        found = runs.to_start(session)

    def start(schedule_id: int) -> None:
        with store.write() as session:
            _start_next(session, schedules.lock(session, schedule_id))

    return _each(found, start, stopping, lambda schedule_id: f"schedule {schedule_id}")


def find_late(store: Store, stopping: threading.Event | None = None) -> bool:
    """Decide of each run whose deadline has passed whether it is late."""
    with store.read() as session:
        found = runs.past_deadline(session)

    def decide(which: tuple[int, int]) -> None:
        with store.write() as session:
            row = schedules.lock(session, which[0])
            # One whose jobs ended in time is not late only because nobody has looked yet.
            for run in runs.open_runs(session, row.id):
                _end_if_over(session, row, run.id)
            run = runs.by_id(session, which[1])
            if run.deadline_at is not None and runs.decide_late(session, run):
                run_messages.late(session, row, run)
                log.warning("schedule %s: the run of %s is late", row.name, run.due_at.isoformat())

    return _each(found, decide, stopping, lambda which: f"run {which[1]}")


def run_now(store: Store, name: str) -> list[Submitted]:
    """Start a run by hand, whatever else runs; jobs that have nothing to do are left out."""
    with store.write() as session:
        return run_in(session, name)


def run_in(session: Session, name: str) -> list[Submitted]:
    """The same in a transaction of the caller."""
    row = schedules.lock(session, schedules.by_name(session, name).id)
    run_id = runs.add(session, row.id, clock(session), cause=RunCause.HAND)
    runs.start(session, run_id)
    submitted = starting.start(session, row.requests, run_id)
    _end_if_over(session, row, run_id)
    return submitted


# --- the times of a schedule -------------------------------------------------------------------------------------


def _fire(store: Store, due: Due) -> None:
    with store.read() as session:
        moment = clock(session)
    # Outside the transaction: counting the times of years takes a moment.
    times = cron.due_times(due.cron, due.time_zone, due.next_at, moment, MAX_MISSED + 1)
    next_at = cron.next_after(due.cron, due.time_zone, moment)
    with store.write() as session:
        row = schedules.lock(session, due.id)
        if not schedules.take(session, due, next_at):
            return
        # A run that is over makes room first, even if nobody has looked yet.
        for run in runs.open_runs(session, row.id):
            _end_if_over(session, row, run.id)
        _start_next(session, row)
        for due_at in times:
            is_last = due_at == times[-1]
            _add(session, row, due_at, moment, is_last=is_last, is_one_of_many=len(times) > 1)
        _start_next(session, row)


def _add(
    session: Session,
    row: Schedule,
    due_at: datetime,
    moment: datetime,
    *,
    is_last: bool,
    is_one_of_many: bool,
) -> None:
    """The run of one due time: it waits for its turn, or never starts."""
    age = moment - due_at
    is_on_time = is_last and age <= timedelta(seconds=ON_TIME_SECONDS)
    cause = RunCause.TIME if is_on_time else RunCause.CATCH_UP
    state, note = RunState.QUEUED, None
    if not is_on_time and (note := _why_missed(row, age, is_last=is_last)):
        state, cause = RunState.MISSED, RunCause.TIME
    elif not (row.catchup == Catchup.ALL and (is_one_of_many or not is_on_time)):
        note = _overlap(session, row, due_at)
        state = RunState.SKIPPED if note else RunState.QUEUED
    deadline_at = deadline_of(row, due_at)
    runs.add(session, row.id, due_at, cause=cause, state=state, deadline_at=deadline_at, note=note)
    words = f" ({note})" if note else ""
    log.info("schedule %s: the run of %s is %s%s", row.name, due_at.isoformat(), state, words)


def _why_missed(row: Schedule, age: timedelta, *, is_last: bool) -> str | None:
    """Why a missed time is not caught up; None if it is."""
    if row.catchup == Catchup.NONE:
        return "no scheduler ran at its time; catchup is none"
    if row.catchup == Catchup.LATEST and not is_last:
        return "no scheduler ran at its time; a later time is run instead"
    within = row.catchup_within_seconds
    if within is not None and age > timedelta(seconds=within):
        return f"no scheduler ran at its time; it is older than catchup-within ({within} s)"
    return None


def _overlap(session: Session, row: Schedule, due_at: datetime) -> str | None:
    """What a run that has not ended means for the next one: why that is skipped, or None if it has its turn."""
    found = [run for run in runs.open_runs(session, row.id) if runs.has_work(session, run)]
    if not found:
        return None
    if row.overlap == Overlap.SKIP:
        return f"the run of {run_messages.local(found[0].due_at, row.time_zone)} had not ended"
    if row.overlap == Overlap.REPLACE:
        note = f"replaced by the run of {run_messages.local(due_at, row.time_zone)}"
        for run in found:
            if run.state == RunState.RUNNING and run.stopped_at is None:
                runs.stop(session, run.id, note)
        runs.skip_queued(session, row.id, note)
        return None
    caught_up = (RunCause.CATCH_UP,) if row.catchup == Catchup.ALL else ()
    waiting = [run for run in found if run.state == RunState.QUEUED and run.cause not in caught_up]
    if waiting:
        return f"the run of {run_messages.local(waiting[0].due_at, row.time_zone)} waits already"
    return None


def deadline_of(row: Schedule, due_at: datetime) -> datetime | None:
    """When a run that is due then has to be done."""
    if row.deadline is not None:
        return cron.local_time_after(row.deadline, row.time_zone, due_at)
    if row.finish_by is not None:
        ends_at = cron.local_time_after(row.finish_by, row.time_zone, due_at)
        return ends_at + timedelta(seconds=FINISH_GRACE_SECONDS)
    return None


# --- the life of a run -------------------------------------------------------------------------------------------


def _start_next(session: Session, row: Schedule) -> None:
    """Start the first run that waits, if none runs. One that ends at once gives its turn to the next."""
    while waiting := runs.open_runs(session, row.id):
        if any(run.state == RunState.RUNNING for run in waiting) or not runs.start(session, waiting[0].id):
            return
        run_id = waiting[0].id
        fault = _submit(session, row, run_id)
        if fault is not None:
            runs.no_more(session, run_id, fault)
        _end_if_over(session, row, run_id)


def _submit(session: Session, row: Schedule, run_id: int) -> str | None:
    """Submit a run's jobs, or none of them; returns why that failed."""
    try:
        with session.begin_nested():
            submitted = starting.start(session, row.requests, run_id)
    except Exception as error:
        if is_infrastructure_error(error):
            raise
        log.warning("schedule %s cannot submit: %s", row.name, error)
        return str(error) or type(error).__name__
    numbers = [job.job_id for job in submitted]
    log.info("schedule %s fired: %s", row.name, f"jobs {numbers}" if numbers else "there is nothing to do")
    return None


def _end_if_over(session: Session, row: Schedule, run_id: int) -> None:
    """End a run that waits for nothing any more, and report it."""
    if not runs.has_no_more_to_do(session, run_id):
        return
    run = runs.by_id(session, run_id)
    session.refresh(run)
    verdict = runs.verdict(session, run)
    if not runs.end(session, run_id, verdict.state, verdict.ended_at, note=verdict.note, fault=run.fault):
        return
    session.refresh(run)
    log.info("schedule %s: the run of %s has %s", row.name, run.due_at.isoformat(), run.state)
    _tell(session, row, run)
    session.flush()


def _tell(session: Session, row: Schedule, run: Run) -> None:
    """Count failures, pause the schedule after too many, and write the notifications of a run's end."""
    run_messages.errors(session, row, run)
    if run.state == RunState.SUCCEEDED:
        if row.n_failures or runs.is_first_after_late(session, run):
            run_messages.recovered(session, row, run)
        row.n_failures = 0
    elif run.state == RunState.FAILED:
        row.n_failures += 1
        session.flush()
        if row.pause_on_failure is not None and row.n_failures >= row.pause_on_failure and not row.paused_at:
            times = "its last run" if row.n_failures == 1 else f"its last {row.n_failures} runs"
            schedules.pause(session, row.name, f"{times} failed")
        run_messages.failed(session, row, run)


def _each(
    things: Iterable[T],
    do: Callable[[T], None],
    stopping: threading.Event | None,
    name: Callable[[T], str],
) -> bool:
    """Do it for each until told to stop; one that cannot be done does not hold up the others."""
    found = list(things)
    for thing in found:
        if stopping is not None and stopping.is_set():
            break
        try:
            do(thing)
        except Exception as error:
            if is_infrastructure_error(error):
                raise
            log.exception("%s cannot be moved on", name(thing))
    return bool(found)
