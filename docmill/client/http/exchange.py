"""A call as the library sends it, and the meaning of what comes back."""

from __future__ import annotations

import json
from typing import Any, TypeVar
from urllib.parse import quote

from docmill.client.http.problems import error_of
from docmill.client.operations.description import Answer, Call
from docmill.errors import StoreError

T = TypeVar("T")


def words(call: Call[Any]) -> dict[str, Any]:
    """The arguments of the library's `request`. The same for each attempt."""
    headers = {"accept": call.accept}
    content: bytes | None = None
    if call.body is not None:
        content = (
            call.body
            if isinstance(call.body, bytes)
            else json.dumps(call.body, ensure_ascii=False).encode("utf-8", "replace")
        )
        headers["content-type"] = call.content_type
    if call.idempotency_key is not None:
        headers["idempotency-key"] = call.idempotency_key
    return {
        "method": call.method,
        "url": call.path,
        "params": dict(call.query) or None,
        "headers": headers,
        "content": content,
    }


def meaning(call: Call[T], found: Any, place: str) -> T:
    """What the answer means. The error that the store would raise, if it is one."""
    body: bytes = found.content
    content_type = found.headers.get("content-type", "")
    if not 200 <= found.status_code < 300:
        raise error_of(found.status_code, content_type, body, place)
    try:
        return call.read(Answer(found.status_code, found.headers, body))
    except (ValueError, KeyError, TypeError) as error:
        raise StoreError(
            f"{place} answered {call.method} {call.path} with something else than this client understands: is it "
            "`docmill serve` of this version?"
        ) from error


def part(name: str | int) -> str:
    """A name as a part of a path."""
    return quote(str(name), safe="")
