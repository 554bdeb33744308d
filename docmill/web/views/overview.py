"""The first page: was the night all right, and does anything need me?"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from db import progress
from db.states import ENDED
from db.store import Store
from docmill.web.access import view
from docmill.web.rendering import page


@view()
def overview(request: Request) -> Response:
    """What runs, and what ended last."""
    store: Store = request.app.state.store
    with store.read() as session:
        newest = progress.newest(session, 50)
    running = [job for job in newest if job.state not in ENDED]
    ended = [job for job in newest if job.state in ENDED]
    return page(request, "overview.html", running=running, ended=ended[:10])


ROUTES = [Route("/", overview, name="overview")]
