"""A user's own query, read piece by piece: the same gate as db.ad_hoc, for results that do not fit into memory.

All of it is one snapshot: the rows, the position of the store, and on SQLite the look at the values that says which
type each column has.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache
from typing import Any

import psycopg
from sqlalchemy import Boolean, text

from db import ad_hoc
from db.ad_hoc import QueryError
from db.sql import UtcDateTime
from db.store import Store
from db.tables import Base

#: Rows of a batch.
BATCH = 2_000

#: How SQLite keeps times: `2026-11-21 05:22:00.123000`.
_TIME_GLOB = "[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9] [0-9][0-9]:[0-9][0-9]:[0-9][0-9]*"

#: What tells where the store is: each is one number or text.
_POSITION = {
    "schema": "SELECT version_num FROM alembic_version",
    "last_document": "SELECT MAX(id) FROM document",
    "last_job": "SELECT MAX(id) FROM job",
    "last_finished_job": "SELECT MAX(id) FROM job WHERE state IN ('finished', 'cancelled')",
}


class Type(StrEnum):
    """The type of a column, the same for SQLite and PostgreSQL."""

    BOOLEAN = "boolean"
    INTEGER = "integer"
    NUMBER = "number"
    #: An exact number with any number of digits: what SUM and AVG return on PostgreSQL.
    DECIMAL = "decimal"
    TEXT = "text"
    TIME = "time"
    DATE = "date"
    BYTES = "bytes"


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a query."""

    name: str
    type: Type


Row = tuple[Any, ...]


@dataclass(frozen=True)
class Reading:
    """A query that is being read."""

    columns: tuple[Column, ...]
    #: The rows, at most BATCH at a time. Times are aware, in UTC.
    batches: Iterator[list[Row]]
    #: The database's time when it began.
    moment: datetime
    #: What the store held: its schema, and the highest numbers.
    position: dict[str, Any]
    #: Number of rows, where it is known before they are read.
    n_rows: int | None


@contextmanager
def reading(store: Store, query: str, *, seconds: float) -> Iterator[Reading]:
    """Begin to read one query, for `seconds` at most. Raises QueryError, also while the batches are read."""
    if "\0" in query:
        raise QueryError("it holds a NUL character")
    until = time.monotonic() + seconds
    with (_on_sqlite if store.is_sqlite else _on_postgres)(store, query, until, seconds) as found:
        yield found


# --- PostgreSQL -----------------------------------------------------------------------------------------------

#: psycopg's numbers of types. Of the others, the text is taken.
_TYPES = {
    16: Type.BOOLEAN,
    **dict.fromkeys((20, 21, 23, 26), Type.INTEGER),
    **dict.fromkeys((700, 701), Type.NUMBER),
    1700: Type.DECIMAL,
    **dict.fromkeys((1114, 1184), Type.TIME),
    1082: Type.DATE,
    17: Type.BYTES,
}


@contextmanager
def _on_postgres(store: Store, query: str, until: float, seconds: float) -> Iterator[Reading]:
    with store.engine.connect() as connection:
        connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
        # Between two batches, the file or table is written.
        connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = '15min'"))
        moment = connection.scalar(text("SELECT clock_timestamp()"))
        position = {name: connection.scalar(text(one)) for name, one in _POSITION.items()}
        ad_hoc.become_reader(connection, query)
        driver: Any = connection.connection.driver_connection
        try:
            with driver.cursor() as cursor:
                ad_hoc.declare(cursor, query, until)
                cursor.execute(f"FETCH FORWARD 0 FROM {ad_hoc.CURSOR}")
                columns = tuple(
                    Column(one.name, _TYPES.get(one.type_code, Type.TEXT)) for one in cursor.description
                )
                batches = _fetched(cursor, columns, until)
                yield Reading(columns, batches, moment.astimezone(UTC), position, None)
        except psycopg.errors.QueryCanceled:
            raise ad_hoc.time_is_up(seconds, "--seconds") from None
        except psycopg.Error as error:
            raise ad_hoc.as_query_error(error, connection, driver, query) from None


def _fetched(cursor: Any, columns: tuple[Column, ...], until: float) -> Iterator[list[Row]]:
    while True:
        ad_hoc.limit_time(cursor, until)
        cursor.execute(f"FETCH FORWARD {BATCH} FROM {ad_hoc.CURSOR}")
        rows = cursor.fetchall()
        if rows:
            yield converted(rows, columns)
        if len(rows) < BATCH:
            return


# --- SQLite ---------------------------------------------------------------------------------------------------


@contextmanager
def _on_sqlite(store: Store, query: str, until: float, seconds: float) -> Iterator[Reading]:
    with closing(ad_hoc.read_only(store)) as connection:
        connection.execute("BEGIN")
        now = connection.execute("SELECT strftime('%Y-%m-%d %H:%M:%f', 'now')").fetchone()[0]
        position = {name: connection.execute(one).fetchone()[0] for name, one in _POSITION.items()}
        try:
            ad_hoc.guard(connection, until)
            names = _names(connection, query)
            n_rows, columns = _looked_at(connection, query, names)
            cursor = connection.execute(query)
            batches = _read(cursor, columns)
            yield Reading(columns, batches, datetime.fromisoformat(now).replace(tzinfo=UTC), position, n_rows)
        except (sqlite3.Error, sqlite3.Warning) as error:
            if isinstance(error, sqlite3.OperationalError) and time.monotonic() >= until:
                raise ad_hoc.time_is_up(seconds, "--seconds") from None
            raise ad_hoc.sqlite_error(error) from None


def _bare(query: str) -> str:
    """The query as a part of another one."""
    return f"(\n{query.rstrip().removesuffix(';')}\n)"


def _names(connection: sqlite3.Connection, query: str) -> list[str]:
    """The names of the columns, without a look at a row."""
    description = connection.execute(f"SELECT * FROM {_bare(query)} LIMIT 0").description  # noqa: S608 (gated)
    return [column[0] for column in description]


def _looked_at(
    connection: sqlite3.Connection, query: str, names: list[str]
) -> tuple[int, tuple[Column, ...]]:
    """Number of rows, and the type of each column by its values: in SQLite a column can hold values of any type."""
    places = [f"c{place}" for place in range(len(names))]
    looks = ", ".join(
        f"COUNT({c}), SUM(typeof({c}) = 'integer'), SUM(typeof({c}) = 'real'), SUM(typeof({c}) = 'blob'), "
        f"SUM(typeof({c}) = 'integer' AND {c} IN (0, 1)), "
        f"SUM(typeof({c}) = 'text' AND LENGTH({c}) < 30 AND {c} GLOB '{_TIME_GLOB}')"
        for c in places
    )
    counted = connection.execute(
        f"WITH q({', '.join(places)}) AS {_bare(query)} SELECT COUNT(*), {looks} FROM q"  # noqa: S608 (gated)
    ).fetchone()
    figures = [counted[1 + 6 * place : 7 + 6 * place] for place in range(len(names))]
    return counted[0], tuple(
        Column(name, _type(name, *(number or 0 for number in one)))
        for name, one in zip(names, figures, strict=True)
    )


def _type(name: str, n: int, integers: int, reals: int, blobs: int, bits: int, times: int) -> Type:
    if n == 0:
        return _by_name().get(name, Type.TEXT)
    if n == bits and _by_name().get(name) is Type.BOOLEAN:
        return Type.BOOLEAN
    if n == times and _by_name().get(name) is Type.TIME:
        return Type.TIME
    if n == integers:
        return Type.INTEGER
    if n == integers + reals:
        return Type.NUMBER
    return Type.BYTES if n == blobs else Type.TEXT


@cache
def _by_name() -> dict[str, Type]:
    """SQLite has no booleans and no times. A column that is named as a boolean or time of docmill's tables is one, if
    each of its values can be."""
    found = {"is_current": Type.BOOLEAN}
    for table in Base.metadata.tables.values():
        for column in table.c:
            if isinstance(column.type, Boolean):
                found[column.name] = Type.BOOLEAN
            elif isinstance(column.type, UtcDateTime):
                found[column.name] = Type.TIME
    return found


def _read(cursor: sqlite3.Cursor, columns: tuple[Column, ...]) -> Iterator[list[Row]]:
    while rows := cursor.fetchmany(BATCH):
        yield converted(rows, columns)


# --- values ---------------------------------------------------------------------------------------------------


def converted(rows: Iterable[Row], columns: tuple[Column, ...]) -> list[Row]:
    """Each value as its column's type has it. Columns that are right as they come cost nothing."""
    changing = [
        (place, _CONVERT[column.type]) for place, column in enumerate(columns) if column.type in _CONVERT
    ]
    if not changing:
        return list(rows)
    found = []
    for row in rows:
        values = list(row)
        for place, convert in changing:
            if values[place] is not None:
                values[place] = convert(values[place])
        found.append(tuple(values))
    return found


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False, default=str)
    return value.hex() if isinstance(value, bytes) else str(value)


def _time(value: Any) -> datetime:
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    moment: datetime = value
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


_CONVERT: dict[Type, Callable[[Any], Any]] = {
    Type.BOOLEAN: bool,
    Type.NUMBER: float,
    Type.TEXT: _text,
    Type.TIME: _time,
    Type.BYTES: bytes,
}
