"""The few SQL expressions that SQLite and PostgreSQL spell differently.

All times come from the database's clock, so that no machine's clock can shorten or lengthen a lease.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    ARRAY,
    JSON,
    BigInteger,
    Boolean,
    DateTime,
    Dialect,
    Text,
    cast,
    column,
    literal,
    select,
)
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


class now(FunctionElement[Any]):  # noqa: N801 (reads as the SQL function it is)
    """The database's clock, now (not at the start of the transaction), plus `seconds`."""

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


class one_of(FunctionElement[bool]):  # noqa: N801
    """Whether a text or number is one of many: one parameter however many they are, where IN (...) would have
    as many."""

    type = Boolean()
    inherit_cache = True
    #: Else SQLite gets `... IN (...) = 1`, for which it reads the whole table.
    _is_implicitly_boolean = True

    def __init__(self, value: Any, values: Sequence[str] | Sequence[int]) -> None:
        as_json = literal(list(values), JSON())
        numbers = bool(values) and isinstance(values[0], int)
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
