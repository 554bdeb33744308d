"""Signing in and out."""

from __future__ import annotations

import hmac
import math

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from db import access
from db.access import Role
from db.store import Store
from docmill.web.access import Throttle, cookie_name, form_of, of_request, own_path, view
from docmill.web.rendering import page


async def login(request: Request) -> Response:
    """A form for a key. The address that `docmill serve` prints signs in by itself."""
    if request.method == "POST":
        return await _sign_in(request)
    token = request.query_params.get("token")
    if token is not None:
        return await run_in_threadpool(_with_printed_address, request, token)
    if await run_in_threadpool(of_request, request) is not None:
        return RedirectResponse(own_path(request.query_params.get("next")), 303)
    return _form(request)


async def _sign_in(request: Request) -> Response:
    throttle: Throttle = request.app.state.throttle
    client = request.client.host if request.client else ""
    if wait := throttle.seconds_to_wait(client):
        answer = _form(request, f"Too many wrong keys: try again in {math.ceil(wait)} s.", 429)
        answer.headers["retry-after"] = str(math.ceil(wait))
        return answer
    form = await form_of(request)
    token = await run_in_threadpool(_begin, request, form.get("key", [""])[0].strip())
    if token is None:
        throttle.failed(client)
        return _form(request, "This key is unknown or revoked. `docmill keys create NAME` makes one.", 403)
    return _signed_in(request, token, form.get("next", ["/"])[0])


def _with_printed_address(request: Request, token: str) -> Response:
    printed: str | None = request.app.state.login_token
    throttle: Throttle = request.app.state.throttle
    client = request.client.host if request.client else ""
    if throttle.seconds_to_wait(client):
        return _form(request, "Too many wrong keys: wait a minute.", 429)
    if printed is None or not hmac.compare_digest(token.encode(), printed.encode()):
        throttle.failed(client)
        return _form(
            request, "This address is from an earlier start of `docmill serve`: use the new one.", 403
        )
    store: Store = request.app.state.store
    with store.write() as session:
        cookie = access.begin_session(session, None, Role.OPERATE)
        access.end_session(session, request.cookies.get(cookie_name(request), ""))
    assert cookie is not None
    return _signed_in(request, cookie, request.query_params.get("next"))


def _begin(request: Request, key: str) -> str | None:
    store: Store = request.app.state.store
    with store.write() as session:
        begun = access.begin_session(session, key)
        if begun is not None:
            # Whoever else has the cookie of before is signed out.
            access.end_session(session, request.cookies.get(cookie_name(request), ""))
        return begun


def _signed_in(request: Request, cookie: str, to: str | None) -> Response:
    # A new session with a new cookie each time: one that somebody planted before is worth nothing.
    answer = RedirectResponse(own_path(to), 303)
    answer.set_cookie(
        cookie_name(request), cookie, max_age=access.SESSION_SECONDS, httponly=True, samesite="lax",
        secure=request.url.scheme == "https",
    )  # fmt: skip
    return answer


def _form(request: Request, problem: str | None = None, status: int = 200) -> Response:
    to = own_path(request.query_params.get("next"))
    return page(request, "login.html", status=status, problem=problem, next=to)


@view()
def logout(request: Request) -> Response:
    """End the session."""
    store: Store = request.app.state.store
    with store.write() as session:
        access.end_session(session, request.cookies.get(cookie_name(request), ""))
    answer = RedirectResponse(request.app.url_path_for("login"), 303)
    answer.delete_cookie(cookie_name(request))
    return answer


ROUTES = [
    Route("/login", login, name="login", methods=["GET", "POST"]),
    Route("/logout", logout, name="logout", methods=["POST"]),
]
