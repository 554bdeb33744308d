"""Workers and schedulers: what they are, what they hold, and which are drained."""

from __future__ import annotations

from dataclasses import asdict

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from db import drains, registry
from db.access import Role
from db.drains import Target
from db.states import DrainLevel
from db.store import Store
from docmill.web.access import view
from docmill.web.rendering import page

#: Workers and schedulers that are shown.
MOST = 500


@view()
def workers(request: Request) -> Response:
    """Every worker and scheduler that is registered, by host."""
    store: Store = request.app.state.store
    with store.read() as session:
        found = [asdict(one) for one in registry.listing(session)[:MOST]]
        targets = [asdict(drains.target_of(drain)) for drain in drains.listing(session)]
    return page(request, "workers.html", workers=found, drained=targets, most=MOST)


@view(Role.OPERATE)
def drain(request: Request) -> Response:
    """Drain a host or a worker, or end that."""
    store: Store = request.app.state.store
    form = request.state.form
    level, name = form.get("level", [""])[0], form.get("name", [""])[0]
    if level not in list(DrainLevel) or not name:
        raise HTTPException(400, "Choose a host or a worker.")
    target = Target(DrainLevel(level), name)
    with store.write() as session:
        if form.get("action") == ["undrain"]:
            drains.undrain(session, target)
        else:
            drains.drain(session, target, exits=False, by=request.state.access.name)
    return RedirectResponse(str(request.app.url_path_for("workers")), 303)


ROUTES = [
    Route("/workers", workers, name="workers"),
    Route("/workers/drain", drain, name="drain", methods=["POST"]),
]
