"""Clients that send slowly, or too much, over real connections: they are closed, and others are served meanwhile."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import uvicorn

from db import access
from db.store import Store
from docmill.web import server
from docmill.web.app import create_app
from docmill.web.server import Limits
from tests.servers import until
from workers.settings import settings

#: Short ones, so that the tests are; only that they hold is tested.
LIMITS = Limits(head_seconds=1.0, body_seconds=0.8, body_bytes=512, head_bytes=8 * 1024, connections=40)


@contextmanager
def _served(store: Store, limits: Limits = LIMITS) -> Iterator[int]:
    configured = server.config(create_app(store), limits=limits)
    configured.port = 0
    serving = uvicorn.Server(configured)
    thread = threading.Thread(target=serving.run, daemon=True)
    thread.start()
    until(lambda: serving.started, "the server's start")
    try:
        yield serving.servers[0].sockets[0].getsockname()[1]
    finally:
        serving.should_exit = serving.force_exit = True
        thread.join(30)
        assert not thread.is_alive()


@pytest.fixture
def port(sqlite_store: Store) -> Iterator[int]:
    with _served(sqlite_store) as found:
        yield found


def _connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=30)


def _drip(connection: socket.socket, byte: bytes) -> bytes:
    """Send byte after byte until the server closes; returns what it said."""
    said = b""
    end = time.monotonic() + 30
    connection.settimeout(0.1)
    while time.monotonic() < end:
        try:
            connection.sendall(byte)
            piece = connection.recv(65_536)
            said += piece
            if not piece:
                return said
        except TimeoutError:
            continue
        except OSError:
            return said
    raise AssertionError("the server waits for ever")


def _status(port: int, head: bytes) -> int:
    with _connect(port) as connection:
        connection.sendall(head)
        return int(connection.recv(65_536).split(b" ", 2)[1])


def test_a_head_that_does_not_arrive_is_not_waited_for(port: int) -> None:
    with _connect(port) as silent:
        assert silent.recv(1) == b""
    with _connect(port) as slow:
        slow.sendall(b"GET /login HTTP/1.1\r\nhost: localhost\r\nx-a: ")
        assert _drip(slow, b"a") == b""
    with _connect(port) as second:
        # After an answer, the next request may not be slow either.
        second.sendall(b"GET /login HTTP/1.1\r\nhost: localhost\r\n\r\n")
        assert second.recv(65_536).startswith(b"HTTP/1.1 200")
        _drip(second, b"G")


def test_a_body_that_does_not_arrive_is_not_waited_for(port: int) -> None:
    with _connect(port) as slow:
        slow.sendall(
            b"POST /login HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/x-www-form-urlencoded\r\n"
            b"content-length: 100000\r\n\r\nkey="
        )
        assert b"200 OK" not in _drip(slow, b"a")


def test_a_body_gets_its_whole_time_whenever_the_request_comes(sqlite_store: Store) -> None:
    with _served(sqlite_store, Limits(body_seconds=1.5, body_bytes=512)) as port, _connect(port) as client:
        # The server looks every 1.5 s after the connection: between the head and the body.
        time.sleep(1.2)
        client.sendall(
            b"POST /login HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/x-www-form-urlencoded\r\n"
            b"content-length: 5\r\n\r\n"
        )
        time.sleep(0.6)
        client.sendall(b"key=a")
        assert client.recv(65_536).startswith(b"HTTP/1.1 ")


@pytest.mark.parametrize(("idle", "least"), [("1", 15), ("30", 35), ("300", 305)])
def test_a_stream_may_pause_for_as_long_as_the_interface_promises(
    sqlite_store: Store, monkeypatch: pytest.MonkeyPatch, idle: str, least: float
) -> None:
    monkeypatch.setenv("DOCMILL_API_IDLE_SECONDS", idle)
    settings.cache_clear()
    limits = server.config(create_app(sqlite_store)).http.keywords["limits"]  # type: ignore[union-attr]
    assert limits.body_seconds >= least


def test_others_are_served_while_slow_clients_hold_their_connections(port: int) -> None:
    slow = [_connect(port) for _ in range(30)]
    for connection in slow:
        connection.sendall(b"GET /login HTTP/1.1\r\nx: ")
    assert _status(port, b"GET /login HTTP/1.1\r\nhost: localhost\r\n\r\n") == 200
    for connection in slow:
        connection.close()


def test_more_connections_than_allowed_are_refused_and_there_is_room_again(sqlite_store: Store) -> None:
    limits = Limits(head_seconds=1.5, connections=10)
    with _served(sqlite_store, limits) as port:
        held = [_connect(port) for _ in range(12)]
        head = b"GET /login HTTP/1.1\r\nhost: localhost\r\n\r\n"
        assert until(lambda: _status(port, head) == 503, "a refusal")
        assert until(lambda: _status(port, head) == 200, "room, once the silent ones were closed")
        for connection in held:
            connection.close()


@pytest.mark.parametrize(
    "head",
    [b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nhost: localhost\r\n\r\n",
     b"GET / HTTP/1.1\r\nhost: localhost\r\nx: " + b"a" * 20_000 + b"\r\n\r\n",
     b"GET / HTTP/1.1\r\nhost: localhost\r\n" + b"x: a\r\n" * 4_000 + b"\r\n"],
)  # fmt: skip
def test_a_head_that_is_too_large_is_refused(port: int, head: bytes) -> None:
    assert _status(port, head) in (400, 431)


def test_a_listener_of_the_progress_is_no_slow_client(sqlite_store: Store) -> None:
    with sqlite_store.write() as session:
        cookie = access.begin_session(session, None)
    with _served(sqlite_store) as port, _connect(port) as listener:
        listener.sendall(
            f"GET /events HTTP/1.1\r\nhost: localhost\r\ncookie: docmill_session_80={cookie}\r\n\r\n".encode()
        )
        heard, began = b"", time.monotonic()
        while time.monotonic() - began < 3 * LIMITS.head_seconds:
            piece = listener.recv(65_536)
            assert piece, "the stream was closed"
            heard += piece
        assert heard.count(b"data:") >= 2
