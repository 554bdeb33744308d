"""A job, for the client whose methods are coroutines."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar, overload

from db.jobs import Submitted
from db.progress import JobProgress
from docmill.client import frames, requesting
from docmill.client.asynchronous.connection import AsyncConnection
from docmill.client.frames import As, Columns, Frame
from docmill.client.operations import jobs
from docmill.client.operations.description import Operation
from docmill.errors import WaitTimeoutError

T = TypeVar("T")
Row = dict[str, Any]


@dataclass(frozen=True)
class AsyncJob:
    """A job in the store. Made by `AsyncClient.submit` and `AsyncClient.job`. The methods are those of `Job`."""

    id: int
    n_documents: int
    #: False if the same key had been submitted before, or a unique job does the same as one that has not ended.
    created: bool = field(default=True, compare=False)
    _connection: AsyncConnection = field(repr=False, compare=False, kw_only=True)

    async def progress(self) -> JobProgress:
        """`Job.progress`."""
        return await self._run(jobs.progress_of(self.id))

    async def wait(self, timeout_seconds: float | None = None, poll_seconds: float = 0.5) -> JobProgress:
        """`Job.wait`."""
        until = None if timeout_seconds is None else time.monotonic() + timeout_seconds
        while not (now := await self.progress()).ended:
            if until is not None and time.monotonic() > until:
                raise WaitTimeoutError(requesting.not_yet(now, timeout_seconds))
            await asyncio.sleep(poll_seconds)
        return now

    @overload
    def results(
        self,
        table: str | None = None,
        meta: Sequence[str] = (),
        *,
        as_: Literal["rows"] = "rows",
        limit: int | None = None,
    ) -> AsyncIterator[Row]: ...

    @overload
    def results(
        self,
        table: str | None = None,
        meta: Sequence[str] = (),
        *,
        as_: Literal["pandas", "polars", "arrow"],
        limit: int | None = None,
    ) -> Awaitable[Any]: ...

    def results(
        self,
        table: str | None = None,
        meta: Sequence[str] = (),
        *,
        as_: As = "rows",
        limit: int | None = None,
    ) -> Any:
        """`Job.results`: `async for row in job.results()`, or `await job.results(as_="pandas")`."""
        frames.check(as_)
        rows = self._connection.rows(jobs.results(self.id, table, meta, limit))
        return rows if as_ == "rows" else self._result_frame(rows, table, as_)

    @overload
    def errors(self, *, as_: Literal["rows"] = "rows", limit: int | None = None) -> AsyncIterator[Row]: ...

    @overload
    def errors(
        self, *, as_: Literal["pandas", "polars", "arrow"], limit: int | None = None
    ) -> Awaitable[Any]: ...

    def errors(self, *, as_: As = "rows", limit: int | None = None) -> Any:
        """`Job.errors`: `async for row in job.errors()`, or `await job.errors(as_="pandas")`."""
        frames.check(as_)
        rows = self._connection.rows(jobs.errors(self.id, limit))
        return rows if as_ == "rows" else _frame(rows, frames.ERROR_COLUMNS, as_)

    async def cancel(self) -> None:
        """`Job.cancel`."""
        await self._run(jobs.cancel(self.id))

    async def pause(self) -> None:
        """`Job.pause`."""
        await self._run(jobs.pause(self.id))

    async def resume(self) -> None:
        """`Job.resume`."""
        await self._run(jobs.resume(self.id))

    async def retry(self, where: str | None = None) -> AsyncJob:
        """`Job.retry`."""
        return of(await self._run(jobs.retry(self.id, where)), self._connection)

    async def _result_frame(self, rows: AsyncIterator[Row], table: str | None, as_: As) -> Any:
        progress = await self.progress()
        return await _frame(rows, frames.result_columns(progress.kind, table, progress.model), as_)

    async def _run(self, operation: Operation[T]) -> T:
        return await self._connection.run(operation)


def of(found: Submitted, connection: AsyncConnection) -> AsyncJob:
    """The job that was submitted."""
    return AsyncJob(found.job_id, found.n_documents, found.created, _connection=connection)


async def _frame(rows: AsyncIterator[Row], columns: Columns, as_: str) -> Any:
    """All rows in one frame, which a thread puts together."""
    frame = Frame(as_, columns)
    block: list[Row] = []
    async for row in rows:
        block.append(row)
        if len(block) == frames.BLOCK_ROWS:
            await asyncio.to_thread(frame.take, block)
            block = []
    if block:
        await asyncio.to_thread(frame.take, block)
    return await asyncio.to_thread(frame.made)
