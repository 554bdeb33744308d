"""The header Idempotency-Key: a request that is sent twice is carried out once, and answered alike.

Key and answer are written in the transaction that does the work: either both are there or neither. A second request
that comes while the first is carried out waits for it.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import Response

from db import idempotency
from db.store import Store
from docmill.web.api.operation import Operation
from docmill.web.api.problems import Problem

HEADER = "idempotency-key"
MAX_CHARS = 255
REPLAYED = "idempotent-replayed"
FORGET_SECONDS = 600.0


@dataclass(frozen=True)
class Asked:
    """A request with a key."""

    owner: str
    key: str
    #: Of method, path and body.
    digest: str

    @classmethod
    def of(cls, owner: str, key: str, request: Request, raw: bytes) -> Asked:
        """The digest tells requests apart; the same JSON with other blanks is the same request."""
        try:
            plain = json.dumps(json.loads(raw), sort_keys=True).encode() if raw else b""
        except (ValueError, RecursionError):
            plain = raw
        words = f"{request.method} {request.url.path}?{request.url.query}\n".encode() + plain
        return cls(owner, key, hashlib.sha256(words).hexdigest())


def key_of(operation: Operation, request: Request) -> str | None:
    """The key of a request, if it has one that counts."""
    key = request.headers.get(HEADER)
    if key is None or not operation.takes_idempotency_key:
        return None
    if not 0 < len(key) <= MAX_CHARS or not key.isascii() or not key.isprintable():
        raise Problem(
            422, "invalid-request", f"Idempotency-Key: write 1 to {MAX_CHARS} visible ASCII characters"
        )
    return key


class Forgetting:
    """Deletes old keys from time to time: at most every FORGET_SECONDS in this process."""

    def __init__(self) -> None:
        self._due = 0.0

    def now_and_then(self, store: Store) -> None:
        """Delete them if it is time."""
        if time.monotonic() < self._due:
            return
        self._due = time.monotonic() + FORGET_SECONDS
        with store.write() as session:
            idempotency.forget_old(session)


def once(store: Store, asked: Asked, run: Callable[[Session], Response]) -> Response:
    """The answer of `run`, or the one that the same request got before."""
    with store.write() as session:
        before = idempotency.claim(session, asked.owner, asked.key, asked.digest)
        if before is None:
            found = run(session)
            text = bytes(found.body).decode()
            idempotency.answered(session, asked.owner, asked.key, found.status_code, text)
            return found
    if before.digest != asked.digest:
        detail = f"Idempotency-Key {asked.key!r} belongs to another request: use a new key"
        raise Problem(422, "key-of-another-request", detail)
    return Response(before.answer, before.status, {REPLAYED: "true"}, "application/json")
