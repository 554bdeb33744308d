"""What a selection compares, as SQL: a field of the metadata or a built-in one, read as a text, a number, a time or a
truth value. Where it cannot be read so, it is NULL; nothing here raises an error in a database.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Boolean, ColumnElement, Double, Text, case, cast, exists, literal, null, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeEngine

from db.sql import UtcDateTime
from db.tables import Collection, Document, GivenLabel
from db.typed_texts import moment_sql, number_sql


@dataclass(frozen=True)
class Operand:
    """A field. Each reading is NULL where the field has none."""

    #: Not NULL where there is a value.
    present: ColumnElement[Any]
    text: ColumnElement[Any]
    number: ColumnElement[Any]
    moment: ColumnElement[Any]
    truth: ColumnElement[Any]
    #: The number, where it is not written as a text.
    plain_number: ColumnElement[Any]


class InMeta(FunctionElement[Any]):
    """A field inside the metadata as it is, for PostgreSQL as a text. SQLite finds it by the path, PostgreSQL by the
    steps."""

    type: TypeEngine[Any] = Text()
    inherit_cache = True

    def __init__(self, steps: Sequence[str]) -> None:
        path = "$" + "".join(f'."{step}"' for step in steps)
        super().__init__(Document.__table__.c.meta, literal(path), *map(literal, steps))


class _text(InMeta):  # noqa: N801
    inherit_cache = True


class _number(InMeta):  # noqa: N801
    type: TypeEngine[Any] = Double()
    inherit_cache = True


class _json_number(InMeta):  # noqa: N801
    """Of numbers alone, not of texts that are numbers."""

    type: TypeEngine[Any] = Double()
    inherit_cache = True


class _moment(InMeta):  # noqa: N801
    type = UtcDateTime()
    inherit_cache = True


class _truth(InMeta):  # noqa: N801
    type = Boolean()
    inherit_cache = True


class _OfText(FunctionElement[Any]):
    """A reading of an expression that is a text."""

    inherit_cache = True


class _text_number(_OfText):  # noqa: N801
    type = Double()
    inherit_cache = True


class _text_moment(_OfText):  # noqa: N801
    type = UtcDateTime()
    inherit_cache = True


class bytewise(_OfText):  # noqa: N801
    """A text that is ordered by its code points, whatever language the database is set to."""

    type = Text()
    inherit_cache = True


#: Of the value and its type in JSON.
_Reading = Callable[[str, str], str]

#: Other numbers have no text that would be the same on both databases.
_IS_WHOLE = (
    "CASE WHEN {0} ~ '^-?[0-9]{{1,19}}$' "
    "THEN ({0})::numeric BETWEEN -9223372036854775808 AND 9223372036854775807 END"
)
_SQLITE: Mapping[type[InMeta], _Reading] = {
    InMeta: lambda x, _: x,
    _text: lambda x, kind: (
        f"CASE {kind} WHEN 'text' THEN {x} WHEN 'integer' THEN CAST({x} AS TEXT) "
        "WHEN 'true' THEN 'true' WHEN 'false' THEN 'false' END"
    ),
    _json_number: lambda x, kind: f"CASE WHEN {kind} IN ('integer', 'real') THEN {x} END",
    _number: lambda x, kind: (
        f"CASE {kind} WHEN 'integer' THEN {x} WHEN 'real' THEN {x} WHEN 'text' THEN docmill_number({x}) END"
    ),
    _moment: lambda x, kind: (
        f"CASE {kind} WHEN 'text' THEN docmill_moment({x}) "
        f"WHEN 'integer' THEN docmill_moment(CAST({x} AS TEXT)) END"
    ),
    _truth: lambda x, kind: (
        f"CASE {kind} WHEN 'true' THEN 1 WHEN 'false' THEN 0 "
        f"WHEN 'text' THEN CASE lower({x}) WHEN 'true' THEN 1 WHEN 'false' THEN 0 END END"
    ),
}
_POSTGRES: Mapping[type[InMeta], _Reading] = {
    InMeta: lambda x, _: x,
    _text: lambda x, kind: (
        f"CASE WHEN {kind} IN ('string', 'boolean') OR ({kind} = 'number' AND {_IS_WHOLE.format(x)}) THEN {x} END"
    ),
    _json_number: lambda x, kind: f"CASE WHEN {kind} = 'number' THEN ({x})::numeric END",
    _number: lambda x, kind: (
        f"CASE {kind} WHEN 'number' THEN ({x})::numeric WHEN 'string' THEN {number_sql(x)} END"
    ),
    _moment: lambda x, kind: f"CASE WHEN {kind} IN ('string', 'number') THEN {moment_sql(x)} END",
    _truth: lambda x, kind: (
        f"CASE WHEN {kind} IN ('string', 'boolean') "
        f"THEN CASE lower({x}) WHEN 'true' THEN true WHEN 'false' THEN false END END"
    ),
}


@compiles(InMeta, "sqlite")
def _sqlite(element: InMeta, compiler: SQLCompiler, **kw: Any) -> str:
    meta, path, *_ = element.clauses
    inside = f"({compiler.process(meta, **kw)}, {compiler.process(path, **kw)})"
    return f"({_SQLITE[type(element)](f'json_extract{inside}', f'json_type{inside}')})"


@compiles(InMeta, "postgresql")
def _postgresql(element: InMeta, compiler: SQLCompiler, **kw: Any) -> str:
    meta, _, *steps = element.clauses
    names = [compiler.process(step, **kw) for step in steps]
    value = " -> ".join([compiler.process(meta, **kw), *names])
    as_text = f"(({value}) #>> '{{}}')"
    return f"({_POSTGRES[type(element)](as_text, f'jsonb_typeof({value})')})"


@compiles(_text_number, "sqlite")
@compiles(_text_moment, "sqlite")
def _read_sqlite(element: _OfText, compiler: SQLCompiler, **kw: Any) -> str:
    name = "docmill_number" if isinstance(element, _text_number) else "docmill_moment"
    return f"{name}({compiler.process(element.clauses, **kw)})"


@compiles(_text_number, "postgresql")
@compiles(_text_moment, "postgresql")
def _read_postgresql(element: _OfText, compiler: SQLCompiler, **kw: Any) -> str:
    text = f"({compiler.process(element.clauses, **kw)})"
    return f"({number_sql(text) if isinstance(element, _text_number) else moment_sql(text)})"


@compiles(bytewise, "sqlite")
def _bytewise_sqlite(element: bytewise, compiler: SQLCompiler, **kw: Any) -> str:
    return compiler.process(element.clauses, **kw)


@compiles(bytewise, "postgresql")
def _bytewise_postgresql(element: bytewise, compiler: SQLCompiler, **kw: Any) -> str:
    return f'(({compiler.process(element.clauses, **kw)}) COLLATE "C")'


def in_meta(steps: Sequence[str]) -> Operand:
    """A field of the metadata."""
    return Operand(
        InMeta(steps), _text(steps), _number(steps), _moment(steps), _truth(steps), _json_number(steps)
    )


def _of_text(text: ColumnElement[Any]) -> Operand:
    return Operand(text, text, _text_number(text), _text_moment(text), null(), null())


def _of_number(number: ColumnElement[Any]) -> Operand:
    return Operand(number, cast(number, Text), number, null(), null(), number)


def _label() -> ColumnElement[Any]:
    """The label that a person gave, otherwise the document's own."""
    given = (
        GivenLabel.collection_id == Document.collection_id,
        GivenLabel.document_key == Document.key,
        GivenLabel.rank == 1,
    )
    by_hand = select(GivenLabel.label).where(*given).correlate(Document).scalar_subquery()
    return case((exists().where(*given).correlate(Document), by_hand), else_=Document.label)


def _collection() -> ColumnElement[Any]:
    return (
        select(Collection.name)
        .where(Collection.id == Document.collection_id)
        .correlate(Document)
        .scalar_subquery()
    )


def _added_at() -> Operand:
    added_at = Document.__table__.c.added_at
    return Operand(added_at, null(), null(), added_at, null(), null())


#: The fields that every document has. They take precedence: `meta.version` is a field of the metadata.
BUILT_IN: Mapping[str, Callable[[], Operand]] = {
    "key": lambda: _of_text(Document.__table__.c.key),
    "label": lambda: _of_text(_label()),
    "collection": lambda: _of_text(_collection()),
    "added_at": _added_at,
    "chars": lambda: _of_number(Document.__table__.c.body_chars),
    "version": lambda: _of_number(Document.__table__.c.version),
}
