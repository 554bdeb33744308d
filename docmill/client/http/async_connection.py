"""A client's connection to a server, without threads."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from typing import Any, TypeVar

from docmill.client.addition import Addition
from docmill.client.asynchronous.records import in_a_thread
from docmill.client.http import exchange, library
from docmill.client.http.adding import Sending
from docmill.client.http.attempts import Attempts
from docmill.client.operations.description import Call, Operation, Page, Rows
from docmill.errors import only_docmill_errors
from scheduler.adding import Report

T = TypeVar("T")


class AsyncHttpConnection:
    """Connects on first use, in the event loop that uses it."""

    def __init__(self, url: str, key: str | None, timeout_seconds: float, retry_seconds: float) -> None:
        self._library = library.library()
        self._options = library.options(url, key, timeout_seconds)
        self._place = self._options["base_url"]
        self._retry_seconds = retry_seconds
        self._open: Any = None

    async def run(self, operation: Operation[T]) -> T:
        """Carry out an operation."""
        steps = operation.over_http()
        answer: Any = None
        while True:
            try:
                call = steps.send(answer)
            except StopIteration as done:
                result: T = done.value
                return result
            answer = await self.send(call)

    async def rows(self, rows: Rows[T]) -> AsyncIterator[T]:
        """The rows, page by page as they are asked for."""
        call: Call[Page[T]] | None = rows.over_http()
        while call is not None:
            page = await self.send(call)
            for row in page.rows:
                yield row
            call = page.next

    async def add(self, addition: Addition) -> Report:
        """Read in a thread, and send in batches. Each is stored for good."""
        records = in_a_thread(addition.records, asyncio.get_running_loop())
        with only_docmill_errors():
            sending = Sending(replace(addition, records=records))
            calls = sending.calls()
            while (call := await asyncio.to_thread(_next, calls)) is not None:
                sending.sent(await self.send(call))
            return sending.report()

    async def send(self, call: Call[T]) -> T:
        """What the answer to a request means; sent again where that may help."""
        attempts = Attempts(self._place, self._retry_seconds)
        words = exchange.words(call)
        while True:
            try:
                found = await self._http().request(**words)
            except self._library.RequestError as error:
                pause = attempts.pause_after_error(error)
            else:
                after = attempts.pause_after_answer(found.status_code, found.headers.get("retry-after"))
                if after is None:
                    return exchange.meaning(call, found, self._place)
                pause = after
            await asyncio.sleep(pause)

    async def close(self) -> None:
        """Close the connections. The next call opens new ones."""
        if self._open is not None:
            await self._open.aclose()
        self._open = None

    def _http(self) -> Any:
        if self._open is None:
            self._open = self._library.AsyncClient(**self._options)
        return self._open


def _next(calls: Iterator[Call[T]]) -> Call[T] | None:
    return next(calls, None)
