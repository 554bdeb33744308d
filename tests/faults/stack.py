"""The real docmill as processes, on a Redis and a database of its own, with handles to hurt each part."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

import psutil
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from db import documents, jobs
from db.chunks import ChunkSize
from db.documents import NewDocument
from db.jobs import NewJob
from db.migrations import upgrade
from db.store import Store
from tests.servers import PostgresServer, RedisServer, Server, short_folder, until

Database = Literal["sqlite", "postgresql"]

ROOT = Path(__file__).parents[2]
LEASE_SECONDS = 5.0
TICK_SECONDS = 0.3
#: A fresh worker process may take so long to start on a noisy machine: what design.md calls the model load.
START_SECONDS = 15.0
COLLECTION = "texts"

SETTINGS = {
    "DOCMILL_LEASE_SECONDS": str(LEASE_SECONDS),
    "DOCMILL_TICK_SECONDS": str(TICK_SECONDS),
    "DOCMILL_RESEND_SECONDS": "1.5",
    "DOCMILL_GRACE_SECONDS": "8",
    "DOCMILL_KIND_MODULES": "tests.kinds",
}


class Stack:
    """Redis, a database, schedulers and a launcher with workers. Parts that died are started again by `heal`."""

    def __init__(
        self,
        database: Database,
        *,
        n_schedulers: int = 1,
        n_workers: int = 2,
        environment: Mapping[str, str] | None = None,
        folder: Path | None = None,
        redis: RedisServer | None = None,
        url: str | None = None,
        kinds: str = "oracle",
    ) -> None:
        self.database = database
        self.kinds = kinds
        self.folder = folder or short_folder("dm-stack-")
        self.home = self.folder / "home"
        self.redis = redis or RedisServer()
        self.postgres = PostgresServer() if database == "postgresql" and url is None else None
        self.n_schedulers, self.n_workers = n_schedulers, n_workers
        self.extra = dict(environment or {})
        self.schedulers: list[subprocess.Popen[bytes]] = []
        self.launcher: subprocess.Popen[bytes] | None = None
        self.url = url or (
            self.postgres.url() if self.postgres is not None else f"sqlite:///{self.home}/docmill.db"
        )
        self.store = Store(self.url)

    # --- its life ------------------------------------------------------------------------------------------------

    def start(self, texts: Sequence[str] = ()) -> None:
        """Start everything, over documents k0, k1, ... with these texts."""
        for server in self.servers:
            server.start()
        upgrade(self.store)
        self.add(texts)
        self.heal()

    def add(self, texts: Sequence[str], collection: str = COLLECTION) -> None:
        new = [NewDocument(f"k{i}", text, None, f"texts:{i}") for i, text in enumerate(texts)]
        with self.store.write() as session:
            number = documents.collection_id(session, collection, create=True)
        for batch in documents.batches(new):
            with self.store.write() as session:
                documents.add(session, number, batch)

    @property
    def servers(self) -> list[Server]:
        return [server for server in (self.redis, self.postgres) if server is not None]

    def heal(self) -> None:
        """Start again what is not there, and wait until workers answer for it."""
        for server in self.servers:
            if server.process is None:
                server.start()
        self.schedulers = [scheduler for scheduler in self.schedulers if scheduler.poll() is None]
        while len(self.schedulers) < self.n_schedulers:
            self.start_scheduler()
        if self.launcher is None or self.launcher.poll() is not None:
            self.start_launcher()
        self.children()

    def stop(self) -> None:
        """End everything; what does not end in time is killed."""
        for process in self.parts:
            process.terminate()
        for process in self.parts:
            with suppress(subprocess.TimeoutExpired):
                process.wait(15)
        for left in self.processes():
            with suppress(psutil.NoSuchProcess):
                left.kill()
        for process in self.parts:
            process.wait()
        self.store.close()
        for server in self.servers:
            with suppress(ProcessLookupError):
                server.thaw() if server.process else None
            server.kill()
            server.remove()
        shutil.rmtree(self.folder, ignore_errors=True)

    def start_scheduler(self, environment: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
        self.schedulers.append(self.docmill("scheduler", environment=environment))
        return self.schedulers[-1]

    def start_launcher(self, environment: Mapping[str, str] | None = None) -> None:
        arguments = ("worker", "--devices", f"cpu:{self.n_workers}", "--kinds", self.kinds)
        self.launcher = self.docmill(*arguments, environment=environment)

    def docmill(
        self,
        *arguments: str,
        environment: Mapping[str, str] | None = None,
        prefix: Sequence[str] = (),
        cwd: Path = ROOT,
    ) -> subprocess.Popen[bytes]:
        """A docmill command in the background; its output goes to a file named after it. The prefix takes it to
        another host."""
        self.home.mkdir(parents=True, exist_ok=True)
        with (self.folder / f"{arguments[0]}.log").open("ab") as log:
            return subprocess.Popen(
                [*prefix, sys.executable, "-m", "docmill.cli", *arguments],
                env=self.environment | dict(environment or {}),
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def run(self, *arguments: str, seconds: float = 60) -> subprocess.CompletedProcess[str]:
        """A docmill command to its end."""
        return subprocess.run(
            [sys.executable, "-m", "docmill.cli", *arguments],
            env=self.environment,
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )

    @property
    def environment(self) -> dict[str, str]:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("DOCMILL_")}
        own = {
            "DOCMILL_HOME": str(self.home),
            "DOCMILL_DATABASE_URL": self.url,
            "DOCMILL_REDIS_URL": self.redis.url,
            "PYTHONPATH": str(ROOT),
        }
        return clean | SETTINGS | own | self.extra

    # --- its processes --------------------------------------------------------------------------------------------

    @property
    def parts(self) -> list[subprocess.Popen[bytes]]:
        return [*self.schedulers, *([self.launcher] if self.launcher is not None else [])]

    def processes(self) -> list[psutil.Process]:
        """Everything that works for this stack, orphans too: told by the home folder in their environment."""
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                if process.pid != os.getpid() and process.environ().get("DOCMILL_HOME") == str(self.home):
                    found.append(process)
        return found

    def parents(self) -> list[psutil.Process]:
        """The Celery processes, one for each device; waits until all are there."""

        def all_there() -> list[psutil.Process]:
            with suppress(psutil.NoSuchProcess):
                assert self.launcher is not None
                found = psutil.Process(self.launcher.pid).children()
                alive = [process for process in found if process.status() != psutil.STATUS_ZOMBIE]
                if len(alive) == self.n_workers:
                    return alive
            return []

        found: list[psutil.Process] = until(all_there, "a Celery worker for each device")
        return found

    def children(self) -> list[psutil.Process]:
        """The processes in which documents are worked on; waits until each worker has one."""

        def all_there() -> list[psutil.Process]:
            self.parents()
            found = self._children_now()
            return found if len(found) >= self.n_workers else []

        found: list[psutil.Process] = until(all_there, "a child process for each worker")
        return found

    def _children_now(self) -> list[psutil.Process]:
        found = []
        with suppress(psutil.NoSuchProcess):
            assert self.launcher is not None
            for parent in psutil.Process(self.launcher.pid).children():
                found += [child for child in parent.children() if works(child)]
        return found

    def busy_child(self) -> psutil.Process:
        """A child that holds a chunk now; any, if no job runs any more."""

        def holder() -> psutil.Process | None:
            holders = self.holders()
            is_over = not self.rows("SELECT id FROM job WHERE state = 'running'")
            for child in self._children_now():
                with suppress(psutil.Error):
                    if is_over or child.environ().get("DOCMILL_INSTANCE") in holders:
                        return child
            return None

        found: psutil.Process = until(holder, "a worker holding a chunk")
        return found

    def holders(self) -> set[str]:
        """The instances of the workers that hold a chunk now."""
        rows = self.rows("SELECT instance FROM chunk WHERE state = 'leased' AND instance IS NOT NULL")
        return {instance.partition(".")[0] for (instance,) in rows}

    def kill_everything(self) -> None:
        """The launcher, every worker and every child at once: a machine that loses power."""
        assert self.launcher is not None
        for process in [
            psutil.Process(self.launcher.pid),
            *psutil.Process(self.launcher.pid).children(recursive=True),
        ]:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGKILL)
        self.launcher.wait()
        for process in self.processes():
            if process.pid not in {scheduler.pid for scheduler in self.schedulers}:
                with suppress(psutil.NoSuchProcess):
                    process.send_signal(signal.SIGKILL)

    # --- its store ------------------------------------------------------------------------------------------------

    def submit(self, collection: str = COLLECTION, *, per_chunk: int = 50, seconds: float = 0.003) -> int:
        """A job of kind oracle over the collection; its number."""
        with self.store.write() as session:
            new = NewJob(
                kind="oracle",
                parameters={"seconds": seconds, "batch": 8},
                collection_id=documents.collection_id(session, collection),
                chunk_size=ChunkSize(per_chunk, 1_000_000),
            )
            return jobs.submit(session, new).job_id

    def rows(self, query: str, **values: Any) -> list[Any]:
        """What a query finds; while the store is away, it is asked again."""
        end = time.monotonic() + 60
        while True:
            try:
                with self.store.read() as session:
                    return list(session.execute(text(query), values))
            except DBAPIError:
                assert time.monotonic() < end, "the store is away for a minute"
                time.sleep(0.1)

    def n_done(self, job_id: int) -> int:
        """Documents of a job that have an outcome."""
        return int(
            self.rows("SELECT COALESCE(SUM(n_ok + n_error), 0) FROM chunk WHERE job_id = :job", job=job_id)[
                0
            ][0]
        )

    def state(self, job_id: int) -> str:
        return str(self.rows("SELECT state FROM job WHERE id = :job", job=job_id)[0][0])

    def n_crashes(self, job_id: int) -> int:
        return int(
            self.rows("SELECT COALESCE(SUM(n_crashes), 0) FROM chunk WHERE job_id = :job", job=job_id)[0][0]
        )

    def n_lost(self, job_id: int) -> int:
        return int(
            self.rows("SELECT COALESCE(SUM(n_lost), 0) FROM chunk WHERE job_id = :job", job=job_id)[0][0]
        )

    def log(self, name: str) -> str:
        path = self.folder / f"{name}.log"
        return path.read_text(errors="replace") if path.exists() else ""


def works(process: psutil.Process) -> bool:
    """Whether documents are worked on in it."""
    return any("spawn_main" in word for word in process.cmdline())
