"""A client's connection to a server, which waits for each answer."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any, TypeVar

from docmill.client.addition import Addition
from docmill.client.http import exchange, library
from docmill.client.http.adding import Sending
from docmill.client.http.attempts import Attempts
from docmill.client.operations.description import Call, Operation, Page, Rows
from docmill.errors import only_docmill_errors
from scheduler.adding import Report

T = TypeVar("T")


class HttpConnection:
    """Connects on first use. Threads may share it."""

    def __init__(self, url: str, key: str | None, timeout_seconds: float, retry_seconds: float) -> None:
        self._library = library.library()
        self._options = library.options(url, key, timeout_seconds)
        self._place = self._options["base_url"]
        self._retry_seconds = retry_seconds
        self._lock = threading.Lock()
        self._open: Any = None

    def run(self, operation: Operation[T]) -> T:
        """Carry out an operation."""
        steps = operation.over_http()
        answer: Any = None
        while True:
            try:
                call = steps.send(answer)
            except StopIteration as done:
                result: T = done.value
                return result
            answer = self.send(call)

    def rows(self, rows: Rows[T]) -> Iterator[T]:
        """The rows, page by page as they are asked for."""
        call: Call[Page[T]] | None = rows.over_http()
        while call is not None:
            page = self.send(call)
            yield from page.rows
            call = page.next

    def add(self, addition: Addition) -> Report:
        """Read here, and send in batches. Each is stored for good."""
        with only_docmill_errors():
            sending = Sending(addition)
            for call in sending.calls():
                sending.sent(self.send(call))
            return sending.report()

    def send(self, call: Call[T]) -> T:
        """What the answer to a request means; sent again where that may help."""
        attempts = Attempts(self._place, self._retry_seconds)
        words = exchange.words(call)
        while True:
            try:
                found = self._http().request(**words)
            except self._library.RequestError as error:
                pause = attempts.pause_after_error(error)
            else:
                after = attempts.pause_after_answer(found.status_code, found.headers.get("retry-after"))
                if after is None:
                    return exchange.meaning(call, found, self._place)
                pause = after
            time.sleep(pause)

    def close(self) -> None:
        """Close the connections. The next call opens new ones."""
        with self._lock:
            if self._open is not None:
                self._open.close()
            self._open = None

    def _http(self) -> Any:
        with self._lock:
            if self._open is None:
                self._open = self._library.Client(**self._options)
            return self._open
