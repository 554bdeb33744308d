"""The server process: limits against slow and many clients, and which proxies are believed."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

import h11
import uvicorn
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from workers.settings import settings

#: Seconds for answers that are under way when the server is told to stop.
STOP_SECONDS = 2
#: A connection is closed so much later than the interface's own limit, which answers with 408, has passed.
_MARGIN_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Limits:
    """What a client may take."""

    #: For the first line and the headers of a request, from the connection or the request's first byte on.
    head_seconds: float = 10.0
    #: In each such time, a body that is being sent has to bring this many bytes. The time in which the request began
    #: does not count, nor one in which the server did not read.
    body_seconds: float = 15.0
    body_bytes: int = 4096
    #: Of the first line and the headers together.
    head_bytes: int = 32 * 1024
    #: Connections at once; further ones are answered with 503.
    connections: int = 500


def config(app: ASGIApp, proxies: Sequence[str] = (), limits: Limits | None = None) -> uvicorn.Config:
    """How the application is served. Only the proxies at these addresses are believed what X-Forwarded-For and
    X-Forwarded-Proto say; without any, nobody is, whatever FORWARDED_ALLOW_IPS says."""
    chosen = limits or _limits()
    return uvicorn.Config(
        _LimitedHeads(app, chosen.head_bytes),
        http=partial(_TimedProtocol, limits=chosen),  # type: ignore[arg-type]
        ws="none",
        lifespan="on",
        log_level="warning",
        server_header=False,
        proxy_headers=bool(proxies),
        forwarded_allow_ips=list(proxies),
        limit_concurrency=chosen.connections,
        h11_max_incomplete_event_size=chosen.head_bytes,
        # Pages that are open listen for progress for as long as they are open: nobody waits for them at the end.
        timeout_graceful_shutdown=STOP_SECONDS,
    )


def _limits() -> Limits:
    """The usual ones; a body may pause for as long as the settings allow."""
    seconds = max(Limits().body_seconds, settings().api_idle_seconds + _MARGIN_SECONDS)
    return Limits(body_seconds=seconds)


def run(app: ASGIApp, listener: socket.socket, proxies: Sequence[str] = ()) -> None:
    """Serve until stopped."""
    with suppress(KeyboardInterrupt):
        uvicorn.Server(config(app, proxies)).run(sockets=[listener])


class _LimitedHeads:
    """Refuses requests with a large head. h11 limits only heads that arrive in pieces."""

    def __init__(self, app: ASGIApp, most: int) -> None:
        self._app = app
        self._most = most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            n = len(scope["raw_path"]) + len(scope["query_string"])
            if n + sum(len(name) + len(value) + 4 for name, value in scope["headers"]) > self._most:
                refusal = PlainTextResponse("The address and the headers are too long.\n", 431)
                await refusal(scope, receive, send)
                return
        await self._app(scope, receive, send)


class _TimedProtocol(H11Protocol):
    """Closes connections on which a request does not arrive: each would occupy a place for as long as it likes."""

    def __init__(self, *args: Any, limits: Limits, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._limits = limits
        #: When the head that is awaited began; None while there is none to wait for.
        self._head_since: float | None = None
        self._n_bytes = 0
        #: Whether the server stopped reading at any time since the last check of the body.
        self._was_paused = False
        self._checks: list[asyncio.TimerHandle] = []

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._head_since = self.loop.time()
        self._check_head()
        self._check_body(0, None)

    def connection_lost(self, exc: Exception | None) -> None:
        for check in self._checks:
            check.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._n_bytes += len(data)
        if self._awaits_head and self._head_since is None:
            self._head_since = self.loop.time()
        super().data_received(data)
        self._was_paused |= self.flow.read_paused
        if not self._awaits_head:
            self._head_since = None

    @property
    def _awaits_head(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _check_head(self) -> None:
        since, most = self._head_since, self._limits.head_seconds
        if since is not None and self.loop.time() - since >= most:
            self.transport.close()
            return
        self._again(most / 4, self._check_head)

    def _check_body(self, n_before: int, before: RequestResponseCycle | None) -> None:
        """`before`: the request whose body was being sent at the last check."""
        is_sending = not self._awaits_head and self.conn.their_state is h11.SEND_BODY
        is_few = self._n_bytes - n_before < self._limits.body_bytes
        # A server that does not read yet is not the client's fault.
        if is_sending and self.cycle is before and is_few and not self._was_paused:
            self.transport.close()
            return
        self._was_paused = self.flow.read_paused
        sending = self.cycle if is_sending else None
        self._again(self._limits.body_seconds, self._check_body, self._n_bytes, sending)

    def _again(self, seconds: float, check: Any, *values: Any) -> None:
        self._checks = [one for one in self._checks if not one.cancelled() and one.when() > self.loop.time()]
        self._checks.append(self.loop.call_later(seconds, check, *values))
