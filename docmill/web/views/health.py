"""Whether this process answers, for health checks: without a key, and without asking the store, for which a restart
of this process does nothing."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route


async def health(_request: Request) -> Response:
    """Always "ok"."""
    return PlainTextResponse("ok\n", headers={"cache-control": "no-store"})


ROUTES = [Route("/health", health, name="health")]
