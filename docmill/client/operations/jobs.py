"""What a client can do with jobs."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import Any

from sqlalchemy.orm import Session

from db import job_lists, jobs, progress
from db import results as stored
from db.job_lists import JobFilter
from db.jobs import Submitted
from db.progress import JobProgress
from db.states import JobState
from docmill.client.http import job_calls as calls
from docmill.client.operations.description import Operation, Rows, Stores
from docmill.errors import InvalidRequestError
from docmill.job_rows import job_rows
from scheduler import requests
from scheduler.requests import JobRequest

#: What `jobs(state=...)` takes besides the states.
GROUPS = ("open", "failing")


def submit(request: JobRequest) -> Operation[Submitted]:
    """A job of this request."""

    def on_store(stores: Stores) -> Submitted:
        with stores.there().write() as session:
            return requests.submit(session, request)

    return Operation(on_store, lambda: calls.submit(request))


def progress_of(job_id: int) -> Operation[JobProgress]:
    """How far a job is."""

    def on_store(stores: Stores) -> JobProgress:
        with stores.there().read() as session:
            return progress.of(session, job_id)

    return Operation(on_store, lambda: calls.progress_of(job_id))


def newest(
    limit: int, kind: str | None, state: str | None, collection: str | None, before: int | None
) -> Operation[list[JobProgress]]:
    """The newest jobs that match. InvalidRequestError for a state that there is not."""
    states = (*GROUPS, *JobState)
    if state is not None and state not in states:
        raise InvalidRequestError(f"there is no state {state!r}: choose one of {', '.join(states)}")
    chosen = JobFilter(kind or "", state or "", collection or "")

    def on_store(stores: Stores) -> list[JobProgress]:
        with stores.there().read() as session:
            if chosen == JobFilter() and before is None:
                return progress.newest(session, limit)
            lines = job_lists.page(session, chosen, before=before, limit=limit)
            return progress.of_these(session, [line.job_id for line in lines])

    return Operation(on_store, lambda: calls.newest(chosen, before, limit))


def retry(job_id: int, where: str | None) -> Operation[Submitted]:
    """A new job over the documents that failed in a job."""

    def on_store(stores: Stores) -> Submitted:
        with stores.there().write() as session:
            return requests.retry(session, job_id, where=where)

    return Operation(on_store, lambda: calls.retry(job_id, where))


def cancel(job_id: int) -> Operation[None]:
    """The end of a job."""
    return _changed(
        job_id, "cancel", lambda session: jobs.stop(session, job_id, "CANCELLED", "the job was cancelled")
    )


def pause(job_id: int) -> Operation[None]:
    """No further chunk of a job starts."""
    return _changed(job_id, "pause", lambda session: jobs.pause(session, job_id))


def resume(job_id: int) -> Operation[None]:
    """A paused job goes on."""
    return _changed(job_id, "resume", lambda session: jobs.resume(session, job_id))


def _changed(job_id: int, action: str, change: Callable[[Session], None]) -> Operation[None]:
    def on_store(stores: Stores) -> None:
        with stores.there().write() as session:
            change(session)

    return Operation(on_store, lambda: calls.action(job_id, action))


def results(job_id: int, table: str | None, meta: Sequence[str], limit: int | None) -> Rows[dict[str, Any]]:
    """The rows of a job's results."""

    def on_store(stores: Stores) -> Generator[dict[str, Any]]:
        with stores.there().read() as session:
            yield from job_rows(session, progress.of(session, job_id), table, meta, limit)

    return Rows(on_store, lambda: calls.results(job_id, table, meta, limit))


def errors(job_id: int, limit: int | None) -> Rows[dict[str, Any]]:
    """The documents that failed in a job."""

    def on_store(stores: Stores) -> Generator[dict[str, Any]]:
        with stores.there().read() as session:
            yield from stored.errors_of(session, job_id, limit)

    return Rows(on_store, lambda: calls.errors(job_id, limit))
