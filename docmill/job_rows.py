"""The result rows of a job, from the tables that its kind writes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy.orm import Session

from db import jobs, results, where
from db.progress import JobProgress
from workers import kinds


def job_rows(
    session: Session,
    job: JobProgress,
    table: str | None = None,
    meta: Sequence[str] = (),
    limit: int | None = None,
) -> Iterator[dict[str, Any]]:
    """The rows of one table; of the first that the kind names if none is given (a summary, not its sentences); at most
    `limit`. Fields of the documents' metadata are further columns. ValueError if no document of the job's collection
    has such a field, or if the kind has no such table, or makes a model."""
    found = kinds.result_table(job.kind, table, job.model)
    if meta:
        where.check_fields(session, meta, jobs.by_id(session, job.job_id).collection_id)
    return results.rows_of(session, job.job_id, found, meta, limit)


def has_rows(kind: str) -> bool:
    """Whether a kind writes result rows."""
    try:
        kinds.result_table(kind)
    except ValueError:
        return False
    return True


def headings(kind: str) -> Mapping[str, str]:
    """What tables for people call some columns of a kind's rows."""
    known = kinds.all_kinds().get(kind)
    found: dict[str, str] = {}
    for row in known.rows if known is not None else ():
        found |= getattr(row, "headings", {})
    return found
