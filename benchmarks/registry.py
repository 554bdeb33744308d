"""What the registry of workers costs the store: a thousand launchers write and read in PostgreSQL.

    python -m benchmarks.registry [--workers 1000] [--rounds 3]

Each launcher's writes and reads are made through the real code, one after the other. From the CPU time of one of them
follows the share of a core that all of them take from PostgreSQL.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import cast

import psutil

from benchmarks import report, servers
from db import drains, migrations, registry
from db.drains import Target
from db.states import DrainLevel
from db.store import Store, newer_schema
from tests.db.builders import LEASE, a_job, chunks_of
from workers.processes import heartbeat


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=int, default=1_000)
    parser.add_argument("--rounds", type=int, default=3, help="times that every launcher writes")
    asked = parser.parse_args()
    with servers.folder() as home, servers.postgres(home / "pg") as url:
        store = Store(url)
        migrations.upgrade(store)
        figures = _measured(store, home, asked.workers, asked.rounds)
        store.close()
    report.table(
        f"{asked.workers:,} workers registered; {report.machine()}", ["what", "value"], _rows(figures)
    )
    report.end(figures, {"share of a core": {"value": figures["share of a core"], "at_most": 0.25}})


def _measured(store: Store, home: Path, n: int, rounds: int) -> dict[str, float]:
    members = [heartbeat.member("worker", f"cpu-0@h{i}", f"{i:016x}", "cpu", ["oracle"]) for i in range(n)]
    with store.write() as session:
        registry.beat(session, members)
    _let_them_hold(store, n)

    def beat(number: int) -> None:
        with store.write() as session:
            registry.beat(session, [members[number]])

    def look(_: int) -> None:
        with store.read() as session:
            newer_schema(session)
            drains.listing(session)

    def listing(_: int) -> None:
        with store.read() as session:
            assert len(registry.listing(session)) == n

    beats, looks = _costs(home, beat, n * rounds, n), _costs(home, look, n * rounds, n)
    lists = _costs(home, listing, 5, n)
    a_second = n / registry.BEAT_SECONDS, n / heartbeat.LOOK_SECONDS
    return {
        "writes a second": a_second[0],
        "reads a second": a_second[1],
        "ms of PostgreSQL a write": beats[0] * 1e3,
        "ms of PostgreSQL a read": looks[0] * 1e3,
        "ms of the launcher a write": beats[1] * 1e3,
        "ms of the launcher a read": looks[1] * 1e3,
        "share of a core": beats[0] * a_second[0] + looks[0] * a_second[1],
        "ms of v_workers": lists[2] * 1e3,
    }


def _let_them_hold(store: Store, n: int) -> None:
    """Every worker holds a chunk, and something is drained."""
    from db import chunks
    from db.chunks import Holder

    for number, chunk in enumerate(chunks_of(store, a_job(store, n, per_chunk=1))):
        with store.write() as session:
            chunks.claim(
                session, chunk.id, Holder(f"cpu-0@h{number}", f"{number:016x}.1", f"h{number}"), LEASE
            )
    with store.write() as session:
        drains.drain(session, Target(DrainLevel.HOST, "another"), exits=False, by=None)


def _costs(home: Path, step: Callable[[int], None], times: int, n: int) -> tuple[float, float, float]:
    """(CPU seconds of PostgreSQL, CPU seconds here, seconds) of one step."""
    step(0)
    before, own, began = _cpu(home), time.process_time(), time.monotonic()
    for number in range(times):
        step(number % n)
    spent = _cpu(home) - before, time.process_time() - own, time.monotonic() - began
    return cast("tuple[float, float, float]", tuple(each / times for each in spent))


def _cpu(home: Path) -> float:
    """CPU seconds of the PostgreSQL in this folder so far."""
    pid = int((home / "pg" / "data" / "postmaster.pid").read_text().split("\n", 1)[0])
    postmaster = psutil.Process(pid)
    found = 0.0
    for process in (postmaster, *postmaster.children(recursive=True)):
        times = process.cpu_times()
        found += times.user + times.system
    return found


def _rows(figures: dict[str, float]) -> list[list[object]]:
    return [[what, value] for what, value in figures.items()]


if __name__ == "__main__":
    main()
