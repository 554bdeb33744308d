"""Server-sent events: how far the open jobs are, once a second, whoever listens."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator

from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from db.job_lists import JobFilter, page
from db.store import Store
from docmill.web.access import of_request, sign_in_first

log = logging.getLogger("docmill.web")

#: Open jobs that are told about.
MOST = 100


class Progress:
    """The newest progress for all listeners: one query a second in all, and none without a listener."""

    def __init__(self, store: Store, seconds: float = 1.0) -> None:
        self._store = store
        self._seconds = seconds
        self._changed = asyncio.Condition()
        self._listeners = 0
        self._asking: asyncio.Task[None] | None = None
        self._newest = ""
        self._number = 0

    async def listen(self) -> AsyncIterator[str]:
        """The progress, once a second: what is unchanged shows that the connection lives."""
        self._listeners += 1
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask())
        try:
            seen = 0
            while True:
                async with self._changed:
                    await self._changed.wait_for(lambda: self._number != seen)  # noqa: B023
                    seen, told = self._number, self._newest
                yield told
        finally:
            self._listeners -= 1

    async def _ask(self) -> None:
        while self._listeners:
            try:
                told = await run_in_threadpool(self._read)
            except Exception as error:
                # Listeners of a task that has ended would wait for ever. They hear what was known last; if the store
                # is away, the pages say so.
                if not isinstance(error, SQLAlchemyError):
                    log.exception("the progress of the jobs could not be told")
                told = self._newest or "[]"
            async with self._changed:
                self._newest = told
                self._number += 1
                self._changed.notify_all()
            await asyncio.sleep(self._seconds)

    def _read(self) -> str:
        with self._store.look() as session:
            jobs = page(session, JobFilter(state="open"), limit=MOST)
        return json.dumps(
            [{"job": job.job_id, "share": round(job.share, 4), "state": job.shown_state} for job in jobs]
        )


async def events(request: Request) -> Response:
    """The stream. It ends when the browser leaves."""
    if await run_in_threadpool(of_request, request) is None:
        return sign_in_first(request)
    progress: Progress = request.app.state.progress

    async def lines() -> AsyncIterator[str]:
        async for told in progress.listen():
            if await request.is_disconnected():
                return
            yield f"data: {told}\n\n"

    return StreamingResponse(
        lines(),
        media_type="text/event-stream",
        headers={"cache-control": "no-store", "x-accel-buffering": "no"},
    )


ROUTES = [Route("/events", events, name="events")]
