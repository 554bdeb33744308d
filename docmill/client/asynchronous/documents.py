"""What the asynchronous client does with documents, collections and labels."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from os import PathLike
from typing import Any, TypeVar

from docmill.client import addition
from docmill.client.asynchronous.connection import AsyncConnection
from docmill.client.operations import documents
from docmill.client.operations.description import Operation
from readers import ReadOptions
from readers.frames import Records
from scheduler.adding import Report, Tell
from scheduler.removing import Removed
from scheduler.removing import Tell as TellRemoved
from scheduler.search import SearchRequest

T = TypeVar("T")
Row = dict[str, Any]


class AsyncDocumentMethods:
    """The part of `AsyncClient` that is about documents."""

    _connection: AsyncConnection

    async def add(
        self,
        *what: str | PathLike[str] | Records,
        collection: str,
        options: ReadOptions | None = None,
        tell: Tell | None = None,
        extract: Mapping[str, Any] | None = None,
        extract_again: bool = False,
    ) -> Report:
        """`Client.add`."""
        return await self._connection.add(
            addition.of(what, collection, options, tell, extract, extract_again=extract_again)
        )

    async def add_records(
        self,
        records: Records,
        *,
        collection: str,
        options: ReadOptions | None = None,
        tell: Tell | None = None,
    ) -> Report:
        """`Client.add_records`."""
        return await self._connection.add(addition.of_records(records, collection, options, tell))

    async def add_query(
        self,
        sql: str,
        *,
        database: str,
        collection: str,
        values: Mapping[str, Any] | None = None,
        options: ReadOptions | None = None,
        tell: Tell | None = None,
    ) -> Report:
        """`Client.add_query`."""
        return await self._connection.add(addition.of_query(sql, database, values, collection, options, tell))

    def labels(self, collection: str | None = None, limit: int | None = None) -> AsyncIterator[Row]:
        """`Client.labels`."""
        return self._connection.rows(documents.labels(collection, limit))

    async def set_label(self, key: str, label: str, *, collection: str | None = None) -> None:
        """`Client.set_label`."""
        await self._run(documents.set_label(key, label, collection))

    async def remove_label(self, key: str, *, collection: str | None = None) -> None:
        """`Client.remove_label`."""
        await self._run(documents.remove_label(key, collection))

    async def collections(self) -> list[Row]:
        """`Client.collections`."""
        return await self._run(documents.collections())

    async def collection(self, name: str) -> Row:
        """`Client.collection`."""
        return await self._run(documents.collection(name))

    def documents(
        self, collection: str, *, where: str | None = None, limit: int | None = None
    ) -> AsyncIterator[Row]:
        """`Client.documents`."""
        return self._connection.rows(documents.listing(collection, where, limit))

    async def document(self, key: str, *, collection: str | None = None) -> Row:
        """`Client.document`."""
        return await self._run(documents.facts(key, collection))

    async def search(
        self,
        query: str,
        *,
        collection: str | None = None,
        where: str | None = None,
        limit: int = 10,
        offset: int = 0,
        hybrid: bool = False,
    ) -> list[Row]:
        """`Client.search`."""
        request = SearchRequest(query, collection, where, limit, offset, hybrid)
        return await self._run(documents.search(request))

    async def remove(
        self,
        *keys: str,
        collection: str,
        where: str | None = None,
        dry_run: bool = True,
        tell: TellRemoved | None = None,
    ) -> Removed:
        """`Client.remove`."""
        return await self._run(documents.remove(keys, collection, where, tell, dry_run=dry_run))

    async def remove_collection(
        self, name: str, *, dry_run: bool = True, tell: TellRemoved | None = None
    ) -> Removed:
        """`Client.remove_collection`."""
        return await self._run(documents.remove_collection(name, tell, dry_run=dry_run))

    async def rename_collection(self, name: str, new: str) -> None:
        """`Client.rename_collection`."""
        await self._run(documents.rename_collection(name, new))

    async def _run(self, operation: Operation[T]) -> T:
        return await self._connection.run(operation)
