"""What failed in the last days and still does, by cause over all jobs, for the overview."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from db.sql import statement_time
from db.tables import Job
from docmill.pages.night.remedies import remedy
from docmill.web import causes
from docmill.web.causes import NOT_TRIED, Cause

Row = dict[str, Any]

#: Of the jobs that ended in this time, at most so many are looked at.
DAYS, JOBS = 7, 100
#: Causes that are shown.
MOST = 10


@dataclass(frozen=True, slots=True)
class _Failing:
    """A job with failures."""

    id: int
    kind: str
    n_error: int


class RecentFailures:
    """Remembers what it found until another job ends. Safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._causes: dict[int, list[Cause]] = {}
        self._found: tuple[object, list[Row]] = (None, [])

    def of(self, session: Session) -> list[Row]:
        """A row for each cause: its number, its jobs, an example, and what to do."""
        failing = _failing(session)
        state = (
            failing,
            session.scalar(select(func.max(Job.finished_at)).where(Job.finished_at.is_not(None))),
        )
        with self._lock:
            known, found = self._found
        if known != state:
            found = self._read(session, failing)
            with self._lock:
                self._found = (state, found)
        return found

    def job_ids(self, session: Session, code: str) -> list[int]:
        """The jobs that have failures of this cause, as `of` counts them."""
        return next((row["job_ids"] for row in self.of(session) if row["error_code"] == code), [])

    def _read(self, session: Session, failing: tuple[_Failing, ...]) -> list[Row]:
        causes_of = self._of_jobs(session, failing)
        found = [
            (job, cause)
            for job in failing
            for cause in causes_of.get(job.id, [])
            if cause.code not in NOT_TRIED
        ]
        n_still = causes.still_failing(session, [(cause, job.kind) for job, cause in found])
        by_code: dict[str, list[tuple[_Failing, Cause]]] = {}
        for (job, cause), n in zip(found, n_still, strict=True):
            if n:
                by_code.setdefault(cause.code, []).append((job, replace(cause, n=n)))
        groups = sorted(
            by_code.values(), key=lambda group: (-sum(cause.n for _, cause in group), group[0][1].code)
        )
        return [_row(session, group) for group in groups[:MOST]]

    def _of_jobs(self, session: Session, failing: tuple[_Failing, ...]) -> dict[int, list[Cause]]:
        """Of a job that has ended, they do not change."""
        with self._lock:
            known = dict(self._causes)
        new = causes.of_jobs(session, {job.id: job.n_error for job in failing if job.id not in known})
        with self._lock:
            if len(self._causes) > 10 * JOBS:
                self._causes.clear()
            self._causes |= new
        return known | new


def _failing(session: Session) -> tuple[_Failing, ...]:
    """The jobs of the last days, newest first."""
    recent = (
        select(Job.id, Job.kind, Job.n_error)
        .where(Job.finished_at > statement_time(-DAYS * 86_400), Job.n_error > 0)
        .order_by(Job.finished_at.desc(), Job.id.desc())
        .limit(JOBS)
    )
    return tuple(_Failing(row.id, row.kind, row.n_error or 0) for row in session.execute(recent))


def _row(session: Session, group: list[tuple[_Failing, Cause]]) -> Row:
    """The newest job with this cause is the example."""
    newest, cause = group[0]
    row = causes.example(session, cause) | {
        "error_code": cause.code,
        "n": sum(cause.n for _, cause in group),
        "is_more": any(cause.is_more for _, cause in group),
        "job_id": newest.id,
        "job_ids": [job.id for job, _ in group],
        "kind": newest.kind,
    }
    return row | {"remedy": remedy(row, "en")}
