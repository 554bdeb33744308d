"""For job submission scripts: submit a job, wait for it, read what came of it.

    from scheduler import submit

    job = submit("summarize", collection="news", parameters={"sentences": 2})
    job.wait()
    for row in job.results():
        print(row["document_key"], row["summary"])

A client talks to the store alone: neither Redis nor a worker has to run, and torch is never imported.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from db import progress, results
from db.progress import JobProgress
from scheduler import requests
from scheduler.requests import JobRequest
from scheduler.store import store
from workers import kinds


@dataclass(frozen=True)
class JobHandle:
    """A job that has been submitted."""

    id: int
    n_documents: int
    #: False when the same key had been submitted before.
    created: bool = True

    def progress(self) -> JobProgress:
        """Where the job stands now."""
        with store().read() as session:
            return progress.of(session, self.id)

    def wait(self, timeout_seconds: float | None = None, poll_seconds: float = 0.5) -> JobProgress:
        """Return once the job has ended; TimeoutError after `timeout_seconds`."""
        until = None if timeout_seconds is None else time.monotonic() + timeout_seconds
        while not (now := self.progress()).ended:
            if until is not None and time.monotonic() > until:
                why = f"; {now.fault}" if now.fault else ""
                raise TimeoutError(
                    f"job {self.id} is {now.state} after {timeout_seconds} s: "
                    f"{now.n_done} of {now.n_documents}{why}"
                )
            time.sleep(poll_seconds)
        return now

    def results(self) -> Iterator[dict[str, Any]]:
        """The rows of the job's main result table, as dictionaries with `document_key`."""
        with store().read() as session:
            kind = kinds.find(progress.of(session, self.id).kind)
            yield from results.rows_of(session, self.id, main_table(kind.name))

    def errors(self) -> Iterator[dict[str, Any]]:
        """The documents that failed, with `error_code` and `error_detail`."""
        with store().read() as session:
            yield from results.errors_of(session, self.id)


def submit(
    kind: str,
    *,
    collection: str,
    model: str | None = None,
    parameters: dict[str, Any] | None = None,
    priority: int = 5,
    key: str | None = None,
    after: int | None = None,
    only_new: bool = False,
) -> JobHandle:
    """Submit a job over the latest documents of a collection. Once this returns, every one of them will have
    exactly one outcome. The same `key` twice is one job.

    Raises ValueError for an unknown kind or parameter, db.errors.NotFoundError for an unknown collection or
    model, db.errors.ConflictError for a key that another request has used, db.errors.NothingToDoError when there is
    no document to take, such as with `only_new` after a day without news.
    """
    request = JobRequest(kind, collection, model, parameters or {}, priority, key, after, only_new)
    with store().write() as session:
        submitted = requests.submit(session, request)
    return JobHandle(submitted.job_id, submitted.n_documents, submitted.created)


def main_table(kind: str) -> str:
    """The table that holds what a kind is asked for: the last of its row types' that belongs to jobs and comes
    first (a summary, not its sentences)."""
    tables = [row.table for row in kinds.find(kind).rows if row.table in results.by_job()]
    if not tables:
        raise ValueError(f"{kind} makes no result rows")
    return tables[0]
