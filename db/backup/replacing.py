"""A snapshot in the place of a store: whether that may be, and the replacement, which is whole or not at all."""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from sqlalchemy import inspect, text
from sqlalchemy.exc import DatabaseError, OperationalError

from db import registry
from db.backup import facts, programs
from db.database_errors import words
from db.errors import ConflictError, StoreError
from db.store import Store
from db.tables import Base, Worker

#: Rows of these tables are no reason to keep a store.
_NO_WORK = {"worker"}


def what_is_there(store: Store) -> dict[str, int]:
    """The tables of the store that hold rows, with how many; none if the store is not made yet, or holds nothing.
    StoreError if the store cannot be read."""
    if not store.is_made:
        return {}
    try:
        with store.engine.connect() as connection:
            found = facts.rows(connection)
    except OperationalError as error:
        raise StoreError(f"cannot reach {store.name}: {words(error)}") from error
    except DatabaseError as error:
        raise StoreError(f"{store.name} is damaged: {words(error)}") from error
    return {name: n for name, n in found.items() if n and name not in _NO_WORK}


def members(store: Store) -> list[str]:
    """The workers and schedulers that were seen on this store within the last minute."""
    with store.read() as session:
        if not inspect(session.connection()).has_table(Worker.__tablename__):
            return []
        alive = [each for role in ("scheduler", "worker") for each in registry.alive(session, role)]
        return [f"{each.role} {each.name}" for each in alive]


def into_sqlite(store: Store, ready: Path) -> None:
    """Let the file `ready`, on the same file system, take the store's place. Processes that still have the old file
    open work on what has no name any more. ConflictError if one of them is in the middle of a transaction."""
    assert store.file is not None
    store.file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    store.close()
    if store.file.exists():
        _end_the_log(store.file)
    ready.replace(store.file)
    _sync(store.file.parent)


def into_postgres(store: Store, dump: Path, on_wait: Callable[[], None]) -> None:
    """Restore a dump into the store's database. The tables of the store that is there go first. StoreError if
    pg_restore fails; the database then has no tables of docmill."""
    number = _server_version(store)
    programs.check_version("pg_restore", number)
    listed = programs.contents(dump)
    # The schema is there, and belongs to whoever made it.
    kept = [line for line in listed if " SCHEMA - " not in line and " COMMENT - SCHEMA " not in line]
    _clear(store, [line.split()[-2] for line in kept if " TABLE " in line and " TABLE DATA " not in line])
    with tempfile.NamedTemporaryFile("w", prefix="docmill-", suffix=".list") as chosen:
        chosen.write("\n".join(kept) + "\n")
        chosen.flush()
        options = (
            "--single-transaction", "--exit-on-error", "--clean", "--if-exists", "--no-owner", "--no-privileges",
            f"--use-list={chosen.name}",
        )  # fmt: skip
        programs.run(store, "pg_restore", *options, str(dump), on_wait=on_wait)
    with store.engine.connect() as connection:
        # A dump has no statistics, and without them the first hours are slow.
        connection.exec_driver_sql("ANALYZE")
        connection.commit()


def check_rows(store: Store, expected: dict[str, int]) -> None:
    """StoreError if the store holds other numbers of rows."""
    with store.engine.connect() as connection:
        found = facts.rows(connection)
    wrong = [
        f"{name}: {found.get(name, 0):,} rows instead of {n:,}"
        for name, n in expected.items()
        if found.get(name, 0) != n
    ]
    if wrong:
        raise StoreError(f"what was restored is not what was backed up: {'; '.join(wrong)}")


def end_log(store: Store) -> None:
    """Bring SQLite's write-ahead log into the file, so that the file alone is the store."""
    with store.engine.connect() as connection:
        connection.exec_driver_sql("ROLLBACK")
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")


def forget_members(store: Store) -> None:
    """The workers and schedulers of the time of the backup are not those of now."""
    with store.write() as session:
        session.execute(Worker.__table__.delete())  # type: ignore[attr-defined]


def _clear(store: Store, names: list[str]) -> None:
    known = {*names, *Base.metadata.tables, "alembic_version", "view_digest"}
    with store.write() as session:
        quote = session.connection().dialect.identifier_preparer.quote
        there = set(inspect(session.connection()).get_table_names())
        dropped = ", ".join(quote(name) for name in sorted(known & there))
        if dropped:
            session.execute(text(f"DROP TABLE {dropped} CASCADE"))


def _server_version(store: Store) -> int:
    with store.engine.connect() as connection:
        return int(connection.scalar(text("SHOW server_version_num")) or 0)


def _end_the_log(path: Path) -> None:
    """Bring the write-ahead log into the old file and remove it: beside the new file, it would be taken for that
    file's. A damaged file's log is removed."""
    try:
        with closing(sqlite3.connect(path, timeout=5)) as old:
            old.execute("PRAGMA journal_mode=DELETE").fetchone()
    except sqlite3.DatabaseError as error:
        # Of an extended code such as SQLITE_BUSY_SNAPSHOT, the first byte says what it is. Anything else is damage.
        if error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise ConflictError(f"{path} is in use: stop `docmill up`, workers and clients first") from error
    for suffix in ("-wal", "-shm"):
        Path(f"{path}{suffix}").unlink(missing_ok=True)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
