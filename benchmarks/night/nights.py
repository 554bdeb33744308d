"""Nights by real processes: Redis, PostgreSQL, a scheduler and workers."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks import servers
from benchmarks.night import stores
from benchmarks.queue import background

WORKERS = 2


@contextlib.contextmanager
def running(kinds: str) -> Iterator[tuple[Any, Path]]:
    """A store that workers of these kinds work for, and a folder."""
    with (
        servers.folder() as home,
        servers.redis(home / "r") as (socket, _),
        servers.postgres(home / "p") as url,
    ):
        (home / "s").mkdir()
        environment = stores.environment(url, home / "s", socket)
        store = stores.made(url)
        me = [sys.executable, "-m", "docmill.cli"]
        with (
            background("scheduler", [*me, "scheduler"], environment, home),
            background(
                "worker", [*me, "worker", "--devices", f"cpu:{WORKERS}", "--kinds", kinds], environment, home
            ),
        ):
            yield store, home
        store.close()


def night(store: Any, toml: str, folder: Path) -> tuple[float, Any]:
    """Plan and run a night: (its seconds with the plan, the plan)."""
    from db.nights import running as nights
    from db.states import NIGHT_ENDED
    from scheduler.nights import applying, reading

    began = time.perf_counter()
    night_id, plan = applying.run_latest(store, reading.parse(toml, folder))
    while True:
        with store.read() as session:
            found = nights.by_id(session, night_id)
        if found.state in NIGHT_ENDED:
            assert found.state == "done", found.note
            return time.perf_counter() - began, plan
        time.sleep(0.05)


def body(number: int) -> str:
    """A text of about ten sentences."""
    words = ("harbour", "ship", "crane", "tide", "storm", "captain", "cargo", "quay", "signal", "night")
    sentences = (
        f"The {words[(number + i) % 10]} of case {number * 7 + i} met the {words[(number * 3 + i) % 10]} near "
        f"the {words[(number // 10 + i * 7) % 10]} and left a note of {i + 2} lines."
        for i in range(10)
    )
    return " ".join(sentences)
