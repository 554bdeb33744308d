"""Documents that kill, block or exhaust workers."""

from __future__ import annotations

from dataclasses import asdict

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from db import quarantine
from db.access import Role
from db.store import Store
from docmill.web.access import number, view
from docmill.web.rendering import page

#: Documents of the page.
MOST = 50


@view()
def entries(request: Request) -> Response:
    """What is in quarantine, newest first."""
    store: Store = request.app.state.store
    with store.read() as session:
        found = [asdict(entry) for entry in quarantine.entries(session, limit=MOST)]
    return page(request, "quarantine.html", entries=found, most=MOST)


@view(Role.OPERATE)
def release(request: Request) -> Response:
    """Let the next job try a document again."""
    store: Store = request.app.state.store
    form = request.state.form
    job, key = form.get("job", [""])[0], form.get("key", [""])[0]
    with store.write() as session:
        found = quarantine.of_job(session, number(job) or 0, [key])
        quarantine.release(session, found)
    return RedirectResponse(str(request.app.url_path_for("quarantine")), 303)


ROUTES = [
    Route("/quarantine", entries, name="quarantine"),
    Route("/quarantine/release", release, name="release", methods=["POST"]),
]
