"""The lines of the output file and of the error file, as OpenAI writes them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from db.states import HARMFUL, PASSING, ErrorCode, RequestState

#: Errors of docmill or its workers, rather than of the text.
_OUR_FAULT = (*HARMFUL, *PASSING)
#: Why a request was not run, by the state of its batch.
_NOT_RUN = {
    RequestState.EXPIRED: (
        "batch_expired",
        "This request could not be executed before the completion window expired.",
    ),
    RequestState.CANCELLED: ("batch_cancelled", "This request was not executed: the batch was cancelled."),
}


def answered(request_id: str, custom_id: str, body: Mapping[str, Any]) -> bytes:
    """A line of the output file."""
    response = {"status_code": 200, "request_id": request_id, "body": body}
    return _line({"id": request_id, "custom_id": custom_id, "response": response, "error": None})


def refused(request_id: str, custom_id: str, error: Mapping[str, Any]) -> bytes:
    """A line of the error file, for a request that has an error (status, code, message, param)."""
    response = {
        "status_code": error["status"],
        "request_id": request_id,
        "body": {"error": error_body(error)},
    }
    return _line({"id": request_id, "custom_id": custom_id, "response": response, "error": None})


def not_run(request_id: str, custom_id: str, ending: RequestState | None) -> bytes:
    """A line of the error file, for a request that was not run."""
    code, message = _NOT_RUN.get(ending or RequestState.CANCELLED, _NOT_RUN[RequestState.CANCELLED])
    error = {"code": code, "message": message}
    return _line({"id": request_id, "custom_id": custom_id, "response": None, "error": error})


def of_outcome(code: str, detail: str) -> dict[str, Any]:
    """The error of a document as the error of a request."""
    status = 500 if code in _OUR_FAULT else 422
    return {"status": status, "code": code, "message": detail or code, "param": None}


def error_body(error: Mapping[str, Any]) -> dict[str, Any]:
    """As OpenAI tells errors."""
    sort = "server_error" if error["status"] >= 500 else "invalid_request_error"
    return {"message": error["message"], "type": sort, "param": error["param"], "code": error["code"]}


def is_stopped(code: str) -> bool:
    """Whether a document was not run since its job was stopped."""
    return code == ErrorCode.CANCELLED


def first_error(outcomes: Sequence[tuple[str, str] | None]) -> tuple[str, str] | None:
    """The first error among the outcomes of a request's documents."""
    return next((each for each in outcomes if each is not None), None)


def _line(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
