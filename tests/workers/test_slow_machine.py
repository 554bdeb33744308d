"""Slow is not dead, and busy is not yet at work: what keeps a lease on a machine that gives a tenth of a core."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import select

from db import chunks
from db.store import Store
from db.tables import Chunk
from tests.db.builders import a_job, the_chunk
from tests.servers import until
from tests.slow import a_tenth_of_a_core
from workers.processes import crash_reports
from workers.running.pace import Pace

ROOT = Path(__file__).parents[2]


def _spin(seconds: float) -> None:
    """Use so much CPU time."""
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


def test_pace_sees_the_work_of_any_thread_but_the_one_that_looks() -> None:
    pace = Pace()
    busy = threading.Thread(target=_spin, args=(0.2,))
    busy.start()
    busy.join()
    _spin(0.3)
    seen: list[bool] = []
    looker = threading.Thread(target=lambda: seen.append(pace.look()))
    looker.start()
    looker.join()
    assert seen == [True]
    assert 0.29 < pace.spent < 1.0, "the busiest thread's, not all together"


def test_pace_sees_nothing_where_all_threads_wait() -> None:
    pace = Pace()
    ended = threading.Event()
    seen: list[bool] = []

    def look() -> None:
        while not ended.wait(0.05):
            seen.append(pace.look())

    looker = threading.Thread(target=look)
    looker.start()
    time.sleep(0.5)
    ended.set()
    looker.join()
    assert len(seen) > 2
    assert not any(seen[1:]), "the looking itself is no work"


def test_a_beat_forgives_what_was_spent() -> None:
    pace = Pace()
    _spin(0.1)
    looker = threading.Thread(target=pace.look)
    looker.start()
    looker.join()
    assert pace.spent > 0.09
    pace.beat()
    assert pace.spent == 0.0


@dataclass(frozen=True)
class Holder:
    """A process that holds a chunk, and what it is at."""

    process: subprocess.Popen[str]
    crash_file: Path


@contextmanager
def hold(store: Store, what: str, folder: Path, lease: float) -> Iterator[Holder]:
    """Start it and wait until it holds a chunk of a fresh job, with a lease of this many seconds."""
    chunk_id = the_chunk(store, a_job(store)).id
    crash_file = folder / f"{what}.txt"
    with subprocess.Popen(
        [sys.executable, "-m", "tests.workers.holding", str(chunk_id), str(crash_file), what],
        env=os.environ | {"DOCMILL_LEASE_SECONDS": str(lease), "DOCMILL_LOAD_SECONDS": "60"},
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "holds\n"
            yield Holder(process, crash_file)
        finally:
            process.kill()


def leased_until(store: Store) -> datetime:
    """The end of the lease of the one chunk that is held."""
    with store.read() as session:
        return session.scalars(select(Chunk.lease_until).where(Chunk.lease_until.is_not(None))).one()


def reaped(store: Store) -> Sequence[int]:
    """The chunks whose lease has run out."""
    with store.write() as session:
        return chunks.reap(session)


def test_a_single_call_at_a_tenth_of_a_core_keeps_the_lease(
    sqlite_store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes several leases, and can say nothing while it lasts."""
    lease = 6.0  # seconds; long enough for a renewal to be late on a busy machine
    monkeypatch.setenv("DOCMILL_DATABASE_URL", str(sqlite_store.url))
    with hold(sqlite_store, "work 1.5", tmp_path, lease) as holder:
        started = time.monotonic()
        lost: list[int] = []

        def has_ended() -> bool:
            lost.extend(reaped(sqlite_store))
            time.sleep(0.2)  # looking takes the store's lock, and this machine's time
            return holder.process.poll() is not None

        with a_tenth_of_a_core([holder.process.pid]):
            until(has_ended, "the end of the call", 120)
        assert time.monotonic() - started > 1.5 * lease, "else this shows nothing"
        assert lost == []
        said, _ = holder.process.communicate()
        assert (holder.process.returncode, said) == (0, "done\n")


@pytest.mark.parametrize("how", ["hang", "spin", "stuck"])
def test_what_hangs_loses_the_lease_and_ends_with_a_traceback(
    sqlite_store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """Asleep, busy, and busy in a call that lets no other thread of Python run."""
    lease = 2.0
    monkeypatch.setenv("DOCMILL_DATABASE_URL", str(sqlite_store.url))
    with hold(sqlite_store, how, tmp_path, lease) as holder:
        at_first = leased_until(sqlite_store)
        holder.process.communicate(timeout=60)
        assert holder.process.returncode == 1, "faulthandler ended it"
        if how == "hang":
            later = (leased_until(sqlite_store) - at_first).total_seconds()
            assert later < lease / 2, "nothing renews it while no CPU time is used"
        until(lambda: reaped(sqlite_store), "the end of the lease", 2 * lease)
        _, code, detail = crash_reports.read(holder.crash_file)
        assert code == "TIMEOUT"
        assert "kinds.py" in detail or "re/__init__.py" in detail, detail


def test_a_busy_loop_at_a_tenth_of_a_core_is_found_by_its_cpu_time(
    sqlite_store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not sooner than at full speed by that measure, and not never."""
    lease = 1.0
    monkeypatch.setenv("DOCMILL_DATABASE_URL", str(sqlite_store.url))
    with hold(sqlite_store, "spin", tmp_path, lease) as holder:
        started = time.monotonic()
        with a_tenth_of_a_core([holder.process.pid]):
            holder.process.communicate(timeout=120)
        assert time.monotonic() - started > 2 * lease
        assert crash_reports.read(holder.crash_file)[1] == "TIMEOUT"
