"""Who may do what: keys in a header, sessions in a cookie, and the token that every form sends back."""

from __future__ import annotations

import hmac
import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable
from functools import wraps
from urllib.parse import parse_qsl, quote, urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from db import access
from db.access import Access, Role
from db.store import Store

#: Before the port of the server's address: browsers send a cookie to all ports of a host, and two servers on one
#: machine would otherwise sign each other's people out.
COOKIE = "docmill_session"
FORM_TOKEN = "form_token"  # noqa: S105 (the name of a field)
#: Bytes of a form.
MAX_FORM_BYTES = 1024 * 1024
#: Of what the store numbers.
MAX_NUMBER = 2**63 - 1
#: Fields of a form.
MAX_FIELDS = 5_000
#: After this number of wrong keys within these seconds, a client has to wait.
FAILURES, FAILURE_SECONDS = 5, 60.0

View = Callable[[Request], Response]


def view(role: Role = Role.READ) -> Callable[[View], Callable[[Request], Awaitable[Response]]]:
    """A page for people with this role. Without a session the answer is the way to sign in. The function may use
    `request.state.access` and, of a POST, `request.state.form`; it runs in a thread."""

    def wrap(function: View) -> Callable[[Request], Awaitable[Response]]:
        @wraps(function)
        async def wrapped(request: Request) -> Response:
            found = await run_in_threadpool(of_request, request)
            if found is None:
                return sign_in_first(request)
            if not found.role.allows(role):
                raise HTTPException(403, f"This needs the role {role}; you have {found.role}.")
            request.state.access = found
            for value in request.query_params.values():
                _check_text(value)
            if any(isinstance(value, int) and value > MAX_NUMBER for value in request.path_params.values()):
                raise HTTPException(404, "There is no such thing")
            if request.method == "POST":
                request.state.form = await form_of(request)
                check_form_token(request, found)
            return await run_in_threadpool(function, request)

        return wrapped

    return wrap


def of_request(request: Request) -> Access | None:
    """Whose request this is: by its key, or by its session. None for nobody."""
    everybody: Access | None = request.app.state.everybody
    if everybody is not None:
        return everybody
    store: Store = request.app.state.store
    if key := _key(request):
        with store.read() as session:
            found = access.by_key(session, key)
        if found is not None and found.use_is_due:
            with store.write() as session:
                access.note_use(session, found.name)
        return found
    token = request.cookies.get(cookie_name(request))
    if not token:
        return None
    with store.read() as session:
        return access.by_session(session, token)


def cookie_name(request: Request) -> str:
    """The name of the cookie with the session, for the address under which the browser knows this server."""
    port = request.url.port or (443 if request.url.scheme == "https" else 80)
    return f"{COOKIE}_{port}"


def sign_in_first(request: Request) -> Response:
    """To the page for signing in, and back afterwards."""
    back = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return RedirectResponse(f"{request.app.url_path_for('login')}?next={quote(back)}", 303)


def own_path(wanted: str | None) -> str:
    """A path of this server to go to; "/" for anything else, such as another site."""
    parts = urlsplit(wanted or "/")
    is_own = not parts.scheme and not parts.netloc and parts.path.startswith("/")
    # A browser reads a backslash as a slash, and drops control characters.
    if not is_own or parts.path.startswith("//") or any(c == "\\" or ord(c) < 32 for c in wanted or ""):
        return "/"
    return wanted or "/"


async def form_of(request: Request) -> dict[str, list[str]]:
    """The fields of a form, at most MAX_FORM_BYTES."""
    if request.headers.get("sec-fetch-site") == "cross-site":
        raise HTTPException(403, "This form is not from a page that you opened here: open the page again.")
    if request.headers.get("content-type", "").partition(";")[0] != "application/x-www-form-urlencoded":
        raise HTTPException(415, "This takes a form.")
    body = bytearray()
    async for block in request.stream():
        body += block
        if len(body) > MAX_FORM_BYTES:
            raise HTTPException(413, f"A form has at most {MAX_FORM_BYTES:,} bytes.")
    found: dict[str, list[str]] = {}
    try:
        fields = parse_qsl(
            bytes(body).decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=MAX_FIELDS
        )
    except ValueError:
        raise HTTPException(413, f"A form has at most {MAX_FIELDS:,} fields.") from None
    for name, value in fields:
        _check_text(value)
        found.setdefault(name, []).append(value)
    return found


def number(text: str | None) -> int | None:
    """A number of something in the store, as an address or a form has it; None if it is none."""
    is_one = text is not None and text.isascii() and text.isdigit() and len(text) < 19
    return int(text) if is_one and text is not None else None


def _check_text(value: str) -> None:
    """Refuse what no store takes as a text."""
    if "\0" in value or any("\ud800" <= character <= "\udfff" for character in value):
        raise HTTPException(400, "The address or form has a character that no text has.")


def check_form_token(request: Request, found: Access) -> None:
    """A form of another site lacks the token. A key in a header needs none: no other site can send it."""
    sent = request.state.form.get(FORM_TOKEN, [""])[0]
    if found.form_token is not None and not hmac.compare_digest(sent.encode(), found.form_token.encode()):
        raise HTTPException(403, "This form is not from a page that you opened here: open the page again.")


class Throttle:
    """Slows down whoever tries keys. Counted by client, in this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._failed: dict[str, deque[float]] = {}

    def seconds_to_wait(self, client: str) -> float:
        """How long this client has to wait before it may try again."""
        with self._lock:
            failed = self._recent(client)
            return FAILURE_SECONDS - (time.monotonic() - failed[0]) if len(failed) >= FAILURES else 0.0

    def failed(self, client: str) -> None:
        """Count a failure."""
        with self._lock:
            self._recent(client).append(time.monotonic())

    def _recent(self, client: str) -> deque[float]:
        if len(self._failed) > 10_000:
            self._failed.clear()
        failed = self._failed.setdefault(client, deque(maxlen=FAILURES))
        while failed and time.monotonic() - failed[0] > FAILURE_SECONDS:
            failed.popleft()
        return failed


def _key(request: Request) -> str | None:
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    return key.strip() if scheme.lower() == "bearer" else None
