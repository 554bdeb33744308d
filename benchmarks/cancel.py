"""The effect of cancelling a large job on other jobs: the time from submitting a small job to its last outcome, while a
job of a million documents is being cancelled, compared with the time without it.

    python -m benchmarks.cancel [--documents 1000000] [--small 500]

On each database, the large job is submitted with priority 0 and cancelled. Until it has ended, small jobs of two chunks
are submitted one after the other, and processed by a real worker through a real Redis. Before that, the same is
measured without the large job.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import redis as redis_client
from sqlalchemy import text

from benchmarks import report, servers
from benchmarks.queue import KIND, _add, _environment, background, wait_for_end

#: The minimum number of small jobs that are measured.
LEAST = 20


def measure(url: str, home: Path, socket: str, n_giant: int, n_small: int) -> dict[str, Any]:
    """The seconds of small jobs during the cancelling, and without it."""
    environment = _environment(url, home, socket)
    os.environ.update(environment)
    from workers.settings import settings

    settings.cache_clear()
    from db import jobs, migrations
    from db.store import Store
    from scheduler import requests
    from scheduler.requests import JobRequest
    from workers.kinds import all_kinds

    all_kinds.cache_clear()
    store = Store(url)
    migrations.upgrade(store)
    _add(store, "giant", n_giant)
    _add(store, "small", n_small)

    def small_job() -> float:
        began = time.perf_counter()
        with store.write() as session:
            job_id = requests.submit(session, JobRequest(KIND, "small", priority=9)).job_id
        while _n_done(store, job_id) < n_small:
            time.sleep(0.02)
        took = time.perf_counter() - began
        wait_for_end(store, job_id)
        return took

    me = [sys.executable, "-m", "docmill.cli"]
    with (
        background("scheduler", [*me, "scheduler"], environment, home),
        background("worker", [*me, "worker", "--devices", "cpu:1", "--kinds", KIND], environment, home),
    ):
        for _ in range(3):
            small_job()
        alone = [small_job() for _ in range(LEAST)]
        with store.write() as session:
            giant = requests.submit(session, JobRequest(KIND, "giant", priority=0)).job_id
            jobs.pause(session, giant)
        began = time.perf_counter()
        with store.write() as session:
            jobs.stop(session, giant, "CANCELLED", "asked for")
        asked = time.perf_counter() - began
        beside = []
        while (ended := _state(store, giant)) != "cancelled":
            beside.append(small_job())
        took = time.perf_counter() - began
    store.close()
    if ended != "cancelled" or len(beside) < 3:
        raise SystemExit(
            f"only {len(beside)} small jobs ran while the large job was cancelled: use more --documents"
        )
    return {
        "alone": _of(alone),
        "beside": _of(beside),
        "cancel_seconds": took,
        "cancel_command_seconds": asked,
        "n_beside": len(beside),
    }


def _of(seconds: list[float]) -> dict[str, float]:
    return {"median": statistics.median(seconds), "worst": max(seconds)}


def _n_done(store: Any, job_id: int) -> int:
    query = text("SELECT COALESCE(SUM(n_ok + n_error), 0) FROM chunk WHERE job_id = :j")
    with store.read() as session:
        return int(session.execute(query, {"j": job_id}).scalar_one())


def _state(store: Any, job_id: int) -> str:
    with store.read() as session:
        return str(session.execute(text("SELECT state FROM job WHERE id = :j"), {"j": job_id}).scalar_one())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])  # type: ignore[union-attr]
    parser.add_argument(
        "--documents", type=int, default=1_000_000, help="documents of the job that is cancelled"
    )
    parser.add_argument("--small", type=int, default=500, help="documents of each small job")
    options = parser.parse_args()
    figures: dict[str, Any] = {"machine": report.machine(), "documents": options.documents}
    print(f"Cancelling {options.documents:,} documents on {figures['machine']}")
    with (
        servers.folder() as home,
        servers.redis(home / "r") as (socket, _),
        servers.postgres(home / "p") as url,
    ):
        (home / "s").mkdir()
        for name, database in (("SQLite", f"sqlite:///{home}/s/docmill.db"), ("PostgreSQL", url)):
            figures[name] = measure(database, home / "s", socket, options.documents, options.small)
            redis_client.Redis(unix_socket_path=socket).flushall()
    _show(figures)


def _show(figures: dict[str, Any]) -> None:
    rows, bars = [], {}
    for name in ("SQLite", "PostgreSQL"):
        found = figures[name]
        alone, beside = found["alone"], found["beside"]
        rows.append([name, alone["median"], beside["median"], alone["worst"], beside["worst"],
                     found["n_beside"], found["cancel_seconds"]])  # fmt: skip
        bars[f"{name}: seconds more for a small job, median"] = {
            "value": beside["median"] - alone["median"], "at_most": 1.0,
        }  # fmt: skip
        bars[f"{name}: seconds more for a small job, worst beside worst"] = {
            "value": beside["worst"] - alone["worst"], "at_most": 1.0,
        }  # fmt: skip
    columns = ["seconds of a small job", "median alone", "median beside it", "worst alone", "worst beside it",
               "jobs beside it", "cancelled in s"]  # fmt: skip
    report.table(f"While {figures['documents']:,} documents are being cancelled", columns, rows)
    report.end(figures, bars)


if __name__ == "__main__":
    main()
