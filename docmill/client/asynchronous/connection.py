"""Connections of the asynchronous client."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol, TypeVar

from docmill.client.addition import Addition
from docmill.client.choosing import Place
from docmill.client.operations.description import Operation, Rows
from scheduler.adding import Report

T = TypeVar("T")


class AsyncConnection(Protocol):
    """Carries operations out without blocking the event loop."""

    async def run(self, operation: Operation[T]) -> T: ...

    def rows(self, rows: Rows[T]) -> AsyncIterator[T]: ...

    async def add(self, addition: Addition) -> Report: ...

    async def close(self) -> None: ...


def connection(place: Place, timeout_seconds: float, retry_seconds: float) -> AsyncConnection:
    """A connection of a client's own."""
    if not place.is_server:
        from docmill.client.store.threads import ThreadedStoreConnection

        return ThreadedStoreConnection(place.url)
    from docmill.client.http.async_connection import AsyncHttpConnection

    return AsyncHttpConnection(place.url, place.key, timeout_seconds, retry_seconds)
