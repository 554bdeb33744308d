"""The list of jobs, and a job."""

from __future__ import annotations

from typing import Any

from sqlalchemy import text
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from db import progress
from db.store import Store
from docmill.web.access import view
from docmill.web.rendering import page

#: Jobs of a page.
MOST = 50
_FAILURES = """
SELECT error_code AS code, COUNT(*) AS n, MIN(document_key) AS document_key, MIN(error_detail) AS detail
FROM v_failures WHERE job_id = :job_id GROUP BY error_code ORDER BY n DESC, error_code
"""


@view()
def jobs(request: Request) -> Response:
    """The newest jobs."""
    store: Store = request.app.state.store
    with store.read() as session:
        return page(request, "jobs.html", jobs=progress.newest(session, MOST))


@view()
def job(request: Request) -> Response:
    """One job: how far it is, and what failed."""
    store: Store = request.app.state.store
    job_id = int(request.path_params["job_id"])
    with store.read() as session:
        found = progress.of(session, job_id)
        failures: list[dict[str, Any]] = [
            dict(row) for row in session.execute(text(_FAILURES), {"job_id": job_id}).mappings()
        ]
    return page(request, "job.html", job=found, failures=failures)


ROUTES = [Route("/jobs", jobs, name="jobs"), Route("/jobs/{job_id:int}", job, name="job")]
