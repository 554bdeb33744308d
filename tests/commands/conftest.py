"""The docmill command in this process, on a store of its own, and somebody who works off its jobs."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from typer.testing import CliRunner

from db.documents import NewDocument
from db.store import Store
from scheduler.broker import Broker
from scheduler.loop import Scheduler
from tests.db.builders import add, chunks_of, crash, held, job_of, let_backoffs_pass, suspect
from workers.app import make_app
from workers.processes.process import Process
from workers.running import chunk_run, runners
from workers.settings import settings


@dataclass(frozen=True)
class Said:
    """What a command said."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def lines(self) -> list[str]:
        return [line.rstrip() for line in self.out.splitlines()]


class Shell:
    """`shell("status", "1", status=1)` runs a command and asserts its exit status, if one is given."""

    def __init__(self, store: Store, process: Process) -> None:
        self.store = store
        self.process = process
        self.scheduler = Scheduler(store, Broker(make_app()), settings())

    def __call__(self, *words: object, status: int | None = 0, stdin: bytes | None = None) -> Said:
        from docmill.cli import app

        found = CliRunner().invoke(app, [str(word) for word in words], input=stdin)
        if found.exception is not None and not isinstance(found.exception, SystemExit):
            raise found.exception
        said = Said(found.exit_code, found.stdout, found.stderr)
        assert status is None or said.status == status, said
        return said

    def texts(self, *texts: str, collection: str = "inbox", labels: Sequence[str | None] = ()) -> None:
        """Documents k0, k1, ..."""
        labels = labels or [None] * len(texts)
        pairs = enumerate(zip(texts, labels, strict=True))
        add(self.store, [NewDocument(f"k{i}", t, label, f"f:{i}") for i, (t, label) in pairs], collection)

    def job(self, *words: object) -> int:
        """Submit, and return the job's number."""
        number: int = self("submit", *words, "--json").json["job"]
        return number

    def done(self, *words: object) -> int:
        """Submit, and see the job through."""
        return self.work(self.job(*words))

    def work(self, job_id: int) -> int:
        """What scheduler and worker do, without Redis, until the job has ended."""
        while job_of(self.store, job_id).state not in ("finished", "cancelled"):
            let_backoffs_pass(self.store)
            for chunk in chunks_of(self.store, job_id):
                chunk_run.run(self.process, chunk.id)
            self.scheduler.mover.move_jobs()
        return job_id

    def poison(self, *words: object, key: int = 0, code: str = "POISON") -> int:
        """A job whose document k<key> killed its workers, and whose others are done."""
        job_id = self.job(*words)
        [chunk] = chunks_of(self.store, job_id)
        for attempt in range(4):
            let_backoffs_pass(self.store)
            claim = held(self.store, chunk.id)
            if attempt:
                suspect(self.store, claim, claim.document_ids[key])
            crash(self.store, code=code)
        return self.work(job_id)


@pytest.fixture
def shell(sqlite_store: Store, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shell]:
    """On SQLite."""
    monkeypatch.setenv("DOCMILL_DATABASE_URL", sqlite_store.url.render_as_string(hide_password=False))
    yield from _shell(sqlite_store)


@pytest.fixture
def shell_on_both(store: Store) -> Iterator[Shell]:
    """On SQLite, and on PostgreSQL."""
    yield from _shell(store)


def _shell(store: Store) -> Iterator[Shell]:
    # A process has one store for life; here another store's models have the same numbers.
    runners.resident.cache_clear()
    with tempfile.TemporaryFile("w+") as crash_file:
        process = Process(settings(), store, crash_file)
        yield Shell(store, process)
        process.watch_no_more()
