"""What a server refused, as the error that the store would have raised."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from docmill.errors import (
    AccessError,
    BusyServerError,
    ConflictError,
    DocmillError,
    InvalidRequestError,
    NotFoundError,
    NothingToDoError,
    StoreError,
    UnreachableStoreError,
    UnsupportedError,
)

#: By the last part of a problem's `type`.
_BY_CODE: Mapping[str, type[DocmillError]] = {
    "not-found": NotFoundError,
    "nothing-to-do": NothingToDoError,
    "conflict": ConflictError,
    "invalid-request": InvalidRequestError,
    "no-such-path": UnsupportedError,
    "method-not-allowed": UnsupportedError,
    "store-unavailable": UnreachableStoreError,
}
_BY_STATUS: Mapping[int, type[DocmillError]] = {
    400: InvalidRequestError,
    401: AccessError,
    403: AccessError,
    408: UnreachableStoreError,
    409: ConflictError,
    413: InvalidRequestError,
    415: InvalidRequestError,
    422: InvalidRequestError,
    429: BusyServerError,
    502: UnreachableStoreError,
    503: UnreachableStoreError,
    504: UnreachableStoreError,
}
_WAYS = {
    401: "; pass key=..., or set DOCMILL_SERVER_KEY (`docmill keys create NAME --role submit` makes a key)",
    403: "; `docmill keys create NAME --role ROLE` makes a key with another role",
}


def error_of(status: int, content_type: str, body: bytes, place: str) -> DocmillError:
    """The error of an answer that is no success."""
    problem = _problem(content_type, body)
    if problem is None:
        kind = _BY_STATUS.get(status, StoreError)
        return kind(
            f"{place} answered {status} without docmill's reasons: is it `docmill serve`, and does a proxy before it "
            "let /v1 through?"
        )
    code = str(problem.get("type", "")).rpartition("/")[2].rpartition(":")[2].rpartition("#")[2]
    kind = _BY_CODE.get(code) or _BY_STATUS.get(status, StoreError)
    detail = str(problem.get("detail") or problem.get("title") or status)
    if kind is UnsupportedError:
        detail += f": {place} may run an older docmill than this client"
    return kind(detail + _WAYS.get(status, ""))


def _problem(content_type: str, body: bytes) -> dict[str, Any] | None:
    if content_type.partition(";")[0].strip().lower() != "application/problem+json":
        return None
    try:
        found = json.loads(body)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
