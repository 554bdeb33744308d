"""Requests about jobs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import uuid4

from db.job_lists import JobFilter
from db.jobs import Submitted
from db.progress import JobProgress
from db.states import JobState
from docmill.client.http import paging
from docmill.client.operations.description import Answer, Call, Page, Steps, one
from scheduler.requests import JobRequest

Row = dict[str, Any]

_TIMES = ("created_at", "started_at", "finished_at")
#: What a job's number, selection and predecessor are called there.
_OTHER_NAMES = {"job_id": "id", "where_clause": "where", "after_job_id": "after"}


def submit(request: JobRequest) -> Steps[Submitted]:
    """POST /v1/jobs"""
    return one(Call("POST", "/v1/jobs", _submitted, body=asdict(request), idempotency_key=uuid4().hex))


def progress_of(job_id: int) -> Steps[JobProgress]:
    """GET /v1/jobs/JOB"""
    return one(Call("GET", f"/v1/jobs/{job_id}", lambda answer: progress(answer.json())))


def newest(chosen: JobFilter, before: int | None, limit: int) -> Steps[list[JobProgress]]:
    """GET /v1/jobs"""
    query: dict[str, str | int] = {"details": "true"}
    query |= {name: value for name, value in asdict(chosen).items() if value}
    if before is not None:
        query["before"] = before
    found: list[JobProgress] = []
    call: Call[Page[Row]] | None = paging.first("/v1/jobs", query, limit, most=100)
    while call is not None:
        page = yield call
        found += [progress(row) for row in page.rows]
        call = page.next
    return found


def retry(job_id: int, where: str | None) -> Steps[Submitted]:
    """POST /v1/jobs/JOB/retry"""
    body = {"where": where}
    path = f"/v1/jobs/{job_id}/retry"
    return one(Call("POST", path, _submitted, body=body, idempotency_key=uuid4().hex))


def action(job_id: int, name: str) -> Steps[None]:
    """POST /v1/jobs/JOB/cancel, pause or resume"""
    path = f"/v1/jobs/{job_id}/{name}"
    return one(Call("POST", path, lambda _: None, idempotency_key=uuid4().hex))


def results(job_id: int, table: str | None, meta: Sequence[str], limit: int | None) -> Call[Page[Row]]:
    """GET /v1/jobs/JOB/results"""
    query: dict[str, str | Sequence[str]] = {} if table is None else {"table": table}
    if meta:
        query["meta"] = list(meta)
    return paging.first(f"/v1/jobs/{job_id}/results", query, limit)


def errors(job_id: int, limit: int | None) -> Call[Page[Row]]:
    """GET /v1/jobs/JOB/errors"""
    return paging.first(f"/v1/jobs/{job_id}/errors", {}, limit)


def progress(found: Row) -> JobProgress:
    """A job, as the store would have it."""
    row = {name: found[_OTHER_NAMES.get(name, name)] for name in JobProgress.__slots__}
    for name in _TIMES:
        row[name] = None if row[name] is None else datetime.fromisoformat(row[name])
    return JobProgress(**row | {"state": JobState(row["state"])})


def _submitted(answer: Answer) -> Submitted:
    found = answer.json()
    return Submitted(found["id"], found["n_documents"], found["created"])
