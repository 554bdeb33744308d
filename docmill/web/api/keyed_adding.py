"""Adding documents with an Idempotency-Key: all of a small stream or nothing, in one transaction, and once. Whoever did
not get the answer sends the stream again, and gets the counts of the first time."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterable

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session
from starlette.responses import Response

from docmill.web.api import idempotency
from docmill.web.api.advice import in_http
from docmill.web.api.bodies import Arriving
from docmill.web.api.idempotency import Asked
from docmill.web.api.operation import JSON, Call
from readers import BadRecord, Notice, Record
from readers.options import MIB
from scheduler import adding
from workers.settings import settings

#: It is held in memory, and stored in one transaction.
MOST_BYTES = 8 * MIB

#: The documents of a stream, and where remarks go.
Lines = Callable[[io.BufferedReader, list[Notice]], Iterable[Record | BadRecord]]


def add(call: Call, key: str, collection: str, lines: Lines) -> Response:
    """The answer, also if it was given before. Problem for a stream that is too long, too slow or cut off."""
    body = Arriving(call.request, MOST_BYTES, settings().api_idle_seconds)
    raw = io.BufferedReader(body).read()
    if body.fault is not None:
        raise body.fault
    asked = Asked.of(call.access.name, key, call.request, raw)

    def run(session: Session) -> Response:
        notices: list[Notice] = []
        report = adding.store_in(
            session, lines(io.BufferedReader(io.BytesIO(raw)), notices), collection, notices
        )
        bad = [
            {"line": one.line, "key": one.key, "code": one.code, "detail": in_http(one.detail)}
            for one in report.bad
        ]
        counts = {
            "collection": collection,
            "n_new": report.n_new,
            "n_changed": report.n_changed,
            "n_unchanged": report.n_unchanged,
            "n_meta_changed": report.n_meta_changed,
            "n_bad": len(bad),
            "notices": [notice.detail for notice in notices],
            "bad": bad,
        }
        return Response(json.dumps(counts, ensure_ascii=False).encode("utf-8", "replace"), media_type=JSON)

    try:
        return idempotency.once(call.store, asked, run)
    except IntegrityError:
        # Another request stored one of these keys in between.
        return idempotency.once(call.store, asked, run)
