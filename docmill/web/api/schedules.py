"""Schedules: list, look at, add, remove, pause, resume, run now."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field
from sqlalchemy.orm import Session

from db import notifications, runs, schedules
from db.access import Role
from db.policies import Policies
from db.sql import clock
from db.states import Catchup, Overlap
from db.tables import Run as StoredRun
from db.tables import Schedule as StoredSchedule
from docmill.web.api.jobs import Name, Priority
from docmill.web.api.operation import Call, Model, operation
from docmill.web.api.paging import Page, Paged, decode, page_of
from docmill.web.api.problems import invalid
from scheduler import cron as cron_times
from scheduler import firing, schedule_checks
from scheduler.requests import JobRequest

#: Runs of a schedule that are told with it.
RUNS = 20


class ScheduledJob(Model):
    """What to do with which documents, at each time of the schedule."""

    kind: Annotated[str, Field(max_length=200)]
    collection: Name
    also: Annotated[list[Name], Field(max_length=100, default_factory=list)]
    model: Annotated[str | None, Field(max_length=200)] = None
    parameters: Annotated[dict[str, Any], Field(default_factory=dict)]
    priority: Priority = 5
    only_new: bool = False
    where: Annotated[str | None, Field(max_length=10_000)] = None
    corrections: bool = True
    exclusive: bool = False
    unique: bool = False


class AddSchedule(Model):
    """A schedule. Its jobs run one after the other."""

    name: Annotated[str, Field(min_length=1, max_length=100)]
    cron: Annotated[str, Field(max_length=200, description="as in `0 2 * * *`, or `@daily`")]
    time_zone: Annotated[str, Field(max_length=100)] = "UTC"
    jobs: Annotated[list[ScheduledJob], Field(min_length=1, max_length=100)]
    catchup: Annotated[
        Literal["none", "latest", "all"], Field(description="which of the times that were missed are run")
    ] = "latest"
    catchup_within_seconds: Annotated[int | None, Field(ge=1, lt=2**31)] = None
    overlap: Annotated[
        Literal["skip", "queue", "replace"],
        Field(description="what becomes of a time while a run has not ended"),
    ] = "skip"
    deadline: Annotated[str | None, Field(max_length=5, description="local time, as in 07:00")] = None
    pause_on_failure: Annotated[
        int | None,
        Field(ge=1, lt=2**31, description="number of failed runs in a row after which it is paused"),
    ] = None
    max_error_share: Annotated[float | None, Field(ge=0, lt=1)] = None

    def policies(self) -> Policies:
        """As the store has them."""
        if self.catchup == "none" and self.catchup_within_seconds is not None:
            raise invalid(
                "/catchup_within_seconds", 'it means nothing with "catchup": "none": leave one of them out'
            )
        deadline = None if self.deadline is None else cron_times.check_local_time(self.deadline)
        return replace(
            schedules.DEFAULT,
            catchup=Catchup(self.catchup),
            catchup_within_seconds=self.catchup_within_seconds,
            overlap=Overlap(self.overlap),
            deadline=deadline,
            pause_on_failure=self.pause_on_failure,
            max_error_share=self.max_error_share,
        )


class Run(BaseModel):
    """One firing of a schedule."""

    id: int
    due_at: datetime
    cause: str
    state: str
    started_at: datetime | None
    ended_at: datetime | None
    deadline_at: datetime | None
    is_late: bool | None
    note: str | None
    fault: str | None


class ScheduleLine(BaseModel):
    """A schedule in a list."""

    name: str
    cron: str
    time_zone: str
    next_at: Annotated[datetime | None, Field(description="null while it is paused")]
    paused: Annotated[str | None, Field(description="why it is paused")]
    jobs: list[dict[str, Any]]


class Schedule(ScheduleLine):
    """A schedule whole."""

    catchup: str
    catchup_within_seconds: int | None
    overlap: str
    deadline: str | None
    finish_by: str | None
    pause_on_failure: int | None
    max_error_share: float | None
    notify: Annotated[list[str], Field(description="whom it tells")]
    runs: Annotated[list[Run], Field(description="the last ones, newest first")]


class RanSchedule(BaseModel):
    """The jobs that were submitted."""

    schedule: str
    jobs: list[int]


@operation("GET", "/schedules", tag="schedules", query=Paged, answers=Page[ScheduleLine])
def list_schedules(call: Call) -> Page[ScheduleLine]:
    """The schedules, by name."""
    query = call.query(Paged)
    after = decode(query.after, (str,))
    with call.store.read() as session:
        found = schedules.page(session, after[0] if after else None, query.limit + 1)
        lines = [ScheduleLine(**_line(row)) for row in found]
    return page_of(call.request, lines, query.limit, lambda line: (line.name,))


@operation("GET", "/schedules/{schedule}", tag="schedules", answers=Schedule, problems=(404,))
def get_schedule(call: Call) -> Schedule:
    """A schedule with its policies, and its last runs."""
    with call.store.read() as session:
        return _whole(session, call.path["schedule"])


@operation(
    "POST", "/schedules", role=Role.OPERATE, tag="schedules", body=AddSchedule, answers=Schedule, status=201,
    writes=True, problems=(404, 409),
)  # fmt: skip
def add_schedule(call: Call, session: Session) -> Schedule:
    """Add a schedule of jobs. A running scheduler (`docmill up`) fires it."""
    body = call.body(AddSchedule)
    schedule_checks.check_name(body.name)
    requests = [JobRequest(**job.model_dump(), submitter=call.access.name) for job in body.jobs]
    cron_times.check(body.cron, body.time_zone)
    schedule_checks.check_requests(session, requests)
    next_at = cron_times.next_after(body.cron, body.time_zone, clock(session))
    as_json = [request.as_json() for request in requests]
    schedules.add(session, body.name, body.cron, body.time_zone, as_json, next_at, body.policies())
    return _whole(session, body.name)


@operation(
    "DELETE", "/schedules/{schedule}", role=Role.OPERATE, tag="schedules", answers=Schedule, writes=True,
    problems=(404,),
)  # fmt: skip
def remove_schedule(call: Call, session: Session) -> Schedule:
    """Remove a schedule; the jobs it submitted stay. The answer is what it was."""
    before = _whole(session, call.path["schedule"])
    schedules.remove(session, before.name)
    return before


@operation(
    "POST", "/schedules/{schedule}/pause", role=Role.OPERATE, tag="schedules", answers=Schedule, writes=True,
    problems=(404,),
)  # fmt: skip
def pause_schedule(call: Call, session: Session) -> Schedule:
    """It does not fire until it is resumed. Its jobs go on; runs that wait for their turn are skipped."""
    schedules.pause(session, call.path["schedule"], f"paused by {call.access.name}")
    return _whole(session, call.path["schedule"])


@operation(
    "POST", "/schedules/{schedule}/resume", role=Role.OPERATE, tag="schedules", answers=Schedule, writes=True,
    problems=(404,),
)  # fmt: skip
def resume_schedule(call: Call, session: Session) -> Schedule:
    """It fires again from its next time on. What came in between is not caught up."""
    row = schedules.by_name(session, call.path["schedule"])
    schedules.resume(session, row.name, cron_times.next_after(row.cron, row.time_zone, clock(session)))
    return _whole(session, row.name)


@operation(
    "POST", "/schedules/{schedule}/run", role=Role.SUBMIT, tag="schedules", answers=RanSchedule, status=201,
    writes=True, problems=(404, 409),
)  # fmt: skip
def run_schedule(call: Call, session: Session) -> RanSchedule:
    """Submit its jobs now, as one run. A job without documents is not made."""
    name = call.path["schedule"]
    return RanSchedule(schedule=name, jobs=[job.job_id for job in firing.run_in(session, name)])


def _whole(session: Session, name: str) -> Schedule:
    row = schedules.by_name(session, name)
    told = [rule.destination for rule in notifications.rules_of(session, schedules.owner(name))]
    last = runs.history(session, row.id, RUNS)
    policies = {
        name: getattr(row, name)
        for name in Schedule.model_fields
        if hasattr(row, name) and name not in ("runs", "jobs")
    }
    return Schedule(**policies | _line(row), notify=told, runs=[_run(run) for run in last])


def _line(row: StoredSchedule) -> dict[str, Any]:
    return {
        "name": row.name,
        "cron": row.cron,
        "time_zone": row.time_zone,
        "next_at": row.next_at if row.paused_at is None else None,
        "paused": row.paused_why if row.paused_at is not None else None,
        "jobs": row.requests,
    }


def _run(run: StoredRun) -> Run:
    return Run(**{name: getattr(run, name) for name in Run.model_fields})


OPERATIONS = (
    list_schedules, get_schedule, add_schedule, remove_schedule, pause_schedule, resume_schedule, run_schedule,
)  # fmt: skip
