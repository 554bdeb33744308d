"""Lists page by page: `limit`, `after`, and the address of the next page. A cursor is the key of the last row."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Generic, TypeVar
from urllib.parse import parse_qsl, urlencode

from pydantic import BaseModel, BeforeValidator, Field
from starlette.requests import Request

from docmill.web.api.operation import Query
from docmill.web.api.problems import invalid

T = TypeVar("T")

MOST = 1_000
MAX_CURSOR_CHARS = 8_000


def _whole(value: object) -> object:
    """No sign, point or blank, which int() would take."""
    if isinstance(value, str) and not re.fullmatch("-?[0-9]{1,18}", value):
        raise ValueError("write a whole number")
    return value


def _flag(value: object) -> object:
    if isinstance(value, str) and value not in ("true", "false"):
        raise ValueError("write true or false")
    return value


#: Numbers and yes or no in a query.
Whole = Annotated[int, BeforeValidator(_whole)]
Flag = Annotated[bool, BeforeValidator(_flag)]


class Paged(Query):
    """The query of a list."""

    limit: Annotated[Whole, Field(ge=1, le=MOST, description="rows of a page")] = 100
    after: Annotated[
        str | None, Field(max_length=MAX_CURSOR_CHARS, description="`next_after` of the page before")
    ] = None


class Page(BaseModel, Generic[T]):
    """A part of a list."""

    data: list[T]
    next_after: Annotated[str | None, Field(description="the cursor of the next page; null after the last")]
    next: Annotated[str | None, Field(description="the path of the next page; null after the last")]


def encode(key: Sequence[Any]) -> str:
    """The cursor of a row's key: numbers, texts, times."""
    plain = [{"t": value.isoformat()} if isinstance(value, datetime) else value for value in key]
    return base64.urlsafe_b64encode(json.dumps(plain).encode()).decode().rstrip("=")


def decode(cursor: str | None, types: Sequence[type]) -> tuple[Any, ...] | None:
    """The key of a cursor, whose values have these types; None at the beginning."""
    if cursor is None:
        return None
    try:
        found = json.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", validate=True))
        if not isinstance(found, list) or len(found) != len(types):
            raise ValueError
        return tuple(_value(value, type_) for value, type_ in zip(found, types, strict=True))
    except (ValueError, binascii.Error, TypeError, KeyError, RecursionError):
        raise invalid("after", "this is no cursor of this list: leave it out to begin anew") from None


def _value(value: Any, type_: type[Any]) -> Any:
    if type_ is datetime:
        return datetime.fromisoformat(value["t"])
    if type(value) is not type_:
        raise ValueError
    if isinstance(value, int) and abs(value) >= 2**63:
        raise ValueError
    if isinstance(value, str):
        value.encode()
        if "\0" in value:
            raise ValueError
    return value


def next_path(request: Request, cursor: str | None) -> str | None:
    """The address of the next page: this one's, with another cursor."""
    if cursor is None:
        return None
    pairs = [
        (name, value)
        for name, value in parse_qsl(request.url.query, keep_blank_values=True)
        if name != "after"
    ]
    path = request.scope.get("raw_path", request.url.path.encode()).decode("latin-1").partition("?")[0]
    return f"{path}?{urlencode([*pairs, ('after', cursor)])}"


def page_of(request: Request, rows: Sequence[T], limit: int, key: Any) -> Page[T]:
    """The page of rows of which one more than `limit` was read; `key` gives the key of a row."""
    shown = rows[:limit]
    cursor = encode(key(shown[-1])) if len(rows) > limit else None
    return Page(data=list(shown), next_after=cursor, next=next_path(request, cursor))
