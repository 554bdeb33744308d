"""/v1/batches: create, list, retrieve and cancel. The work is the scheduler's, whether anybody asks for it or not."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from db import api_files, request_batches
from db.access import Role
from db.request_batches import Counts, NewBatch
from db.states import RequestState
from db.store import Store
from db.tables import RequestBatch
from docmill.web.openai_api.bodies import expiry, json_body, number
from docmill.web.openai_api.errors import ApiError
from docmill.web.openai_api.files import page, timestamp
from docmill.web.openai_api.guarding import Guarded, may_change, reads, route, submits
from scheduler.adding import check_collection_name
from scheduler.batches import endpoints

#: Batches of one page.
_DEFAULT, _MOST = 20, 100
#: Of what a client attaches to a batch.
_MOST_DETAILS, _DETAIL_CHARS, _NAME_CHARS = 16, 512, 64
#: In it, the collection that the documents go to.
COLLECTION = "collection"
_WINDOW = re.compile(r"([1-9]\d{0,3})(m|h|d)")
_UNITS = {"m": 60, "h": 3_600, "d": 86_400}
_MOST_SECONDS = 30 * 86_400


async def _create(request: Request) -> Response:
    body = await json_body(request)
    return await run_in_threadpool(_created, request, body)


def _created(request: Request, body: Mapping[str, Any]) -> Response:
    known = ("input_file_id", "endpoint", "completion_window", "metadata", "output_expires_after")
    if unknown := next((name for name in body if name not in known), None):
        raise ApiError(400, f"there is no parameter {unknown!r}: there are {', '.join(known)}", param=unknown)
    path = _text(body, "endpoint")
    kinds = endpoints.by_path()
    if path not in kinds:
        there_are = ", ".join(sorted(kinds))
        raise ApiError(400, f"there is no endpoint {path!r}: there are {there_are}", param="endpoint")
    window = _text(body, "completion_window")
    details = _details(body.get("metadata"))
    new = NewBatch(
        input_file=_text(body, "input_file_id"),
        endpoint=path,
        kind=kinds[path].name,
        completion_window=window,
        seconds=_seconds(window),
        details=details,
        collection=_collection(details),
        owner=request.state.access.name,
        output_seconds=expiry(body.get("output_expires_after"), "output_expires_after"),
    )
    with _store(request).write() as session:
        file = api_files.find(session, new.input_file, lock=True)
        if file.purpose != "batch":
            message = (
                f"file {file.public_id} has the purpose {file.purpose}: upload it with the purpose batch"
            )
            raise ApiError(400, message, param="input_file_id")
        public_id = request_batches.create(session, new).public_id
    return JSONResponse(_shown(request, public_id))


def _list(request: Request) -> Response:
    limit = number(request, "limit", _DEFAULT, _MOST)
    with _store(request).read() as session:
        found = request_batches.page(session, after=request.query_params.get("after"), limit=limit + 1)
        listed = [as_json(batch, request_batches.counts(session, batch)) for batch in found]
    return JSONResponse(page(listed, limit))


def _retrieve(request: Request) -> Response:
    return JSONResponse(_shown(request, request.path_params["batch_id"]))


def _cancel(request: Request) -> Response:
    public_id = request.path_params["batch_id"]
    with _store(request).write() as session:
        may_change(request, request_batches.find(session, public_id).owner)
        request_batches.cancel(session, public_id)
    return JSONResponse(_shown(request, public_id))


def _shown(request: Request, public_id: str) -> dict[str, Any]:
    with _store(request).read() as session:
        batch = request_batches.find(session, public_id)
        return as_json(batch, request_batches.counts(session, batch))


def as_json(batch: RequestBatch, counts: Counts) -> dict[str, Any]:
    """A batch as clients see it. Its files are named once they are whole."""
    has_ended = batch.state in request_batches.BATCH_ENDED

    def ended_as(state: RequestState) -> int | None:
        return timestamp(batch.ended_at) if batch.state == state else None

    return {
        "id": batch.public_id,
        "object": "batch",
        "endpoint": batch.endpoint,
        "errors": {"object": "list", "data": batch.errors} if batch.state == RequestState.FAILED else None,
        "input_file_id": batch.input_file,
        "completion_window": batch.completion_window,
        "status": batch.state,
        "output_file_id": batch.output_file if has_ended else None,
        "error_file_id": batch.error_file if has_ended else None,
        "created_at": timestamp(batch.created_at),
        "in_progress_at": timestamp(batch.in_progress_at),
        "expires_at": timestamp(batch.expires_at),
        "finalizing_at": timestamp(batch.finalizing_at),
        "completed_at": ended_as(RequestState.COMPLETED),
        "failed_at": ended_as(RequestState.FAILED),
        "expired_at": ended_as(RequestState.EXPIRED),
        "cancelling_at": timestamp(batch.cancelling_at),
        "cancelled_at": ended_as(RequestState.CANCELLED),
        "request_counts": {"total": counts.total, "completed": counts.completed, "failed": counts.failed},
        "metadata": batch.details or None,
    }


def _text(body: Mapping[str, Any], name: str) -> str:
    found = body.get(name)
    if not isinstance(found, str) or not found:
        raise ApiError(400, f"{name} must be a string", param=name, code="missing_required_parameter")
    return found


def _seconds(window: str) -> int:
    """ "24h" in seconds."""
    found = _WINDOW.fullmatch(window)
    seconds = int(found[1]) * _UNITS[found[2]] if found else 0
    if not 0 < seconds <= _MOST_SECONDS:
        message = 'completion_window must be a number with m, h or d, as in "24h", and at most 30d'
        raise ApiError(400, message, param="completion_window")
    return seconds


def _details(value: Any) -> dict[str, str]:
    if value is None:
        return {}
    if not isinstance(value, dict) or len(value) > _MOST_DETAILS:
        raise ApiError(
            400, f"metadata must be an object with at most {_MOST_DETAILS} fields", param="metadata"
        )
    for name, text in value.items():
        if len(name) > _NAME_CHARS or not isinstance(text, str) or len(text) > _DETAIL_CHARS:
            message = (
                f"metadata: names have at most {_NAME_CHARS} characters, and values are strings of at most "
                f"{_DETAIL_CHARS}"
            )
            raise ApiError(400, message, param="metadata")
        if not _can_be_stored(name + text):
            raise ApiError(400, "metadata has a NUL or half of a surrogate pair", param="metadata")
    return value


def _can_be_stored(text: str) -> bool:
    return not any(c == "\0" or "\ud800" <= c <= "\udfff" for c in text)


def _collection(details: Mapping[str, str]) -> str | None:
    name = details.get(COLLECTION)
    if name is None:
        return None
    try:
        check_collection_name(name)
    except ValueError as error:
        raise ApiError(400, f"metadata.{COLLECTION}: {error}", param="metadata") from None
    return name


def _store(request: Request) -> Store:
    store: Store = request.app.state.store
    return store


ROUTES = [
    route("/v1/batches", {"GET": reads(_list), "POST": Guarded(_create, Role.SUBMIT)}),
    route("/v1/batches/{batch_id}", {"GET": reads(_retrieve)}),
    route("/v1/batches/{batch_id}/cancel", {"POST": submits(_cancel)}),
]
