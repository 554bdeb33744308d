"""What a chunk costs its client and PostgreSQL, free of limits and under each limit that holds nobody back.

    python -m benchmarks.chunk_cost [--documents 10 100] [--rounds 20] [--chunks 50]

One client claims, loads and writes chunk after chunk through the functions of a real worker, in turns under each limit,
so that other work on the machine changes all figures alike. They are processor time: of the client, and of PostgreSQL.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import psutil
from sqlalchemy import event, text

from benchmarks import report, servers
from benchmarks.queue import _add
from benchmarks.simulation.measuring import cpu_of_tree

COLLECTION = "documents"
LEASE_SECONDS = 60.0

LIMITS: dict[str, dict[str, int]] = {
    "free": {},
    "chunks at once": {"chunks_at_once": 1_000},
    "documents a minute": {"documents_per_minute": 10**9},
    "device seconds": {"device_seconds_per_night": 10**9},
    "all three": {
        "chunks_at_once": 1_000,
        "documents_per_minute": 10**9,
        "device_seconds_per_night": 10**9,
    },
}


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one chunk: milliseconds of the processor, milliseconds of the clock, bytes of WAL, messages sent."""

    client_ms: float
    postgres_ms: float
    wall_ms: float
    wal_bytes: float
    messages: float

    @property
    def cpu_ms(self) -> float:
        return self.client_ms + self.postgres_ms


class Client:
    """One client, with one job whose chunks it takes."""

    def __init__(self, store: Any, per_chunk: int, n_chunks: int) -> None:
        from db import documents, jobs
        from db.chunks import ChunkSize, Holder
        from db.jobs import NewJob

        self._store = store
        self._holder = Holder("cpu-0@here", "a.1", "here")
        self._messages = 0
        event.listen(store.engine, "before_cursor_execute", self._count)
        event.listen(store.engine, "commit", self._count)
        with store.write() as session:
            collection = documents.collection_id(session, COLLECTION)
            job_id = jobs.submit(
                session,
                NewJob(
                    kind="simulated",
                    parameters={},
                    collection_id=collection,
                    chunk_size=ChunkSize(per_chunk, 10_000_000),
                ),
            ).job_id
        query = text("SELECT id FROM chunk WHERE job_id = :job ORDER BY id LIMIT :n")
        with store.write() as session:
            session.execute(
                text("UPDATE job SET state = 'running', started_at = now() WHERE id = :job"), {"job": job_id}
            )
            self._ids = iter(session.scalars(query, {"job": job_id, "n": n_chunks}).all())
            backend = session.scalar(text("SELECT pg_backend_pid()"))
        self._postmaster = psutil.Process(int(backend or 0)).ppid()

    def costs(self, n_chunks: int) -> Cost:
        """The mean cost of some more chunks."""
        wal, messages = self._wal(), self._messages
        client, postgres, wall = time.process_time(), cpu_of_tree(self._postmaster), time.perf_counter()
        for _ in range(n_chunks):
            self._run(next(self._ids))
        client, wall = time.process_time() - client, time.perf_counter() - wall
        postgres = cpu_of_tree(self._postmaster) - postgres
        messages = self._messages - messages
        return Cost(
            1000 * client / n_chunks,
            1000 * postgres / n_chunks,
            1000 * wall / n_chunks,
            (self._wal() - wal) / n_chunks,
            messages / n_chunks,
        )

    def _run(self, chunk_id: int) -> None:
        from benchmarks.simulation.light_worker import write
        from db import chunks, documents
        from nlp_tasks.kind import Document

        claim = chunks.claim_at_once(self._store, chunk_id, self._holder, LEASE_SECONDS)
        assert claim is not None, f"chunk {chunk_id} cannot be claimed"
        with self._store.look() as session:
            found = documents.texts(session, claim.document_ids)
        write(self._store, claim, [Document(row.id, row.key, row.text, row.label) for row in found])

    def _count(self, *_: Any) -> None:
        self._messages += 1

    def _wal(self) -> float:
        with self._store.read() as session:
            return float(session.scalar(text("SELECT pg_current_wal_lsn() - '0/0'::pg_lsn")) or 0)


def limit(store: Any, values: dict[str, int]) -> None:
    """Only this limit for all jobs; none if empty."""
    from db import limits
    from db.limits import Limit, Scope

    with store.write() as session:
        session.execute(text("DELETE FROM job_limit"))
        if values:
            limits.put(session, Scope(), Limit(**values))


def measure(store: Any, per_chunk: int, rounds: int, n_chunks: int, names: list[str]) -> dict[str, Cost]:
    """The median cost of a chunk under each limit, in turns."""
    client = Client(store, per_chunk, (rounds + 1) * (n_chunks + 2) * len(names))
    found: dict[str, list[Cost]] = {name: [] for name in names}
    for turn in range(rounds + 1):
        for name in names:
            limit(store, LIMITS[name])
            # The first claim learns that limits came or went.
            client.costs(2)
            cost = client.costs(n_chunks)
            if turn:
                found[name].append(cost)
    return {name: _median(some) for name, some in found.items()}


def _median(costs: list[Cost]) -> Cost:
    return Cost(*(statistics.median(getattr(cost, name) for cost in costs) for name in Cost.__slots__))


@contextmanager
def store(n_documents: int) -> Iterator[Any]:
    """A store on PostgreSQL with these documents."""
    with servers.folder() as home, servers.postgres(home / "p") as url:
        os.environ |= {
            "DOCMILL_DATABASE_URL": url,
            "DOCMILL_HOME": str(home),
            "DOCMILL_KIND_MODULES": "benchmarks.simulation.kind",
        }
        from db import migrations
        from db.store import Store

        made = Store(url)
        migrations.upgrade(made)
        _add(made, COLLECTION, n_documents)
        yield made
        made.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--documents", type=int, nargs="+", default=[10, 256], help="documents of a chunk")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--chunks", type=int, default=50, help="chunks of a turn")
    parser.add_argument("--limits", nargs="+", choices=list(LIMITS), default=list(LIMITS))
    options = parser.parse_args()
    figures: dict[str, Any] = {"machine": report.machine()}
    bars: dict[str, dict[str, float]] = {}
    for per_chunk in options.documents:
        n_chunks = (options.rounds + 1) * (options.chunks + 2) * len(options.limits)
        with store(n_chunks * per_chunk) as made:
            costs = measure(made, per_chunk, options.rounds, options.chunks, options.limits)
        free = costs[options.limits[0]]
        rows = [
            [name, cost.client_ms, cost.postgres_ms, cost.cpu_ms / free.cpu_ms, cost.wall_ms / free.wall_ms,
             cost.messages, cost.wal_bytes] for name, cost in costs.items()
        ]  # fmt: skip
        columns = [f"{per_chunk} documents", "client ms", "PostgreSQL ms", "of free, CPU", "of free, time",
                   "messages", "WAL bytes"]  # fmt: skip
        report.table("A chunk", columns, rows)
        figures[str(per_chunk)] = {name: asdict(cost) for name, cost in costs.items()}
        for name in options.limits[1:]:
            lost = 1 - free.cpu_ms / costs[name].cpu_ms
            bars[f"processor time of a limit ({name}), {per_chunk} documents"] = {
                "value": lost,
                "at_most": 0.05,
            }
    report.end(figures, bars)


if __name__ == "__main__":
    main()
