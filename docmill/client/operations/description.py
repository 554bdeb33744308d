"""What a client can do, described once for both ways: with the store, and over HTTP.

An `Operation` has one result. `Rows` have many, which are read piece by piece. Neither does anything by itself: a
connection carries it out, at once or asynchronously.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from db.store import Store

T = TypeVar("T")


class Stores(Protocol):
    """The store of a client."""

    def there(self) -> Store:
        """The store, checked. NoStoreError if there is none; none is made."""

    def made(self) -> Store:
        """The store, which is made if there is none."""


@dataclass(frozen=True)
class Answer:
    """What a server answered, if it was no error."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


@dataclass(frozen=True)
class Call(Generic[T]):
    """One request to a server, and what its answer means."""

    method: str
    #: Below the server's address, beginning with /v1/.
    path: str
    read: Callable[[Answer], T]
    query: Mapping[str, str | int | Sequence[str]] = field(default_factory=dict)
    #: What is sent: JSON, or bytes of `content_type`.
    body: Any = None
    content_type: str = "application/json"
    #: What the server has to answer with.
    accept: str = "application/json"
    #: Sent with what changes something: the server carries it out once, however often it arrives.
    idempotency_key: str | None = None


#: Requests, one after the other: each yields a call, is sent what its answer means, and returns the result.
Steps = Generator[Call[Any], Any, T]


def one(call: Call[T]) -> Steps[T]:
    """A single request."""
    found: T = yield call
    return found


@dataclass(frozen=True)
class Page(Generic[T]):
    """Some of many rows."""

    rows: Sequence[T]
    #: What brings the rows after these; None after the last ones.
    next: Call[Page[T]] | None


@dataclass(frozen=True)
class Operation(Generic[T]):
    """One thing to do, with one result."""

    on_store: Callable[[Stores], T]
    #: Makes the requests. UnsupportedError where a server cannot do it.
    over_http: Callable[[], Steps[T]]


@dataclass(frozen=True)
class Rows(Generic[T]):
    """Many rows, read piece by piece."""

    #: Yields the rows; the connection to the store is open meanwhile.
    on_store: Callable[[Stores], Generator[T]]
    #: Makes the request for the first page.
    over_http: Callable[[], Call[Page[T]]]
