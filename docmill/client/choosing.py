"""Where a client connects to: the store itself, or a server before it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Protocol, TypeVar

from docmill.client.addition import Addition
from docmill.client.operations.description import Operation, Rows
from docmill.client.store.connection import SharedStoreConnection, StoreConnection
from docmill.errors import InvalidRequestError, only_docmill_errors
from scheduler.adding import Report
from workers.settings import settings

T = TypeVar("T")

_SCHEMES = ("http://", "https://")


class Connection(Protocol):
    """Carries operations out, and waits for each."""

    def run(self, operation: Operation[T]) -> T: ...

    def rows(self, rows: Rows[T]) -> Iterator[T]: ...

    def add(self, addition: Addition) -> Report: ...

    def close(self) -> None: ...


@dataclass(frozen=True)
class Place:
    """A store or a server."""

    #: Empty for the store of the settings.
    url: str
    #: For a server: who asks.
    key: str | None = field(default=None, repr=False)

    @property
    def is_server(self) -> bool:
        return self.url.startswith(_SCHEMES)


def place(url: str | None, key: str | None) -> Place:
    """The place of this URL; if there is none, the server of the settings, or their store. InvalidRequestError for a
    key without a server."""
    with only_docmill_errors():
        found = settings()
    chosen = Place(url if url is not None else found.server_url or found.url, key)
    if chosen.is_server:
        return Place(chosen.url, key if key is not None else found.server_key or None)
    if key is not None:
        raise InvalidRequestError(
            "a key is for a server: write Client('http://host:8484', key=...), or set DOCMILL_SERVER_URL"
        )
    return chosen


def connection(place: Place, timeout_seconds: float, retry_seconds: float) -> Connection:
    """A connection of a client's own."""
    if not place.is_server:
        return StoreConnection(place.url)
    from docmill.client.http.connection import HttpConnection

    return HttpConnection(place.url, place.key, timeout_seconds, retry_seconds)


def shared() -> Connection:
    """The connection of `docmill.add`, `submit` and `job`: what the settings name, shared by this process."""
    chosen = place(None, None)
    return _shared(chosen) if chosen.is_server else SharedStoreConnection()


@cache
def _shared(place: Place) -> Connection:
    return connection(place, timeout_seconds=60, retry_seconds=60)
