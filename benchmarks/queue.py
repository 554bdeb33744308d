"""The cost of the queue: documents per second through Redis and SQL, compared with plain Celery.

    python -m benchmarks.queue [--documents 100000] [--million 1000000]

docmill: a job over the documents is fed, claimed, run by a runner that does nothing, and its outcomes are written to
SQL (durably), by two workers. Plain Celery: one message per document, a task that does nothing, results in Redis, by
two workers of the same kind. The time is from submission to the last result.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import redis as redis_client
from sqlalchemy import text

from benchmarks import report, servers

ROOT = Path(__file__).parents[1]
KIND = "nothing"


class Watcher(threading.Thread):
    """Samples Redis and the processes until it is stopped; keeps the peaks."""

    def __init__(self, socket: str, processes: dict[str, int], queue: str) -> None:
        super().__init__(daemon=True)
        self.client = redis_client.Redis(unix_socket_path=socket)
        self.processes = processes
        self.queue = queue
        self.redis_bytes = 0
        self.depth = 0
        self.rss: dict[str, int] = {}
        self.stopped = threading.Event()

    def run(self) -> None:
        base = int(self.client.info("memory")["used_memory"])
        while not self.stopped.wait(0.1):
            self.redis_bytes = max(self.redis_bytes, int(self.client.info("memory")["used_memory"]) - base)
            keys = [self.queue] + [f"{self.queue}\x06\x16{priority}" for priority in range(1, 10)]
            self.depth = max(self.depth, sum(int(self.client.llen(key)) for key in keys))
            for name, pid in self.processes.items():
                with contextlib.suppress(psutil.Error):
                    self.rss[name] = max(self.rss.get(name, 0), _tree_rss(pid))

    def stop(self) -> None:
        self.stopped.set()
        self.join()
        self.client.close()


def _tree_rss(pid: int) -> int:
    """The memory of the largest process in a tree."""
    process = psutil.Process(pid)
    return int(max(p.memory_info().rss for p in [process, *process.children(recursive=True)]))


@contextlib.contextmanager
def background(
    name: str, command: list[str], environment: dict[str, str], logs: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """A process that is ended with SIGTERM."""
    with (logs / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(command, env=os.environ | environment, cwd=ROOT, stdout=log, stderr=log)
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait()


def docmill(url: str, home: Path, socket: str, n: int) -> dict[str, Any]:
    """Run a job over n documents; returns its figures."""
    environment = _environment(url, home, socket)
    os.environ.update(environment)
    from workers.settings import settings

    settings.cache_clear()
    from db import migrations
    from db.store import Store
    from scheduler import requests
    from scheduler.requests import JobRequest
    from workers.kinds import all_kinds

    all_kinds.cache_clear()
    store = Store(url)
    migrations.upgrade(store)
    _add(store, "bench", n)
    me = sys.executable
    with (
        background("scheduler", [me, "-m", "docmill.cli", "scheduler"], environment, home) as scheduler,
        background(
            "worker",
            [me, "-m", "docmill.cli", "worker", "--devices", "cpu:2", "--kinds", KIND],
            environment,
            home,
        ) as worker,
    ):
        _run(store, JobRequest(KIND, "bench", key="warm-up"))
        watcher = Watcher(socket, {"scheduler": scheduler.pid, "worker": worker.pid}, f"docmill.{KIND}")
        watcher.start()
        started = time.perf_counter()
        with store.write() as session:
            job_id = requests.submit(session, JobRequest(KIND, "bench")).job_id
        submitted = time.perf_counter() - started
        wait_for_end(store, job_id)
        seconds = time.perf_counter() - started
        watcher.stop()
    with store.read() as session:
        ok = session.execute(
            text("SELECT count(*) FROM outcome WHERE job_id = :j AND state = 'ok'"), {"j": job_id}
        ).scalar_one()
    store.close()
    if ok != n:
        raise SystemExit(f"only {ok} of {n} documents have an outcome")
    return _figures(n, seconds, submitted, watcher) | {"window": settings().window}


def plain_celery(home: Path, socket: str, n: int) -> dict[str, Any]:
    """One message per document, Redis as result backend, two prefork workers with one process each."""
    environment = {"PLAIN_REDIS": socket}
    os.environ.update(environment)
    from benchmarks.plain_celery import nothing, sender

    me = [sys.executable, "-m", "celery", "--app", "benchmarks.plain_celery", "worker", "--concurrency", "1"]
    quiet = ["--loglevel", "WARNING", "--without-gossip", "--without-mingle"]
    with (
        background("plain-0", [*me, "-n", "a@bench", *quiet], environment, home) as first,
        background("plain-1", [*me, "-n", "b@bench", *quiet], environment, home) as second,
    ):
        for warm_up in [nothing.delay(i) for i in range(20)]:
            warm_up.get(timeout=60)
        watcher = Watcher(socket, {"worker 1": first.pid, "worker 2": second.pid}, "celery")
        watcher.start()
        client = redis_client.Redis(unix_socket_path=socket)
        started = time.perf_counter()
        with sender.producer_pool.acquire(block=True) as producer:
            for i in range(n):
                sender.send_task("nothing", (i,), producer=producer)
        submitted = time.perf_counter() - started
        # Results are keys: the run has ended when there is one for each document.
        while _results(client) < n + 20:
            time.sleep(0.2)
        seconds = time.perf_counter() - started
        watcher.stop()
        client.close()
    return _figures(n, seconds, submitted, watcher)


def _figures(n: int, seconds: float, submit_seconds: float, watcher: Watcher) -> dict[str, Any]:
    return {
        "seconds": seconds,
        "per_second": n / seconds,
        "submit_seconds": submit_seconds,
        "redis_bytes": watcher.redis_bytes,
        "depth": watcher.depth,
        "rss": watcher.rss,
    }


def _results(client: Any) -> int:
    """The number of keys with results: all except the few of the transport."""
    return (
        int(client.dbsize())
        - len(client.keys("_kombu*"))
        - len(client.keys("unacked*"))
        - len(client.keys("celery"))
    )


def million(url: str, n: int) -> dict[str, float]:
    """Seconds and peak memory of adding n short documents by the command, and of submitting a job over them."""
    with servers.folder() as home:
        path = home / "million.jsonl"
        with path.open("w", encoding="utf-8") as file:
            for i in range(n):
                file.write(f'{{"id": "m{i}", "text": "short document {i * 7919 % n}, 짧은 문서 {i}"}}\n')
        environment = {
            "DOCMILL_DATABASE_URL": url,
            "DOCMILL_HOME": str(home),
            "DOCMILL_KIND_MODULES": "benchmarks.no_op_kind",
        }
        me = [sys.executable, "-m", "docmill.cli"]
        added = _timed([*me, "add", str(path), "--collection", "million"], environment)
        submitted = _timed([*me, "submit", KIND, "--collection", "million"], environment)
    return {
        "add_seconds": added[0],
        "add_rss": added[1],
        "submit_seconds": submitted[0],
        "submit_rss": submitted[1],
    }


def _timed(command: list[str], environment: dict[str, str]) -> tuple[float, float]:
    """(seconds, peak resident memory in GB) of a command."""
    started = time.perf_counter()
    process = subprocess.Popen(command, env=os.environ | environment, cwd=ROOT, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{command[3]} failed with {status}")
    return time.perf_counter() - started, usage.ru_maxrss * 1024 / 1e9


def _environment(url: str, home: Path, socket: str) -> dict[str, str]:
    return {
        "DOCMILL_DATABASE_URL": url,
        "DOCMILL_HOME": str(home),
        "DOCMILL_REDIS_URL": f"unix://{socket}",
        "DOCMILL_KIND_MODULES": "benchmarks.no_op_kind",
    }


def _add(store: Any, collection: str, n: int) -> None:
    from db import documents
    from db.documents import NewDocument

    with store.write() as session:
        id_ = documents.collection_id(session, collection, create=True)
    made = (NewDocument(f"k{i}", f"short document {i}", None, f"bench:{i}") for i in range(n))
    for batch in documents.batches(made):
        with store.write() as session:
            documents.add(session, id_, batch)


def _run(store: Any, request: Any) -> None:
    """Run a job to the end; for warming up the workers."""
    from scheduler import requests

    with store.write() as session:
        job_id = requests.submit(session, request).job_id
    wait_for_end(store, job_id)


def wait_for_end(store: Any, job_id: int, seconds: float = float("inf")) -> None:
    """TimeoutError if the job has not finished after so long."""
    until = time.monotonic() + seconds
    while True:
        with store.read() as session:
            if (
                session.execute(text("SELECT state FROM job WHERE id = :j"), {"j": job_id}).scalar_one()
                == "finished"
            ):
                return
        if time.monotonic() > until:
            raise TimeoutError(f"job {job_id} has not finished after {seconds:.0f} s")
        time.sleep(0.1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])  # type: ignore[union-attr]
    parser.add_argument("--documents", type=int, default=100_000)
    parser.add_argument(
        "--million", type=int, default=1_000_000, help="documents for adding and submitting; 0 to skip"
    )
    options = parser.parse_args()
    n = options.documents
    figures: dict[str, Any] = {"machine": report.machine(), "documents": n}
    print(f"{n:,} documents on {figures['machine']}")
    with (
        servers.folder() as home,
        servers.redis(home / "r") as (socket, redis_process),
        servers.postgres(home / "p") as url,
    ):
        (home / "s").mkdir()
        for name, database in (("SQLite", f"sqlite:///{home}/s/docmill.db"), ("PostgreSQL", url)):
            figures[name] = docmill(database, home / "s", socket, n)
            redis_client.Redis(unix_socket_path=socket).flushall()
        figures["plain Celery"] = plain_celery(home, socket, n)
        figures["redis_rss"] = psutil.Process(redis_process.pid).memory_info().rss
        if options.million:
            figures["million"] = million(url, options.million)
    _show(figures, options.million)


def _show(figures: dict[str, Any], n_million: int) -> None:
    plain = figures["plain Celery"]["per_second"]
    rows = []
    for name in ("SQLite", "PostgreSQL", "plain Celery"):
        found = figures[name]
        found["ratio"] = found["per_second"] / plain
        rss = ", ".join(f"{who} {size / 2**20:.0f}" for who, size in found["rss"].items())
        rows.append([name, round(found["per_second"]), f"{found['ratio']:.1f}", f"{found['seconds']:.1f}",
                     f"{found['submit_seconds']:.2f}", found["depth"], found["redis_bytes"], rss])  # fmt: skip
    columns = [
        "",
        "documents/s",
        "ratio",
        "seconds",
        "submit s",
        "messages at peak",
        "Redis bytes at peak",
        "largest process, MiB",
    ]
    report.table("Through the queue", columns, rows)
    bars = {
        "SQLite, times plain Celery": {"value": figures["SQLite"]["ratio"], "at_least": 10.0},
        "PostgreSQL, times plain Celery": {"value": figures["PostgreSQL"]["ratio"], "at_least": 10.0},
        "messages in Redis, SQLite": {
            "value": figures["SQLite"]["depth"],
            "at_most": figures["SQLite"]["window"],
        },
        "messages in Redis, PostgreSQL": {
            "value": figures["PostgreSQL"]["depth"],
            "at_most": figures["PostgreSQL"]["window"],
        },
    }
    if n_million:
        found = figures["million"]
        columns = ["PostgreSQL", "seconds", "peak GB"]
        report.table(
            f"{n_million:,} short documents", columns,
            [["docmill add", found["add_seconds"], found["add_rss"]],
             ["docmill submit", found["submit_seconds"], found["submit_rss"]]],
        )  # fmt: skip
        bars |= {
            "seconds to add a million": {"value": found["add_seconds"], "at_most": 180.0},
            "GB to add a million": {"value": found["add_rss"], "at_most": 1.0},
            "seconds to submit a million": {"value": found["submit_seconds"], "at_most": 60.0},
            "GB to submit a million": {"value": found["submit_rss"], "at_most": 1.0},
        }
    report.end(figures, bars)


if __name__ == "__main__":
    main()
