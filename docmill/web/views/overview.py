"""The first page: was the night all right, and does anything need me?"""

from __future__ import annotations

from typing import Any

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from db import job_lists, progress, quarantine
from db.job_lists import JobFilter
from db.sql import now
from db.states import ENDED
from db.store import Store
from db.tables import Job, Run, Schedule
from docmill.doctor.obstacles import obstacles
from docmill.pages.night.remedies import remedy
from docmill.web.access import view
from docmill.web.rendering import page

Row = dict[str, Any]

#: Running jobs that are shown, and jobs that ended last.
RUNNING, ENDED_LAST = 20, 10
#: What failed is counted over the jobs that ended in this time, at most so many.
DAYS, JOBS = 7, 200
NIGHTS = 14
_FAILURES = """
SELECT f.error_code, f.n, f.n_jobs, f.job_id, d.key AS document_key, d.source, o.error_detail, j.kind,
       COALESCE(t.name, c.name) AS collection, t.id IS NOT NULL AS is_file
FROM (SELECT error_code, COUNT(*) AS n, COUNT(DISTINCT job_id) AS n_jobs, MAX(job_id) AS job_id,
             MAX(document_id) AS document_id
      FROM outcome WHERE job_id IN ({jobs}) AND state = 'error' AND error_code NOT IN ('CANCELLED', 'CARRIED_OVER')
      GROUP BY error_code) f
JOIN job j ON j.id = f.job_id JOIN document d ON d.id = f.document_id
JOIN collection c ON c.id = d.collection_id LEFT JOIN collection t ON t.id = c.files_of_id
LEFT JOIN outcome o ON o.job_id = f.job_id AND o.document_id = f.document_id
ORDER BY f.n DESC, f.error_code LIMIT 10
"""


@view()
def overview(request: Request) -> Response:
    """What needs somebody, what runs, the last nights."""
    store: Store = request.app.state.store
    with store.read() as session:
        running = progress.unfinished(session, RUNNING)
        failures = _failures(session)
        stuck = obstacles(session, running)
        n_quarantined = len(quarantine.entries(session, limit=100))
        nights = _nights(session)
        ended = job_lists.page(session, JobFilter(), limit=ENDED_LAST + RUNNING)
    ended = [job for job in ended if job.state in ENDED][:ENDED_LAST]
    return page(
        request, "overview.html", running=running, stuck=stuck, failures=failures, nights=nights, ended=ended,
        n_quarantined=n_quarantined, days=DAYS,
        longest=max((night["seconds"] or 0 for night in nights), default=0),
    )  # fmt: skip


def _failures(session: Session) -> list[Row]:
    """Causes of the last days that no later retry has to be read for: counted over the jobs that ended then."""
    recent = select(Job.id).where(Job.finished_at > now(-DAYS * 86_400), Job.n_error > 0)
    jobs = session.scalars(recent.order_by(Job.id.desc()).limit(JOBS)).all()
    if not jobs:
        return []
    query = _FAILURES.format(jobs=", ".join(map(str, jobs)))
    rows = [dict(row) for row in session.execute(text(query)).mappings()]
    return [row | {"remedy": remedy(row, "en")} for row in rows]


def _nights(session: Session) -> list[Row]:
    """The last nights, oldest first, with their length and failures."""
    failed = func.coalesce(func.sum(job_lists.n_failed()), 0)
    counted = (
        select(
            Run.id, Schedule.name, Run.due_at, Run.started_at, Run.ended_at, Run.state, Run.is_late,
            func.count(Job.id).label("n_jobs"), func.coalesce(func.sum(Job.n_documents), 0).label("n_documents"),
            failed.label("n_failed"),
        )
        .join(Schedule, Schedule.id == Run.schedule_id)
        .outerjoin(Job, Job.run_id == Run.id)
        .group_by(Run.id, Schedule.name, Run.due_at, Run.started_at, Run.ended_at, Run.state, Run.is_late)
        .order_by(Run.id.desc())
        .limit(NIGHTS)
    )  # fmt: skip
    rows = [dict(row) for row in session.execute(counted).mappings()]
    for row in rows:
        both = row["started_at"] is not None and row["ended_at"] is not None
        row["seconds"] = (row["ended_at"] - row["started_at"]).total_seconds() if both else None
        row["n_documents"], row["n_failed"] = int(row["n_documents"]), int(row["n_failed"])
    return rows[::-1]


ROUTES = [Route("/", overview, name="overview")]
