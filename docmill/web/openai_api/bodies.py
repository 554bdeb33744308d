"""JSON bodies of limited size, and the parameters of a query."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from starlette.requests import Request

from docmill.web.openai_api.errors import ApiError
from readers.json_objects import loads
from readers.records import RefusedError

#: Of a JSON body.
MOST_BYTES = 1024 * 1024


async def limited(request: Request, most: int) -> AsyncIterator[bytes]:
    """The body, piece by piece. ApiError as soon as it is longer."""
    message = f"the body has more than {most:,} bytes"
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > most:
        raise ApiError(413, message, code="too_large")
    n_bytes = 0
    async for piece in request.stream():
        n_bytes += len(piece)
        if n_bytes > most:
            raise ApiError(413, message, code="too_large")
        yield piece


async def json_body(request: Request) -> dict[str, Any]:
    """The object in the body."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise ApiError(415, "send JSON, with Content-Type: application/json")
    body = b"".join([piece async for piece in limited(request, MOST_BYTES)])
    try:
        return loads(body.decode("utf-8"))
    except UnicodeDecodeError:
        raise ApiError(400, "the body is not UTF-8") from None
    except RefusedError as refused:
        raise ApiError(400, f"the body: {refused.detail}", code="invalid_json") from None


def number(request: Request, name: str, default: int, most: int) -> int:
    """A whole number of the query, from 1 to `most`."""
    given = request.query_params.get(name)
    if given is None:
        return default
    if not given.isascii() or not given.isdigit() or len(given) > 9 or not 1 <= int(given) <= most:
        raise ApiError(400, f"{name} must be a whole number from 1 to {most:,}", param=name)
    return int(given)


def expiry(value: Any, name: str) -> int | None:
    """The seconds of {"anchor": "created_at", "seconds": 3600}; None for nothing."""
    if value is None:
        return None
    seconds = value.get("seconds") if isinstance(value, dict) else None
    is_number = isinstance(seconds, int) and not isinstance(seconds, bool)
    if not isinstance(value, dict) or value.get("anchor") != "created_at" or not is_number:
        raise ApiError(400, f'{name} must be {{"anchor": "created_at", "seconds": 3600}}', param=name)
    assert isinstance(seconds, int)
    if not 3_600 <= seconds <= 2_592_000:
        raise ApiError(400, f"{name}: seconds must be from 3600 (1 hour) to 2592000 (30 days)", param=name)
    return seconds
