"""What the server does while it is measured: its queries, and the time of each request in it."""

from __future__ import annotations

import os
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event, text
from starlette.types import ASGIApp, Receive, Scope, Send

from db.store import Store


@dataclass
class Queries:
    """Every statement that an engine runs, with its seconds."""

    ran: list[tuple[str, float]] = field(default_factory=list)
    _began: threading.local = field(default_factory=threading.local)

    def listen(self, engine: Engine) -> None:
        """Begin."""
        event.listen(engine, "before_cursor_execute", self._before)
        event.listen(engine, "after_cursor_execute", self._after)

    def since(self, n: int) -> list[tuple[str, float]]:
        """Those after the first `n`."""
        return self.ran[n:]

    def _before(self, *_: Any) -> None:
        self._began.at = time.perf_counter()

    def _after(self, _connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        self.ran.append((statement, time.perf_counter() - self._began.at))


def processor_seconds(store: Store) -> float:
    """What this process and its connections to PostgreSQL, on the same machine, have used so far. On a busy machine
    this says more than the time on the clock."""
    with store.read() as session:
        clients = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend'"
        pids = session.scalars(text(clients)).all()
    used = 0.0
    for pid in pids:
        with suppress(OSError):
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            used += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return time.process_time() + used


class Timed:
    """An application, and the seconds of its last requests."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.seconds: list[float] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        began = time.perf_counter()
        await self._app(scope, receive, send)
        self.seconds.append(time.perf_counter() - began)
