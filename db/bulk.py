"""Inserting many rows in the fastest way of each database: COPY on PostgreSQL, many rows per statement on SQLite."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import chain
from types import NoneType
from typing import Any

from sqlalchemy import LargeBinary, Table, insert
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from db.database_errors import strip

#: With fewer rows, the round trips of COPY cost more than it saves: they are one statement, with an array for each
#: column.
COPY_FROM_ROWS = 50
#: Rows in one statement of SQLite, and the parameters that any build of it takes.
MOST_ROWS, MOST_PARAMETERS = 500, 32_766
#: Rows in one statement of PostgreSQL that takes arrays ...
ARRAY_ROWS = 10_000
#: ... and characters. A message is held in memory several times on both sides, and cannot have more than 1 GB.
ARRAY_CHARS = 8_000_000


def insert_rows(session: Session, table: Table, rows: Sequence[dict[str, Any]]) -> None:
    """Insert rows, all with the same columns and a value for each; defaults are not filled in. Part of the
    session's transaction."""
    if _is_postgres(session) and len(rows) >= COPY_FROM_ROWS:
        names = list(rows[0])
        _copy(session, table, names, ([_copied(row[name]) for name in names] for row in rows))
    else:
        session.execute(insert(table), rows)


def insert_tuples(
    session: Session,
    table: Table,
    columns: Sequence[str],
    rows: Sequence[tuple[Any, ...]],
    *,
    owner: tuple[str, int | str | None],
    skip_existing: bool,
) -> None:
    """Insert rows whose values (numbers, text, bytes, None) the drivers take as they are, which spares the
    conversion of each value. `owner` is a column that has the same value in every row. `skip_existing` leaves
    rows alone whose key is there already."""
    names, value = (owner[0], *columns), owner[1]
    if not _is_postgres(session):
        _insert_together(session, table, names, value, rows, skip_existing=skip_existing)
    elif (skip_existing or len(rows) < COPY_FROM_ROWS) and fit_arrays(table, columns, rows):
        _insert_from_arrays(session, table, names, value, rows, skip_existing=skip_existing)
    elif skip_existing or len(rows) < COPY_FROM_ROWS:
        statement = _insert(table, names, f"({', '.join(['%s'] * len(names))})", skip_existing=skip_existing)
        session.connection().exec_driver_sql(statement, [(value, *row) for row in rows])
    else:
        _copy(session, table, names, ((value, *row) for row in rows))


def fit_arrays(table: Table, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> bool:
    """Whether each column's values make an array: they are of one type, and not bytes, for which that is slow. Nor
    lists, of which `unnest` would make a row for each item."""
    if any(isinstance(table.c[name].type, LargeBinary) for name in columns):
        return False
    types = (set(map(type, column)) - {NoneType} for column in zip(*rows, strict=True))
    return all(len(each) <= 1 and not any(map(is_container, each)) for each in types)


def is_container(type_: type) -> bool:
    """Whether values of a type consist of several: lists, dictionaries, arrays. Text and bytes are one value."""
    return hasattr(type_, "__len__") and not issubclass(type_, (str, bytes, bytearray, memoryview))


def n_chars(rows: Iterable[Sequence[Any]]) -> int:
    """The characters of all text in some rows."""
    return sum(len(value) for row in rows for value in row if isinstance(value, str))


def pieces(
    rows: Sequence[tuple[Any, ...]], most_rows: int, most_chars: int
) -> Iterator[Sequence[tuple[Any, ...]]]:
    """The rows in pieces, each within both limits. A row with more characters of text is a piece of its own."""
    start, chars = 0, 0
    for place, row in enumerate(rows):
        more = n_chars([row])
        if place > start and (place - start >= most_rows or chars + more > most_chars):
            yield rows[start:place]
            start, chars = place, 0
        chars += more
    if start < len(rows):
        yield rows[start:]


def _insert_from_arrays(
    session: Session,
    table: Table,
    names: tuple[str, ...],
    owner: int | str | None,
    rows: Sequence[tuple[Any, ...]],
    *,
    skip_existing: bool,
) -> None:
    """On PostgreSQL, many rows in one statement that may skip existing ones, which COPY cannot: an array for each
    column."""
    connection = session.connection()
    statement = _from_arrays(table, names, skip_existing=skip_existing)
    for some in pieces(rows, ARRAY_ROWS, ARRAY_CHARS):
        columns = map(list, zip(*some, strict=True))
        connection.exec_driver_sql(statement, (owner, *columns), execution_options={"docmill_prepare": True})


@cache
def _from_arrays(table: Table, names: tuple[str, ...], *, skip_existing: bool) -> str:
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    types = [table.c[name].type.compile(dialect) for name in names[1:]]
    arrays = ", ".join(f"%s::{each}[]" for each in types)
    ending = " ON CONFLICT DO NOTHING" if skip_existing else ""
    return f"INSERT INTO {table.name} ({', '.join(names)}) SELECT %s, * FROM unnest({arrays}){ending}"  # noqa: S608 (our own names)


def _insert_together(
    session: Session,
    table: Table,
    names: Sequence[str],
    owner: int | str | None,
    rows: Sequence[tuple[Any, ...]],
    *,
    skip_existing: bool,
) -> None:
    """Many rows in one statement. The driver releases Python's lock at each step, and executemany has a step for each
    row. In a worker whose other thread is busy, getting the lock back takes milliseconds."""
    connection = session.connection()
    per_statement = min(MOST_ROWS, MOST_PARAMETERS // len(names))
    one = f"(?1{', ?' * (len(names) - 1)})"
    for start in range(0, len(rows), per_statement):
        some = rows[start : start + per_statement]
        statement = _insert(table, names, ", ".join([one] * len(some)), skip_existing=skip_existing)
        connection.exec_driver_sql(statement, (owner, *chain.from_iterable(some)))


def _insert(table: Table, names: Sequence[str], values: str, *, skip_existing: bool) -> str:
    """The statement. Names come from our own models; the values travel apart from it."""
    ending = " ON CONFLICT DO NOTHING" if skip_existing else ""
    return f"INSERT INTO {table.name} ({', '.join(names)}) VALUES {values}{ending}"  # noqa: S608


def _copy(session: Session, table: Table, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    connection = session.connection()
    driver: Any = connection.connection.driver_connection
    dbapi_error = connection.dialect.loaded_dbapi.Error
    statement = f"COPY {table.name} ({', '.join(columns)}) FROM STDIN"
    try:
        with driver.cursor() as cursor, cursor.copy(statement) as copy:
            for row in rows:
                copy.write_row(row)
    except dbapi_error as error:
        # As SQLAlchemy would have it, so that callers tell a lost connection from a bad value.
        raised = DBAPIError.instance(
            None,
            None,
            error,
            dbapi_error,
            connection_invalidated=bool(driver.closed),
            dialect=connection.dialect,
        )
        strip(raised)
        raise raised from error


def _copied(value: Any) -> Any:
    return json.dumps(value) if is_container(type(value)) else value


def _is_postgres(session: Session) -> bool:
    return session.get_bind().dialect.name == "postgresql"
