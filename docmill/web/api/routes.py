"""The operations as routes of the server. A new module of operations is listed here."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import cache
from importlib import import_module

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match, Route
from starlette.types import Scope

from docmill.web.api.handling import handle
from docmill.web.api.operation import Operation

#: Modules of docmill.web.api with `OPERATIONS`, in the order of the documentation.
MODULES = (
    "collections",
    "documents",
    "adding",
    "jobs",
    "results",
    "kinds",
    "models",
    "labels",
    "schedules",
    "search",
    "events",
    "description",
)
PREFIX = "/v1"


@cache
def operations() -> tuple[Operation, ...]:
    """All operations."""
    modules = (import_module(f"docmill.web.api.{name}") for name in MODULES)
    return tuple(one for module in modules for one in module.OPERATIONS)


def routes() -> list[BaseRoute]:
    """A route for each path, which tells what it allows where the method is none of its own."""
    by_path: dict[str, dict[str, Operation]] = {}
    for one in operations():
        by_path.setdefault(one.path, {})[one.method] = one
    return [
        EncodedRoute(PREFIX + path, _endpoint(methods), methods=list(methods), name=f"api {path}")
        for path, methods in by_path.items()
    ]


def _endpoint(methods: dict[str, Operation]) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        # HEAD is GET without the body.
        return await handle(methods[request.method if request.method in methods else "GET"], request)

    return endpoint


class EncodedRoute(Route):
    """Compares the path as it was sent: a name in it may hold an encoded slash. The names come as they were sent."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        raw = scope.get("raw_path")
        if raw is not None:
            scope = {**scope, "path": raw.decode("latin-1").partition("?")[0]}
        return super().matches(scope)
