"""Nights in one process: a store, a folder of sources, and somebody who works off the jobs, without Redis."""

from __future__ import annotations

import json
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import text

import docmill.pages.night.step  # noqa: F401 (it registers the step digest)
from db.nights import plans, running
from db.nights.plans import Plan
from db.states import NIGHT_ENDED
from db.store import Store
from db.tables import Chunk, Job
from scheduler.loop.moving import JobMover
from scheduler.loop.turns import Turns
from scheduler.nights import applying, reading
from scheduler.nights.advancing import NightMover
from scheduler.nights.reading import NightFile
from tests.db.builders import let_backoffs_pass
from workers.processes.process import Process
from workers.running import chunk_run, runners
from workers.settings import settings

#: A night of the test's own kind.
ORACLE = """
name = "news"
collection = "news"
missing = "remove"

[[source]]
files = "in"

[[step]]
do = "oracle"
"""


class NightRun:
    """The parts of a machine that a night needs, run in turns."""

    def __init__(self, store: Store, folder: Path, process: Process) -> None:
        self.store = store
        self.folder = folder
        self.process = process
        stopping = threading.Event()
        self.mover = JobMover(Turns(store, stopping))
        self.nights = NightMover(store, "a scheduler", stopping)
        (folder / "in").mkdir(exist_ok=True)

    # --- the files of a night ------------------------------------------------------------------------------------

    def file(self, toml: str = ORACLE) -> NightFile:
        """A night's file in the folder."""
        path = self.folder / "night.toml"
        path.write_text(toml)
        return reading.read(path)

    def write(
        self, records: Mapping[str, str], labels: Mapping[str, str] | None = None, name: str = "a.jsonl"
    ) -> None:
        """The whole source: key -> text."""
        lines = [
            json.dumps(
                {"id": key, "text": body} | ({"label": labels[key]} if labels and key in labels else {})
            )
            for key, body in records.items()
        ]
        (self.folder / "in" / name).write_text("".join(f"{line}\n" for line in lines))

    # --- plans and nights ----------------------------------------------------------------------------------------

    def plan(self, toml: str = ORACLE) -> Plan:
        return applying.plan(self.store, self.file(toml))

    def run(self, toml: str = ORACLE, plan: int | None = None) -> int:
        """A night, seen through; returns its number."""
        file = self.file(toml)
        night_id = (
            applying.run_plan(self.store, plan, file) if plan else applying.run_latest(self.store, file)[0]
        )
        return self.finish(night_id)

    def finish(self, night_id: int, turns: int = 400) -> int:
        """Work until a night has ended."""
        for _ in range(turns):
            self.turn()
            if self.state(night_id) in NIGHT_ENDED:
                return night_id
        raise AssertionError(f"night {night_id} does not end: {self.steps(night_id)}")

    def turn(self) -> None:
        """What every part does once."""
        self.nights.move()
        self.work()
        self.mover.move_jobs()

    def work(self, limit: int = 1_000) -> None:
        """What the workers do."""
        let_backoffs_pass(self.store)
        with self.store.read() as session:
            ready = (
                session.query(Chunk.id).where(Chunk.state == "ready").order_by(Chunk.id).limit(limit).all()
            )
        for (chunk_id,) in ready:
            chunk_run.run(self.process, chunk_id)

    # --- what came of it -----------------------------------------------------------------------------------------

    def state(self, night_id: int) -> str:
        with self.store.read() as session:
            return str(running.by_id(session, night_id).state)

    def note(self, night_id: int) -> str | None:
        with self.store.read() as session:
            return running.by_id(session, night_id).note

    def steps(self, night_id: int) -> dict[str, tuple[str, int | None, str | None]]:
        """Step -> (state, its job, note)"""
        with self.store.read() as session:
            return {
                row.name: (str(row.state), row.job_id, row.note)
                for row in running.steps_of(session, night_id)
            }

    def planned(self, plan_id: int, step: str) -> dict[str, str]:
        """Key -> reason."""
        with self.store.read() as session:
            number = plans.load(session, plan_id).step(step).step
            return {one.key: one.reason for one in plans.documents_of(session, plan_id, number)}

    def executed(self, night_id: int, step: str) -> dict[str, str]:
        """Key -> "ok" or the error's code."""
        job_id = self.steps(night_id)[step][1]
        query = text(
            "SELECT d.key, COALESCE(o.error_code, 'ok') FROM outcome o JOIN document d ON d.id = o.document_id "
            "WHERE o.job_id = :job"
        )
        with self.store.read() as session:
            return {row[0]: row[1] for row in session.execute(query, {"job": job_id})}

    def plan_of(self, night_id: int) -> int:
        with self.store.read() as session:
            return running.by_id(session, night_id).plan_id or 0

    def n_outcomes(self) -> Counter[str]:
        """Kind -> outcomes of all its jobs."""
        query = text("SELECT j.kind, COUNT(*) FROM outcome o JOIN job j ON j.id = o.job_id GROUP BY j.kind")
        with self.store.read() as session:
            return Counter({row[0]: row[1] for row in session.execute(query)})


@contextmanager
def night_run(store: Store, folder: Path) -> Iterator[NightRun]:
    runners.resident.cache_clear()
    with tempfile.TemporaryFile("w+") as crash_file:
        # Stores of one test count their jobs from 1: each has its own models.
        own = settings().model_copy(update={"models_dir": folder / "models"})
        process = Process(own, store, crash_file)
        try:
            yield NightRun(store, folder, process)
        finally:
            process.watch_no_more()


def facts(plan: Plan, step: str) -> dict[str, Any]:
    """What a plan says of a step: what stands, and the reasons."""
    found = plan.step(step)
    return {"unchanged": found.n_unchanged} | {str(reason): n for reason, n in found.counts.items()}


__all__ = ["Job", "NightRun", "facts", "night_run"]
