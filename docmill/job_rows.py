"""The result rows of a job, from the tables that its kind writes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy.orm import Session

from db import jobs, results, where
from db.progress import JobProgress
from workers import kinds


def job_rows(
    session: Session, job: JobProgress, table: str | None = None, meta: Sequence[str] = ()
) -> Iterator[dict[str, Any]]:
    """The rows of one table; of the first that the kind names if none is given (a summary, not its sentences). Fields
    of the documents' metadata are further columns; ValueError if no document of the job's collection has one, or if the kind has no such table, or makes a model."""
    kind = kinds.find(job.kind)
    if kind.train is not None:
        raise ValueError(
            f"{kind.name} trains a model and has no result rows: see docmill models show {job.model}"
        )
    tables = [row.table for row in kind.rows if row.table in results.by_job()]
    if not tables:
        raise ValueError(f"{kind.name} has no result rows")
    if table is not None and table not in tables:
        raise ValueError(f"{kind.name} has no table {table!r}: choose one of {', '.join(tables)}")
    if meta:
        collection = jobs.by_id(session, job.job_id).collection_id
        where.check_fields(session, meta, collection)
    return results.rows_of(session, job.job_id, table or tables[0], meta)


def headings(kind: str) -> Mapping[str, str]:
    """What tables for people call some columns of a kind's rows."""
    known = kinds.all_kinds().get(kind)
    found: dict[str, str] = {}
    for row in known.rows if known is not None else ():
        found |= getattr(row, "headings", {})
    return found
