"""What an operation of the interface is, and what its function gets and returns."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict
from starlette.requests import Request
from starlette.responses import Response

from db.access import Access, Role
from db.store import Store

JSON, JSONL, CSV, PARQUET = (
    "application/json",
    "application/x-ndjson",
    "text/csv",
    "application/vnd.apache.parquet",
)
EVENTS = "text/event-stream"


class Model(BaseModel):
    """What is sent and received: unknown fields are refused, and no text becomes a number."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Query(BaseModel):
    """The query of a request: all values are texts at first."""

    model_config = ConfigDict(extra="forbid")


Q = TypeVar("Q", bound=Query)
B = TypeVar("B", bound=Model)


@dataclass
class Call:
    """One request, checked."""

    request: Request
    store: Store
    access: Access
    #: The parts of the path, decoded.
    path: Mapping[str, str]
    _query: Query | None = None
    _body: Model | None = None

    def query(self, model: type[Q]) -> Q:
        """The query, which is of the model that the operation declares."""
        assert isinstance(self._query, model)
        return self._query

    def body(self, model: type[B]) -> B:
        """The body, likewise."""
        assert isinstance(self._body, model)
        return self._body


#: A function gets the call, and the session of its transaction if it writes.
Answer = BaseModel | Response


@dataclass(frozen=True)
class Operation:
    """One method of one path."""

    method: str
    #: Below /v1, with names in braces.
    path: str
    role: Role
    tag: str
    run: Callable[..., Answer]
    #: None: the answer is no JSON, see `media`.
    answers: type[BaseModel] | None = None
    status: int = 200
    query: type[Query] | None = None
    body: type[Model] | None = None
    #: Of a body that is read as a stream.
    body_media: tuple[str, ...] = ()
    #: Media types of the answer beside JSON, or instead of it.
    media: tuple[str, ...] = ()
    #: Statuses of problems beside those that every operation has.
    problems: tuple[int, ...] = ()
    #: It is one transaction: its function gets the session, and Idempotency-Key is possible.
    writes: bool = False
    #: It looks after Idempotency-Key itself.
    keyed: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The operationId."""
        return self.run.__name__

    @property
    def words(self) -> tuple[str, str]:
        """The summary, and the rest of the description."""
        first, _, rest = inspect.cleandoc(self.run.__doc__ or "").partition("\n\n")
        return " ".join(first.split()), rest

    @property
    def needs_body(self) -> bool:
        """False if every field of the body has a default: nothing at all may be sent, too."""
        return self.body is not None and any(field.is_required() for field in self.body.model_fields.values())

    @property
    def takes_idempotency_key(self) -> bool:
        return (self.writes or self.keyed) and self.method == "POST"


def operation(
    method: str, path: str, *, role: Role = Role.READ, tag: str, **declared: Any
) -> Callable[[Callable[..., Answer]], Operation]:
    """Declare a function as an operation."""

    def wrap(function: Callable[..., Answer]) -> Operation:
        return Operation(method, path, role, tag, function, **declared)

    return wrap


#: Modules list their operations.
Operations = Sequence[Operation]
