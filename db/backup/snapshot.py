"""A snapshot of a store, as one file: SQLite's by its online backup, PostgreSQL's by pg_dump."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, text

from db.backup import facts, programs
from db.backup.facts import Facts
from db.errors import StoreError
from db.store import Store

#: (bytes done, bytes in all, or None where nobody knows) -> nothing.
Tell = Callable[[int, int | None], None]
#: Pages of SQLite that are copied between two reports.
_PAGES = 2_048
#: The snapshot's name in a backup.
NAMES = {"sqlite": "store.sqlite", "postgresql": "store.pgdump"}


def name_of(store: Store) -> str:
    """The file's name in a backup, which says what it is."""
    return NAMES[store.url.get_backend_name()]


def take(store: Store, target: Path, tell: Tell) -> Facts:
    """Copy the store as it is at one moment to `target`, which must not exist. Others read and write meanwhile."""
    with store.engine.connect() as connection:
        if store.is_sqlite:
            found = _of_sqlite(connection, target, tell)
        else:
            found = _of_postgres(store, connection, target, tell)
    _sync(target)
    return found


def problem(path: Path) -> str | None:
    """What is wrong with a snapshot, in words, or None. It is read whole if it is SQLite's."""
    if path.name == NAMES["sqlite"]:
        return _sqlite_problem(path)
    try:
        programs.contents(path)
    except StoreError as error:
        return str(error)
    return None


def _of_sqlite(connection: Connection, target: Path, tell: Tell) -> Facts:
    # The transaction is open before the copy begins and stays open. So all pages are of one moment, and a writer
    # does not make the copy start again.
    found = facts.of(connection)
    source: Any = connection.connection.driver_connection
    page_bytes = int(connection.scalar(text("PRAGMA page_size")) or 0)

    def progress(_: int, remaining: int, total: int) -> None:
        tell((total - remaining) * page_bytes, total * page_bytes)

    with closing(sqlite3.connect(target)) as copy:
        source.backup(copy, pages=_PAGES, progress=progress)
    return found


def _of_postgres(store: Store, connection: Connection, target: Path, tell: Tell) -> Facts:
    number = int(connection.scalar(text("SHOW server_version_num")) or 0)
    programs.check_version("pg_dump", number)
    connection.rollback()
    # The transaction only waits for pg_dump, so it must not be ended for being idle.
    for statement in (
        "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY",
        "SET LOCAL idle_in_transaction_session_timeout = 0",
    ):
        connection.exec_driver_sql(statement)
    snapshot = connection.scalar(text("SELECT pg_export_snapshot()"))
    schema = connection.scalar(text("SELECT current_schema()"))
    found = facts.of(connection)
    options = ("--format=custom", f"--snapshot={snapshot}", f"--schema={schema}", f"--file={target}")
    programs.run(store, "pg_dump", *options, on_wait=lambda: tell(_size(target), None))
    return found


def _sqlite_problem(path: Path) -> str | None:
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)) as connection:
            said = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    except sqlite3.Error as error:
        said = str(error)
    return None if said == "ok" else f"{path.name} is damaged: {said}"


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
