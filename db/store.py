"""The connection to the store: sessions that commit or roll back, and refusal of a database that could lose rows.

SQLite writes take the lock at BEGIN, so that two writers queue up instead of failing half-way.
"""

from __future__ import annotations

import random
import sqlite3
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError, InvalidatePoolError, OperationalError
from sqlalchemy.orm import Session

from db import addresses, compatibility, erased, migrations, tallies, view_digest
from db.database_errors import is_infrastructure_error as is_infrastructure_error
from db.database_errors import leave_a_standby, without_sql, words
from db.errors import NewerSchemaError, NoStoreError, OldSchemaError, StoreError, UnsafeStoreError
from db.typed_texts import register

#: The newest migration in db/migrations/versions.
SCHEMA = migrations.newest()

#: How long a SQLite writer waits for another's transaction.
BUSY_SECONDS = 60
#: Of each connection to SQLite, whose default is 2 MB: a third of the processor time of large writes was spent on
#: reading pages again.
CACHE_KIB = 32_000

_POSTGRES_CONNECT: dict[str, Any] = {
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    # A partitioned database must not hang a worker longer than its lease.
    "tcp_user_timeout": 20_000,
    # Behind pgbouncer a transaction may meet any server's session: no statement is prepared in one and run in another.
    # Without it, the few statements that ask for it are (`_prepare_what_asks_for_it`), and no others.
    "prepare_threshold": None,
    # PGAPPNAME has precedence: db.connections.
    "fallback_application_name": "docmill",
    # Whatever the database's own encoding is: texts are Unicode.
    "client_encoding": "utf8",
}

#: A connection to PostgreSQL that was not used for this long is tested before it is used again.
IDLE_SECONDS = 1.0
#: No statement is prepared because it was run so often.
_NEVER_BY_ITSELF = 2**31 - 1
_IS_MY_NUMBER = "SELECT pg_backend_pid() = %s"

#: What holds for each transaction on PostgreSQL. A process stopped inside a transaction must not hold its row locks for
#: ever.
_SETTINGS = {"idle_in_transaction_session_timeout": "30s", "lock_timeout": "30s", "timezone": "UTC"}
#: A direct connection is told once. Behind pgbouncer a session's settings would be another's: there each transaction
#: begins with them, in one message.
_SET_ONCE = "; ".join(f"SET {name} = '{value}'" for name, value in _SETTINGS.items())
_BEGIN_AND_SET = "; ".join(["BEGIN", *(f"SET LOCAL {name} = '{value}'" for name, value in _SETTINGS.items())])
#: In the record of a connection: nothing stands between it and the server.
_IS_DIRECT = "docmill_is_direct"


class Store:
    """One database. Cheap to make: connects on first use. Safe to share between threads, not across fork."""

    def __init__(self, url: str, *, pool_size: int = 4, max_overflow: int = 4) -> None:
        self.url = addresses.parse(url)
        self.engine = (
            _sqlite_engine(self.url)
            if self.is_sqlite
            else _postgres_engine(self.url, pool_size, max_overflow)
        )
        self._writer = self.engine.execution_options(docmill_write=True)
        self._writer_of_results = self._writer.execution_options(**{erased.IS_TOGETHER: True})
        self._looker = self.engine.execution_options(docmill_look=True)

    @property
    def is_sqlite(self) -> bool:
        return self.url.get_backend_name() == "sqlite"

    @property
    def file(self) -> Path | None:
        """SQLite's file; None for PostgreSQL, and for a store that is in no plain file."""
        name = self.url.database if self.is_sqlite else None
        return None if not name or name == ":memory:" or name.startswith("file:") else Path(name)

    @property
    def is_made(self) -> bool:
        """Whether the store exists: for SQLite, whether there is a file. This creates nothing."""
        return self.file is None or (self.file.is_file() and self.file.stat().st_size > 0)

    @property
    def name(self) -> str:
        """The URL without its password, for people."""
        return addresses.shown(self.url)

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session for reading; whatever it wrote is rolled back."""
        with Session(self.engine, autoflush=False) as session:
            yield session

    @contextmanager
    def look(self) -> Iterator[Session]:
        """A session for reading with one statement, outside any transaction: half the messages to the database."""
        with Session(self._looker, autoflush=False) as session:
            yield session

    @contextmanager
    def at_once(self) -> Iterator[Connection]:
        """A connection for one statement outside any transaction: it is committed with its only message."""
        with self._looker.connect() as connection:
            yield connection

    @contextmanager
    def write(self, *, lock_seconds: float | None = None) -> Iterator[Session]:
        """A session in one transaction: committed at the end, rolled back on any exception. With `lock_seconds`,
        PostgreSQL waits no longer for a row that another transaction has changed (`is_lock_timeout`); in SQLite
        there are no such rows, only the turn to write."""
        with self._writing(self._writer) as session:
            if lock_seconds is not None and not self.is_sqlite:
                session.execute(text(f"SET LOCAL lock_timeout = {int(lock_seconds * 1000)}"))
            yield session

    def write_results(self) -> AbstractContextManager[Session]:
        """As `write`, for what comes of documents: the lock that `erased.together` takes is held from the beginning,
        which spares a round trip to PostgreSQL."""
        return self._writing(self._writer_of_results)

    @contextmanager
    def _writing(self, engine: Engine) -> Iterator[Session]:
        with Session(engine, autoflush=False) as session, session.begin():
            yield session
            tallies.flush(session)

    def schema(self) -> str | None:
        """The migration the database is at; None for an empty database. Raises OperationalError if unreachable."""
        with self.engine.connect() as connection:
            if not self.engine.dialect.has_table(connection, "alembic_version"):
                return None
            return str(connection.scalar(text("SELECT version_num FROM alembic_version")))

    def check_schema(self, *, create: bool = True) -> None:
        """Raise OldSchemaError unless tables and views are this version's, or newer ones that it may work on
        (db.compatibility). SQLite is upgraded automatically; views of a newer docmill are accepted.
        Without `create`, a store that does not exist is not made: NoStoreError."""
        if not create and not self.is_made:
            raise NoStoreError(f"there is no store at {self.file}")
        found = self.schema()
        if found == SCHEMA and self.has_usable_views():
            return
        if found is not None and found > SCHEMA and self._tolerates_this_code():
            return
        if self.is_sqlite and (found is None or found <= SCHEMA):
            migrations.upgrade(self)
            return
        self.refuse_newer(found)
        if found is None:
            state = "has no docmill tables yet"
        elif found == SCHEMA:
            state = "has views of an older docmill"
        else:
            state = f"is at schema {found}, this docmill at {SCHEMA}"
        raise OldSchemaError(
            f"{self.name} {state}: run `docmill db upgrade` (and the same docmill everywhere)"
        )

    def refuse_newer(self, found: str | None) -> None:
        """Raise NewerSchemaError if this schema is one that this version does not know."""
        if found is not None and found > SCHEMA:
            raise NewerSchemaError(f"{self.name} {_newer(found)}")

    def _tolerates_this_code(self) -> bool:
        with self.read() as session:
            return newer_schema(session) is None

    def has_usable_views(self) -> bool:
        """Whether the store's views are this version's or newer (db.view_digest)."""
        with self.engine.connect() as connection:
            return view_digest.are_usable(connection)

    def check_durability(self) -> None:
        """Raise UnsafeStoreError if a power cut could lose what was committed."""
        with self.engine.connect() as connection:
            if self.is_sqlite:
                if connection.scalar(text("PRAGMA synchronous")) < 2:
                    raise UnsafeStoreError(f"{self.name}: PRAGMA synchronous is below FULL; set it back")
                return
            for setting in ("fsync", "full_page_writes", "synchronous_commit"):
                if connection.scalar(text(f"SHOW {setting}")) == "off":
                    raise UnsafeStoreError(
                        f"{self.name}: {setting} is off, so a power cut loses results that docmill promised to "
                        f"keep. Set {setting} = on in postgresql.conf and reload."
                    )

    def close(self) -> None:
        self.engine.dispose()


def is_lock_timeout(error: BaseException) -> bool:
    """Whether a row was held by another transaction for longer than `lock_seconds`. The database itself works."""
    return isinstance(error, DBAPIError) and getattr(error.orig, "sqlstate", None) == "55P03"


def newer_schema(session: Session, *, tolerated: bool = True) -> str | None:
    """What to do about a store that a newer docmill has upgraded, in words; None if this version may work on it. With
    tolerated=False, None only if this version knows its schema."""
    found = str(session.scalar(text("SELECT version_num FROM alembic_version")))
    if found <= SCHEMA:
        return None
    if tolerated and compatibility.stored(session)[1] <= SCHEMA:
        return None
    return f"the store {_newer(found)}"


def _newer(found: str) -> str:
    return (
        f"is at schema {found}, and this docmill knows schemas up to {SCHEMA}: a newer docmill has upgraded it; "
        "install that version here too"
    )


def _postgres_engine(url: URL, pool_size: int, max_overflow: int) -> Engine:
    engine = create_engine(
        url,
        hide_parameters=True,
        pool_size=pool_size,
        max_overflow=max_overflow,
        # What the URL says has precedence.
        connect_args={name: value for name, value in _POSTGRES_CONNECT.items() if name not in url.query},
    )
    event.listen(engine, "connect", _postgres_connect)
    event.listen(engine, "checkin", _note_use)
    event.listen(engine, "checkout", partial(_ping_if_idle, engine))
    event.listen(engine, "begin", _postgres_begin)
    event.listen(engine, "do_execute", _prepare_what_asks_for_it)
    event.listen(engine, "handle_error", leave_a_standby)
    event.listen(engine, "handle_error", without_sql)
    return engine


def _postgres_connect(connection: Any, record: Any) -> None:
    # The driver must not begin transactions: `_postgres_begin` says how each one starts.
    connection.autocommit = True
    # A pooler makes up the number that it gives its clients. Where it is the server's own, nothing stands between.
    [is_direct] = connection.execute(_IS_MY_NUMBER, [connection.pgconn.backend_pid]).fetchone()
    record.info[_IS_DIRECT] = is_direct
    if is_direct:
        connection.prepare_threshold = _NEVER_BY_ITSELF
        connection.execute(_SET_ONCE)


def _prepare_what_asks_for_it(cursor: Any, statement: str, parameters: Any, context: Any) -> bool | None:
    """Statements with the option `docmill_prepare` are planned once for each connection, if it is a direct one."""
    if context is None or not context.execution_options.get("docmill_prepare", False):
        return None
    cursor.execute(statement, parameters, prepare=True)
    return True


def _note_use(_connection: Any, record: Any) -> None:
    record.info["docmill_used_at"] = time.monotonic()


def _ping_if_idle(engine: Engine, connection: Any, record: Any, _proxy: Any) -> None:
    """Test a connection that was not used for a while, and make a new one if it is broken. A busy worker would spend a
    tenth of its round trips on such tests; a fault that comes between two uses is one that it repeats."""
    used_at = record.info.get("docmill_used_at")
    if used_at is None or time.monotonic() - used_at < IDLE_SECONDS:
        return
    try:
        engine.dialect.do_ping(connection)
    except engine.dialect.loaded_dbapi.Error as error:
        raise InvalidatePoolError from error


def _postgres_begin(connection: Connection) -> None:
    options = connection.get_execution_options()
    if not options.get("docmill_look", False):
        begin = "BEGIN" if connection.connection.info.get(_IS_DIRECT, False) else _BEGIN_AND_SET
        is_together = options.get(erased.IS_TOGETHER, False)
        connection.exec_driver_sql(f"{begin}; {erased.TOGETHER}" if is_together else begin)


def _sqlite_engine(url: URL) -> Engine:
    engine = create_engine(url, hide_parameters=True, connect_args={"timeout": BUSY_SECONDS})
    if url.database:
        # On the first connection and not before, so that asking for a store's name makes no folder.
        event.listen(engine, "do_connect", partial(_make_folder, Path(url.database).parent))
    event.listen(engine, "connect", _sqlite_connect)
    event.listen(engine, "begin", _sqlite_begin)
    event.listen(engine, "handle_error", without_sql)
    return engine


def _make_folder(folder: Path, *_: Any) -> None:
    if not folder.exists():
        folder.mkdir(parents=True, mode=0o700)


def _sqlite_connect(connection: Any, _record: Any) -> None:
    # The driver must not begin transactions: `_sqlite_begin` says how each one starts.
    connection.isolation_level = None
    register(connection)
    connection.execute(f"PRAGMA busy_timeout={BUSY_SECONDS * 1000}")
    _write_ahead(connection)
    for pragma in ("synchronous=FULL", "foreign_keys=ON", f"cache_size=-{CACHE_KIB}"):
        connection.execute(f"PRAGMA {pragma}")


def _write_ahead(connection: Any) -> None:
    """Turn write-ahead logging on. The file keeps it, so only a new file is changed. SQLite's busy timeout does not
    hold for the change: of two connections that make it at the same time, one is told at once that the database is
    locked. That one tries again."""
    last = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if not _is_busy(error) or time.monotonic() > last:
                raise
        time.sleep(random.uniform(0.001, 0.02))


def _is_busy(error: sqlite3.OperationalError) -> bool:
    # The first byte is the primary result code, also of an extended code such as SQLITE_BUSY_RECOVERY.
    return error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY


def _sqlite_begin(connection: Connection) -> None:
    options = connection.get_execution_options()
    if options.get("docmill_look", False):
        return
    write = options.get("docmill_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")


def open_store(url: str, *, create: bool = True) -> Store:
    """A store that is reachable, up to date and safe; raises StoreError with the fix if it is not. If there is none
    yet, SQLite's is made; with create=False, NoStoreError is raised."""
    store = Store(url)
    try:
        check(store, create=create)
    except StoreError:
        store.close()
        raise
    return store


def check(store: Store, *, create: bool = True) -> None:
    """Raise StoreError with the fix unless the store is reachable and up to date; what `open_store` does with its
    own."""
    try:
        store.check_schema(create=create)
    except OperationalError as error:
        raise StoreError(f"cannot reach {store.name}: {words(error)}") from error
