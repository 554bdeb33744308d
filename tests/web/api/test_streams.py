"""Documents as a stream: every bad line is reported, a cut stream leaves whole lines, and slow clients are cut off."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from db import access
from db.access import Role
from db.store import Store
from docmill.web.api.streams import MOST
from tests.db.builders import sql
from tests.web.api.conftest import Program, Served, lines, with_key
from workers.settings import settings


def _documents(store: Store) -> dict[str, str]:
    return {row.key: row.text for row in sql(store, "SELECT key, text FROM document WHERE is_latest")}


def test_bad_lines_are_reported_with_their_numbers_and_nothing_else_is_lost(
    program: Program, store: Store
) -> None:
    good = '{"id": "%s", "text": "한국어 텍스트", "year": 2026}'
    sent = [
        good % "a", "", "{", '{"id": "b"}', '{"text": "x"}', '["a"]', good % "a", '{"id": "c", "text": " "}',
        '{"id": "d", "text": "\\u0000"}', '{"id": "e", "text": 5}', good % "f", "\xff", good % "last",
    ]  # fmt: skip
    body = "\n".join(sent).encode().replace("\xff".encode(), b"\xff")
    told = program.add("inbox", body)
    assert (told["n_new"], told["n_bad"]) == (3, 9)
    assert {bad["line"]: bad["code"] for bad in told["bad"]} == {
        3: "NOT_JSON", 4: "MISSING_TEXT", 5: "MISSING_KEY", 6: "NOT_AN_OBJECT", 7: "DUPLICATE_KEY", 8: "EMPTY_TEXT",
        9: "NUL", 10: "TEXT_TYPE", 12: "INVALID_ENCODING",
    }  # fmt: skip
    assert "--" not in json.dumps([bad["detail"] for bad in told["bad"]])
    assert set(_documents(store)) == {"a", "f", "last"}
    again = program.add("inbox", body)
    assert (again["n_new"], again["n_unchanged"], again["n_bad"]) == (0, 3, 9)


def test_fields_are_named_and_limits_are_told_with_what_is_stored(
    program: Program, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = '{"key": "a", "body": "text one", "x": 1}\n'
    told = program.add("inbox", body, params={"key_field": "key", "text_field": "body", "meta": "none"})
    assert told["n_new"] == 1
    assert program.ask("/collections/inbox/documents")["data"][0]["meta"] == {}
    wrong = program.add("inbox", body)["bad"][0]["detail"]
    assert "as in key_field=" in wrong
    program.add("inbox", body, 422, params={"key_fields": "key"})
    monkeypatch.setattr("docmill.web.api.adding.MOST_DOCUMENTS", 3)
    told = program.add("inbox", lines(5), 413)
    assert (told["n_new"], told["type"]) == (3, "urn:docmill:problem:too-many-documents")
    assert "3 documents of it are stored" in told["detail"]
    monkeypatch.setattr("docmill.web.api.adding.MIB", 10)
    assert program.add("inbox", lines(1_000), 413)["type"] == "urn:docmill:problem:too-large"
    answer = program.post(
        "/v1/collections/inbox/documents", content=b"{}", headers={"content-type": "text/csv"}
    )
    assert answer.status_code == 415
    program.add("%20", lines(1), 422)


def test_a_stream_that_breaks_off_leaves_whole_lines_only(served: Served, store: Store) -> None:
    whole = lines(4_500).encode()
    with _sending(served.port, _key(store), f"Content-Length: {len(whole)}") as client:
        client.sendall(whole[:-30])
        _until(lambda: len(_documents(store)) >= 2_000)
        # Not closed in order: as by a process that is killed.
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    _until(lambda: served.n_streams == 0)
    stored = _documents(store)
    assert 2_000 <= len(stored) < 4_500
    assert stored == {f"k{i}": f"text {i}" for i in range(len(stored))}
    told = with_key(store).add("inbox", whole)
    assert (told["n_new"], told["n_unchanged"]) == (4_500 - len(stored), len(stored))


def test_a_client_that_sends_nothing_is_cut_off_and_told_what_is_stored(
    served: Served, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCMILL_API_IDLE_SECONDS", "0.5")
    settings.cache_clear()
    with _sending(served.port, _key(store), "Transfer-Encoding: chunked") as client:
        part = lines(5).encode() + b'{"id": "half'
        client.sendall(b"%x\r\n%s\r\n" % (len(part), part))
        status, told = _answer(client)
    assert (status, told["type"], told["n_new"]) == (408, "urn:docmill:problem:too-slow", 5)
    assert len(_documents(store)) == 5


def test_streams_keep_no_thread_of_the_pages(served: Served, store: Store) -> None:
    key = _key(store)
    with ExitStack() as stack:
        for _ in range(MOST):
            client = stack.enter_context(_sending(served.port, key, "Content-Length: 100"))
            client.sendall(b"{")
        headers = {"authorization": f"Bearer {key}", "content-type": "application/x-ndjson"}
        _until(lambda: served.n_streams == MOST)
        assert _posted(served.port, headers) == 503
        with urllib.request.urlopen(_request(served.port, "/v1/jobs", headers), timeout=20) as answer:
            assert answer.status == 200
    _until(lambda: _posted(served.port, headers) == 200)


@pytest.mark.long
def test_a_stream_of_any_length_takes_bounded_memory(sqlite_store: Store, tmp_path: Path) -> None:
    with sqlite_store.write() as session:
        key = access.create_key(session, "mine", Role.SUBMIT)
    url = sqlite_store.url.render_as_string(hide_password=False)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "docmill.cli", "serve", "--port", str(port)]
    environment = os.environ | {"DOCMILL_DATABASE_URL": url}
    text = "word " * 4_000
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        server.stdout.readline()
        process = psutil.Process(server.pid)
        before = process.memory_info().rss
        most = 0
        with _sending(port, key, "Transfer-Encoding: chunked") as client:
            for number in range(10_000):  # 200 MB
                line = json.dumps({"id": f"k{number}", "text": f"{number} {text}"}).encode() + b"\n{bad\n"
                client.sendall(b"%x\r\n%s\r\n" % (len(line), line))
                most = max(most, process.memory_info().rss) if number % 100 == 0 else most
            client.sendall(b"0\r\n\r\n")
            status, told = _answer(client)
        server.send_signal(signal.SIGINT)
        server.wait(20)
    assert (status, told["n_new"], told["n_bad"], len(told["bad"])) == (200, 10_000, 10_000, 10_000)
    # A batch has 8 million characters, which are held a few times.
    assert most - before < 120_000_000, f"{(most - before) / 1e6:.0f} MB for a stream of 200 MB"


def _key(store: Store) -> str:
    with store.write() as session:
        return access.create_key(session, "mine", Role.SUBMIT)


@contextmanager
def _sending(port: int, key: str, length: str) -> Iterator[socket.socket]:
    """A connection on which the body of a stream is to follow."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as client:
        head = (
            f"POST /v1/collections/inbox/documents HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {key}\r\n"
            f"Content-Type: application/x-ndjson\r\n{length}\r\n\r\n"
        )
        client.sendall(head.encode())
        yield client


def _answer(client: socket.socket) -> tuple[int, Any]:
    response = http.client.HTTPResponse(client)
    response.begin()
    return response.status, json.loads(response.read())


def _request(
    port: int, path: str, headers: dict[str, str], body: bytes | None = None
) -> urllib.request.Request:
    return urllib.request.Request(f"http://127.0.0.1:{port}{path}", data=body, headers=headers)


def _posted(port: int, headers: dict[str, str]) -> int:
    body = b'{"id": "a", "text": "b"}'
    try:
        asked = _request(port, "/v1/collections/inbox/documents", headers, body)
        with urllib.request.urlopen(asked, timeout=20) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def _until(holds: Callable[[], bool]) -> None:
    last = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < last
        time.sleep(0.05)


def test_events_tell_how_far_open_jobs_are(served: Served, store: Store) -> None:
    program = with_key(store)
    program.add("inbox", lines(4))
    job = program.tell("/jobs", {"kind": "oracle", "collection": "inbox"}, 201)["id"]
    headers = {"authorization": program.headers["authorization"]}
    with urllib.request.urlopen(_request(served.port, "/v1/events", headers), timeout=20) as events:
        assert events.headers["content-type"].startswith("text/event-stream")
        told = events.readline()
    assert json.loads(told.removeprefix(b"data: ")) == [{"job": job, "share": 0.0, "state": "running"}]
