"""Threads for bodies that arrive as streams: a few of their own, so that slow clients keep no thread of the pages."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

import anyio
import anyio.to_thread

from docmill.web.api.problems import Problem

P = ParamSpec("P")
T = TypeVar("T")

#: Streams that are read at the same time.
MOST = 8
RETRY_SECONDS = 5


class Streams:
    """Runs functions that read a stream."""

    def __init__(self) -> None:
        self._limiter = anyio.CapacityLimiter(MOST)

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The function in a thread; a problem with the status 503 if all are busy."""
        del kwargs
        if self._limiter.available_tokens < 1:
            detail = f"{MOST} streams are arriving already: try again in {RETRY_SECONDS} s"
            raise Problem(503, "too-busy", detail, headers={"retry-after": str(RETRY_SECONDS)})
        # Abandoned when the server is told to stop: a client that sends nothing must not hold it up.
        return await anyio.to_thread.run_sync(function, *args, limiter=self._limiter, abandon_on_cancel=True)
