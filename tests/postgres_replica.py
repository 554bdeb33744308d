"""A real PostgreSQL primary with a standby that streams from it, and can take its place."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil
import psycopg

from tests.servers import PostgresServer, until


class Primary(PostgresServer):
    """One that others can stream from."""

    def trust(self, network: str) -> None:
        """Let everybody in from that network, before it is started."""
        with (self.data / "pg_hba.conf").open("a") as file:
            file.write(f"host all all {network} trust\nhost replication all {network} trust\n")

    def kill(self) -> None:
        """The postmaster and every backend at once, as when the host loses power. After a postmaster that was killed
        alone, a backend could still commit."""
        if self.process is None:
            return
        assert self.process.poll() is None, "this server was started twice"
        postmaster = psutil.Process(self.process.pid)
        postmaster.suspend()
        for backend in postmaster.children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                backend.kill()
        super().kill()

    def ask(self, query: str) -> object:
        """The first value of the first row."""
        with psycopg.connect(self._conninfo("postgres"), autocommit=True) as connection:
            row = connection.execute(query).fetchone()  # type: ignore[call-overload]
        return row[0] if row else None

    def n_standbys(self, state: str = "") -> int:
        """The standbys that stream; with a `state` ("sync", "async"), those of that kind."""
        of_kind = f" AND sync_state = '{state}'" if state else ""
        return int(
            str(self.ask(f"SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'{of_kind}"))
        )

    def wait_for_standby(self) -> None:
        """From now on, a commit returns once a standby has it on disk."""
        self.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
        self.execute("SELECT pg_reload_conf()")
        until(lambda: self.n_standbys("sync"), "a synchronous standby")


class Standby(Primary):
    """A copy of a primary, made by pg_basebackup, which streams from the socket folder or address `of`."""

    def __init__(
        self, of: Path | str, settings: Mapping[str, str] | None = None, prefix: Sequence[str] = ()
    ) -> None:
        self.of = of
        super().__init__(settings, prefix)

    def _make(self) -> None:
        self._run("pg_basebackup", "-h", self.of, "-U", "docmill", "-D", self.data, "-R", "-X",
                  "stream", "-c", "fast")  # fmt: skip

    def promote(self) -> None:
        """It accepts writes from now on."""
        assert self.ask("SELECT pg_promote(true, 30)"), "the standby was not promoted"


def both(first: PostgresServer, second: PostgresServer) -> str:
    """The URL of two servers, of which the one that accepts writes is wanted."""
    return f"postgresql+psycopg://docmill@/postgres?host={first.folder},{second.folder}"
