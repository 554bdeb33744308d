"""Events: how far the open jobs are, once a second, for any number of listeners by one query."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator

from starlette.responses import Response, StreamingResponse

from docmill.web.api.operation import EVENTS, Call, operation
from docmill.web.views.events import Progress

#: A stream ends after this time: whoever goes on listening shows the key again.
LONGEST_SECONDS = 3_600.0


@operation("GET", "/events", tag="events", media=(EVENTS,))
def listen(call: Call) -> Response:
    """Server-sent events: once a second, how far the open jobs are.

    Each event is a JSON list with `job`, `share` (0 to 1) and `state` of each open job, at most 100. A job that is no
    longer there has ended. The stream ends after an hour: connect again."""
    progress: Progress = call.request.app.state.progress

    async def lines() -> AsyncIterator[str]:
        until = time.monotonic() + LONGEST_SECONDS
        async for told in progress.listen():
            if time.monotonic() > until or await call.request.is_disconnected():
                return
            yield f"data: {told}\n\n"

    return StreamingResponse(lines(), media_type=EVENTS, headers={"x-accel-buffering": "no"})


OPERATIONS = (listen,)
