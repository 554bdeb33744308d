"""A path with a function for each method, who may call it, and its errors in OpenAI's shape.

Only keys count here. A cookie is not looked at, so that no page elsewhere can act for somebody who is signed in.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from db.access import Access, Role
from db.database_errors import is_infrastructure_error, words
from db.errors import ConflictError, NotFoundError, StoreError
from docmill.web import access
from docmill.web.openai_api.errors import ApiError
from nlp_tasks.endpoint import BadRequestError

log = logging.getLogger("docmill.web")

Answers = Callable[[Request], Awaitable[Response]]
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


@dataclass(frozen=True, slots=True)
class Guarded:
    """What answers a method, and the role that it needs."""

    answer: Answers
    role: Role


def reads(function: Callable[[Request], Response]) -> Guarded:
    """Answered for every key, in a thread."""
    return Guarded(in_thread(function), Role.READ)


def submits(function: Callable[[Request], Response]) -> Guarded:
    """Answered for keys that may submit, in a thread."""
    return Guarded(in_thread(function), Role.SUBMIT)


def in_thread(function: Callable[[Request], Response]) -> Answers:
    """The same as a coroutine."""

    async def answer(request: Request) -> Response:
        return await run_in_threadpool(function, request)

    return answer


def route(path: str, methods: Mapping[str, Guarded]) -> Route:
    """A path. Other methods are refused in the same shape as everything else."""

    async def answered(request: Request) -> Response:
        try:
            return await _answer(request, methods)
        except Exception as error:
            return refusal(request, error).answer()

    return Route(path, answered, methods=list(METHODS))


async def _answer(request: Request, methods: Mapping[str, Guarded]) -> Response:
    found = methods.get("GET" if request.method == "HEAD" else request.method)
    if found is None:
        allowed = {"Allow": ", ".join(methods)}
        raise ApiError(405, f"{request.method} is not possible here: use {allowed['Allow']}", headers=allowed)
    who = await run_in_threadpool(_who, request)
    if not who.role.allows(found.role):
        raise ApiError(
            403,
            f"this needs a key with the role {found.role}; the role of this key is {who.role}",
            code="role",
        )
    request.state.access = who
    return await found.answer(request)


def _who(request: Request) -> Access:
    if not request.headers.get("authorization", "").lower().startswith("bearer "):
        message = "send a key as `Authorization: Bearer docmill_...` (api_key of the client)"
        raise ApiError(401, message, code="missing_api_key", headers={"WWW-Authenticate": "Bearer"})
    found = access.of_request(request)
    if found is None:
        message = "this key is unknown or revoked: `docmill keys create NAME --role submit` makes one"
        raise ApiError(401, message, code="invalid_api_key", headers={"WWW-Authenticate": "Bearer"})
    return found


def may_change(request: Request, owner: str) -> None:
    """Refuse to change what belongs to another key, unless the role is operate."""
    who: Access = request.state.access
    if who.name != owner and not who.role.allows(Role.OPERATE):
        raise ApiError(
            403,
            "it was made with another key: changing it needs that key, or one with the role operate",
            code="role",
        )


def refusal(request: Request, error: Exception) -> ApiError:
    """An error as the client is told it."""
    if isinstance(error, ApiError):
        return error
    if isinstance(error, BadRequestError):
        return ApiError(400, str(error), param=error.param, code=error.code)
    if isinstance(error, NotFoundError):
        return ApiError(404, str(error), code="not_found")
    if isinstance(error, ConflictError):
        return ApiError(409, str(error), code="conflict")
    if isinstance(error, StoreError):
        return ApiError(400, str(error))
    if isinstance(error, ClientDisconnect):
        return ApiError(400, "the client went away")
    if isinstance(error, SQLAlchemyError) and is_infrastructure_error(error):
        log.warning("%s: %s", request.url.path, words(error))
        return ApiError(503, "the store does not answer: try again", headers={"Retry-After": "5"})
    log.exception("%s", request.url.path)
    return ApiError(500, "docmill could not answer this request; its log says why")
