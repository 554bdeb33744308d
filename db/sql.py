"""The few SQL expressions and statements that SQLite and PostgreSQL spell differently.

All times come from the database's clock, so that a machine whose clock is wrong cannot shorten or lengthen a lease.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    ARRAY,
    JSON,
    BigInteger,
    Boolean,
    DateTime,
    Dialect,
    Float,
    Integer,
    ScalarSelect,
    Text,
    cast,
    column,
    literal,
    select,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.postgresql import Insert as PostgresInsert
from sqlalchemy.dialects.postgresql import insert as postgres_insert
from sqlalchemy.dialects.sqlite import Insert as SqliteInsert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import Session
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.sql.selectable import TableValuedAlias
from sqlalchemy.types import TypeDecorator


class UtcDateTime(TypeDecorator[Any]):
    """An aware UTC datetime; SQLite keeps it as text, `2026-11-21 05:22:00.123000`."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        if value is None:
            return None
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:  # noqa: ARG002 (the base's signature)
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Meta(TypeDecorator[Any]):
    """A document's metadata: JSONB on PostgreSQL; on SQLite JSON as text, with names and texts as they are."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        return dialect.type_descriptor(JSONB() if dialect.name == "postgresql" else Text())

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        if value is None or dialect.name == "postgresql":
            return value
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        return json.loads(value) if isinstance(value, str) and dialect.name != "postgresql" else value


class StateText(TypeDecorator[StrEnum]):
    """A column of text whose values are the members of an enum."""

    impl = Text
    cache_ok = True

    def __init__(self, enum: type[StrEnum]) -> None:
        super().__init__()
        self.enum = enum

    @property
    def python_type(self) -> type[str]:
        return str

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        # A plain string, so that no driver has to know the enum.
        return None if value is None else str(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> StrEnum | None:  # noqa: ARG002
        return None if value is None else self.enum(value)


class now(FunctionElement[Any]):  # noqa: N801 (reads as the SQL function it is)
    """The database's clock at this moment (not at the start of the transaction), plus `seconds`."""

    type = UtcDateTime()
    inherit_cache = True

    def __init__(self, seconds: float | ColumnElement[Any] = 0) -> None:
        super().__init__(seconds)


@compiles(now, "sqlite")
def _now_sqlite(element: now, compiler: SQLCompiler, **kw: Any) -> str:
    seconds = compiler.process(element.clauses, **kw)
    return f"strftime('%Y-%m-%d %H:%M:%f000', 'now', ({seconds}) || ' seconds')"


@compiles(now, "postgresql")
def _now_postgresql(element: now, compiler: SQLCompiler, **kw: Any) -> str:
    return f"(clock_timestamp() + ({compiler.process(element.clauses, **kw)}) * interval '1 second')"


def statement_time(seconds: float = 0) -> ScalarSelect[datetime]:
    """`now`, asked once in a statement. PostgreSQL asks `now` itself in each row, so that no index can be searched by
    it: use this in conditions on large tables."""
    return select(now(seconds)).scalar_subquery()


class seconds_between(FunctionElement[float]):  # noqa: N801
    """The seconds from one time to another."""

    type = Float()
    inherit_cache = True


@compiles(seconds_between, "sqlite")
def _seconds_between_sqlite(element: seconds_between, compiler: SQLCompiler, **kw: Any) -> str:
    one, other = (compiler.process(clause, **kw) for clause in element.clauses)
    return f"((julianday({other}) - julianday({one})) * 86400.0)"


@compiles(seconds_between, "postgresql")
def _seconds_between_postgresql(element: seconds_between, compiler: SQLCompiler, **kw: Any) -> str:
    one, other = (compiler.process(clause, **kw) for clause in element.clauses)
    return f"CAST(EXTRACT(EPOCH FROM {other} - {one}) AS DOUBLE PRECISION)"


def clock(session: Session) -> datetime:
    """The database's time."""
    moment: datetime = session.execute(select(now())).scalar_one()
    return moment


class json_ids(FunctionElement[Any]):  # noqa: N801
    """Aggregate: document ids into one JSON array, in the order of the rows."""

    inherit_cache = True


@compiles(json_ids, "sqlite")
def _json_ids_sqlite(element: json_ids, compiler: SQLCompiler, **kw: Any) -> str:
    return f"json_group_array({compiler.process(element.clauses, **kw)})"


@compiles(json_ids, "postgresql")
def _json_ids_postgresql(element: json_ids, compiler: SQLCompiler, **kw: Any) -> str:
    ids = compiler.process(element.clauses, **kw)
    return f"jsonb_agg({ids} ORDER BY {ids})"


class _each(FunctionElement[Any]):  # noqa: N801
    inherit_cache = True


@compiles(_each, "sqlite")
def _each_sqlite(element: _each, compiler: SQLCompiler, **kw: Any) -> str:
    return f"json_each({compiler.process(element.clauses, **kw)})"


@compiles(_each, "postgresql")
def _each_postgresql(element: _each, compiler: SQLCompiler, **kw: Any) -> str:
    return f"jsonb_array_elements_text({compiler.process(element.clauses, **kw)})"


def each_id(ids: Any) -> tuple[TableValuedAlias, ColumnElement[int]]:
    """A JSON array of document ids as a table; returns (the table to join, its id column)."""
    table = _each(ids).table_valued(column("value")).alias("each_id")
    return table, cast(table.c.value, BigInteger)


class member_of(FunctionElement[str]):  # noqa: N801
    """The value of a member of a JSON object, which is a text, by its name; NULL if there is none. The name must hold
    no quotation mark."""

    type = Text()
    inherit_cache = True


@compiles(member_of, "sqlite")
def _member_of_sqlite(element: member_of, compiler: SQLCompiler, **kw: Any) -> str:
    found, name = (compiler.process(clause, **kw) for clause in element.clauses)
    return f"json_extract({found}, '$.\"' || {name} || '\"')"


@compiles(member_of, "postgresql")
def _member_of_postgresql(element: member_of, compiler: SQLCompiler, **kw: Any) -> str:
    found, name = (compiler.process(clause, **kw) for clause in element.clauses)
    return f"(CAST({found} AS JSONB) ->> {name})"


class one_of(FunctionElement[bool]):  # noqa: N801
    """Whether a text or number is one of many. All of them are one parameter, where IN (...) would have one each."""

    type = Boolean()
    inherit_cache = True
    #: Without this, SQLite gets `... IN (...) = 1`, for which it reads the whole table.
    _is_implicitly_boolean = True

    def __init__(self, value: Any, values: Sequence[str] | Sequence[int]) -> None:
        as_json = literal(list(values), JSON())
        # Of no values, PostgreSQL still wants to know the type.
        numbers = isinstance(values[0], int) if values else isinstance(getattr(value, "type", None), Integer)
        as_array = literal(list(values), ARRAY(BigInteger if numbers else Text))
        super().__init__(value, as_json, as_array)


@compiles(one_of, "sqlite")
def _one_of_sqlite(element: one_of, compiler: SQLCompiler, **kw: Any) -> str:
    value, as_json, _ = (compiler.process(clause, **kw) for clause in element.clauses)
    return f"{value} IN (SELECT value FROM json_each({as_json}))"  # noqa: S608 (compiled expressions)


@compiles(one_of, "postgresql")
def _one_of_postgresql(element: one_of, compiler: SQLCompiler, **kw: Any) -> str:
    value, _, as_array = element.clauses
    return f"{compiler.process(value, **kw)} = ANY({compiler.process(as_array, **kw)})"


def insert_for(session: Session, table: Any) -> SqliteInsert | PostgresInsert:
    """An INSERT in the database's own dialect, which has ON CONFLICT."""
    is_sqlite = session.get_bind().dialect.name == "sqlite"
    return sqlite_insert(table) if is_sqlite else postgres_insert(table)
