"""A night survives the death of its scheduler and of its workers: it goes on, and nothing is done twice."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from db.nights import running
from db.states import NIGHT_ENDED
from scheduler.nights import applying, reading
from tests.faults.stack import Database, Stack
from tests.servers import missing_postgres, missing_redis, until

N = 3_000
NIGHT = """
name = "texts"
collection = "texts"
[[source]]
files = "in.jsonl"
[[step]]
do = "oracle"
parameters = { seconds = 0.002 }
"""


@pytest.fixture(params=["sqlite", "postgresql"])
def stack(request: pytest.FixtureRequest) -> Iterator[Stack]:
    database: Database = request.param
    if missing := missing_redis() or (missing_postgres() if database == "postgresql" else None):
        pytest.skip(missing)
    stack = Stack(database, n_workers=2)
    yield stack
    stack.stop()


@pytest.mark.stack
@pytest.mark.slow
def test_a_night_whose_scheduler_is_killed_goes_on_and_nothing_is_done_twice(
    stack: Stack, tmp_path: Path
) -> None:
    lines = (json.dumps({"id": f"k{i}", "text": f"text {i}"}) for i in range(N))
    (tmp_path / "in.jsonl").write_text("".join(f"{line}\n" for line in lines))
    stack.start()
    night, plan = applying.run_latest(stack.store, reading.parse(NIGHT, tmp_path))
    assert plan.step("oracle").n_to_do == N

    def step(name: str) -> Any:
        with stack.store.read() as session:
            return next((row for row in running.steps_of(session, night) if row.name == name), None)

    until(lambda: step("add").state == "running", "the sources being read")
    _kill_scheduler(stack)
    until(lambda: _count(stack, "SELECT COUNT(*) FROM outcome") > 200, "some documents being done")
    _kill_scheduler(stack)
    stack.children()[0].send_signal(signal.SIGKILL)
    stack.heal()

    def has_ended() -> bool:
        with stack.store.read() as session:
            return running.by_id(session, night).state in NIGHT_ENDED

    until(has_ended, "the end of the night", 120)
    with stack.store.read() as session:
        assert running.by_id(session, night).state == "done"
    assert _count(stack, "SELECT COUNT(*) FROM job") == 1
    assert _count(stack, "SELECT COUNT(*) FROM document") == N
    assert _count(stack, "SELECT COUNT(*) FROM outcome WHERE state = 'ok'") == N


def _kill_scheduler(stack: Stack) -> None:
    stack.schedulers[0].kill()
    stack.schedulers[0].wait()
    stack.heal()


def _count(stack: Stack, query: str) -> int:
    with stack.store.read() as session:
        return int(session.execute(text(query)).scalar_one())
