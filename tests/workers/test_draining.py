"""Workers as processes: drained while Redis is away, started on a drained host, and of two versions at once."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.faults.stack import Stack
from tests.newer_docmill import BORNE, NEWER, environment_of, newer_docmill
from tests.servers import missing_redis, until

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.skipif(missing_redis(), reason="no Redis")]

HOST = os.uname().nodename
#: Each takes 0.1 s.
TEXTS = [f"text {number}" for number in range(120)]


@pytest.fixture
def stack() -> Iterator[Stack]:
    stack = Stack("sqlite", n_workers=1)
    yield stack
    stack.stop()


def workers(stack: Stack) -> dict[str, Any]:
    """By launcher: the states of its workers."""
    found: dict[str, Any] = {}
    for pid, state in stack.rows("SELECT pid, state FROM v_workers WHERE role = 'worker'"):
        found.setdefault(pid, set()).add(state)
    return found


def finish(stack: Stack, job_id: int) -> None:
    """Wait for the end of a job; each document has one result, and no process died."""
    until(lambda: stack.state(job_id) == "finished", "the end of the job", 60)
    counts = stack.rows("SELECT state, COUNT(*) FROM outcome WHERE job_id = :job GROUP BY state", job=job_id)
    assert [tuple(row) for row in counts] == [("ok", len(TEXTS))]
    [faults] = stack.rows("SELECT SUM(n_crashes), SUM(n_lost), SUM(n_put_back) FROM chunk")
    assert tuple(faults) == (0, 0, 0)


def test_a_host_is_drained_while_redis_is_away_and_nothing_is_lost(stack: Stack) -> None:
    stack.start(TEXTS)
    assert stack.launcher is not None
    job_id = stack.submit(per_chunk=60, seconds=0.05)
    until(lambda: stack.n_done(job_id) > 0, "the first results")
    stack.redis.kill()

    said = stack.run("workers", "drain", HOST, "--wait", "--timeout", "50")

    assert said.returncode == 0, said.stdout + said.stderr
    assert stack.launcher.poll() is None, "it stays up"
    assert psutil.Process(stack.launcher.pid).children() == []
    assert not stack.rows("SELECT id FROM chunk WHERE state = 'leased'")
    done = stack.n_done(job_id)
    assert 0 < done < len(TEXTS)

    stack.redis.start()
    twin = stack.docmill(
        "worker",
        "--devices",
        "cpu:1",
        "--kinds",
        "oracle",
        environment={"DOCMILL_HOME": str(stack.folder / "twin")},
    )
    until(lambda: workers(stack).get(twin.pid) == {"drained"}, "a worker that starts on the drained host", 30)
    assert psutil.Process(twin.pid).children() == []
    assert stack.n_done(job_id) == done
    twin.terminate()

    assert stack.run("workers", "undrain", HOST).returncode == 0
    finish(stack, job_id)
    twin.wait(20)
    until(lambda: workers(stack) == {stack.launcher.pid: {"idle"}}, "the worker at rest", 30)  # type: ignore[union-attr]


# --- two versions --------------------------------------------------------------------------------------------


def newer(stack: Stack, tree: Path, *arguments: str) -> subprocess.Popen[bytes]:
    """A command of the newer docmill, in a home of its own."""
    stack.home.mkdir(parents=True, exist_ok=True)
    own = {"DOCMILL_HOME": str(stack.folder / "newer")} | environment_of(tree)
    with (stack.folder / "newer.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "docmill.cli", *arguments],
            env=stack.environment | own, cwd=tree, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            start_new_session=True,
        )  # fmt: skip


def versions(stack: Stack, job_id: int) -> set[str]:
    """The workers that claimed a chunk of a job."""
    query = "SELECT instance FROM chunk WHERE job_id = :job AND instance IS NOT NULL"
    return {instance.partition(".")[0] for (instance,) in stack.rows(query, job=job_id)}


@pytest.mark.long
@pytest.mark.parametrize(
    ("database", "flag"),
    [
        pytest.param("sqlite", "", id="older code stops"),
        pytest.param("postgresql", BORNE, id="older code goes on"),
    ],
)
def test_old_and_new_workers_beside_each_other_across_a_migration(
    request: pytest.FixtureRequest, tmp_path: Path, database: Any, flag: str
) -> None:
    url = None
    if database == "postgresql":
        server = request.getfixturevalue("postgres_server")
        server.execute("DROP DATABASE IF EXISTS rolling WITH (FORCE)")
        server.execute("CREATE DATABASE rolling")
        url = server.url("rolling")
    stack = Stack(database, n_workers=1, url=url)
    tree = newer_docmill(tmp_path / "tree", flag)
    started: list[subprocess.Popen[bytes]] = []
    try:
        stack.start(TEXTS)
        assert stack.launcher is not None
        old = stack.launcher.pid
        job_id = stack.submit(per_chunk=8, seconds=0.1)
        until(lambda: stack.n_done(job_id) > 0, "work of the old worker")

        assert newer(stack, tree, "db", "upgrade").wait(60) == 0, (stack.folder / "newer.log").read_text()
        assert stack.store.schema() == NEWER
        started += [
            newer(stack, tree, "scheduler"),
            newer(stack, tree, "worker", "--devices", "cpu:1", "--kinds", "oracle"),
        ]
        new = started[1].pid
        until(lambda: workers(stack).get(new, {"starting"}) <= {"busy", "idle"}, "the new worker", 60)
        if flag:
            assert workers(stack)[old] <= {"busy", "idle"}
            finish(stack, job_id)
            job_id = stack.submit(per_chunk=8, seconds=0.1)
            until(lambda: len(versions(stack, job_id)) == 2, "work of both versions", 60)
            said = stack.run("workers", "drain", f"cpu-0@{HOST}", "--exit", "--wait")
            assert "name one by its instance" in said.stderr, "the new one has the same name"
            [[instance]] = stack.rows(
                "SELECT instance FROM v_workers WHERE role = 'worker' AND pid = :pid", pid=old
            )
            said = stack.run("workers", "drain", instance, "--exit", "--wait", "--timeout", "40")
            assert said.returncode == 0, said.stderr
            assert stack.launcher.wait(30) == 0
        else:
            assert workers(stack)[old] == {"outdated"}
            assert psutil.Process(old).children() == []
            assert "a newer docmill has upgraded it" in stack.log("worker")
        finish(stack, job_id)
        assert len(versions(stack, job_id)) == 2, "both versions had a part in it"
    finally:
        for process in started:
            process.terminate()
        for process in started:
            with suppress(subprocess.TimeoutExpired):
                process.wait(20)
        stack.stop()
        for process in started:
            if process.poll() is None:
                process.kill()
                process.wait()
