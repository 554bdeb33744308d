"""/v1/files: upload, list, retrieve, download and delete."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from urllib.parse import quote

from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from db import api_files
from db.access import Role
from db.store import Store
from db.tables import ApiFile
from docmill.web.openai_api import uploading
from docmill.web.openai_api.bodies import expiry, number
from docmill.web.openai_api.errors import ApiError
from docmill.web.openai_api.guarding import Guarded, may_change, reads, route, submits

#: What an uploaded file may be for: requests, or a file whose text is to be extracted.
PURPOSES = ("batch", "user_data", "assistants")
#: Files of one page.
_DEFAULT, _MOST = 1_000, 10_000


async def _upload(request: Request) -> Response:
    form = await uploading.form_of(request)
    try:
        upload, purpose = form.get("file"), form.get("purpose")
        if not isinstance(upload, UploadFile):
            raise ApiError(400, "the form has no file in the field file", param="file")
        if purpose not in PURPOSES or not isinstance(purpose, str):
            raise ApiError(400, f"purpose must be one of {', '.join(PURPOSES)}", param="purpose")
        who = request.state.access.name
        made = await uploading.stored(_store(request), upload, purpose, who, _expiry(form))
    finally:
        await form.close()
    return JSONResponse(as_json(made))


def _expiry(form: FormData) -> int | None:
    """The client sends an object in a form as fields with brackets."""
    anchor, seconds = form.get("expires_after[anchor]"), form.get("expires_after[seconds]")
    if anchor is None and seconds is None:
        return None
    is_number = isinstance(seconds, str) and seconds.isascii() and seconds.isdigit() and len(seconds) < 10
    value = {"anchor": anchor, "seconds": int(seconds) if is_number else None}  # type: ignore[arg-type]
    return expiry(value, "expires_after")


def _list(request: Request) -> Response:
    limit = number(request, "limit", _DEFAULT, _MOST)
    order = request.query_params.get("order", "desc")
    if order not in ("asc", "desc"):
        raise ApiError(400, "order must be asc or desc", param="order")
    purpose = request.query_params.get("purpose")
    if purpose is not None and purpose not in (*PURPOSES, api_files.OUTPUT):
        raise ApiError(
            400, f"purpose must be one of {', '.join(PURPOSES)}, {api_files.OUTPUT}", param="purpose"
        )
    with _store(request).read() as session:
        found = api_files.page(
            session,
            after=request.query_params.get("after"),
            limit=limit + 1,
            purpose=purpose,
            newest_first=order == "desc",
        )
    return JSONResponse(page([as_json(file) for file in found], limit))


def _retrieve(request: Request) -> Response:
    with _store(request).read() as session:
        return JSONResponse(as_json(api_files.find(session, request.path_params["file_id"])))


def _content(request: Request) -> Response:
    store = _store(request)
    with store.read() as session:
        file = api_files.find(session, request.path_params["file_id"])
    headers = {
        "content-length": str(file.n_bytes),
        "content-disposition": f"attachment; filename*=UTF-8''{quote(file.filename, safe='')}",
    }
    return StreamingResponse(
        api_files.content(store, file.id), media_type="application/octet-stream", headers=headers
    )


def _delete(request: Request) -> Response:
    public_id = request.path_params["file_id"]
    with _store(request).write() as session:
        may_change(request, api_files.find(session, public_id).owner)
        api_files.delete_file(session, public_id)
    return JSONResponse({"id": public_id, "object": "file", "deleted": True})


def as_json(file: ApiFile) -> dict[str, Any]:
    """A file as clients see it."""
    return {
        "id": file.public_id,
        "object": "file",
        "bytes": file.n_bytes,
        "created_at": timestamp(file.created_at),
        "expires_at": timestamp(file.expires_at),
        "filename": file.filename,
        "purpose": file.purpose,
        "status": "processed",
    }


def page(found: list[dict[str, Any]], limit: int) -> dict[str, Any]:
    """A page of a list of which one more than `limit` was read, if there is more."""
    shown = found[:limit]
    return {
        "object": "list",
        "data": shown,
        "first_id": shown[0]["id"] if shown else None,
        "last_id": shown[-1]["id"] if shown else None,
        "has_more": len(found) > limit,
    }


def timestamp(moment: datetime | None) -> int | None:
    """Seconds since 1970."""
    return None if moment is None else int(moment.timestamp())


def _store(request: Request) -> Store:
    store: Store = request.app.state.store
    return store


ROUTES = [
    route("/v1/files", {"GET": reads(_list), "POST": Guarded(_upload, Role.SUBMIT)}),
    route("/v1/files/{file_id}", {"GET": reads(_retrieve), "DELETE": submits(_delete)}),
    route("/v1/files/{file_id}/content", {"GET": reads(_content)}),
]
