"""SIGTERM ends the scheduler within 2 seconds, whatever it does at that moment or waits for."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import psycopg
import pytest

from db import jobs
from db.store import Store
from docmill.commands.processes import on_stop
from tests.db.builders import a_job, held, job_of, outcomes, the_chunk, write_ok
from tests.load import at_this_load
from tests.servers import RedisServer, until

ROOT = Path(__file__).parents[2]
#: What is promised, and the time that a busy machine of tests adds.
STOP_SECONDS = 2.0 + 1.0

pytestmark = pytest.mark.stack


@pytest.fixture
def own_redis(monkeypatch: pytest.MonkeyPatch) -> Iterator[RedisServer]:
    server = RedisServer()
    server.start()
    monkeypatch.setenv("DOCMILL_REDIS_URL", server.url)
    yield server
    server.kill()
    server.remove()


@pytest.fixture
def start(store: Store, own_redis: RedisServer, tmp_path: Path) -> Iterator[Callable[[], Running]]:
    """Starts the scheduler as a process, and returns once it works."""
    started: list[Running] = []

    def one() -> Running:
        started.append(Running(tmp_path / "scheduler.log"))
        seen = a_job(store, kind="nothing")
        until(lambda: the_chunk(store, seen).sent_at, "the scheduler at work")
        return started[-1]

    yield one
    for running in started:
        with suppress(ProcessLookupError):
            running.process.kill()
        running.process.wait()


class Running:
    """The scheduler as a process."""

    def __init__(self, log: Path) -> None:
        self.log = log
        with log.open("ab") as file:
            command = [sys.executable, "-m", "docmill.cli", "scheduler"]
            self.process = subprocess.Popen(command, cwd=ROOT, env=os.environ, stdout=file, stderr=file)

    def stops_in_time(self) -> None:
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(60) == 0, self.log.read_text()
        took = time.monotonic() - began
        assert took < at_this_load(STOP_SECONDS), f"{took:.1f} s: {self.log.read_text()}"


def test_while_there_is_nothing_to_do(start: Callable[[], Running]) -> None:
    start().stops_in_time()


def test_in_the_middle_of_cancelling_a_large_job(start: Callable[[], Running], store: Store) -> None:
    giant = a_job(store, 60_000, per_chunk=50)
    running = start()
    with store.write() as session:
        jobs.stop(session, giant, "CANCELLED", "asked for")
    until(lambda: outcomes(store, giant), "the first outcomes of the cancelled job")
    running.stops_in_time()
    assert len(outcomes(store, giant)) < 60_000
    start()
    until(lambda: job_of(store, giant).state == "cancelled", "the end of the job")
    assert list(outcomes(store, giant).values()) == ["CANCELLED"] * 60_000


def test_while_the_store_is_locked(start: Callable[[], Running], store: Store) -> None:
    running = start()
    done = a_job(store)
    if store.is_sqlite:
        path = str(store.url.database)
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            running.stops_in_time()
        return
    write_ok(store, held(store, the_chunk(store, done).id))
    host, name = store.url.query["host"], store.url.database
    with psycopg.connect(f"host={host} dbname={name} user=docmill") as connection:
        connection.execute("LOCK TABLE job, chunk, schedule IN ACCESS EXCLUSIVE MODE")
        running.stops_in_time()


def test_while_redis_hangs(start: Callable[[], Running], store: Store, own_redis: RedisServer) -> None:
    running = start()
    own_redis.freeze()
    try:
        # What needs no Redis goes on.
        done = a_job(store)
        write_ok(store, held(store, the_chunk(store, done).id))
        until(lambda: job_of(store, done).state == "finished", "the end of a job without Redis", 10)
        running.stops_in_time()
    finally:
        own_redis.thaw()


def test_while_redis_is_away(start: Callable[[], Running], own_redis: RedisServer) -> None:
    running = start()
    own_redis.kill()
    until(lambda: "redis: " in running.log.read_text(), "the loss being told")
    running.stops_in_time()


def test_a_signal_in_the_middle_of_waiting_for_it_stops_the_wait() -> None:
    """The handler sets no Event itself: interrupted in the wrong place, the main thread would wait for ever."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    stopping = threading.Event()
    try:
        on_stop(stopping.set)
        with stopping._cond:  # as Event.wait holds it, for a moment
            os.kill(os.getpid(), signal.SIGTERM)
            # The handler runs in this thread, at one of the next instructions.
            until(lambda: True, "a few instructions")
        assert stopping.wait(10)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
