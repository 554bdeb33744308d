"""A request from its arrival to its answer: who asks, how often, whether they may, what they ask, and what it is.

Every operation goes this way, so that none can forget a step.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from urllib.parse import unquote

from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from db.access import Access
from db.store import Store
from docmill.web.access import of_request
from docmill.web.api import idempotency, problems
from docmill.web.api.bodies import has_body, of_faults, read_json, validated
from docmill.web.api.operation import JSON, Call, Operation, Query
from docmill.web.api.problems import Problem
from docmill.web.api.rate import Buckets, Verdict
from docmill.web.api.validation import query_of
from workers.settings import settings

#: What a browser's session sends with everything but GET: the token of its forms.
TOKEN_HEADER = "x-form-token"  # noqa: S105 (the name of a header)
_CHALLENGE = {"www-authenticate": 'Bearer realm="docmill"'}


async def handle(operation: Operation, request: Request) -> Response:
    """The answer of an operation, also if it is an error."""
    verdict: Verdict | None = None
    try:
        access, verdict = await run_in_threadpool(_who, request)
        _check(operation, request, access)
        raw = await _body(operation, request)
        run = request.app.state.streams.run if operation.body_media else run_in_threadpool
        found = await run(_run, operation, request, access, raw)
    except Exception as error:
        found = problems.answer(problems.of_error(error))
    for name, value in (verdict.headers() if verdict is not None else {}).items():
        found.headers[name] = value
    found.headers.setdefault("cache-control", "no-store")
    return found


async def _body(operation: Operation, request: Request) -> bytes:
    if operation.body is None:
        return b""
    if not operation.needs_body and not has_body(request):
        return b"{}"
    return await read_json(request, settings().api_idle_seconds)


def _who(request: Request) -> tuple[Access, Verdict]:
    """Whose request it is. Those without a key share the bucket of their address."""
    buckets: Buckets = request.app.state.buckets
    found = of_request(request)
    if found is None:
        client = request.client.host if request.client is not None else "?"
        _in_time(buckets.take(f"client {client}"))
        detail = "send a key: Authorization: Bearer docmill_... (`docmill keys create NAME` makes one)"
        raise Problem(401, "no-key", detail, headers=_CHALLENGE)
    verdict = buckets.take(f"key {found.name}")
    _in_time(verdict)
    return found, verdict


def _in_time(verdict: Verdict) -> None:
    if not verdict.allowed:
        detail = f"at most {verdict.quota:,} requests a minute: ask again in {verdict.wait_seconds:.0f} s"
        raise Problem(429, "too-many-requests", detail, headers=verdict.headers())


def _check(operation: Operation, request: Request, access: Access) -> None:
    """Whether they may, and whether it is their own will: another site's page can make a browser send its cookie."""
    if not access.role.allows(operation.role):
        detail = f"this needs a key with the role {operation.role}; yours has {access.role}"
        raise Problem(403, "role-too-low", detail, more={"needed_role": str(operation.role)})
    if operation.method == "GET" or access.form_token is None:
        return
    sent = request.headers.get(TOKEN_HEADER, "")
    if not hmac.compare_digest(sent.encode(), access.form_token.encode()):
        detail = (
            "a session in a browser changes something only with the header X-Form-Token; a key needs none"
        )
        raise Problem(403, "no-form-token", detail)


def _run(operation: Operation, request: Request, access: Access, raw: bytes) -> Response:
    store: Store = request.app.state.store
    body = validated(raw, operation.body) if operation.body is not None else None
    call = Call(request, store, access, _path(request.path_params), _query(operation, request), body)
    if not operation.writes:
        return _response(operation, operation.run(call))
    if (key := idempotency.key_of(operation, request)) is not None:
        request.app.state.forgetting.now_and_then(store)
        asked = idempotency.Asked.of(access.name, key, request, raw)
        return idempotency.once(
            store, asked, lambda session: _response(operation, operation.run(call, session))
        )
    with store.write() as session:
        return _response(operation, operation.run(call, session))


def _query(operation: Operation, request: Request) -> Query:
    found, faults = query_of(request.query_params, operation.query or Query)
    if found is None:
        raise of_faults(faults)
    return found


def _path(params: Mapping[str, str]) -> dict[str, str]:
    """The names in the path. One that no row can have is not looked for."""
    found = {name: unquote(value) for name, value in params.items()}
    for name, value in found.items():
        if "\0" in value or len(value) > 2_000:
            raise Problem(404, "not-found", f"there is no such {name}")
    return found


def _response(operation: Operation, answer: BaseModel | Response) -> Response:
    if isinstance(answer, Response):
        return answer
    return Response(answer.model_dump_json(), status_code=operation.status, media_type=JSON)
