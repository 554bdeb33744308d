"""The connection to the store: sessions that commit or roll back, and refusal of a database that could lose rows.

SQLite writes take the lock at BEGIN, so that two writers queue up instead of failing half-way.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.orm import Session

from db.errors import NewerSchemaError, OldSchemaError, StoreError, UnsafeStoreError

#: The newest migration in db/migrations/versions (a test compares), so that a check needs no alembic.
SCHEMA = "0010"

#: How long a SQLite writer waits for another's transaction.
BUSY_SECONDS = 60

_POSTGRES_CONNECT: dict[str, Any] = {
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    # A partitioned database must not hang a worker longer than its lease.
    "tcp_user_timeout": 20_000,
    # A process stopped inside a transaction must not hold its row locks for ever.
    "options": "-c idle_in_transaction_session_timeout=30s -c lock_timeout=30s -c timezone=UTC",
    "application_name": "docmill",
    # Whatever the database's own encoding is: texts are Unicode.
    "client_encoding": "utf8",
}


class Store:
    """One database. Cheap to make: connects on first use. Safe to share between threads, not across fork."""

    def __init__(self, url: str, *, pool_size: int = 4) -> None:
        self.url = _driver_url(url)
        self.engine = _sqlite_engine(self.url) if self.is_sqlite else _postgres_engine(self.url, pool_size)
        self._writer = self.engine.execution_options(docmill_write=True)

    @property
    def is_sqlite(self) -> bool:
        return self.url.get_backend_name() == "sqlite"

    @property
    def name(self) -> str:
        """The URL without its password, for people."""
        shown = self.url.difference_update_query(["password", "sslpassword"])
        return shown.render_as_string(hide_password=True)

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session for reading; whatever it wrote is rolled back."""
        with Session(self.engine, autoflush=False) as session:
            yield session

    @contextmanager
    def read_only(self) -> Iterator[Session]:
        """A session in which the database itself refuses every change."""
        with self.read() as session:
            if not self.is_sqlite:
                session.execute(text("SET TRANSACTION READ ONLY"))
                yield session
                return
            session.execute(text("PRAGMA query_only = ON"))
            try:
                yield session
            finally:
                session.execute(text("PRAGMA query_only = OFF"))

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A session in one transaction: committed at the end, rolled back on any exception."""
        with Session(self._writer, autoflush=False) as session, session.begin():
            yield session

    def schema(self) -> str | None:
        """The migration the database is at; None for an empty database. Raises OperationalError if unreachable."""
        with self.engine.connect() as connection:
            if not self.engine.dialect.has_table(connection, "alembic_version"):
                return None
            return str(connection.scalar(text("SELECT version_num FROM alembic_version")))

    def check_schema(self) -> None:
        """Raise OldSchemaError unless the tables are this version's; SQLite is brought up to date by itself."""
        found = self.schema()
        if found == SCHEMA:
            return
        if self.is_sqlite and (found is None or found < SCHEMA):
            from db.migrations import upgrade

            upgrade(self)
            return
        self.refuse_newer(found)
        state = (
            "has no docmill tables yet"
            if found is None
            else f"is at schema {found}, this docmill at {SCHEMA}"
        )
        raise OldSchemaError(
            f"{self.name} {state}: run `docmill db upgrade` (and the same docmill everywhere)"
        )

    def refuse_newer(self, found: str | None) -> None:
        """Raise NewerSchemaError if this schema is one that this version does not know."""
        if found is not None and found > SCHEMA:
            raise NewerSchemaError(f"{self.name} {_newer(found)}")

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


def newer_schema(session: Session) -> str | None:
    """What to do about a store that a newer docmill has upgraded, in words; None if this version knows it."""
    found = str(session.scalar(text("SELECT version_num FROM alembic_version")))
    return f"the store {_newer(found)}" if found > SCHEMA else None


def _newer(found: str) -> str:
    return (
        f"is at schema {found}, and this docmill knows schemas up to {SCHEMA}: a newer docmill has upgraded it; "
        "install that version here too"
    )


def is_infrastructure_error(error: BaseException) -> bool:
    """Whether the database (not the request) is at fault: gone, restarting, full, locked. Worth trying again."""
    if isinstance(error, OperationalError | PoolTimeoutError):
        return True
    return isinstance(error, DBAPIError) and error.connection_invalidated


def _driver_url(url: str) -> URL:
    """The URL with our driver: people write postgresql://, or postgres:// as some hosts hand out."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        # The URL may hold a password, so it is not repeated here.
        raise StoreError(
            "DOCMILL_DATABASE_URL is not a database URL; write sqlite:////full/path/docmill.db or "
            "postgresql://user:password@host/database"
        ) from None
    if parsed.host and "@" in parsed.host:
        raise StoreError("DOCMILL_DATABASE_URL: write an @ in the password as %40")
    if parsed.drivername in ("postgresql", "postgres"):
        return parsed.set(drivername="postgresql+psycopg")
    if parsed.get_backend_name() not in ("sqlite", "postgresql"):
        raise StoreError(
            f"DOCMILL_DATABASE_URL: docmill stores in SQLite or PostgreSQL, not in {parsed.get_backend_name()}"
        )
    return parsed


def _postgres_engine(url: URL, pool_size: int) -> Engine:
    return create_engine(
        url,
        hide_parameters=True,
        pool_size=pool_size,
        max_overflow=4,
        pool_pre_ping=True,
        connect_args=_POSTGRES_CONNECT,
    )


def _sqlite_engine(url: URL) -> Engine:
    if url.database:
        folder = Path(url.database).parent
        if not folder.exists():
            folder.mkdir(parents=True, mode=0o700)
    engine = create_engine(url, hide_parameters=True, connect_args={"timeout": BUSY_SECONDS})
    event.listen(engine, "connect", _sqlite_connect)
    event.listen(engine, "begin", _sqlite_begin)
    return engine


def _sqlite_connect(connection: Any, _record: Any) -> None:
    # The driver must not begin transactions by itself: `_sqlite_begin` says how each one starts.
    connection.isolation_level = None
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        f"busy_timeout={BUSY_SECONDS * 1000}",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _sqlite_begin(connection: Connection) -> None:
    write = connection.get_execution_options().get("docmill_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")


def open_store(url: str) -> Store:
    """A store that is reachable, up to date and safe; raises StoreError with the fix if it is not."""
    store = Store(url)
    try:
        store.check_schema()
    except OperationalError as error:
        raise StoreError(f"cannot reach {store.name}: {error.orig}") from error
    return store
