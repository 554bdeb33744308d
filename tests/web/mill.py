"""A scheduler and a worker without processes: each call takes every step that there is."""

from __future__ import annotations

import json
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import select

from db.states import ChunkState
from db.store import Store
from db.tables import Chunk
from scheduler.loop.batches import BatchMover
from scheduler.loop.moving import JobMover
from scheduler.loop.turns import Did, Turns
from workers.processes.process import Process
from workers.running import chunk_run, runners
from workers.settings import settings


class Mill:
    """What moves batches and runs chunks."""

    def __init__(self, store: Store, process: Process) -> None:
        turns = Turns(store, threading.Event())
        self.store = store
        self.batches = BatchMover(turns)
        self.jobs = JobMover(turns)
        self._process = process

    def schedule(self) -> None:
        """Every step of the scheduler, until there is none."""
        while self.batches.move() == Did.WORKED or self.jobs.move_jobs() == Did.WORKED:
            pass

    def work(self, limit: int = 1_000) -> None:
        """Chunks that are ready."""
        with self.store.read() as session:
            query = select(Chunk.id).where(Chunk.state == ChunkState.READY).order_by(Chunk.id).limit(limit)
            ready = session.scalars(query).all()
        for chunk_id in ready:
            chunk_run.run(self._process, chunk_id)

    def run_jobs(self) -> None:
        """Every job, and no step of a batch."""
        self.work()
        while self.jobs.move_jobs() == Did.WORKED:
            self.work()

    def run(self) -> None:
        """Until nothing is left to do."""
        while True:
            self.schedule()
            with self.store.read() as session:
                if not session.scalar(select(Chunk.id).where(Chunk.state == ChunkState.READY).limit(1)):
                    return
            self.work()


@contextmanager
def mill(store: Store) -> Iterator[Mill]:
    runners.resident.cache_clear()
    with tempfile.TemporaryFile("w+") as crash_file:
        process = Process(settings(), store, crash_file)
        yield Mill(store, process)
        process.watch_no_more()


def request(custom_id: str, body: Mapping[str, Any], url: str = "/v1/oracle") -> dict[str, Any]:
    """A line of an input file."""
    return {"custom_id": custom_id, "method": "POST", "url": url, "body": dict(body)}


def jsonl(lines: Sequence[Any]) -> bytes:
    """Lines of JSON."""
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


def read_jsonl(content: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in content.splitlines()]
