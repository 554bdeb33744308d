"""Every route of the application, so that a test of all covers a new one by itself."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from starlette.applications import Starlette
from starlette.routing import BaseRoute, Mount, Route

#: Routes that everybody may call. One that is added here shows nothing of the store.
OPEN = {"/login", "/health"}
#: The beginning of the routes for programs: they refuse with 401, 403 and 415 instead of leading to the login.
FOR_PROGRAMS = "/v1"


@dataclass(frozen=True, slots=True)
class Call:
    """A method and an address."""

    method: str
    path: str

    @property
    def is_for_programs(self) -> bool:
        return self.path.startswith(FOR_PROGRAMS)


def calls(app: Starlette) -> Iterator[Call]:
    """A call for each route and method but the open ones, with 1 or "x" in the place of parameters."""
    for path, methods in _routes(app.routes, ""):
        if path in OPEN:
            continue
        filled = re.sub(r"\{\w+:int\}", "1", path)
        filled = re.sub(r"\{[^}]+\}", "x", filled)
        for method in sorted(methods - {"HEAD", "OPTIONS"}):
            yield Call(method, filled)


def _routes(routes: list[BaseRoute], before: str) -> Iterator[tuple[str, set[str]]]:
    for route in routes:
        if isinstance(route, Route):
            yield before + route.path, set(route.methods or {"GET"})
        elif isinstance(route, Mount) and route.name != "static":
            yield from _routes(list(route.routes), before + route.path)
