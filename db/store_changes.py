"""Waiting until the store changes, at next to no cost while it does not.

SQLite: `PRAGMA data_version`, on a connection of its own, says whether another one has committed. PostgreSQL:
triggers notify the channel `docmill` when a job, run, night, schedule, notification, policy or batch of requests
changes; behind a pooler that gives a server's session to each transaction, as pgbouncer does, nobody can listen. A
watcher may miss changes, so whoever waits for one looks by itself from time to time.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from pathlib import Path
from typing import Any, Protocol

from db.database_errors import is_infrastructure_error
from db.store import Store

#: How often SQLite is asked.
SQLITE_SECONDS = 0.1
#: How long one wait for PostgreSQL takes at most: so late it is noticed that the waiting is to end.
POSTGRES_SECONDS = 0.25
#: The pause before another try to listen.
RETRY_SECONDS = 2.0
CHANNEL = "docmill"


class ChangeWatcher(Protocol):
    """Waits for changes."""

    def wait(self, stopping: threading.Event) -> bool:
        """Wait a moment; whether the store was changed. Never raises because the store is away."""
        ...

    def can_watch(self) -> bool:
        """Whether changes are noticed at all."""
        ...

    def close(self) -> None: ...


def of(store: Store) -> ChangeWatcher:
    """The watcher of a store; it connects on first use."""
    if not store.is_sqlite:
        return PostgresWatcher(store)
    return SqliteWatcher(store.file) if store.file is not None else NoWatcher()


class NoWatcher:
    """Nothing is noticed."""

    def wait(self, stopping: threading.Event) -> bool:
        stopping.wait(1.0)
        return False

    def can_watch(self) -> bool:
        return False

    def close(self) -> None:
        """Nothing to close."""


class SqliteWatcher:
    """Compares the file's data version."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._connection: sqlite3.Connection | None = None
        self._version = 0

    def wait(self, stopping: threading.Event) -> bool:
        stopping.wait(SQLITE_SECONDS)
        try:
            version = self._ask()
        except sqlite3.Error:
            # Looking at the store itself says what is wrong.
            self.close()
            return True
        has_changed, self._version = version != self._version, version
        return has_changed

    def can_watch(self) -> bool:
        return True

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _ask(self) -> int:
        if self._connection is None:
            self._connection = sqlite3.connect(
                f"{self._file.absolute().as_uri()}?mode=rw", uri=True, timeout=0
            )
        return int(self._connection.execute("PRAGMA data_version").fetchone()[0])


class PostgresWatcher:
    """Listens on a connection of its own."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._connection: Any = None
        self._is_pooled = False

    def wait(self, stopping: threading.Event) -> bool:
        if self._is_pooled:
            stopping.wait(1.0)
            return False
        try:
            if self._connection is None:
                self._connect()
                # What came before was not watcher.
                return True
            watcher = next(self._connection.notifies(timeout=POSTGRES_SECONDS, stop_after=1), None)
            if watcher is not None:
                # The others came with it.
                for _ in self._connection.notifies(timeout=0):
                    pass
            return watcher is not None
        except Exception as error:
            if not is_infrastructure_error(error) and not _is_of_driver(error):
                raise
            self.close()
            stopping.wait(RETRY_SECONDS)
            return False

    def can_watch(self) -> bool:
        return self._connection is not None

    def close(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(Exception):
                self._connection.close()
            self._connection = None

    def _connect(self) -> None:
        pooled = self._store.engine.raw_connection()
        # It is no longer the pool's.
        pooled.detach()
        connection: Any = pooled.dbapi_connection
        number = connection.execute("SELECT pg_backend_pid()").fetchone()[0]
        if number != connection.info.backend_pid:
            # A pooler: it made the number up that it told at the beginning.
            self._is_pooled = True
            connection.close()
            return
        connection.execute(f"LISTEN {CHANNEL}")
        self._connection = connection


def _is_of_driver(error: Exception) -> bool:
    import psycopg

    return isinstance(error, psycopg.Error)
