"""Phase 1: check every line, and note its custom_id. If any line is bad, the batch fails, and nothing of it is run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from db import request_batches, request_lines
from db.errors import NotFoundError
from db.sql import now, one_of
from db.states import BatchPhase, RequestState
from db.store import Store
from db.tables import RequestBatch, RequestLine
from scheduler.batches.checking import MOST_LINES, Line, LineError, Part, Request, request_of
from scheduler.batches.parts import next_part

#: Bad lines that are named; the rest of the file is not read then.
MOST_ERRORS = 100


def read_part(store: Store, batch: RequestBatch) -> None:
    """Check the next lines."""
    errors: list[dict[str, Any]] = list(batch.errors)
    try:
        with store.read() as session:
            part = next_part(session, batch)
    except LineError as error:
        _fail(store, batch, [*errors, error.as_json()])
        return
    except NotFoundError as error:
        _fail(store, batch, [*errors, _about_file("input_file_not_found", str(error))])
        return
    requests, bad = checked(part.lines, batch.endpoint)
    with store.read() as session:
        requests, twice = _first_ones(session, batch, requests)
    errors += [error.as_json() for error in sorted([*bad, *twice], key=lambda error: error.line)]
    if len(errors) >= MOST_ERRORS:
        _fail(store, batch, errors)
    elif batch.n_lines + len(part.lines) > MOST_LINES:
        message = f"the file has more than {MOST_LINES:,} requests: make several batches of it"
        _fail(store, batch, [*errors, _about_file("too_many_requests", message)])
    elif not part.is_last:
        _note(store, batch, part, requests, errors)
    elif errors:
        _fail(store, batch, errors)
    elif not batch.n_lines + len(requests):
        _fail(store, batch, [_about_file("empty_file", "the file has no requests")])
    else:
        _go_on(store, batch, requests)


def checked(lines: Sequence[Line], endpoint: str) -> tuple[list[Request], list[LineError]]:
    """The lines that are requests, and what is wrong with the others."""
    requests, bad = [], []
    for line in lines:
        try:
            requests.append(request_of(line, endpoint))
        except LineError as error:
            bad.append(error)
    return requests, bad


def _first_ones(
    session: Session, batch: RequestBatch, requests: Sequence[Request]
) -> tuple[list[Request], list[LineError]]:
    """The requests whose custom_id no line before them has, and the errors of the others."""
    known = select(RequestLine.key, RequestLine.line).where(
        RequestLine.batch_id == batch.id, one_of(RequestLine.key, [request.key for request in requests])
    )
    lines = {row.key: row.line for row in session.execute(known)}
    first, twice = [], []
    for request in requests:
        before = lines.setdefault(request.key, request.line)
        if before == request.line:
            first.append(request)
        else:
            message = f"line {before} has the same custom_id: each must be unique in its batch"
            twice.append(LineError(request.line, "duplicate_custom_id", message, "custom_id"))
    return first, twice


def _note(
    store: Store, batch: RequestBatch, part: Part, requests: Sequence[Request], errors: Sequence[Any]
) -> None:
    with store.write() as session:
        request_batches.move(
            session,
            batch,
            position=part.position,
            line=part.line,
            n_lines=batch.n_lines + len(requests),
            errors=list(errors),
        )
        _add(session, batch, requests)


def _go_on(store: Store, batch: RequestBatch, requests: Sequence[Request]) -> None:
    """The last part, of a file without a bad line. A batch that was cancelled meanwhile adds no documents."""
    is_stopped = batch.ending is not None
    state = {} if is_stopped else {"state": RequestState.IN_PROGRESS, "in_progress_at": now()}
    phase = BatchPhase.RUNNING if is_stopped else BatchPhase.ADDING
    with store.write() as session:
        request_batches.move(
            session, batch, position=0, line=0, n_lines=batch.n_lines + len(requests), phase=phase, **state
        )
        _add(session, batch, requests)


def _add(session: Session, batch: RequestBatch, requests: Sequence[Request]) -> None:
    lines = [(request.line, request.custom_id, request.key) for request in requests]
    request_lines.add_lines(session, batch.id, lines)


def _fail(store: Store, batch: RequestBatch, errors: Sequence[Any]) -> None:
    with store.write() as session:
        request_batches.end(session, batch, RequestState.FAILED, errors=list(errors)[:MOST_ERRORS])


def _about_file(code: str, message: str) -> dict[str, Any]:
    return {"code": code, "message": message, "param": None, "line": None}
