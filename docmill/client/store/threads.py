"""A connection to the store that works in threads, so that an event loop goes on meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import islice
from typing import TypeVar

from docmill.client.addition import Addition
from docmill.client.asynchronous.records import Stop, in_a_thread
from docmill.client.operations.description import Operation, Rows
from docmill.client.store.connection import StoreConnection
from scheduler.adding import Report

T = TypeVar("T")

#: Rows that a thread reads before the event loop has its turn.
_BLOCK_ROWS = 500


class ThreadedStoreConnection:
    """Connects on first use."""

    def __init__(self, database_url: str) -> None:
        self._connection = StoreConnection(database_url)

    async def run(self, operation: Operation[T]) -> T:
        """Carry out an operation. What has begun goes on in its thread if the task is cancelled."""
        return await asyncio.to_thread(self._connection.run, operation)

    async def rows(self, rows: Rows[T]) -> AsyncIterator[T]:
        """The rows, read by one thread: a session belongs to one."""
        loop = asyncio.get_running_loop()
        found = self._connection.rows(rows)
        thread = ThreadPoolExecutor(1, thread_name_prefix="docmill-rows")
        try:
            while block := await loop.run_in_executor(thread, lambda: list(islice(found, _BLOCK_ROWS))):
                for row in block:
                    yield row
        finally:
            thread.submit(found.close)
            thread.shutdown(wait=False)

    async def add(self, addition: Addition) -> Report:
        """Store documents. If the task is cancelled, it ends after the batch that is being stored."""
        stop = Stop()
        here = replace(
            addition,
            records=in_a_thread(addition.records, asyncio.get_running_loop()),
            tell=stop.before(addition.tell),
        )
        try:
            return await asyncio.to_thread(self._connection.add, here)
        finally:
            stop.set()

    async def close(self) -> None:
        """Close the connections. The next call opens new ones."""
        await asyncio.to_thread(self._connection.close)
