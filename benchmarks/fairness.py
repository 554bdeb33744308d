"""Several jobs at once: how long a small job takes behind a giant one, whether limits hold, and what they and an idle
scheduler cost.

    python -m benchmarks.fairness [--documents 1000000] [--small 500] [--only SQLite]
    python -m benchmarks.fairness --cost [--rounds 10] [--only PostgreSQL]

With two workers on each database. The small jobs come while the giant one runs and the scheduler puts its documents
into the search index, each when the one before has ended, and their time is compared with the same on the idle system.
A document takes 2 ms, without using the processor, so a chunk of 256 takes half a second.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import redis as redis_client
from sqlalchemy import text

from benchmarks import report, servers
from benchmarks.queue import KIND, _add, _environment, background, wait_for_end
from benchmarks.simulation.measuring import cpu_of_tree

STEADY = "steady"
#: Small jobs that are measured, and runs with and without limits.
TIMES = 5
IDLE_SECONDS = 60.0
#: Documents of the jobs that do nothing.
MIDDLE = 50_000
#: Under a limit, so long: it is one of documents a minute, and lets what is late by a second catch up.
LIMITED_SECONDS = 60.0


class System:
    """A store with a scheduler and two workers."""

    def __init__(self, store: Any, scheduler: psutil.Process, others: tuple[int, ...]) -> None:
        self.store = store
        self.scheduler = scheduler
        #: The launcher of the workers, and PostgreSQL.
        self._others = others

    def cpu_seconds(self) -> float:
        """What the scheduler, the workers and the database have used so far."""
        return sum(map(cpu_of_tree, (self.scheduler.pid, *self._others)))

    def submit(self, kind: str, collection: str) -> int:
        from scheduler import requests
        from scheduler.requests import JobRequest

        with self.store.write() as session:
            return requests.submit(session, JobRequest(kind, collection)).job_id

    def timed(self, kind: str, collection: str) -> float:
        """The seconds from submission to the end of a job."""
        began = time.perf_counter()
        job_id = self.submit(kind, collection)
        self.wait_for_last(job_id)
        took = time.perf_counter() - began
        wait_for_end(self.store, job_id)
        return took

    def wait_for_last(self, job_id: int) -> None:
        """Until every chunk of a job is closed."""
        query = text("SELECT count(*) FROM chunk WHERE job_id = :j AND state <> 'closed'")
        while self.scalar(query, j=job_id):
            time.sleep(0.02)

    def stop(self, job_id: int) -> None:
        from db import jobs

        with self.store.write() as session:
            jobs.stop(session, job_id, "CANCELLED", "asked for")
        while self.scalar(text("SELECT state FROM job WHERE id = :j"), j=job_id) != "cancelled":
            time.sleep(0.2)

    def scalar(self, query: Any, **values: Any) -> Any:
        with self.store.read() as session:
            return session.execute(query, values).scalar_one()

    def limit(self, **values: Any) -> None:
        from db import limits
        from db.limits import Limit, Scope

        with self.store.write() as session:
            limits.put(session, Scope(), Limit(**values))

    def no_limit(self) -> None:
        from db import limits
        from db.limits import Scope

        with self.store.write() as session:
            limits.remove(session, Scope())


@contextmanager
def system(url: str, home: Path, socket: str) -> Iterator[System]:
    environment = _environment(url, home, socket) | {
        "DOCMILL_KIND_MODULES": "benchmarks.no_op_kind,benchmarks.steady_kind"
    }
    os.environ.update(environment)
    from workers.settings import settings

    settings.cache_clear()
    from db import migrations
    from db.store import Store
    from workers.kinds import all_kinds

    all_kinds.cache_clear()
    store = Store(url)
    migrations.upgrade(store)
    me = [sys.executable, "-m", "docmill.cli"]
    kinds = f"{KIND},{STEADY}"
    with (
        background("scheduler", [*me, "scheduler"], environment, home) as scheduler,
        background(
            "worker", [*me, "worker", "--devices", "cpu:2", "--kinds", kinds], environment, home
        ) as worker,
    ):
        postmaster = () if store.is_sqlite else (_postmaster(store),)
        yield System(store, psutil.Process(scheduler.pid), (worker.pid, *postmaster))
    store.close()


def _postmaster(store: Any) -> int:
    """The process of PostgreSQL whose children do the work."""
    with store.read() as session:
        backend = session.execute(text("SELECT pg_backend_pid()")).scalar_one()
    return psutil.Process(backend).ppid()


def measure(url: str, home: Path, socket: str, n_giant: int, n_small: int) -> dict[str, Any]:
    """Everything on one database."""
    from scheduler.search.indexing import index_all

    with system(url, home, socket) as here:
        _add(here.store, "small", n_small)
        _add(here.store, "middle", MIDDLE)
        here.timed(STEADY, "small")
        here.timed(KIND, "small")
        # A scheduler that puts new documents into the search index is not idle.
        index_all(here.store)
        found = {"idle": idle(here), "cost": cost(here)}
        alone = [here.timed(STEADY, "small") for _ in range(TIMES)]
        _add(here.store, "giant", n_giant)
        giant = here.submit(STEADY, "giant")
        _until_underway(here, giant)
        behind = [here.timed(STEADY, "small") for _ in range(TIMES)]
        here.stop(giant)
        found["small"] = {
            "alone": statistics.median(alone),
            "behind": statistics.median(behind),
            "worst": max(behind),
            "ratio": statistics.median(behind) / statistics.median(alone),
            "worst_ratio": max(behind) / statistics.median(alone),
        }
        found["limits"] = limits_hold(here)
    return found


def _until_underway(here: System, job_id: int) -> None:
    closed = text("SELECT count(*) FROM chunk WHERE job_id = :j AND state = 'closed'")
    while here.scalar(closed, j=job_id) < 4:
        time.sleep(0.1)


def idle(here: System) -> dict[str, float]:
    """The CPU of a scheduler with nothing to do; and on PostgreSQL its transactions, which are statements here."""
    time.sleep(3)
    is_postgres = not here.store.is_sqlite
    before, used = _transactions(here) if is_postgres else 0, sum(here.scheduler.cpu_times()[:2])
    time.sleep(IDLE_SECONDS)
    used = sum(here.scheduler.cpu_times()[:2]) - used
    found = {"cpu_percent": 100 * used / IDLE_SECONDS}
    if is_postgres:
        found["transactions_a_minute"] = (_transactions(here) - before) * 60 / IDLE_SECONDS
    return found


def _transactions(here: System) -> int:
    """Of the whole database: with those of the workers' heartbeats."""
    query = "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()"
    return int(here.scalar(text(query)))


def limits_hold(here: System) -> dict[str, float]:
    """For each limit, the share of it that was used: 1 is exactly the limit."""
    found = {}
    here.limit(chunks_at_once=1)
    most = 0

    def held() -> None:
        nonlocal most
        most = max(most, int(here.scalar(text("SELECT count(*) FROM chunk WHERE state = 'leased'"))))

    _under_limit(here, LIMITED_SECONDS / 3, held)
    found["chunks_at_once"] = float(most)
    rate = 12_000
    here.limit(documents_per_minute=rate)
    n = _under_limit(here, LIMITED_SECONDS, lambda: None)
    found["documents_per_minute"] = n / (rate / 60 * LIMITED_SECONDS)
    here.no_limit()
    here.limit(device_seconds_per_night=20)
    _under_limit(here, LIMITED_SECONDS, lambda: None)
    found["device_seconds"] = float(here.scalar(text("SELECT seconds_used FROM job_limit"))) / 20
    here.no_limit()
    return found


def _under_limit(here: System, seconds: float, look: Callable[[], None]) -> int:
    """Documents of which the work was begun in this time."""
    job_id = here.submit(STEADY, "giant")
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        look()
        time.sleep(0.05)
    query = "SELECT COALESCE(SUM(n_documents), 0) FROM chunk WHERE job_id = :j AND state <> 'ready'"
    n = int(here.scalar(text(query), j=job_id))
    here.stop(job_id)
    return n


LIMITS: dict[str, dict[str, int]] = {
    "free": {},
    "chunks_at_once": {"chunks_at_once": 1_000},
    "documents_per_minute": {"documents_per_minute": 10**9},
    "device_seconds": {"device_seconds_per_night": 10**9},
}


def cost(here: System, rounds: int = TIMES) -> dict[str, Any]:
    """A kind that does nothing, without limits and with each that holds nobody back, in turns: the medians of documents
    a second and of processor time a chunk. What a limit costs of the throughput is told by the processor time: such a
    job needs nothing else, and other work on the machine changes it less. By the clock, it is told too: the median over
    the rounds of each round's share."""
    runs: dict[str, list[tuple[float, float]]] = {name: [] for name in LIMITS}
    for _ in range(rounds):
        for name, values in LIMITS.items():
            if values:
                here.limit(**values)
            used = here.cpu_seconds()
            rate = MIDDLE / here.timed(KIND, "middle")
            chunks = here.scalar(text("SELECT count(*) FROM chunk WHERE job_id = (SELECT max(id) FROM job)"))
            runs[name].append((rate, 1000 * (here.cpu_seconds() - used) / chunks))
            if values:
                here.no_limit()
    found = {
        name: {"documents_per_second": statistics.median(rates), "cpu_ms_a_chunk": statistics.median(used)}
        for name, (rates, used) in ((name, tuple(zip(*some, strict=True))) for name, some in runs.items())
    }
    lost = {name: _lost(zip(runs["free"], some, strict=True)) for name, some in runs.items()}
    slower = {
        name: statistics.median(
            1 - rate / free for (free, _), (rate, _) in zip(runs["free"], some, strict=True)
        )
        for name, some in runs.items()
    }
    return found | {"lost": max(lost.values()), "lost_by": lost, "slower_by": slower}


def _lost(rounds: Iterable[tuple[tuple[float, float], tuple[float, float]]]) -> float:
    """The share of the throughput that a limit costs, of pairs of runs: (documents a second, processor time)."""
    return statistics.median(1 - free / used for (_, free), (_, used) in rounds)


def measure_cost(url: str, home: Path, socket: str, rounds: int) -> dict[str, Any]:
    """Only that."""
    from scheduler.search.indexing import index_all

    with system(url, home, socket) as here:
        _add(here.store, "middle", MIDDLE)
        here.timed(KIND, "middle")
        index_all(here.store)
        return cost(here, rounds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])  # type: ignore[union-attr]
    parser.add_argument("--documents", type=int, default=1_000_000, help="documents of the giant job")
    parser.add_argument("--small", type=int, default=500, help="documents of each small job")
    parser.add_argument("--only", choices=["SQLite", "PostgreSQL"], help="one database")
    parser.add_argument("--cost", action="store_true", help="only what a limit costs that holds nobody back")
    parser.add_argument("--rounds", type=int, default=TIMES, help="of --cost")
    options = parser.parse_args()
    figures: dict[str, Any] = {"machine": report.machine(), "documents": options.documents}
    what = "Limits" if options.cost else f"A job of {options.documents:,} documents and small ones"
    print(f"{what} on {figures['machine']}", flush=True)
    with (
        servers.folder() as home,
        servers.redis(home / "r") as (socket, _),
        servers.postgres(home / "p") as url,
    ):
        (home / "s").mkdir()
        for name, database in (("SQLite", f"sqlite:///{home}/s/docmill.db"), ("PostgreSQL", url)):
            if options.only in (None, name):
                figures[name] = (
                    measure_cost(database, home / "s", socket, options.rounds)
                    if options.cost
                    else measure(database, home / "s", socket, options.documents, options.small)
                )
                redis_client.Redis(unix_socket_path=socket).flushall()
    if options.cost:
        _show_cost(figures)
    else:
        _show(figures)


def _show_cost(figures: dict[str, Any]) -> None:
    bars: dict[str, dict[str, float]] = {}
    rows: list[list[Any]] = []
    for database in ("SQLite", "PostgreSQL"):
        found = figures.get(database, {"lost_by": {}})
        for name, lost in found["lost_by"].items():
            each = found[name]
            rows.append([f"{database}, {name}", each["documents_per_second"], each["cpu_ms_a_chunk"], lost,
                         found["slower_by"][name]])  # fmt: skip
            if name != "free":
                bars[f"throughput lost by {name}, {database}"] = {"value": lost, "at_most": 0.05}
    columns = ["", "documents/s", "CPU ms a chunk", "lost, by CPU", "lost, by the clock"]
    report.table(f"{MIDDLE:,} documents that do nothing", columns, rows)
    report.end(figures, bars)


def _show(figures: dict[str, Any]) -> None:
    names = [name for name in ("SQLite", "PostgreSQL") if name in figures]
    rows = []
    bars: dict[str, dict[str, float]] = {}
    for name in names:
        found = figures[name]
        small, held, lost, idle_ = found["small"], found["limits"], found["cost"], found["idle"]
        rows.append([name, small["alone"], small["behind"], small["worst"], small["ratio"], held["chunks_at_once"],
                     held["documents_per_minute"], held["device_seconds"], lost["lost"], idle_["cpu_percent"],
                     idle_.get("transactions_a_minute", "-")])  # fmt: skip
        bars |= {
            f"small job, times alone, {name}": {"value": small["ratio"], "at_most": 3.0},
            f"worst small job, times alone, {name}": {"value": small["worst_ratio"], "at_most": 3.0},
            f"chunks at once under a limit of 1, {name}": {"value": held["chunks_at_once"], "at_most": 1.0},
            f"documents a minute, of the limit, {name}": {
                "value": held["documents_per_minute"],
                "at_most": 1.05,
            },
            f"device seconds, of the limit, {name}": {"value": held["device_seconds"], "at_most": 1.05},
            f"throughput lost by limits, {name}": {"value": lost["lost"], "at_most": 0.05},
            f"percent of a core, idle, {name}": {"value": idle_["cpu_percent"], "at_most": 0.5},
        }
    columns = ["", "alone s", "behind s", "worst s", "ratio", "at once", "a minute", "a night", "lost", "idle CPU %",
               "idle tx/min"]  # fmt: skip
    report.table("Small jobs behind a giant one; limits (1 is the limit); idle", columns, rows)
    report.end(figures, bars)


if __name__ == "__main__":
    main()
