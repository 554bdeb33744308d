"""The messages about the runs of a schedule: short texts, with the command that shows more."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from db import notifications, runs
from db.notifications import Message
from db.states import ENDED, Event, RunState
from db.tables import Job, Run, Schedule

#: Names and faults of users are cut to this length in a title.
MAX_TITLE_CHARS = 150


def late(session: Session, schedule: Schedule, run: Run) -> int:
    """The deadline has passed. Runs with the same deadline are notified of once."""
    assert run.deadline_at is not None
    by = local(run.deadline_at, schedule.time_zone)
    why = _why_late(session, schedule, run)
    message = _message(session, schedule, run, Event.LATE, f"{schedule.name} is not done by {by}", why)
    key = f"late schedule {schedule.id} {run.deadline_at.isoformat()}"
    return notifications.notify(session, _owner(schedule), Event.LATE, key, message)


def failed(session: Session, schedule: Schedule, run: Run) -> int:
    """A run failed."""
    why = run.fault or run.note or "no result"
    if schedule.paused_at is not None:
        why += f"\nThe schedule is paused ({schedule.paused_why}). To go on: docmill schedule enable {schedule.name}"
    message = _message(session, schedule, run, Event.FAILED, f"{schedule.name} failed", why)
    return notifications.notify(session, _owner(schedule), Event.FAILED, f"failed run {run.id}", message)


def recovered(session: Session, schedule: Schedule, run: Run) -> int:
    """The first run that succeeded after failures, or after one that was late."""
    assert run.ended_at is not None
    why = f"The run ended at {local(run.ended_at, schedule.time_zone)}."
    message = _message(session, schedule, run, Event.RECOVERED, f"{schedule.name} works again", why)
    return notifications.notify(
        session, _owner(schedule), Event.RECOVERED, f"recovered run {run.id}", message
    )


def errors(session: Session, schedule: Schedule, run: Run) -> int:
    """Jobs of a run whose share of errors is above the schedule's limit."""
    limit = schedule.max_error_share
    n = 0
    for job in runs.jobs_of(session, run.id) if limit is not None else []:
        share = (job.n_error or 0) / job.n_documents if job.n_documents else 0.0
        if limit is None or share <= limit:
            continue
        title = f"{schedule.name}: {share:.1%} of {job.kind} failed"
        why = (
            f"{job.n_error:,} of {job.n_documents:,} documents of job {job.id} have no result; the limit is "
            f"{limit:.1%}.\nTo see why: docmill results {job.id} --errors"
        )
        message = _message(session, schedule, run, Event.ERRORS, title, why)
        n += notifications.notify(session, _owner(schedule), Event.ERRORS, f"errors job {job.id}", message)
    return n


def model_refused(session: Session, job_id: int, model: str, version: int, note: str) -> int:
    """The gate refused what a job of a run trained. Nothing for a job that no schedule submitted."""
    found = session.execute(
        select(Run, Schedule)
        .join(Job, Job.run_id == Run.id)
        .join(Schedule, Schedule.id == Run.schedule_id)
        .where(Job.id == job_id)
    ).first()
    if found is None:
        return 0
    run, schedule = found
    title = f"{schedule.name}: the gate refused {model}@{version}"
    why = f"{note}\nTo see its figures: docmill models show {model}@{version}"
    message = _message(session, schedule, run, Event.MODEL_REFUSED, title, why)
    key = f"model refused job {job_id}"
    return notifications.notify(session, _owner(schedule), Event.MODEL_REFUSED, key, message)


def test_message(owner: str) -> Message:
    """What `docmill notifications test` sends."""
    return Message(
        f"{owner}: a test",
        f"docmill can tell you of {owner}.\nNothing is wrong, and there is nothing to do.",
        {"event": str(Event.TEST), "owner": owner},
    )


def local(moment: datetime, time_zone: str) -> str:
    """A time as clocks in the schedule's zone show it."""
    return f"{moment.astimezone(ZoneInfo(time_zone)):%Y-%m-%d %H:%M} ({time_zone})"


def _owner(schedule: Schedule) -> str:
    return f"schedule {schedule.name}"


def _why_late(session: Session, schedule: Schedule, run: Run) -> str:
    due = local(run.due_at, schedule.time_zone)
    if run.state == RunState.QUEUED:
        return f"The run of {due} still waits for the run before it."
    if run.state in (RunState.SKIPPED, RunState.MISSED):
        return f"The run of {due} was not started: {run.note}."
    if run.state == RunState.FAILED:
        return f"The run of {due} failed: {run.fault or run.note}"
    if run.state == RunState.CANCELLED:
        return f"The run of {due} was cancelled: {run.note}"
    if run.ended_at is not None:
        return f"The run of {due} ended at {local(run.ended_at, schedule.time_zone)}."
    found = [job for job in runs.jobs_of(session, run.id) if job.state not in ENDED]
    if not found:
        return f"The run of {due} has started, and none of its jobs was submitted yet."
    first = found[0]
    state = f"job {first.id} ({first.kind}, {first.n_documents:,} documents) is {first.state}"
    more = f" and {len(found) - 1} more wait" if len(found) > 1 else ""
    return f"The run of {due} is not done: {state}{more}."


def _message(session: Session, schedule: Schedule, run: Run, event: Event, title: str, why: str) -> Message:
    body = f"{why}\nTo see its runs: docmill schedule history {schedule.name}"
    details: dict[str, Any] = {
        "event": str(event),
        "schedule": schedule.name,
        "run": run.id,
        "due_at": run.due_at.isoformat(),
        "state": str(run.state),
        "deadline_at": run.deadline_at.isoformat() if run.deadline_at else None,
        "jobs": [job.id for job in runs.jobs_of(session, run.id)],
    }
    return Message(_line(title), body, details)


def _line(text: str) -> str:
    """In one line that no mail header and no terminal misreads."""
    plain = "".join(char if char.isprintable() else " " for char in text)
    return plain if len(plain) <= MAX_TITLE_CHARS else f"{plain[: MAX_TITLE_CHARS - 3]}..."
