"""The client whose methods are coroutines."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from os import PathLike
from types import TracebackType
from typing import Any, Literal

from db.progress import JobProgress
from docmill.client import choosing, requesting
from docmill.client.asynchronous import job
from docmill.client.asynchronous.connection import connection
from docmill.client.asynchronous.documents import AsyncDocumentMethods
from docmill.client.asynchronous.job import AsyncJob
from docmill.client.operations import jobs, models, queries, words
from scheduler.exports.manifest import Manifest

Row = dict[str, Any]


class AsyncClient(AsyncDocumentMethods):
    """`Client` with coroutines: `await` each method, and `async for` what is iterated. To the store it works in
    threads, to a server without them. It belongs to one event loop."""

    def __init__(
        self,
        url: str | None = None,
        *,
        key: str | None = None,
        timeout_seconds: float = 60,
        retry_seconds: float = 60,
        database_url: str | None = None,
    ) -> None:
        """As `Client`."""
        place = choosing.place(url if url is not None else database_url, key)
        self._connection = connection(place, timeout_seconds, retry_seconds)

    async def submit(
        self,
        kind: str,
        *,
        collection: str | Sequence[str],
        model: str | None = None,
        parameters: dict[str, Any] | None = None,
        priority: int = 5,
        key: str | None = None,
        after: int | None = None,
        only_new: bool = False,
        where: str | None = None,
        corrections: bool = True,
        submitter: str | None = None,
        exclusive: bool = False,
        unique: bool = False,
    ) -> AsyncJob:
        """`Client.submit`."""
        request = requesting.request(
            kind,
            collection,
            model=model,
            parameters=parameters or {},
            priority=priority,
            key=key,
            after=after,
            only_new=only_new,
            where=where,
            corrections=corrections,
            submitter=submitter,
            exclusive=exclusive,
            unique=unique,
        )
        return job.of(await self._run(jobs.submit(request)), self._connection)

    async def job(self, job_id: int) -> AsyncJob:
        """`Client.job`."""
        found = await self._run(jobs.progress_of(job_id))
        return AsyncJob(found.job_id, found.n_documents, created=False, _connection=self._connection)

    async def jobs(
        self,
        limit: int = 20,
        *,
        kind: str | None = None,
        state: str | None = None,
        collection: str | None = None,
        before: int | None = None,
    ) -> list[JobProgress]:
        """`Client.jobs`."""
        return await self._run(jobs.newest(limit, kind, state, collection, before))

    async def sql(self, query: str, limit: int | None = None) -> list[Row]:
        """`Client.sql`."""
        return await self._run(queries.sql(query, limit))

    async def export(
        self,
        what: str | int,
        *,
        to: str | PathLike[str] | None = None,
        to_table: str | None = None,
        format: Literal["csv", "jsonl", "parquet", "xlsx"] | None = None,
        mode: Literal["replace", "upsert"] = "replace",
        key: Sequence[str] = (),
        changed_since: str | None = None,
        name: str | None = None,
        restart: bool = False,
        bom: bool = False,
        raw: bool = False,
        table: str | None = None,
        time_zone: str = "UTC",
        seconds: float = 3_600,
        tell: Callable[[int, int | None], None] | None = None,
    ) -> Manifest:
        """`Client.export`."""
        request = requesting.export_request(
            what=what,
            to=to,
            to_table=to_table,
            format_=format,
            mode=mode,
            key=tuple(key),
            changed_since=changed_since,
            name=name,
            restart=restart,
            bom=bom,
            raw=raw,
            table=table,
            time_zone=time_zone,
            seconds=seconds,
        )
        return await self._run(queries.export(request, tell))

    async def models(self, name: str | None = None) -> list[Row]:
        """`Client.models`."""
        return await self._run(models.versions(name))

    async def promote(self, model: str, *, alias: str = "champion", force: bool = False) -> str:
        """`Client.promote`."""
        return await self._run(models.promote(model, alias, force=force))

    async def rollback(self, model: str, *, alias: str = "champion") -> str:
        """`Client.rollback`."""
        return await self._run(models.rollback(model, alias))

    async def nearest_words(
        self, word: str | Sequence[str], *, n: int = 10, model: str | None = None
    ) -> list[Row]:
        """`Client.nearest_words`."""
        return await self._run(words.nearest(word, n, model))

    async def word_analogy(
        self, a: str, b: str, c: str, *, n: int = 10, model: str | None = None
    ) -> list[Row]:
        """`Client.word_analogy`."""
        return await self._run(words.analogy(a, b, c, n, model))

    async def close(self) -> None:
        """`Client.close`."""
        await self._connection.close()

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        await self.close()
