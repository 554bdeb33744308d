"""A disk that is full, for a while: the database's tables lie on a small file system of their own. Needs root."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from contextlib import suppress
from pathlib import Path

from db.migrations import upgrade
from tests.faults.stack import Database, Stack
from tests.faults.trial import N_DOCUMENTS, Fault, spread
from tests.servers import PostgresServer

SIZE = "96m"
#: How long it stays full.
FULL_SECONDS = 3.0


class SmallDiskStack(Stack):
    """A stack whose store lies on a small tmpfs."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self.disk = self.folder / "small"
        self.disk.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(self.disk)], check=True)
        if self.postgres is None:
            self._use(f"sqlite:///{self.disk}/docmill.db")

    def start_on_small_disk(self) -> None:
        if self.postgres is not None:
            self.postgres.start()
            self._use(_on_tablespace(self.postgres, self.disk))
        self.redis.start()
        upgrade(self.store)
        self.add([f"text {i}" for i in range(N_DOCUMENTS)])
        self.heal()

    def _use(self, url: str) -> None:
        self.store.close()
        self.url = url
        self.store = type(self.store)(url)

    def stop(self) -> None:
        self.folder, kept = self.folder / "nothing", self.folder
        super().stop()
        subprocess.run(["umount", str(self.disk)], check=False)
        shutil.rmtree(kept, ignore_errors=True)


def _on_tablespace(server: PostgresServer, disk: Path) -> str:
    """Only the tables: a write-ahead log without room would be another fault, the end of the server."""
    shutil.chown(disk, "postgres", "postgres")
    # PostgreSQL's own user has to get there.
    disk.parent.chmod(0o711)
    server.execute(f"CREATE TABLESPACE small LOCATION '{disk}'")
    server.execute("CREATE DATABASE small TABLESPACE small")
    return server.url("small")


def small_disk(database: Database) -> Stack:
    stack = SmallDiskStack(database)
    try:
        stack.start_on_small_disk()
    except BaseException:
        stack.stop()
        raise
    return stack


def fill(stack: Stack, job_id: int) -> int:
    assert isinstance(stack, SmallDiskStack)
    n = 0
    for _ in spread(stack, job_id, 2):
        ballast = stack.disk / "ballast"
        end = time.monotonic() + FULL_SECONDS
        with ballast.open("wb", buffering=0) as file:
            while time.monotonic() < end:
                with suppress(OSError):
                    while True:
                        file.write(b"x" * 65_536)
                time.sleep(0.05)
        ballast.unlink()
        n += 1
    return n


def is_possible() -> bool:
    """Whether this process may mount."""
    return os.getuid() == 0 and shutil.which("mount") is not None


FAULTS = (
    (Fault("the database's disk full", fill, harmless=True, own_stack=small_disk),) if is_possible() else ()
)
