"""A user's own SQL: one query that can change nothing, with a limit on time and rows.

PostgreSQL: the query is declared as a cursor, in a message that holds one statement. So it is a SELECT (or VALUES) and
nothing else, in a transaction that is read-only before it begins and that no query can make writable. It runs as the
role `reader`, where docmill's user is a member of it. Functions that are VOLATILE are refused by name unless they are
known to be harmless: they could give back the role, hold locks, end other sessions, or reach files and other servers.

SQLite: a separate connection to a file that is opened for reading, with an authorizer that allows each action.
"""

from __future__ import annotations

import re
import sqlite3
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from db.database_errors import first_line, strip
from db.store import Store

#: The role of those who query results (deploy/postgres.sql makes it), and a table that it may read where it is ours.
READER, _ITS_TABLE = "reader", "job"
#: What the query is called in its transaction.
CURSOR = "docmill_query"
#: Rows that PostgreSQL sends at a time.
_FETCH = 200

#: VOLATILE functions of PostgreSQL that change nothing, which may be called all the same.
_HARMLESS = {
    "random", "random_normal", "setseed", "clock_timestamp", "timeofday", "gen_random_uuid", "uuidv4", "uuidv7",
    "pg_relation_size", "pg_table_size", "pg_indexes_size", "pg_total_relation_size", "pg_database_size",
    "pg_tablespace_size", "pg_column_size", "pg_is_in_recovery", "pg_last_wal_replay_lsn", "pg_backend_pid",
    "pg_current_wal_lsn",
}  # fmt: skip

#: What a query may do on SQLite, and the PRAGMAs that only tell (pragma_table_info also as a table).
_ALLOWED = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_RECURSIVE}
_TELLING_PRAGMAS = {
    "table_info", "table_xinfo", "table_list", "index_list", "index_info", "index_xinfo", "foreign_key_list",
    "function_list", "collation_list", "compile_options", "database_list",
}  # fmt: skip
#: Functions that reach beyond the store.
_FORBIDDEN_FUNCTIONS = {"load_extension", "readfile", "writefile", "edit", "fts3_tokenizer"}
#: Steps of SQLite's virtual machine between two checks of the time limit.
_STEPS = 20_000


class QueryError(ValueError):
    """The query cannot be run; the message says why, in words of the database."""


class TimeUpError(QueryError):
    """The query took too long."""


@dataclass(frozen=True)
class Found:
    """What a query found."""

    columns: tuple[str, ...]
    rows: Sequence[tuple[Any, ...]]
    #: There are more rows than were asked for.
    is_cut: bool


def run(store: Store, query: str, *, seconds: float, limit: int | None = None) -> Found:
    """Run one query, for `seconds` at most, and return its first `limit` rows (None: all). Raises QueryError."""
    if "\0" in query:
        raise QueryError("it holds a NUL character")
    if store.is_sqlite:
        return _on_sqlite(store, query, seconds, limit)
    return _on_postgres(store, query, seconds, limit)


# --- PostgreSQL -----------------------------------------------------------------------------------------------


def _on_postgres(store: Store, query: str, seconds: float, limit: int | None) -> Found:
    with store.engine.connect() as connection:
        # First of all: nothing can make the transaction writable once it has looked at a row.
        connection.execute(text("SET TRANSACTION READ ONLY"))
        become_reader(connection, query)
        driver: Any = connection.connection.driver_connection
        try:
            return _fetched(driver, query, time.monotonic() + seconds, limit)
        except psycopg.errors.QueryCanceled:
            raise time_is_up(seconds) from None
        except psycopg.Error as error:
            raise as_query_error(error, connection, driver, query) from None


def become_reader(connection: Connection, query: str) -> None:
    """Refuse the functions that a query must not call, and go on as the role `reader` where that is possible. The
    transaction is read-only already."""
    _refuse_functions(query, connection.scalars(text(_VOLATILE)))
    if connection.scalar(text(_HAS_READER), {"role": READER, "its_table": _ITS_TABLE}):
        connection.execute(text(f"SET LOCAL ROLE {READER}"))


#: Names of functions that may change something.
_VOLATILE = "SELECT DISTINCT proname FROM pg_proc WHERE provolatile = 'v'"
#: Whether the role is there for us, and is docmill's reader rather than another application's.
_HAS_READER = (
    "SELECT COALESCE(bool_or(pg_has_role(oid, 'MEMBER') "
    "AND has_table_privilege(oid, to_regclass(:its_table), 'SELECT')), false) FROM pg_roles WHERE rolname = :role"
)


def _fetched(driver: Any, query: str, until: float, limit: int | None) -> Found:
    with driver.cursor() as cursor:
        declare(cursor, query, until)
        rows: list[tuple[Any, ...]] = []
        while limit is None or len(rows) <= limit:
            limit_time(cursor, until)
            n = _FETCH if limit is None else min(_FETCH, limit + 1 - len(rows))
            cursor.execute(f"FETCH FORWARD {n} FROM {CURSOR}")
            columns = tuple(column.name for column in cursor.description)
            some = cursor.fetchall()
            rows += some
            if len(some) < n:
                break
    return Found(columns, rows[:limit], limit is not None and len(rows) > limit)


def declare(cursor: Any, query: str, until: float) -> None:
    """Make the query the cursor CURSOR."""
    limit_time(cursor, until)
    # The binary format asks for the extended protocol, in which a message holds one statement.
    cursor.execute(f"DECLARE {CURSOR} NO SCROLL CURSOR FOR {query}", binary=True)


def limit_time(cursor: Any, until: float) -> None:
    """For the next statement: what is left of the query's time."""
    left = max(1, int((until - time.monotonic()) * 1000))
    cursor.execute(f"SET LOCAL statement_timeout = {left}")


def _refuse_functions(query: str, volatile: Iterable[str]) -> None:
    """Refuse a query that calls one of these functions. Found by name in the bare text, so that no way of quoting
    hides one. A column of that name is allowed, since no bracket follows it."""
    if re.search(r"u&\s*[\"']", query, re.IGNORECASE):
        raise QueryError("names and texts written as U&'...' are refused: write the characters themselves")
    # A comment may stand between a name and its bracket: then the name alone is enough.
    follows = "" if "--" in query or "/*" in query else r'"?\s*\('
    called = {name.lower() for name in re.findall(rf"(\w+){follows}", query)}
    if forbidden := sorted(called & (set(volatile) - _HARMLESS)):
        raise QueryError(f"the function {forbidden[0]} may change something, so it is refused")


def _said(error: psycopg.Error, query: str) -> str:
    said = first_line(error)
    is_query = re.match(r"[\s(]*(select|with|values|table)\b", _without_comments(query), re.IGNORECASE)
    return said if is_query else f"{said}: write one SELECT"


def _without_comments(query: str) -> str:
    return re.sub(r"--[^\n]*|/\*.*?\*/", " ", query, flags=re.DOTALL)


def as_query_error(error: psycopg.Error, connection: Connection, driver: Any, query: str) -> BaseException:
    """What a caller gets: an error of the connection, or one of the query."""
    if driver.closed or not error.sqlstate:
        return _as_sqlalchemy(error, connection, driver)
    return QueryError(_said(error, query))


def _as_sqlalchemy(error: psycopg.Error, connection: Connection, driver: Any) -> BaseException:
    """An error of the connection, as callers know it."""
    raised = DBAPIError.instance(
        None,
        None,
        error,
        psycopg.Error,
        connection_invalidated=bool(driver.closed),
        dialect=connection.dialect,
    )
    strip(raised)
    return raised


# --- SQLite ---------------------------------------------------------------------------------------------------


def _on_sqlite(store: Store, query: str, seconds: float, limit: int | None) -> Found:
    """Runs in a separate thread. One step of SQLite can take very long (a pattern over a long text), and the time limit
    is checked only between steps. Such a thread is abandoned."""
    until = time.monotonic() + seconds
    found: list[Found | BaseException] = []

    def work() -> None:
        try:
            found.append(_found_in(store, query, until, limit))
        except BaseException as error:
            found.append(error)

    thread = threading.Thread(target=work, name="query", daemon=True)
    thread.start()
    thread.join(seconds + 1)
    if not found or (isinstance(found[0], sqlite3.OperationalError) and time.monotonic() >= until):
        raise time_is_up(seconds)
    if isinstance(found[0], sqlite3.Error | sqlite3.Warning):
        raise sqlite_error(found[0])
    if isinstance(found[0], BaseException):
        raise found[0]
    return found[0]


def _found_in(store: Store, query: str, until: float, limit: int | None) -> Found:
    connection = read_only(store)
    try:
        guard(connection, until)
        cursor = connection.execute(query)
        if cursor.description is None:
            raise QueryError("that is no query: write one SELECT")
        columns = tuple(column[0] for column in cursor.description)
        rows = cursor.fetchall() if limit is None else cursor.fetchmany(limit + 1)
        return Found(columns, rows[:limit], limit is not None and len(rows) > limit)
    finally:
        connection.close()


def sqlite_error(error: sqlite3.Error | sqlite3.Warning) -> QueryError:
    """In words of the database."""
    said = first_line(error)
    return QueryError(f"{said}: a query may only read" if "not authorized" in said else said)


def guard(connection: sqlite3.Connection, until: float) -> None:
    """From now on, the connection allows nothing but reading, until then."""
    connection.set_progress_handler(lambda: time.monotonic() >= until, _STEPS)
    connection.set_authorizer(_may)


def read_only(store: Store) -> sqlite3.Connection:
    """A connection for this query alone; the file is opened for reading."""
    path = store.url.database or ":memory:"
    quoted = re.sub(r"[?#%]", lambda found: f"%{ord(found[0]):02x}", path)
    connection = sqlite3.connect(f"file:{quoted}?mode=ro", uri=True, isolation_level=None, timeout=5)
    connection.execute("PRAGMA query_only = ON")
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
    # Their first use declares them, which looks like a change of the schema: so it comes before the authorizer.
    connection.execute("SELECT 1 FROM json_each('[]'), json_tree('[]'), pragma_table_info('job')").fetchall()
    return connection


def _may(action: int, first: str | None, second: str | None, _database: str | None, _via: str | None) -> int:
    """SQLite calls this before each action of a statement."""
    is_allowed = action in _ALLOWED
    if action == sqlite3.SQLITE_FUNCTION:
        is_allowed = (second or "").lower() not in _FORBIDDEN_FUNCTIONS
    elif action == sqlite3.SQLITE_PRAGMA:
        is_allowed = (first or "").lower() in _TELLING_PRAGMAS
    return sqlite3.SQLITE_OK if is_allowed else sqlite3.SQLITE_DENY


def time_is_up(seconds: float, limit: str = "DOCMILL_QUERY_SECONDS") -> TimeUpError:
    """What the user is told; `limit` is what sets the time."""
    return TimeUpError(f"it took more than {seconds:g} s: ask for less, or raise {limit}")
