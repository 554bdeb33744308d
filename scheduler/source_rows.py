"""The rows of a query on another database, streamed and read-only. Passwords are in no message.

PostgreSQL and SQLite are there; any other database whose SQLAlchemy driver is installed works too, and is left
unchanged because its transaction is rolled back.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from db.database_errors import first_line

#: The source of the records in reports; the number is that of the row.
PLACE = "query"
#: Rows that the database sends at a time.
_ROWS = 1_000
_ENV = "env:"
_CONNECT_SECONDS = 10
#: As SQLAlchemy finds them.
_NAMES = re.compile(r"(?<![:\w\\]):(\w+)(?!:)")
_READS = re.compile(
    r"\s*(?:--[^\n]*\n\s*|/\*.*?\*/\s*)*\(*\s*(?:select|with|values|table)\b", re.IGNORECASE | re.DOTALL
)


def rows(database: str, query: str, values: Mapping[str, Any] | None = None) -> Iterator[dict[str, Any]]:
    """One dictionary for each row. `database` is a URL, or env:NAME. ValueError if it cannot be used, for what is no
    query, and if the database refuses it; ConnectionError if the database does not answer."""
    url = _url(database)
    if not _READS.match(query):
        raise ValueError("the query must be one SELECT (or WITH ... SELECT, VALUES, TABLE)")
    missing = sorted({*(values or {})} - {*_NAMES.findall(query)})
    if missing:
        raise ValueError(f"the query has no :{missing[0]}")
    return _streamed(url, query, dict(values or {}))


def name_of(database: str) -> str:
    """The database for people, without user and password."""
    if database.startswith(_ENV):
        return database
    return _place(_url(database))


def _place(url: URL) -> str:
    return f"{url.get_backend_name()}://{url.host or ''}/{url.database or ''}"


def _url(database: str) -> URL:
    if database.startswith(_ENV):
        name = database.removeprefix(_ENV)
        database = os.environ.get(name, "")
        if not database:
            raise ValueError(
                f"the environment variable {name} is not set: it should hold the URL of a database"
            )
    try:
        url = make_url(database)
    except (ArgumentError, ValueError):
        raise ValueError(
            "this is no URL of a database: write postgresql://host/database, sqlite:////full/path.db, or env:NAME"
        ) from None
    if url.drivername in ("postgresql", "postgres"):
        return url.set(drivername="postgresql+psycopg")
    return url


def _streamed(url: URL, query: str, values: dict[str, Any]) -> Iterator[dict[str, Any]]:
    with _explained(url), _engine(url) as engine, engine.connect() as connection:
        found = (_of_postgres if engine.dialect.name == "postgresql" else _of_others)(
            connection, query, values
        )
        names = next(found)
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise ValueError(f"the query has two columns {twice!r}: name one of them with AS")
        for row in found:
            yield dict(zip(names, row, strict=True))


def _of_postgres(connection: Connection, query: str, values: dict[str, Any]) -> Iterator[tuple[Any, ...]]:
    """The names of the columns, then the rows, from a cursor of the server."""
    # Once it has looked at a row, nothing makes the transaction writable.
    connection.execute(text("SET TRANSACTION READ ONLY"))
    driver: Any = connection.connection.driver_connection
    asked = query.rstrip().rstrip(";")
    if values:
        asked = _NAMES.sub(
            lambda found: f"%({found[1]})s" if found[1] in values else found[0], asked.replace("%", "%%")
        )
    try:
        with driver.cursor() as cursor:
            # The binary format asks for the extended protocol, in which a message holds one statement.
            declare = f"DECLARE docmill_source NO SCROLL CURSOR FOR {asked}"
            cursor.execute(declare, values or None, binary=True)
            cursor.execute(f"FETCH FORWARD {_ROWS} FROM docmill_source")
            yield tuple(column.name for column in cursor.description)
            while found := cursor.fetchall():
                yield from found
                cursor.execute(f"FETCH FORWARD {_ROWS} FROM docmill_source")
    except psycopg.Error as error:
        place = _place(connection.engine.url)
        said = _without_secrets(first_line(error), connection.engine.url)
        if driver.closed or not error.sqlstate:
            raise ConnectionError(f"the database {place} does not answer: {said}") from None
        raise ValueError(f"the database {place} refuses the query: {said}") from None


def _of_others(connection: Connection, query: str, values: dict[str, Any]) -> Iterator[tuple[Any, ...]]:
    """The same, as the driver has it."""
    # What looks like a name and is none, as in '10 :30', stays as it is.
    escaped = _NAMES.sub(lambda found: found[0] if found[1] in values else "\\" + found[0], query)
    found = connection.execution_options(yield_per=_ROWS).execute(text(escaped), values)
    yield tuple(found.keys())
    for row in found:
        yield tuple(row)


@contextmanager
def _engine(url: URL) -> Iterator[Engine]:
    options: dict[str, Any] = {}
    if url.get_backend_name() == "sqlite":
        url = _sqlite_to_read(url)
    elif url.get_backend_name() == "postgresql":
        # From its first moment: also for a function that the query calls.
        asked = url.query.get("options", "")
        read_only = "-c default_transaction_read_only=on"
        options["connect_args"] = {
            "options": f"{asked} {read_only}".strip(),
            "connect_timeout": _CONNECT_SECONDS,
        }
    try:
        engine = create_engine(url, poolclass=NullPool, hide_parameters=True, **options)
    except (NoSuchModuleError, ImportError) as error:
        raise ValueError(
            f"no driver for {url.drivername} is installed: pip install it ({first_line(error)})"
        ) from None
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", lambda raw, _: raw.execute("PRAGMA query_only = ON"))
    try:
        yield engine
    finally:
        engine.dispose()


def _sqlite_to_read(url: URL) -> URL:
    """Opened for reading: a file that is missing is not made."""
    if not url.database or url.database == ":memory:":
        raise ValueError("a SQLite database is a file: write sqlite:////full/path.db")
    path = (
        url.database
        if url.database.startswith("file:")
        else f"file:{_quoted(str(Path(url.database).absolute()))}"
    )
    return url.set(database=path, query={"mode": "ro", "uri": "true"})


def _quoted(path: str) -> str:
    return path.replace("%", "%25").replace("?", "%3f").replace("#", "%23")


@contextmanager
def _explained(url: URL) -> Iterator[None]:
    """Errors of the database as errors of the request, or as ConnectionError: in its words, without its secrets."""
    try:
        yield
    except SQLAlchemyError as error:
        said = _without_secrets(first_line(getattr(error, "orig", None) or error), url)
        place = _place(url)
        if getattr(error, "connection_invalidated", False) or _is_connection_error(error):
            raise ConnectionError(f"the database {place} does not answer: {said}") from None
        raise ValueError(f"the database {place} refuses the query: {said}") from None


def _is_connection_error(error: SQLAlchemyError) -> bool:
    """Whether it is about the connection, not about the query: then psycopg has no code of the server."""
    from sqlalchemy.exc import InterfaceError, OperationalError

    origin: Any = getattr(error, "orig", None)
    if isinstance(error, InterfaceError):
        return True
    return isinstance(error, OperationalError) and hasattr(origin, "sqlstate") and origin.sqlstate is None


def _without_secrets(said: str, url: URL) -> str:
    for secret in (url.password,):
        if secret:
            said = said.replace(str(secret), "...")
    return said
