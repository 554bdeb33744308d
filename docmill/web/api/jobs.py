"""Jobs: submit, list, look at, cancel, retry, pause, resume, and their priority."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field
from sqlalchemy.orm import Session

from db import job_lists, jobs, progress
from db.access import Role
from db.job_lists import JobFilter
from db.jobs import Submitted
from db.progress import JobProgress
from docmill.doctor.obstacles import obstacles
from docmill.web.api.idempotency import HEADER
from docmill.web.api.numbers import job_number
from docmill.web.api.operation import Call, Model, operation
from docmill.web.api.paging import Flag, Page, Paged, Whole, decode, page_of
from docmill.web.api.problems import invalid
from scheduler import requests
from scheduler.requests import JobRequest
from workers import kinds

Name = Annotated[str, Field(min_length=1, max_length=200)]
Priority = Annotated[int, Field(ge=0, le=9, description="0 (lowest) to 9 (highest)")]
State = Literal["waiting", "running", "paused", "cancelling", "finished", "cancelled"]


#: Jobs of a page with details.
MOST_DETAILS = 100


class SubmitJob(Model):
    """What to do with which documents."""

    kind: Annotated[str, Field(max_length=200, description="one of `GET /v1/kinds`")]
    collection: Name
    also: Annotated[
        list[Name],
        Field(
            max_length=100, default_factory=list, description="for a kind that trains: further collections"
        ),
    ]
    model: Annotated[
        str | None,
        Field(
            max_length=200, description="NAME, NAME@3 or NAME@alias; of a kind that trains, the model to make"
        ),
    ] = None
    parameters: Annotated[
        dict[str, Any],
        Field(
            default_factory=dict, description="as `GET /v1/kinds/{kind}` declares them; others have defaults"
        ),
    ]
    priority: Priority = 5
    key: Annotated[
        str | None, Field(min_length=1, max_length=500, description="the same key twice is one job")
    ] = None
    after: Annotated[int | None, Field(ge=1, lt=2**53, description="the job that has to finish first")] = None
    only_new: Annotated[
        bool, Field(description="only documents that no job like this one has given a result")
    ] = False
    where: Annotated[
        str | None,
        Field(max_length=10_000, description="a selection of documents: published >= '2026-01-01'"),
    ] = None
    corrections: Annotated[
        bool, Field(description="for a kind that trains: learn the labels given where the model is used")
    ] = True
    submitter: Annotated[
        str | None, Field(max_length=200, description="the name that limits refer to; the name of your key")
    ] = None
    exclusive: Annotated[bool, Field(description="runs beside no other job of its collection and kind")] = (
        False
    )
    unique: Annotated[bool, Field(description="if an unfinished job does the same, that one is returned")] = (
        False
    )

    def request(self, key: str | None, submitter: str) -> JobRequest:
        """As the scheduler takes it."""
        return JobRequest(**self.model_dump() | {"key": key, "submitter": self.submitter or submitter})


class SubmittedJob(BaseModel):
    """A job that was submitted, or that was there."""

    id: int
    n_documents: int
    created: Annotated[bool, Field(description="false: the key, or a unique job, was there before")]


class JobLine(BaseModel):
    """A job in a list."""

    id: int
    kind: str
    collection: str
    state: State
    n_documents: int
    n_ok: int
    n_error: Annotated[int, Field(description="documents without a result, also those of a cancelled job")]
    share: Annotated[float, Field(description="how much is done, 0 to 1")]
    failed: Annotated[bool, Field(description="it has ended by itself, and no document has a result")]
    note: str | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


class JobDetails(JobLine):
    """A job in a list with details."""

    n_cancelled: Annotated[int, Field(description="of n_error, those that were not tried")]
    n_chunks: int
    n_chunks_closed: int
    n_chunks_leased: Annotated[int, Field(description="chunks that workers hold now")]
    priority: int
    model: str | None
    model_version: int | None
    where: str | None
    submitter: str | None
    after: Annotated[int | None, Field(description="the job that has to finish first")]
    run_id: Annotated[int | None, Field(description="the run of the schedule that submitted it")]
    fault: Annotated[str | None, Field(description="why a chunk waits that no worker could finish")]


class WholeJob(JobDetails):
    """A job whole."""

    parameters: dict[str, Any]
    obstacle: Annotated[str | None, Field(description="why the job makes no progress now")]


class Jobs(Paged):
    """Which jobs."""

    kind: Annotated[str, Field(max_length=200)] = ""
    state: Annotated[
        Literal["", "open", "failing", "waiting", "running", "paused", "cancelling", "finished", "cancelled"],
        Field(description="`open`: has not ended; `failing`: finished, with documents that failed"),
    ] = ""
    collection: Annotated[str, Field(max_length=200)] = ""
    before: Annotated[Whole | None, Field(ge=1, lt=2**53, description="only jobs with smaller numbers")] = (
        None
    )
    details: Annotated[
        Flag, Field(description=f"each job with all its counts; at most {MOST_DETAILS} a page then")
    ] = False


class Retry(Model):
    """Which of the documents that failed."""

    where: Annotated[
        str | None, Field(max_length=10_000, description="only those that this selection means")
    ] = None


class ChangeJob(Model):
    """What of a job can be changed."""

    priority: Priority


@operation(
    "POST", "/jobs", role=Role.SUBMIT, tag="jobs", body=SubmitJob, answers=SubmittedJob, status=201, writes=True,
    problems=(404, 409),
)  # fmt: skip
def submit_job(call: Call, session: Session) -> SubmittedJob:
    """Submit a job over the latest documents of a collection.

    Once this is answered, each of them will get exactly one outcome. With `Idempotency-Key` and without `key`, the
    job's key is `NAME OF YOUR ACCESS KEY/THAT KEY`: the request can be repeated for as long as the job is kept."""
    body = call.body(SubmitJob)
    _check_kind(body)
    key = body.key
    if key is None and (sent := call.request.headers.get(HEADER)):
        key = f"{call.access.name}/{sent}"
    return _submitted(requests.submit(session, body.request(key, call.access.name)))


@operation("GET", "/jobs", tag="jobs", query=Jobs, answers=Page[JobDetails | JobLine])
def list_jobs(call: Call) -> Page[JobDetails | JobLine]:
    """The jobs that match, newest first."""
    query = call.query(Jobs)
    chosen = JobFilter(query.kind, query.state, query.collection)
    after = decode(query.after, (int,))
    limit = min(query.limit, MOST_DETAILS) if query.details else query.limit
    with call.store.read() as session:
        before = query.before if after is None else after[0]
        found = job_lists.page(session, chosen, before=before, limit=limit + 1)
        lines: list[JobDetails | JobLine] = [_line(one) for one in found]
        if query.details:
            lines = [_details(one) for one in progress.of_these(session, [line.id for line in lines])]
    return page_of(call.request, lines, limit, lambda line: (line.id,))


@operation("GET", "/jobs/{job_id}", tag="jobs", answers=WholeJob, problems=(404,))
def get_job(call: Call) -> WholeJob:
    """A job: how far it is, and what it was asked."""
    with call.store.read() as session:
        return _whole(session, job_number(call))


@operation(
    "PATCH", "/jobs/{job_id}", role=Role.OPERATE, tag="jobs", body=ChangeJob, answers=WholeJob, writes=True,
    problems=(404, 409),
)  # fmt: skip
def change_job(call: Call, session: Session) -> WholeJob:
    """Change the priority of a job that has not ended. Chunks that workers hold are not affected."""
    jobs.set_priority(session, job_number(call), call.body(ChangeJob).priority)
    return _whole(session, job_number(call))


@operation(
    "POST",
    "/jobs/{job_id}/cancel",
    role=Role.OPERATE,
    tag="jobs",
    answers=WholeJob,
    writes=True,
    problems=(404, 409),
)
def cancel_job(call: Call, session: Session) -> WholeJob:
    """End a job early. Results that are there stay; the other documents get the outcome CANCELLED."""
    return _changed(
        call, session, lambda session, job: jobs.stop(session, job, "CANCELLED", "the job was cancelled")
    )


@operation(
    "POST",
    "/jobs/{job_id}/pause",
    role=Role.OPERATE,
    tag="jobs",
    answers=WholeJob,
    writes=True,
    problems=(404, 409),
)
def pause_job(call: Call, session: Session) -> WholeJob:
    """Workers finish what they hold of it, and take nothing more."""
    return _changed(call, session, jobs.pause)


@operation(
    "POST",
    "/jobs/{job_id}/resume",
    role=Role.OPERATE,
    tag="jobs",
    answers=WholeJob,
    writes=True,
    problems=(404, 409),
)
def resume_job(call: Call, session: Session) -> WholeJob:
    """Workers go on with a job that was paused."""
    return _changed(call, session, jobs.resume)


@operation(
    "POST", "/jobs/{job_id}/retry", role=Role.SUBMIT, tag="jobs", body=Retry, answers=SubmittedJob, status=201,
    writes=True, problems=(404, 409),
)  # fmt: skip
def retry_job(call: Call, session: Session) -> SubmittedJob:
    """A new job over the documents that failed in this one, in their latest versions."""
    where = call.body(Retry).where
    return _submitted(requests.retry(session, job_number(call), where=where, submitter=call.access.name))


def _check_kind(body: SubmitJob) -> None:
    """Problems that name the field."""
    try:
        kind = kinds.find(body.kind)
    except ValueError as error:
        raise invalid("/kind", str(error)) from None
    try:
        kinds.parse_parameters(kind, body.parameters)
    except ValueError as error:
        raise invalid("/parameters", str(error)) from None


def _changed(call: Call, session: Session, change: Callable[[Session, int], object]) -> WholeJob:
    change(session, job_number(call))
    return _whole(session, job_number(call))


def _submitted(found: Submitted) -> SubmittedJob:
    return SubmittedJob(id=found.job_id, n_documents=found.n_documents, created=found.created)


def _line(found: job_lists.JobLine) -> JobLine:
    plain = {name: getattr(found, name) for name in JobLine.model_fields if hasattr(found, name)}
    return JobLine(**plain, id=found.job_id, failed=found.shown_state == "failed")


def _details(found: JobProgress) -> JobDetails:
    known = asdict(found)
    return JobDetails(
        **{name: known[name] for name in JobDetails.model_fields if name in known},
        id=found.job_id,
        share=found.share,
        failed=found.failed,
        where=found.where_clause,
        after=found.after_job_id,
    )


def _whole(session: Session, job_id: int) -> WholeJob:
    found = progress.of(session, job_id)
    return WholeJob(
        **_details(found).model_dump(),
        parameters=jobs.by_id(session, job_id).parameters,
        obstacle=obstacles(session, [found]).get(job_id) if not found.ended else None,
    )


OPERATIONS = (
    submit_job, list_jobs, get_job, change_job, cancel_job, pause_job, resume_job, retry_job,
)  # fmt: skip
