"""Asks the application for a page, in this process and without a network."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import unquote

from starlette.applications import Starlette
from starlette.types import Message

HOST = "localhost"


@dataclass(frozen=True)
class Answer:
    """What the application answered."""

    status: int
    body: str


async def ask(app: Starlette, address: str) -> Answer:
    """GET of an address: a path, perhaps with a query."""
    path, _, query = address.partition("?")
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "scheme": "http",
        "path": unquote(path), "raw_path": path.encode("ascii"), "query_string": query.encode("ascii"),
        "root_path": "", "headers": [(b"host", HOST.encode())], "client": None, "server": (HOST, 80),
    }  # fmt: skip
    status, body = 0, bytearray()

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        nonlocal status
        if message["type"] == "http.response.start":
            status = message["status"]
        elif message["type"] == "http.response.body":
            body.extend(message.get("body", b""))

    await app(scope, receive, send)
    return Answer(status, bytes(body).decode("utf-8"))
