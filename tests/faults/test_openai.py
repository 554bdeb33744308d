"""The official client of OpenAI over real processes, each of which is killed in the middle."""

from __future__ import annotations

import json
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from db import access
from db.access import Role
from docmill.local.embedded import free_port
from tests.faults.stack import Stack
from tests.kinds import answer
from tests.servers import until

openai = pytest.importorskip("openai")
pytestmark = [pytest.mark.stack, pytest.mark.long]

N_LINES = 1_200


class Served(Stack):
    """A stack with a web server."""

    server: subprocess.Popen[bytes] | None = None
    port = 0

    def heal(self) -> None:
        super().heal()
        if self.server is None or self.server.poll() is not None:
            self.port = self.port or free_port(8600)
            self.server = self.docmill("serve", "--port", str(self.port))
        until(self._listens, "the web server listening")

    @property
    def parts(self) -> list[subprocess.Popen[bytes]]:
        return [*super().parts, *([self.server] if self.server is not None else [])]

    def kill(self, part: str) -> None:
        """Kill -9."""
        if part == "server":
            assert self.server is not None
            self.server.kill()
            self.server.wait()
        elif part == "scheduler":
            for scheduler in self.schedulers:
                scheduler.kill()
                scheduler.wait()
        elif part == "child":
            self.busy_child().kill()
        elif part == "workers":
            self.kill_everything()
        else:
            self.redis.kill()

    def _listens(self) -> bool:
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
            return True
        return False


@pytest.fixture(params=["sqlite", "postgresql"])
def served(request: pytest.FixtureRequest) -> Iterator[Served]:
    stack = Served(request.param)
    try:
        stack.start()
        yield stack
    finally:
        stack.stop()


def _client(served: Served) -> Any:
    with served.store.write() as session:
        key = access.create_key(session, "programs", Role.SUBMIT)
    return openai.OpenAI(api_key=key, base_url=f"http://127.0.0.1:{served.port}/v1", max_retries=8)


def _lines(name: str) -> tuple[dict[str, str], bytes]:
    """(custom_id -> text, the file): some texts fail, and one kills its process."""
    texts = {f"{name}-{n}": f"{name} {n}" for n in range(N_LINES)}
    texts[f"{name}-100"], texts[f"{name}-200"] = "!raise", " "
    lines = [
        {"custom_id": key, "method": "POST", "url": "/v1/oracle", "body": {"input": text, "seconds": 0.002}}
        for key, text in texts.items()
    ]
    return texts, b"".join(json.dumps(line).encode() + b"\n" for line in lines)


def test_every_line_is_answered_once_whatever_is_killed(served: Served) -> None:
    client = _client(served)
    _upload_that_is_cut_off(served, client)
    expected: dict[str, dict[str, str]] = {}
    for name in ("one", "two", "three"):
        texts, content = _lines(name)
        file = client.files.create(file=(f"{name}.jsonl", content), purpose="batch")
        batch = client.batches.create(input_file_id=file.id, endpoint="/v1/oracle", completion_window="24h")
        expected[batch.id] = texts
    for part in ("server", "scheduler", "child", "redis", "scheduler", "workers", "server", "scheduler"):
        _something_happens(served)
        served.kill(part)
        served.heal()
    while _open(served):
        _something_happens(served)
        served.kill("scheduler")
        served.heal()
        # A scheduler that is killed again and again gets on all the same.
        _something_happens(served)
        _something_happens(served)
    for batch_id, texts in expected.items():
        _check(client, client.batches.retrieve(batch_id), texts)


def _upload_that_is_cut_off(served: Served, client: Any) -> None:
    """The server is killed while a file comes in: nobody sees a part of it."""
    whole = threading.Event()

    def upload() -> None:
        with suppress(openai.APIConnectionError):
            client.with_options(max_retries=0).files.create(
                file=("large.jsonl", b"x" * 120 * 1024**2), purpose="batch"
            )
            whole.set()

    thread = threading.Thread(target=upload)
    thread.start()
    until(lambda: served.rows("SELECT 1 FROM api_file_block LIMIT 1"), "the first block")
    served.kill("server")
    thread.join()
    served.heal()
    if not whole.is_set():
        assert client.files.list().data == []


def _steps(served: Served) -> tuple[int, int, int]:
    (found,) = served.rows(
        "SELECT (SELECT coalesce(sum(step), 0) FROM request_batch), (SELECT count(*) FROM outcome), "
        "(SELECT count(*) FROM request_batch WHERE phase <> 'done')"
    )
    return (int(found[0]), int(found[1]), int(found[2]))


def _open(served: Served) -> int:
    return _steps(served)[2]


def _something_happens(served: Served) -> None:
    """Wait until a step of a batch is made, or an outcome is written, or all is done."""
    before = _steps(served)
    until(lambda: _steps(served) != before or not _open(served), "a step", 120)


def _check(client: Any, batch: Any, texts: dict[str, str]) -> None:
    assert batch.status == "completed", batch
    found: list[str] = []
    for line in client.files.content(batch.output_file_id).text.splitlines():
        told = json.loads(line)
        found.append(told["custom_id"])
        assert told["response"]["body"]["label"] == answer(texts[told["custom_id"]])
    failed = [
        json.loads(line)["custom_id"] for line in client.files.content(batch.error_file_id).text.splitlines()
    ]
    assert sorted(number.rpartition("-")[2] for number in failed) == ["100", "200"]
    assert sorted([*found, *failed]) == sorted(texts)
    counts = batch.request_counts
    assert (counts.total, counts.completed, counts.failed) == (N_LINES, N_LINES - 2, 2)
