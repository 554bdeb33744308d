"""What a stack used in a span of time: CPU seconds of each part, WAL, transactions."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

import psutil
from sqlalchemy import text

from db.store import Store


@dataclass(frozen=True)
class Used:
    """Totals so far; the difference of two is what was used between them."""

    postgres_cpu: float
    redis_cpu: float
    scheduler_cpu: float
    worker_cpu: float
    wal_bytes: float
    transactions: float

    def __sub__(self, before: Used) -> Used:
        return Used(*(getattr(self, f.name) - getattr(before, f.name) for f in fields(self)))


@dataclass(frozen=True)
class Parts:
    """The processes of a stack."""

    #: PostgreSQL's folder: it names the postmaster in postmaster.pid.
    postgres: Path
    redis: int
    scheduler: int
    workers: tuple[int, ...]

    def used(self, store: Store) -> Used:
        postmaster = int((self.postgres / "data" / "postmaster.pid").read_text().split()[0])
        with store.read() as session:
            wal = session.execute(text("SELECT pg_current_wal_lsn() - '0/0'::pg_lsn")).scalar_one()
            transactions = session.execute(
                text("SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()")
            ).scalar_one()
        return Used(
            postgres_cpu=cpu_of_tree(postmaster),
            redis_cpu=cpu_of_tree(self.redis),
            scheduler_cpu=cpu_of_tree(self.scheduler),
            worker_cpu=sum(map(cpu_of_tree, self.workers)),
            wal_bytes=float(wal),
            transactions=float(transactions),
        )


def cpu_of_tree(pid: int) -> float:
    """CPU seconds of a process, its children, and those of its children that have ended."""
    total = 0.0
    top = psutil.Process(pid)
    for process in [top, *top.children(recursive=True)]:
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system
        if process.pid == pid:
            total += times.children_user + times.children_system
    return total


def bytes_of(store: Store) -> float:
    """The size of the database."""
    with store.read() as session:
        return float(session.execute(text("SELECT pg_database_size(current_database())")).scalar_one())
