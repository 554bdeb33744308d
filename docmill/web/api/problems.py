"""Errors as application/problem+json (RFC 9457). The only place that turns docmill's errors into answers."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from db.database_errors import is_data_error, is_infrastructure_error, words
from db.errors import (
    ConflictError,
    DocmillError,
    NoStoreError,
    NotFoundError,
    NothingToDoError,
    OldSchemaError,
    StoreError,
    UnsafeStoreError,
)
from db.store import is_lock_timeout
from docmill.web.api.advice import in_http

log = logging.getLogger("docmill.web.api")

MEDIA_TYPE = "application/problem+json"
#: Before the code in the member `type`.
TYPE = "urn:docmill:problem:"
#: As RFC 9110 has them; Python's own depend on its version.
_TITLES = {413: "Content Too Large", 422: "Unprocessable Content"}
#: Seconds after which a client may ask a store again that was away.
STORE_RETRY_SECONDS = 5


@dataclass(frozen=True)
class Fault:
    """What is wrong with one part of a request."""

    #: A JSON pointer into the body ("/parameters/sentences"), or the name of a query parameter or header.
    where: str
    detail: str

    def as_json(self) -> dict[str, str]:
        """With `pointer` for the body, `parameter` for the rest."""
        return {"pointer" if self.where[:1] in ("/", "") else "parameter": self.where, "detail": self.detail}


@dataclass
class Problem(Exception):  # noqa: N818 (the RFC's word)
    """An error answer."""

    status: int
    #: A short name that programs compare: "not-found", "invalid-request".
    code: str
    #: What is wrong and what to do, in a sentence.
    detail: str
    faults: Sequence[Fault] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    #: Further members of the answer.
    more: Mapping[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """The members of RFC 9457, and those beyond it."""
        return {
            "type": TYPE + self.code,
            "title": _TITLES.get(self.status) or HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
            **({"errors": [fault.as_json() for fault in self.faults]} if self.faults else {}),
            **self.more,
        }


def invalid(where: str, detail: str) -> Problem:
    """422 for one part of a request."""
    return Problem(
        422, "invalid-request", f"{where.lstrip('/') or 'the body'}: {detail}", [Fault(where, detail)]
    )


def of_error(error: Exception) -> Problem:
    """The problem that an error is for whoever asked. What nobody foresaw is logged, and told without details."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, HTTPException):
        return _of_http(error)
    if isinstance(error, DocmillError):
        return _of_docmill(error)
    # A ValueError's subclasses are defects: a text that cannot be decoded, say.
    if type(error) is ValueError:
        return Problem(422, "invalid-request", in_http(str(error)))
    if isinstance(error, SQLAlchemyError) and (is_infrastructure_error(error) or is_lock_timeout(error)):
        log.warning("the store does not answer: %s", words(error))
        detail = (
            "the store does not answer: ask again later; `docmill doctor` on the server says what is wrong"
        )
        return Problem(503, "store-unavailable", detail, headers={"retry-after": str(STORE_RETRY_SECONDS)})
    if is_data_error(error):
        return Problem(422, "invalid-request", "the store cannot hold one of the values of this request")
    log.error("a request failed", exc_info=error)
    return Problem(500, "internal-error", "an error that nobody foresaw: the log of `docmill serve` has it")


def _of_docmill(error: DocmillError) -> Problem:
    detail = in_http(str(error))
    if isinstance(error, NoStoreError | OldSchemaError | UnsafeStoreError):
        return Problem(503, "store-unavailable", detail, headers={"retry-after": str(STORE_RETRY_SECONDS)})
    if isinstance(error, NotFoundError):
        return Problem(404, "not-found", detail)
    if isinstance(error, NothingToDoError):
        return Problem(409, "nothing-to-do", detail)
    if isinstance(error, ConflictError | StoreError):
        return Problem(409, "conflict", detail)
    return Problem(422, "invalid-request", detail)


def _of_http(error: HTTPException) -> Problem:
    headers = dict(error.headers or {})
    if error.status_code == 404:
        return Problem(
            404, "no-such-path", "there is no such path: GET /v1/openapi.json describes those there are"
        )
    if error.status_code == 405:
        allowed = headers.get("Allow", "")
        return Problem(405, "method-not-allowed", f"this path allows {allowed}", headers=headers)
    return Problem(error.status_code, "refused", str(error.detail), headers=headers)


def answer(problem: Problem) -> Response:
    """The answer to whoever asked."""
    return Response(
        json.dumps(problem.as_json(), ensure_ascii=False),
        status_code=problem.status,
        media_type=MEDIA_TYPE,
        headers={"cache-control": "no-store", **problem.headers},
    )


def is_of_api(request: Request) -> bool:
    """Whether errors of this request are told as problems."""
    return request.url.path.startswith("/v1/") or request.url.path == "/v1"
