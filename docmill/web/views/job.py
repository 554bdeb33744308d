"""The page of a job: how far it is and how fast, what failed, what it was asked; and running it again."""

from __future__ import annotations

from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from db import progress
from db.access import Role
from db.store import Store
from db.tables import Job
from docmill.doctor.obstacles import obstacles
from docmill.web import job_facts
from docmill.web.access import view
from docmill.web.causes import NOT_TRIED
from docmill.web.rendering import page
from docmill.web.views import job_results
from docmill.web.views.jobs import allowed, possible
from scheduler import requests
from scheduler.requests import JobRequest


@view()
def job(request: Request) -> Response:
    """One job."""
    store: Store = request.app.state.store
    job_id = int(request.path_params["job_id"])
    with store.read() as session:
        found = progress.of(session, job_id)
        row = session.get_one(Job, job_id)
        facts: dict[str, Any] = {
            "failures": job_facts.failures(session, found),
            "parameters": job_facts.parameters(row),
            "origin": job_facts.origin(session, row),
            "throughput": job_facts.throughput(session, found),
            "obstacle": obstacles(session, [found]).get(job_id),
            "found": job_results.first(request, session, found),
        }
    return page(
        request, "job.html", job=found, seconds=job_facts.seconds(found), not_tried=NOT_TRIED,
        actions=allowed(request, possible(found)), **facts,
    )  # fmt: skip


@view(Role.SUBMIT)
def again(request: Request) -> Response:
    """Ask, then submit a job like this one over what its collection and its selection mean now."""
    store: Store = request.app.state.store
    job_id = int(request.path_params["job_id"])
    with store.read() as session:
        found = progress.of(session, job_id)
        parameters = dict(session.get_one(Job, job_id).parameters)
    wanted = JobRequest(
        found.kind, found.collection, model=found.model, parameters=parameters, priority=found.priority,
        where=found.where_clause,
    )  # fmt: skip
    if not request.state.form.get("confirmed"):
        return page(request, "again.html", job=found)
    try:
        with store.write() as session:
            submitted = requests.submit(session, wanted)
    except ValueError as error:
        raise HTTPException(409, str(error)) from None
    return RedirectResponse(str(request.app.url_path_for("job", job_id=submitted.job_id)), 303)


ROUTES = [
    Route("/jobs/{job_id:int}", job, name="job"),
    Route("/jobs/{job_id:int}/again", again, name="again", methods=["POST"]),
]
