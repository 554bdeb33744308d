"""Bodies of requests: read with limits of size and time, as a whole or block by block in a thread."""

from __future__ import annotations

import asyncio
import io
import re
import time
from typing import TypeVar

import anyio.from_thread
from pydantic import ValidationError
from starlette.requests import Request

from docmill.web.api.operation import JSON, Model
from docmill.web.api.problems import Fault, Problem
from docmill.web.api.validation import faults_of

B = TypeVar("B", bound=Model)

#: Bytes of a JSON body.
MAX_JSON_BYTES = 4 * 1024 * 1024
#: Below this, on average, a client is too slow: it would keep a thread for hours.
LEAST_BYTES_A_SECOND = 1_000
#: The character U+0000 as JSON escapes it: PostgreSQL cannot store it.
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")


def media_type(request: Request) -> str:
    """The type of the body, without parameters."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def has_body(request: Request) -> bool:
    """Whether the request says that it has one."""
    return "transfer-encoding" in request.headers or request.headers.get("content-length", "0") != "0"


async def read_json(request: Request, seconds: float) -> bytes:
    """A body of JSON whole: a client has `seconds` to send it."""
    if media_type(request) != JSON:
        raise Problem(415, "unsupported-media-type", f"send the body as {JSON} (header Content-Type)")
    _check_length(request, MAX_JSON_BYTES)
    body = bytearray()
    try:
        async with asyncio.timeout(seconds):
            while True:
                message = await request.receive()
                if message["type"] == "http.disconnect":
                    raise Problem(400, "incomplete", "the connection ended in the middle of the body")
                body += message.get("body", b"")
                if len(body) > MAX_JSON_BYTES:
                    raise _too_large(MAX_JSON_BYTES)
                if not message.get("more_body"):
                    return bytes(body)
    except TimeoutError:
        raise Problem(408, "too-slow", f"the body did not come within {seconds:g} s") from None


def validated(raw: bytes, model: type[B]) -> B:
    """A JSON body as the model has it; the problem names each field that is wrong."""
    if _NUL.search(raw):
        raise Problem(422, "invalid-request", "the body holds the character U+0000, which cannot be stored")
    try:
        return model.model_validate_json(raw)
    except ValidationError as error:
        faults = faults_of(error, model)
        if error.errors(include_url=False)[0]["type"] == "json_invalid":
            raise Problem(400, "not-json", f"the body is no JSON: {faults[0].detail}") from None
        raise of_faults(faults) from None


def of_faults(faults: list[Fault]) -> Problem:
    """422 for fields, whose first one is in the detail."""
    first = faults[0]
    more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
    where = first.where.lstrip("/").replace("/", ".") or "the body"
    return Problem(422, "invalid-request", f"{where}: {first.detail}{more}", faults)


class Arriving(io.RawIOBase):
    """A body while it arrives, for a thread: bounded memory, at most `max_bytes`. It ends where the connection does,
    or where the client is too slow; `fault` then says so."""

    def __init__(self, request: Request, max_bytes: int, idle_seconds: float) -> None:
        _check_length(request, max_bytes)
        self._receive = request.receive
        self._max_bytes, self._idle_seconds = max_bytes, idle_seconds
        self._began = time.monotonic()
        self._block = memoryview(b"")
        self._is_at_end = False
        self.n_bytes = 0
        self.fault: Problem | None = None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        while not self._block and not self._is_at_end:
            anyio.from_thread.run(self._next)
        n = min(len(buffer), len(self._block))
        buffer[:n] = self._block[:n]
        self._block = self._block[n:]
        return n

    async def _next(self) -> None:
        try:
            message = await asyncio.wait_for(self._receive(), self._idle_seconds)
        except TimeoutError:
            return self._end(Problem(408, "too-slow", f"nothing came for {self._idle_seconds:g} s"))
        if message["type"] == "http.disconnect":
            return self._end(Problem(400, "incomplete", "the connection ended in the middle of the body"))
        self._block = memoryview(message.get("body", b""))
        self._is_at_end = not message.get("more_body", False)
        self.n_bytes += len(self._block)
        if self.n_bytes > self._max_bytes:
            return self._end(_too_large(self._max_bytes))
        lasted = time.monotonic() - self._began
        if lasted > self._idle_seconds and self.n_bytes < LEAST_BYTES_A_SECOND * (
            lasted - self._idle_seconds
        ):
            self._end(Problem(408, "too-slow", f"send at least {LEAST_BYTES_A_SECOND:,} bytes a second"))
        return None

    def _end(self, fault: Problem) -> None:
        self._block, self._is_at_end, self.fault = memoryview(b""), True, fault


def _check_length(request: Request, max_bytes: int) -> None:
    """Refuse what says beforehand that it is too large, or packed."""
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise Problem(415, "unsupported-media-type", "send the body without Content-Encoding")
    length = request.headers.get("content-length", "")
    if length.isascii() and length.isdigit() and int(length) > max_bytes:
        raise _too_large(max_bytes)


def _too_large(max_bytes: int) -> Problem:
    return Problem(
        413, "too-large", f"this takes at most {max_bytes:,} bytes: send the rest in another request"
    )
