"""Many light workers on the real scheduler, Redis and PostgreSQL.

    python -m benchmarks.simulate [--workers 10 100 1000] [--documents 10] [--seconds 1] [--for 20]

A light worker takes messages from Redis, claims, loads, sleeps for --seconds and writes, through the functions that a
real worker uses; all share a few connections, as through pgbouncer. Real workers, whose runner takes no time, are
measured beside them: what they use per chunk is what a chunk costs a client in all.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks import report, servers
from benchmarks.queue import _add, background
from benchmarks.simulation.light_worker import KIND, Figures
from benchmarks.simulation.measuring import Parts, bytes_of

#: Processes that hold the light workers, and connections of each.
PROCESSES, CONNECTIONS = 2, 12
COLLECTION_DOCUMENTS = 20_000
#: Where so large a share of the processor is in use, the machine cannot do more: idle workers wait for it.
FULL = 0.85
#: What is waited for before the measuring begins.
WARM_UP_SECONDS = 4.0


@dataclass(frozen=True)
class Stack:
    """The servers of all runs."""

    home: Path
    url: str
    socket: str
    redis: int
    store: Any
    collection: int


class Jobs(threading.Thread):
    """Submits jobs so that chunks are always ready."""

    def __init__(self, stack: Stack, per_chunk: int, ahead: int) -> None:
        super().__init__(daemon=True)
        self._stack, self._per_chunk = stack, per_chunk
        self._ahead = min(ahead, max(200, 200_000 // per_chunk))
        self.stopped = threading.Event()
        self.fill()

    def fill(self) -> None:
        from sqlalchemy import text

        query = text(
            "SELECT count(*) FROM (SELECT 1 FROM chunk WHERE state = 'ready' LIMIT 20000) AS first_ones"
        )
        while True:
            with self._stack.store.read() as session:
                if session.execute(query).scalar_one() >= self._ahead:
                    return
            submit(self._stack, self._per_chunk)

    def run(self) -> None:
        while not self.stopped.wait(1.0):
            self.fill()


def submit(stack: Stack, per_chunk: int) -> int:
    from db import jobs
    from db.chunks import ChunkSize
    from db.jobs import NewJob

    with stack.store.write() as session:
        new = NewJob(
            kind=KIND,
            parameters={},
            collection_id=stack.collection,
            chunk_size=ChunkSize(per_chunk, 10_000_000),
        )
        return jobs.submit(session, new).job_id


def run_light(stack: Stack, n_workers: int, per_chunk: int, seconds: float, span: float) -> dict[str, Any]:
    """One run with this number of light workers."""
    environment = _environment(stack, n_workers)
    n_processes = min(PROCESSES, n_workers)
    jobs = Jobs(stack, per_chunk, ahead=int(3 * n_workers / max(seconds, 0.05)) + 1_000)
    with contextlib.ExitStack() as started:
        scheduler = started.enter_context(_scheduler(stack, environment))
        workers = [
            started.enter_context(_light(n_workers // n_processes, seconds, environment))
            for _ in range(n_processes)
        ]
        jobs.start()
        time.sleep(WARM_UP_SECONDS + seconds)
        parts = Parts(stack.home / "p", stack.redis, scheduler.pid, tuple(worker.pid for worker in workers))
        figures = _measure(stack, parts, span, lambda: _sum(workers))
        jobs.stopped.set()
        jobs.join()
    _cancel_all(stack)
    return {"workers": n_workers, "documents_per_chunk": per_chunk, "chunk_seconds": seconds, **figures}


def run_real(stack: Stack, n_workers: int, per_chunk: int, span: float) -> dict[str, Any]:
    """The same with real workers, whose runner takes no time."""
    environment = _environment(stack, n_workers)
    jobs = Jobs(stack, per_chunk, ahead=4_000)
    worker = [sys.executable, "-m", "docmill.cli", "worker", "--devices", f"cpu:{n_workers}", "--kinds", KIND]
    with contextlib.ExitStack() as started:
        scheduler = started.enter_context(_scheduler(stack, environment))
        launcher = started.enter_context(background("worker", worker, environment, stack.home))
        _await_first(stack)
        jobs.start()
        time.sleep(WARM_UP_SECONDS)
        parts = Parts(stack.home / "p", stack.redis, scheduler.pid, (launcher.pid,))
        figures = _measure(stack, parts, span, lambda: _closed(stack))
        jobs.stopped.set()
        jobs.join()
    _cancel_all(stack)
    return {"workers": n_workers, "documents_per_chunk": per_chunk, **figures}


def _measure(stack: Stack, parts: Parts, span: float, count: Any) -> dict[str, Any]:
    before, counted, size, start = parts.used(stack.store), count(), bytes_of(stack.store), time.monotonic()
    time.sleep(span)
    used, done, seconds = parts.used(stack.store) - before, count() - counted, time.monotonic() - start
    n = max(1, done.n_chunks)
    found: dict[str, Any] = {
        "seconds": seconds,
        "chunks": done.n_chunks,
        "chunks_per_second": n / seconds,
        "client_cpu_ms": 1000 * used.worker_cpu / n,
        "postgres_cpu_ms": 1000 * used.postgres_cpu / n,
        "scheduler_cpu_ms": 1000 * used.scheduler_cpu / n,
        "redis_cpu_ms": 1000 * used.redis_cpu / n,
        "wal_bytes": used.wal_bytes / n,
        "store_bytes": (bytes_of(stack.store) - size) / n,
        "transactions": used.transactions / n,
        "cores": (used.worker_cpu + used.postgres_cpu + used.scheduler_cpu + used.redis_cpu) / seconds,
    }
    spent = (
        done.idle_seconds + done.claim_seconds + done.load_seconds + done.sleep_seconds + done.write_seconds
    )
    if spent:
        found |= {
            "idle_share": done.idle_seconds / spent,
            "store_share": (done.claim_seconds + done.load_seconds + done.write_seconds) / spent,
            "round_trips": done.n_exchanges / n,
            "claim_ms": 1000 * done.claim_seconds / n,
            "write_ms": 1000 * done.write_seconds / n,
            "stale": done.n_stale,
        }
    return found


def _sum(workers: list[subprocess.Popen[bytes]]) -> Figures:
    total = Figures()
    for worker in workers:
        worker.send_signal(signal.SIGUSR1)
        assert worker.stdout is not None
        found = Figures(**json.loads(worker.stdout.readline()))
        total = Figures(**{name: value + getattr(total, name) for name, value in asdict(found).items()})
    return total


def _closed(stack: Stack) -> Figures:
    from sqlalchemy import text

    with stack.store.read() as session:
        row = session.execute(
            text("SELECT count(*), COALESCE(SUM(n_documents), 0) FROM chunk WHERE closed_at IS NOT NULL")
        ).one()
    return Figures(n_chunks=int(row[0]), n_documents=int(row[1]))


def _await_first(stack: Stack) -> None:
    """Until a real worker has closed a chunk."""
    before = _closed(stack).n_chunks
    end = time.monotonic() + 120
    while _closed(stack).n_chunks == before:
        if time.monotonic() > end:
            raise SystemExit(f"no worker works: see {stack.home}/worker.log")
        time.sleep(0.2)


def _cancel_all(stack: Stack) -> None:
    """Let nothing be ready for the next run: what is left of the jobs is taken away with them."""
    import redis as redis_client
    from sqlalchemy import text

    with stack.store.write() as session:
        session.execute(text("SET LOCAL session_replication_role = replica"))
        for table in ("classification", "outcome", "chunk", "job"):
            session.execute(text(f"DELETE FROM {table}"))
    with stack.store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("COMMIT")
        connection.exec_driver_sql("VACUUM")
    redis_client.Redis(unix_socket_path=stack.socket).flushall()


def _environment(stack: Stack, n_workers: int) -> dict[str, str]:
    return {
        "DOCMILL_DATABASE_URL": stack.url,
        "DOCMILL_HOME": str(stack.home / "s"),
        "DOCMILL_REDIS_URL": f"unix://{stack.socket}",
        "DOCMILL_KIND_MODULES": "benchmarks.simulation.kind",
        # At least one message for each worker, and one for its next chunk.
        "DOCMILL_WINDOW": str(max(64, 2 * n_workers)),
    }


def _scheduler(stack: Stack, environment: dict[str, str]) -> Any:
    command = [sys.executable, "-m", "docmill.cli", "scheduler"]
    return background("scheduler", command, environment, stack.home)


@contextlib.contextmanager
def _light(n_threads: int, seconds: float, environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "benchmarks.simulation.light_worker"]
    command += ["--threads", str(n_threads), "--seconds", str(seconds), "--connections", str(CONNECTIONS)]
    process = subprocess.Popen(command, env=os.environ | environment, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        if process.stdout.readline() != b"ready\n":
            raise SystemExit("a process of light workers does not start")
        yield process
    finally:
        process.kill()
        process.communicate()


@contextlib.contextmanager
def started() -> Iterator[Stack]:
    """Servers, tables and documents."""
    with (
        servers.folder() as home,
        servers.redis(home / "r") as (socket, redis_process),
        servers.postgres(home / "p") as url,
    ):
        (home / "s").mkdir()
        os.environ.update(
            DOCMILL_DATABASE_URL=url,
            DOCMILL_HOME=str(home / "s"),
            DOCMILL_KIND_MODULES="benchmarks.simulation.kind",
        )
        from db import documents, migrations
        from db.store import Store
        from scheduler.search.indexing import index_all

        store = Store(url)
        migrations.upgrade(store)
        _add(store, "simulated", COLLECTION_DOCUMENTS)
        index_all(store)
        with store.read() as session:
            collection = documents.collection_id(session, "simulated")
        yield Stack(home, url, socket, redis_process.pid, store, collection)
        store.close()


COLUMNS = {
    "workers": "workers", "documents_per_chunk": "documents", "chunk_seconds": "s a chunk",
    "chunks_per_second": "chunks/s", "idle_share": "idle", "store_share": "claim+load+write",
    "client_cpu_ms": "client ms", "postgres_cpu_ms": "PostgreSQL ms", "scheduler_cpu_ms": "scheduler ms",
    "redis_cpu_ms": "Redis ms", "round_trips": "round trips", "wal_bytes": "WAL bytes", "store_bytes": "store bytes",
    "cores": "cores used",
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])  # type: ignore[union-attr]
    parser.add_argument("--workers", type=int, nargs="+", default=[10, 100, 1000])
    parser.add_argument("--documents", type=int, nargs="+", default=[10], help="documents of a chunk")
    parser.add_argument("--seconds", type=float, default=1.0, help="how long a chunk takes a light worker")
    parser.add_argument("--for", type=float, default=20.0, dest="span", help="seconds that are measured")
    parser.add_argument("--real", type=int, default=2, help="real workers; 0 for none")
    options = parser.parse_args()
    print(f"on {report.machine()}")
    light, real = [], []
    with started() as stack:
        for per_chunk in options.documents:
            for n_workers in options.workers:
                light.append(run_light(stack, n_workers, per_chunk, options.seconds, options.span))
            largest = light[-1]
            if largest["chunks_per_second"] < 0.9 * largest["workers"] / options.seconds:
                # More than the machine can: the same workers at a pace that it can, with a third to spare.
                seconds = largest["workers"] / (0.67 * largest["chunks_per_second"])
                light.append(run_light(stack, largest["workers"], per_chunk, seconds, options.span))
            if options.real:
                real.append(run_real(stack, options.real, per_chunk, options.span))
    report.table(
        "Light workers; all figures for one chunk", list(COLUMNS.values()), [_row(each) for each in light]
    )
    report.table("Real workers", list(COLUMNS.values()), [_row(each) for each in real])
    bars = {
        f"idle share of {each['workers']:,} workers at {each['chunk_seconds']:.3g} s a chunk": {
            "value": each["idle_share"],
            "at_most": 0.05,
        }
        for each in light
        if each["cores"] < FULL * (os.cpu_count() or 1)
    }
    bars["PostgreSQL CPU, ms a chunk"] = {
        "value": min(each["postgres_cpu_ms"] for each in light),
        "at_most": 1.0,
    }
    bars["light client CPU, ms a chunk"] = {
        "value": min(each["client_cpu_ms"] for each in light),
        "at_most": 2.0,
    }
    if real:
        bars["real client CPU, ms a chunk"] = {
            "value": min(each["client_cpu_ms"] for each in real),
            "at_most": 9.5,
        }
    report.end({"machine": report.machine(), "light": light, "real": real}, bars)


def _row(found: dict[str, Any]) -> list[Any]:
    return [found.get(name, "") for name in COLUMNS]


if __name__ == "__main__":
    main()
