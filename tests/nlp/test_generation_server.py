"""Texts by a server with OpenAI's API: a real HTTP server on this machine, which answers as it is told."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from nlp_tasks import model_servers
from nlp_tasks.errors import DocumentError, ModelServerError
from nlp_tasks.generation import GENERATE, GenerateParameters, server
from nlp_tasks.kind import Document, Setup
from nlp_tasks.model_servers import ModelServers

#: (status, body, headers)
Answer = tuple[int, Any, dict[str, str]]


class Listener(ThreadingHTTPServer):
    """Keeps what was asked, and counts how many requests were open at a time."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[tuple[str, dict[str, Any], dict[str, str]]] = []
        self.answer: Callable[[dict[str, Any], int], Answer] = lambda _body, _n: said("fine")
        self.n_open = self.most_open = 0
        self.lock = threading.Lock()
        self.tries: Counter[str] = Counter()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"


class _Handler(BaseHTTPRequestHandler):
    server: Listener

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        listener = self.server
        with listener.lock:
            listener.asked.append((self.path, body, dict(self.headers)))
            listener.n_open += 1
            listener.most_open = max(listener.most_open, listener.n_open)
            text = str(body.get("prompt") or body["messages"][-1]["content"])
            listener.tries[text] += 1
            n = listener.tries[text]
        status, found, headers = listener.answer(body, n)
        content = found if isinstance(found, bytes) else json.dumps(found).encode()
        with listener.lock:
            listener.n_open -= 1
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        pass


def said(text: str | None, reason: str = "stop") -> Answer:
    choice = {"message": {"content": text}, "text": text, "finish_reason": reason}
    return 200, {"choices": [choice], "usage": {"prompt_tokens": 7, "completion_tokens": 3}}, {}


@pytest.fixture
def listener() -> Iterator[Listener]:
    with Listener() as found:
        thread = threading.Thread(target=found.serve_forever, args=(0.02,))
        thread.start()
        yield found
        found.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "DELAYS", (0.01, 0.01, 0.01))


def run(address: str, texts: list[str], servers: ModelServers | None = None, **parameters: Any) -> list[Any]:
    chosen = GenerateParameters(server=address, model="m", **parameters)
    setup = Setup(parameters=chosen, servers=servers or ModelServers())
    documents = [Document(n, f"k{n}", text) for n, text in enumerate(texts)]
    return list(GENERATE.stages[0].open(setup).run(documents))


def test_each_document_is_asked_about_in_the_form_of_openais_api(listener: Listener) -> None:
    listener.answer = lambda body, _n: said(body["messages"][-1]["content"].upper(), "length")

    found = run(
        listener.address, ["a", "b"], system="be brief", prompt="Say {text}", max_tokens=9, temperature=0.5,
        top_k=4, top_p=0.9, stop='["x", "y"]', seed=3, servers=ModelServers.of(listener.address, "secret"),
    )  # fmt: skip

    assert [(row.text, row.finish_reason, row.n_prompt_tokens, row.n_tokens) for [row] in found] == [
        ("SAY A", "length", 7, 3), ("SAY B", "length", 7, 3),
    ]  # fmt: skip
    path, body, headers = next(one for one in listener.asked if one[1]["messages"][-1]["content"] == "Say a")
    assert path == "/v1/chat/completions"
    assert headers["Authorization"] == "Bearer secret"
    assert len({one[1].pop("seed") for one in listener.asked}) == 2
    assert body == {
        "model": "m", "max_tokens": 9, "temperature": 0.5, "top_p": 0.9, "top_k": 4, "stop": ["x", "y"],
        "messages": [{"role": "system", "content": "be brief"}, {"role": "user", "content": "Say a"}],
    }  # fmt: skip


def test_without_chat_the_prompt_is_sent_as_it_is(listener: Listener) -> None:
    listener.answer = lambda body, _n: said(body["prompt"])
    [[row]] = run(listener.address, ["a"], chat="none")
    assert row.text == "a"
    assert listener.asked[0][0] == "/v1/completions"


def test_at_most_so_many_requests_are_open_at_a_time(listener: Listener) -> None:
    together = threading.Barrier(3)

    def wait_for_others(_: Any, n: int) -> Answer:
        together.wait(10)
        return said("fine")

    listener.answer = wait_for_others
    found = run(listener.address, [f"text {n}" for n in range(12)], concurrency=3)
    assert len(found) == 12
    assert listener.most_open == 3


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_busy_server_is_asked_again(listener: Listener, status: int) -> None:
    listener.answer = lambda _body, n: (
        said("fine") if n > 2 else (status, {"error": "busy"}, {"Retry-After": "0"})
    )
    assert [row.text for [row] in run(listener.address, ["a", "b"])] == ["fine", "fine"]
    assert set(listener.tries.values()) == {3}


def test_a_server_that_stays_away_is_no_documents_fault(listener: Listener) -> None:
    listener.answer = lambda _body, _n: (503, b"starting", {})
    with pytest.raises(ModelServerError, match="answered 503: starting"):
        run(listener.address, ["a"])
    assert listener.tries["a"] == 4
    address = listener.address
    listener.server_close()
    with pytest.raises(ModelServerError, match="cannot be reached"):
        run(address, ["a"])


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ((404, {"error": {"message": "no model m"}}, {}), "answered 404: no model m"),
        ((401, {"error": "no key"}, {}), "answered 401: no key"),
        ((302, b"", {"Location": "http://127.0.0.1:1/"}), "answered 302"),
        ((200, b"<html>", {}), "its address ends with /v1"),
        ((200, {"choices": []}, {}), "its address ends with /v1"),
    ],
)
def test_a_wrong_address_or_model_is_no_documents_fault(
    listener: Listener, answer: Answer, words: str
) -> None:
    listener.answer = lambda _body, _n: answer
    with pytest.raises(ModelServerError, match=words):
        run(listener.address, ["a"])
    assert len(listener.asked) == 1


def test_what_is_refused_about_one_document_is_its_own_error(listener: Listener) -> None:
    def answer(body: dict[str, Any], _: int) -> Answer:
        text = body["messages"][-1]["content"]
        if text == "long":
            return 400, {"error": {"message": "maximum context length"}}, {}
        return said(None if text == "nothing" else "fine")

    listener.answer = answer
    first, second, third = run(listener.address, ["long", "nothing", "good"])
    assert isinstance(first, DocumentError)
    assert (first.code, first.detail) == ("SERVER_REFUSED", "the server answered 400: maximum context length")
    assert isinstance(second, DocumentError)
    assert second.code == "NO_TEXT"
    assert third[0].text == "fine"


def test_an_answer_that_the_schema_does_not_allow_is_an_error(listener: Listener) -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer", "maximum": 9}}, "required": ["n"]}
    answers = {"good": '{"n": 3}', "high": '{"n": 30}', "none": "{}", "prose": "three"}
    listener.answer = lambda body, _n: said(answers[body["messages"][-1]["content"]])

    good, *bad = run(listener.address, list(answers), schema=json.dumps(schema))

    assert [(row.path, row.number) for row in good[1:]] == [("n", 3.0)]
    assert [error.code for error in bad] == ["ANSWER_INVALID"] * 3
    asked = listener.asked[0][1]["response_format"]
    assert asked["type"] == "json_schema"
    assert asked["json_schema"]["schema"] == schema


@pytest.mark.parametrize(
    ("address", "setting", "allowed"),
    [
        ("http://127.0.0.1:8000/v1", "", True),
        ("http://localhost:8000/v1", "", True),
        ("http://[::1]:8000/v1", "", True),
        ("http://10.0.0.5:8000/v1", "", False),
        ("http://10.0.0.5:8000/v1", "http://10.0.0.5:8000", True),
        ("http://10.0.0.5:8000/v1", "http://10.0.0.5:8000/v1", True),
        ("http://10.0.0.5:8000/v2", "http://10.0.0.5:8000/v1", False),
        ("http://10.0.0.5:8000/v1/../admin", "http://10.0.0.5:8000/v1", False),
        ("http://10.0.0.5:8000/v1/%2e%2E/admin", "http://10.0.0.5:8000/v1", False),
        ("http://10.0.0.5:8000/v1/%252e./admin", "http://10.0.0.5:8000/v1", False),
        ("http://10.0.0.5:8000/v1/..%2fadmin", "http://10.0.0.5:8000/v1", False),
        ("http://10.0.0.5:8000/v1/..\\admin", "http://10.0.0.5:8000/v1", False),
        ("http://10.0.0.5:8000/v1/%20a", "http://10.0.0.5:8000/v1", True),
        ("http://10.0.0.5:8001/v1", "http://10.0.0.5:8000", False),
        ("https://models.example/v1", "http://models.example, https://models.example", True),
        ("http://127.0.0.1.example/v1", "", False),
    ],
)
def test_texts_leave_the_machine_only_for_servers_that_are_listed(
    address: str, setting: str, allowed: bool
) -> None:
    assert ModelServers.of(setting).allows(address) is allowed


@pytest.mark.parametrize(
    ("setting", "is_sent"),
    [
        ("", False),
        ("http://10.0.0.5:8000", False),
        ("http://127.0.0.1:{port}", True),
        ("http://127.0.0.1:{port}/v1", True),
        ("http://127.0.0.1:{port}/v2", False),
        ("https://127.0.0.1:{port}", False),
        ("http://127.0.0.1", False),
        ("http://localhost:{port}", False),
    ],
)
def test_the_key_is_sent_only_to_servers_that_are_listed(
    listener: Listener, setting: str, is_sent: bool
) -> None:
    servers = ModelServers.of(setting.format(port=listener.server_address[1]), "secret")
    run(listener.address, ["a"], servers)
    assert [headers.get("Authorization") for _, _, headers in listener.asked] == (
        ["Bearer secret"] if is_sent else [None]
    )


def test_a_server_that_wants_the_key_and_is_not_listed_says_what_to_do(listener: Listener) -> None:
    listener.answer = lambda _body, _n: (401, {"error": "no key"}, {})
    with pytest.raises(ModelServerError, match="only to servers that DOCMILL_MODEL_SERVERS lists"):
        run(listener.address, ["a"], ModelServers(key="secret"))


def test_a_server_that_is_not_listed_is_not_asked() -> None:
    with pytest.raises(ModelServerError, match="only if DOCMILL_MODEL_SERVERS lists it"):
        run("http://10.0.0.5:8000/v1", ["a"])


@pytest.mark.parametrize(
    "address",
    [
        "ftp://x/", "http://", "http://a:b@c/", "http://a/?x=1", "nonsense", "http://a:0x/", "http://a/b c",
        "http://a/모델",
    ],
)  # fmt: skip
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match="server: "):
        model_servers.check(address)


@pytest.mark.parametrize("answer", ["1" + "0" * 400, "[" * 100_000, "NaN", "1e999"])
def test_an_answer_that_no_number_holds_is_the_error_of_its_document(listener: Listener, answer: str) -> None:
    listener.answer = lambda _body, _n: said(answer)
    [found] = run(listener.address, ["a"], schema='{"type": "integer"}')
    assert isinstance(found, DocumentError)
    assert found.code == "ANSWER_INVALID"


@pytest.mark.parametrize("usage", [[], "7", None, {"prompt_tokens": "7"}])
def test_a_text_counts_whatever_is_said_of_its_tokens(listener: Listener, usage: Any) -> None:
    choice = {"message": {"content": "fine"}, "finish_reason": "stop"}
    listener.answer = lambda _body, _n: (200, {"choices": [choice], "usage": usage}, {})
    [[row]] = run(listener.address, ["a"])
    assert (row.text, row.n_prompt_tokens, row.n_tokens) == ("fine", None, None)


DRIPS = {
    "nothing": (),
    "a header without end": (b"HTTP/1.1 200 OK\r\nX-Long: ", b"a"),
    "headers without end": (b"HTTP/1.1 200 OK\r\n", b"A: b\r\n"),
    "answers to wait": (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "a body": (b"HTTP/1.1 200 OK\r\nContent-Length: 999999\r\n\r\n", b" "),
    "a body in chunks": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
    "a body to the end": (b"HTTP/1.1 200 OK\r\n\r\n", b" "),
}


@pytest.mark.parametrize("drip", DRIPS)
def test_a_server_that_sends_a_byte_now_and_then_is_given_up(
    drip: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "DELAYS", ())
    stopped = threading.Event()

    def serve(listening: socket.socket) -> None:
        connection, _ = listening.accept()
        with connection, suppress(OSError):
            connection.recv(1 << 16)
            for part in DRIPS[drip][:1]:
                connection.sendall(part)
            while not stopped.wait(0.1):
                for part in DRIPS[drip][1:]:
                    connection.sendall(part)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve, args=(listening,))
        thread.start()
        started = time.monotonic()
        try:
            with pytest.raises(ModelServerError, match="did not answer within 1 s"):
                run(f"http://127.0.0.1:{listening.getsockname()[1]}/v1", ["a"], timeout=1)
            assert time.monotonic() - started < 20
        finally:
            stopped.set()
            thread.join()


def test_after_an_error_nobody_waits_for_other_answers(listener: Listener) -> None:
    slow = threading.Event()

    def answer(body: dict[str, Any], _: int) -> Answer:
        if body["messages"][-1]["content"] == "slow":
            slow.wait(10)
            return said("late")
        return 404, {}, {}

    listener.answer = answer
    started = time.monotonic()
    with pytest.raises(ModelServerError, match="404"):
        run(listener.address, ["slow", "b"], concurrency=2)
    assert time.monotonic() - started < 5
    slow.set()
