"""The application: routes, headers for every answer, errors as pages."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import import_module
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from db.access import Access
from db.database_errors import is_infrastructure_error, words
from db.errors import NotFoundError, StoreError
from db.store import Store
from docmill.web import openai_api
from docmill.web.access import Throttle
from docmill.web.api import problems
from docmill.web.api.idempotency import Forgetting
from docmill.web.api.rate import Buckets
from docmill.web.api.routes import routes as api_routes
from docmill.web.api.streams import Streams
from docmill.web.counting import DocumentCounts
from docmill.web.openai_api.inference import Inference
from docmill.web.recent_failures import RecentFailures
from docmill.web.rendering import page
from docmill.web.store_size import StoreSize
from docmill.web.views.events import Progress
from workers.settings import settings

log = logging.getLogger("docmill.web")

STATIC = Path(__file__).parent / "static"
#: Modules of docmill.web.views with `ROUTES`, in the order in which paths are tried.
VIEWS = (
    "login", "overview", "jobs", "job", "job_results", "retrying", "documents", "search", "models", "nights",
    "schedules", "workers", "quarantine", "events", "health",
)  # fmt: skip
LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
#: Nothing is loaded from elsewhere, nothing inline runs, and no other site may show or receive a form of these pages.
POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
_IN_EVERY_POLICY = ("frame-ancestors 'none'", "base-uri 'none'", "form-action 'none'")
_HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    # Browsers and proxies between keep no copy of a text.
    "cache-control": "no-store",
}
#: For files that came with docmill.
_STATIC_HEADERS = _HEADERS | {"cache-control": "max-age=300"}


def create_app(
    store: Store,
    hosts: tuple[str, ...] = LOOPBACK,
    login_token: str | None = None,
    everybody: Access | None = None,
) -> Starlette:
    """The pages of a store. Requests for other hosts than these are refused: a page elsewhere could otherwise read
    these pages through a name of its own that means this machine. Who knows the `login_token` may sign in with it
    instead of a key. `everybody` is who every request is from; only for an app that no network reaches."""
    routes: list[BaseRoute] = [
        route for name in VIEWS for route in import_module(f"docmill.web.views.{name}").ROUTES
    ]
    app = Starlette(
        routes=[
            *routes,
            *api_routes(),
            *openai_api.routes(),
            Mount("/static", StaticFiles(directory=STATIC), name="static"),
        ],
        lifespan=_lifespan,
        middleware=[
            Middleware(TrustedHostMiddleware, allowed_hosts=list(hosts), www_redirect=False),
            Middleware(_SafeHeaders),
        ],
        exception_handlers={
            HTTPException: _refused,
            NotFoundError: _missing,
            StoreError: _conflict,
            SQLAlchemyError: _store_is_away,
        },
    )
    app.state.store = store
    app.state.login_token = login_token
    app.state.everybody = everybody
    app.state.throttle = Throttle()
    app.state.progress = Progress(store)
    app.state.buckets = Buckets(settings().api_requests_per_minute)
    app.state.forgetting = Forgetting()
    app.state.streams = Streams()
    app.state.inference = Inference(store)
    app.state.recent_failures = RecentFailures()
    app.state.document_counts = DocumentCounts(store)
    app.state.store_size = StoreSize(store)
    return app


@asynccontextmanager
async def _lifespan(app: Starlette) -> AsyncIterator[None]:
    yield
    app.state.inference.close()


class _SafeHeaders:
    """Adds the headers that every answer has."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [(name, _unframed(name, value)) for name, value in message["headers"]]
                there = {name for name, _ in message["headers"]}
                every = _STATIC_HEADERS if scope["path"].startswith("/static/") else _HEADERS
                message["headers"] = [
                    *message["headers"],
                    *(
                        (name.encode(), value.encode())
                        for name, value in every.items()
                        if name.encode() not in there
                    ),
                ]
            await send(message)

        await self._app(scope, receive, send_with_headers)


def _unframed(name: bytes, value: bytes) -> bytes:
    """A page with a policy of its own is no more framed than the others."""
    if name.lower() != b"content-security-policy":
        return value
    missing = [one for one in _IN_EVERY_POLICY if one.partition(" ")[0].encode() not in value]
    return b"; ".join([value, *(one.encode() for one in missing)])


def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if problems.is_of_api(request):
        return problems.answer(problems.of_error(error))
    return page(request, "error.html", status=error.status_code, title=error.detail, detail=None)


def _missing(request: Request, error: Exception) -> Response:
    return page(request, "error.html", status=404, title="There is no such thing", detail=str(error))


def _store_is_away(request: Request, error: Exception) -> Response:
    log.warning("%s: %s", request.url.path, words(error), exc_info=not is_infrastructure_error(error))
    detail = "docmill doctor says what is wrong with it. Jobs and workers are not lost by that."
    return page(request, "error.html", status=503, title="The store does not answer", detail=detail)


def _conflict(request: Request, error: Exception) -> Response:
    return page(request, "error.html", status=409, title="This cannot be done now", detail=str(error))
