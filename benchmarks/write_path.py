"""Rows a second of a worker's results on PostgreSQL, beside SQLAlchemy's `add_all` and a bare COPY of the same rows.

    python -m benchmarks.write_path [--documents 256 4000] [--rounds 7]

docmill writes an outcome and a result row for each document, counts them and closes the chunk, guarded by the chunk's
fence, in one transaction. `add_all` writes the same two rows for each document as mapped objects, COPY as two bare
COPYs into the same tables, each in one transaction. All three in turns; the time is the processor's, of the client and
of PostgreSQL, because other work on the machine changes it less.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import psutil
from sqlalchemy import text

from benchmarks import report
from benchmarks.chunk_cost import COLLECTION, LEASE_SECONDS, store
from benchmarks.simulation.measuring import cpu_of_tree

#: In a turn, but at least one chunk.
MOST_DOCUMENTS = 2_048
ROWS_A_DOCUMENT = 2


@dataclass(frozen=True, slots=True)
class Work:
    """A job, and the results of its chunks."""

    job_id: int
    claims: list[Any]


class Writing:
    """The three ways to write the results of a job."""

    def __init__(self, made: Any, per_chunk: int) -> None:
        self._store, self._per_chunk = made, per_chunk
        with made.read() as session:
            self._postmaster = psutil.Process(int(session.scalar(text("SELECT pg_backend_pid()")))).ppid()

    def rates(self, way: Callable[[Work], None]) -> tuple[float, float]:
        """Rows for each second of the processor, and of the clock."""
        work = self._work()
        cpu, wall = self._cpu(), time.perf_counter()
        way(work)
        cpu, wall = self._cpu() - cpu, time.perf_counter() - wall
        n = ROWS_A_DOCUMENT * sum(len(claim.document_ids) for claim in work.claims)
        return n / cpu, n / wall

    def docmill(self, work: Work) -> None:
        from benchmarks.simulation.kind import SimulatedRow
        from db import chunks
        from nlp_tasks.kind import Document
        from workers.running.writing import as_written

        for claim in work.claims:
            done = [(Document(id_, "", ""), [SimulatedRow(1, "label", 0.5)]) for id_ in claim.document_ids]
            written = as_written(done, with_outcomes=True)
            chunks.write_at_once(self._store, claim, written, LEASE_SECONDS, close=True)

    def add_all(self, work: Work) -> None:
        from db.tables import Classification, Outcome

        for claim in work.claims:
            with self._store.write() as session:
                session.add_all(
                    Outcome(job_id=work.job_id, document_id=id_, state="ok") for id_ in claim.document_ids
                )
                session.add_all(
                    Classification(job_id=work.job_id, document_id=id_, rank=1, label="label", score=0.5)
                    for id_ in claim.document_ids
                )

    def copy(self, work: Work) -> None:
        from datetime import UTC, datetime

        for claim in work.claims:
            now = datetime.now(UTC)
            with self._store.write() as session:
                driver: Any = session.connection().connection.driver_connection
                with driver.cursor() as cursor:
                    with cursor.copy(
                        "COPY outcome (job_id, document_id, state, written_at) FROM STDIN"
                    ) as rows:
                        for id_ in claim.document_ids:
                            rows.write_row((work.job_id, id_, "ok", now))
                    into = "COPY classification (job_id, document_id, rank, label, score) FROM STDIN"
                    with cursor.copy(into) as rows:
                        for id_ in claim.document_ids:
                            rows.write_row((work.job_id, id_, 1, "label", 0.5))

    def _work(self) -> Work:
        from db import chunks, documents, jobs
        from db.chunks import ChunkSize, Holder
        from db.jobs import NewJob

        with self._store.write() as session:
            collection = documents.collection_id(session, COLLECTION)
            size = ChunkSize(self._per_chunk, 10_000_000)
            job_id = jobs.submit(session, NewJob("simulated", {}, collection, chunk_size=size)).job_id
        with self._store.read() as session:
            ids = session.scalars(
                text("SELECT id FROM chunk WHERE job_id = :job ORDER BY id"), {"job": job_id}
            ).all()
        holder = Holder("cpu-0@here", "a.1", "here")
        found = [chunks.claim_at_once(self._store, id_, holder, LEASE_SECONDS) for id_ in ids]
        return Work(job_id, found)

    def _cpu(self) -> float:
        return time.process_time() + cpu_of_tree(self._postmaster)


def measure(made: Any, per_chunk: int, rounds: int) -> dict[str, tuple[float, float]]:
    """The median rates of each way."""
    writing = Writing(made, per_chunk)
    ways = {"docmill": writing.docmill, "add_all": writing.add_all, "bare COPY": writing.copy}
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for turn in range(rounds + 1):
        for name, way in ways.items():
            rates = writing.rates(way)
            if turn:
                found[name].append(rates)
    return {
        name: (statistics.median(cpu for cpu, _ in some), statistics.median(wall for _, wall in some))
        for name, some in found.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--documents", type=int, nargs="+", default=[256, 4000], help="documents of a chunk")
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    figures: dict[str, Any] = {"machine": report.machine()}
    bars: dict[str, dict[str, float]] = {}
    for per_chunk in options.documents:
        with store(max(1, MOST_DOCUMENTS // per_chunk) * per_chunk) as made:
            found = measure(made, per_chunk, options.rounds)
        rows = [[name, round(cpu), round(wall)] for name, (cpu, wall) in found.items()]
        report.table(f"Chunks of {per_chunk:,} documents", ["", "rows / CPU second", "rows / second"], rows)
        figures[str(per_chunk)] = found
        mine = found["docmill"][0]
        bars[f"docmill / add_all, {per_chunk:,} documents"] = {
            "value": mine / found["add_all"][0],
            "at_least": 5.0,
        }
        bars[f"docmill / bare COPY, {per_chunk:,} documents"] = {
            "value": mine / found["bare COPY"][0],
            "at_least": 0.5,
        }
    report.end(figures, bars)


if __name__ == "__main__":
    main()
