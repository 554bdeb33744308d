"""Results are written in a thread while the work goes on."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType

from nlp_tasks.kind import Document, Result
from workers.processes.log_context import carried
from workers.running.loading import BLOCK

#: What has been computed is written at least this often, so that a crash costs little.
FLUSH_SECONDS = 5.0


class WriteBehind:
    """Used as a context. Collects results and writes them from time to time, one write at a time."""

    def __init__(self, write: Callable[[list[tuple[Document, Result]]], None]) -> None:
        #: What has not been handed to the thread yet.
        self.rest: list[tuple[Document, Result]] = []
        self._write = write
        self._thread = ThreadPoolExecutor(1, "write")
        self._writing: Future[None] | None = None
        self._handed_over_at = time.monotonic()

    def __enter__(self) -> WriteBehind:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._thread.shutdown()

    def add(self, done: list[tuple[Document, Result]]) -> None:
        """Take results. Raises what went wrong with an earlier write."""
        self.rest += done
        if len(self.rest) >= BLOCK or time.monotonic() - self._handed_over_at > FLUSH_SECONDS:
            self.wait()
            handed_over, self.rest = self.rest, []
            self._handed_over_at = time.monotonic()
            self._writing = self._thread.submit(carried(self._write), handed_over)

    def wait(self) -> None:
        """Wait for the write that is under way. Raises what went wrong with it."""
        if self._writing is not None:
            self._writing.result()
