"""Requests that are refused, lost, slow or answered by something else: what is sent again, and what is said."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from db.access import Role
from docmill import AsyncClient, Client
from docmill.client.http.attempts import Attempts, seconds_of
from docmill.errors import (
    AccessError,
    BusyServerError,
    InvalidRequestError,
    StoreError,
    UnreachableStoreError,
    UnsupportedError,
)
from tests.client.conftest import Way, key_of, served
from tests.commands.conftest import Shell

SUBMITTED = json.dumps({"id": 7, "n_documents": 3, "created": True}).encode()
#: Status, headers and body; None to close the connection without an answer; a number of seconds to wait before that.
Reply = tuple[int, dict[str, str], bytes] | float | None


@dataclass
class Scripted:
    """A server that gives these answers, the last one again and again."""

    replies: list[Reply]
    seen: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)
    url: str = ""


@pytest.fixture
def scripted() -> Iterator[Callable[..., Scripted]]:
    servers: list[ThreadingHTTPServer] = []

    def start(*replies: Reply) -> Scripted:
        script = Scripted(list(replies))
        server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(script))
        servers.append(server)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        script.url = f"http://127.0.0.1:{server.server_port}"
        return script

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def _handler(script: Scripted) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            script.seen.append((self.command, self.path, headers, body))
            reply = script.replies.pop(0) if len(script.replies) > 1 else script.replies[0]
            if reply is None or isinstance(reply, float):
                time.sleep(reply or 0)
                self.close_connection = True
                return
            status, more, content = reply
            self.send_response(status)
            for name, value in ({"content-length": str(len(content))} | more).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer  # noqa: N815

        def log_message(self, *_: Any) -> None:
            pass

    return Handler


def problem(status: int, code: str, detail: str, **headers: str) -> Reply:
    body = {"type": f"urn:docmill:problem:{code}", "title": "x", "status": status, "detail": detail}
    return status, {"content-type": "application/problem+json"} | headers, json.dumps(body).encode()


def submit(url: str, retry_seconds: float = 20, timeout_seconds: float = 20) -> int:
    with Client(url, key="docmill_x", retry_seconds=retry_seconds, timeout_seconds=timeout_seconds) as client:
        return client.submit("oracle", collection="inbox").id


async def submit_async(url: str, retry_seconds: float = 20) -> int:
    async with AsyncClient(url, key="docmill_x", retry_seconds=retry_seconds) as client:
        return (await client.submit("oracle", collection="inbox")).id


FOR_NOW = [
    pytest.param(None, id="closed without an answer"),
    pytest.param(problem(429, "too-many-requests", "slowly", **{"retry-after": "0"}), id="429"),
    pytest.param(problem(503, "store-unavailable", "later"), id="503"),
    pytest.param((502, {"content-type": "text/html"}, b"<h1>Bad gateway</h1>"), id="502 of a proxy"),
]


@pytest.mark.parametrize("reply", FOR_NOW)
def test_what_is_refused_for_now_is_sent_again_with_the_same_key(
    scripted: Callable[..., Scripted], reply: Reply
) -> None:
    server = scripted(reply, (201, {}, SUBMITTED))

    assert submit(server.url) == 7

    first, second = server.seen
    assert first[2]["idempotency-key"] == second[2]["idempotency-key"]
    assert first[3] == second[3]
    assert first[2]["authorization"] == "Bearer docmill_x"
    assert submit(server.url) == 7
    assert server.seen[2][2]["idempotency-key"] != first[2]["idempotency-key"]


@pytest.mark.parametrize("reply", FOR_NOW)
def test_the_asynchronous_client_sends_it_again_too(scripted: Callable[..., Scripted], reply: Reply) -> None:
    server = scripted(reply, (201, {}, SUBMITTED))

    assert asyncio.run(submit_async(server.url)) == 7
    assert server.seen[0][2]["idempotency-key"] == server.seen[1][2]["idempotency-key"]


def test_a_client_waits_as_long_as_it_is_asked_to(scripted: Callable[..., Scripted]) -> None:
    server = scripted(
        problem(429, "too-many-requests", "slowly", **{"retry-after": "1"}), (201, {}, SUBMITTED)
    )
    begun = time.monotonic()

    assert submit(server.url) == 7
    assert time.monotonic() - begun >= 1


def test_who_is_asked_to_wait_longer_than_there_is_time_gives_up_at_once(
    scripted: Callable[..., Scripted],
) -> None:
    server = scripted(problem(429, "too-many-requests", "at most 5 a minute", **{"retry-after": "60"}))

    with pytest.raises(BusyServerError, match="at most 5 a minute"):
        submit(server.url, retry_seconds=2)
    assert len(server.seen) == 1


def test_an_answer_that_does_not_come_in_time_is_asked_for_again(scripted: Callable[..., Scripted]) -> None:
    server = scripted(2.0, (201, {}, SUBMITTED))

    assert submit(server.url, timeout_seconds=0.3) == 7
    assert server.seen[0][2]["idempotency-key"] == server.seen[1][2]["idempotency-key"]


def test_a_server_that_is_not_there_is_named() -> None:
    with pytest.raises(UnreachableStoreError, match=r"http://127.0.0.1:1 does not answer.*docmill serve"):
        submit("http://127.0.0.1:1", retry_seconds=0)
    with pytest.raises(UnreachableStoreError, match="tried"):
        submit("http://127.0.0.1:1", retry_seconds=0.5)
    with pytest.raises(UnreachableStoreError, match=r"127\.0\.0\.1:1"):
        asyncio.run(submit_async("http://127.0.0.1:1", retry_seconds=0))


@pytest.mark.parametrize(
    ("reply", "error", "said"),
    [
        (problem(401, "no-key", "send a key"), AccessError, "send a key; pass key=..., or set DOCMILL_SERVER_KEY"),
        (problem(403, "role-too-low", "this needs submit"), AccessError, "--role"),
        (problem(404, "no-such-path", "no path"), UnsupportedError, "older docmill than this client"),
        (problem(422, "invalid-request", "kind: there is none"), InvalidRequestError, "^kind: there is none$"),
        (problem(413, "too-large", "at most 1 MiB"), InvalidRequestError, "at most 1 MiB"),
        (problem(500, "internal-error", "nobody foresaw"), StoreError, "nobody foresaw"),
        ((200, {}, b"<html>"), StoreError, "something else than this client understands"),
        ((201, {}, b'{"id": 7}'), StoreError, "something else than this client understands"),
        ((404, {"content-type": "text/html"}, b"<html>"), StoreError, "is it `docmill serve`"),
        ((302, {"location": "/login"}, b""), StoreError, "answered 302"),
        ((500, {"content-type": "application/problem+json"}, b"["), StoreError, "answered 500"),
    ],
)  # fmt: skip
def test_an_answer_that_stands_is_the_error_of_the_store(
    scripted: Callable[..., Scripted], reply: Reply, error: type[Exception], said: str
) -> None:
    server = scripted(reply)

    with pytest.raises(error, match=said):
        submit(server.url)
    assert len(server.seen) == 1


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://", "has no host"),
        ("http://user:secret@host", "key="),
        ("http://host/?a=b", "scheme, host, port"),
        ("https://host:port", "port"),
    ],
)
def test_a_url_that_is_wrong_says_what_is_right(url: str, said: str) -> None:
    with pytest.raises(InvalidRequestError, match=said) as caught:
        Client(url)
    assert "secret" not in str(caught.value)


def test_a_key_that_is_none_is_refused_and_never_shown() -> None:
    with pytest.raises(InvalidRequestError, match="docmill keys create") as caught:
        Client("http://host", key="docmill_\nx")
    assert "docmill_\nx" not in str(caught.value)
    with pytest.raises(InvalidRequestError, match="a key is for a server"):
        Client("sqlite:////tmp/x.db", key="docmill_x")


def test_the_server_and_the_key_may_come_from_the_environment(
    scripted: Callable[..., Scripted], monkeypatch: pytest.MonkeyPatch
) -> None:
    import docmill
    from workers.settings import settings

    server = scripted((201, {}, SUBMITTED))
    monkeypatch.setenv("DOCMILL_SERVER_URL", f"{server.url}/docmill/v1/")
    monkeypatch.setenv("DOCMILL_SERVER_KEY", "docmill_of_the_environment")
    settings.cache_clear()

    with Client() as client:
        client.submit("oracle", collection="inbox")
    docmill.submit("oracle", collection="inbox")

    for _, path, headers, _ in server.seen:
        assert path == "/docmill/v1/jobs"
        assert headers["authorization"] == "Bearer docmill_of_the_environment"
    assert "docmill_of_the_environment" not in repr(settings())


def test_retry_after_may_be_seconds_or_a_time() -> None:
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=100), usegmt=True)

    assert seconds_of("7") == 7
    assert 90 < (seconds_of(soon) or 0) <= 100
    assert seconds_of("Wed, 21 Oct 2015 07:28:00 GMT") == 0
    assert seconds_of("soon") is None
    assert seconds_of(None) is None


@pytest.mark.parametrize("retry_after", ["0", "Wed, 21 Oct 2015 07:28:00 GMT"])
def test_a_server_that_asks_for_no_pause_is_not_asked_without_one(retry_after: str) -> None:
    attempts = Attempts("http://host", retry_seconds=60)

    pauses = [attempts.pause_after_answer(503, retry_after) or 0 for _ in range(5)]

    assert min(pauses) >= 0.1
    assert max(pauses) >= 1.6


def test_a_longer_pause_than_the_server_asks_for_stands() -> None:
    attempts = Attempts("http://host", retry_seconds=600)

    pauses = [attempts.pause_after_answer(503, "1") or 0 for _ in range(6)]

    assert pauses[:2] == [1, 1]
    assert pauses[5] >= 3.2


def test_a_key_of_a_low_role_reads_only(shell: Shell) -> None:
    with served(shell.store) as url, Client(url, key=key_of(shell.store, Role.READ)) as client:
        assert client.jobs() == []
        with pytest.raises(AccessError, match="role submit"):
            client.add([{"id": "a", "text": "b"}], collection="inbox")
        with pytest.raises(AccessError, match="role operate"):
            client.remove_collection("inbox")


def test_threads_may_share_a_client(way: Way) -> None:
    with way.client() as client:
        client.add([{"id": "a", "text": "b"}], collection="inbox")
        made: list[int] = []
        threads = [
            threading.Thread(
                target=lambda n=n: made.append(
                    client.submit("oracle", collection="inbox", key=f"k{n % 2}").id
                )
            )
            for n in range(6)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(made) == 6
        assert len(set(made)) == 2
