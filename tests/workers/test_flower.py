"""What Celery counts as failed and Flower shows, with a real worker and a real Flower."""

from __future__ import annotations

import base64
import json
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pytest

from tests.faults.stack import Stack
from tests.security.production import free_port
from tests.servers import missing_redis, until

pytestmark = [pytest.mark.stack, pytest.mark.slow]

PASSWORD = "me:secret"
#: Collections, and what becomes of their documents.
FAILING = ("!raise", "!raise", "   ")
MIXED = ("fine", "!raise", "well")
GOOD = ("fine", "well")


@dataclass
class Watched:
    """The stack, and its Flower."""

    stack: Stack
    port: int

    def ask(self, path: str) -> str:
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}")
        request.add_header("Authorization", "Basic " + base64.b64encode(PASSWORD.encode()).decode())
        with urllib.request.urlopen(request, timeout=30) as answer:
            body: str = answer.read().decode()
        return body

    def answers(self) -> bool:
        with suppress(OSError):
            return bool(self.ask("/api/workers?refresh=1") != "{}")
        return False

    def tasks_of(self, job_id: int) -> list[dict[str, Any]]:
        tasks = json.loads(self.ask("/api/tasks")).values()
        return [task for task in tasks if f"job {job_id}," in str(task["args"])]

    def ended(self, job_id: int) -> dict[str, Any]:
        """The one task of a job, once Flower knows its end."""

        def found() -> dict[str, Any] | None:
            tasks = self.tasks_of(job_id)
            return tasks[0] if tasks and tasks[0]["state"] in ("SUCCESS", "FAILURE") else None

        task: dict[str, Any] = until(found, f"the end of job {job_id} in Flower")
        return task


@pytest.fixture(scope="module")
def watched() -> Iterator[Watched]:
    if missing := missing_redis():
        pytest.skip(missing)
    stack = Stack("sqlite", n_workers=1)
    port = free_port()
    flower = None
    try:
        stack.start(GOOD)
        stack.add(FAILING, "failing")
        stack.add(MIXED, "mixed")
        flower = stack.docmill("flower", "--port", str(port), environment={"FLOWER_BASIC_AUTH": PASSWORD})
        watched = Watched(stack, port)
        until(watched.answers, "Flower's workers")
        yield watched
    finally:
        if flower is not None:
            flower.terminate()
            flower.wait(30)
        stack.stop()


def run(watched: Watched, collection: str) -> int:
    job_id = watched.stack.submit(collection, seconds=0)
    until(lambda: watched.stack.state(job_id) == "finished", f"the end of job {job_id}")
    return job_id


def test_a_chunk_with_nothing_but_errors_is_a_failure_with_its_cause(watched: Watched) -> None:
    job_id = run(watched, "failing")

    task = watched.ended(job_id)
    assert task["state"] == "FAILURE"
    assert "3 documents: 0 ok, 3 errors (RUNNER_ERROR 2, EMPTY_TEXT 1)" in task["exception"]
    page = watched.ask(f"/task/{task['uuid']}")
    assert "FAILURE" in page
    assert "RUNNER_ERROR 2, EMPTY_TEXT 1" in page
    # Celery's failure changes nothing in the store, and sends nothing again.
    codes = watched.stack.rows("SELECT error_code FROM outcome WHERE job_id = :job", job=job_id)
    assert sorted(code for (code,) in codes) == ["EMPTY_TEXT", "RUNNER_ERROR", "RUNNER_ERROR"]
    assert [tuple(row) for row in watched.stack.rows(
        "SELECT n_ok, n_error, n_crashes, n_put_back, fence FROM chunk WHERE job_id = :job", job=job_id
    )] == [(0, 3, 0, 0, 1)]  # fmt: skip
    assert len(watched.tasks_of(job_id)) == 1
    [worker] = json.loads(watched.ask("/api/workers?refresh=1")).values()
    assert worker


def test_a_partly_failed_chunk_says_so_in_its_result(watched: Watched) -> None:
    task = watched.ended(run(watched, "mixed"))

    assert task["state"] == "SUCCESS"
    assert "3 documents: 2 ok, 1 errors (RUNNER_ERROR 1)" in task["result"]


def test_a_good_chunk_is_a_success(watched: Watched) -> None:
    task = watched.ended(run(watched, "texts"))

    assert task["state"] == "SUCCESS"
    assert "2 documents: 2 ok, 0 errors" in task["result"]


def test_the_log_tells_of_a_failed_chunk_in_one_line(watched: Watched) -> None:
    run(watched, "failing")
    log = watched.stack.log("worker")

    [*_, line] = [line for line in log.splitlines() if "raised expected: ChunkFailedError" in line]
    assert "3 documents: 0 ok, 3 errors" in line
    assert "Traceback" not in log
