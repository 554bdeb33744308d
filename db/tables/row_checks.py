"""What a row dataclass has to be for a table to be made of it. Each refusal is a TypeError with a sentence for the
author of the kind."""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from sqlalchemy.dialects import postgresql, sqlite

#: The store writes these: whose the row is.
OWNERS = frozenset({"job_id", "document_id", "model_version_id"})
#: Names that SQLAlchemy's table classes have already.
_TAKEN = frozenset({"metadata", "registry"})
_COLUMN_TYPES = frozenset({int, float, str, bool, bytes})
#: Indexes and triggers are named after the table; PostgreSQL cuts names after 63 characters.
_LONGEST = 40
_QUOTED_BY = [dialect.dialect().identifier_preparer for dialect in (sqlite, postgresql)]


def check_row(row: type) -> None:
    """Whether the row's table name, fields and key can be a table."""
    _check_name(f"{row.__name__}.table", _table_of(row))
    hints = column_types(row)
    for field, hint in hints.items():
        _check_field(f"{row.__name__}.{field}", field, hint)
    for field in key_of(row):
        if field not in hints:
            raise TypeError(f"{row.__name__}.key: there is no field {field!r}; there are {', '.join(hints)}")
        if _is_optional(hints[field]):
            raise TypeError(f"{row.__name__}.{field}: a field of the key cannot be None")


def check_fits(row: type, columns: set[str] | None) -> None:
    """Whether a row fits the result table of its name that is there already; `columns` are that table's, None if it
    is no result table of this sort."""
    if columns is None or set(column_types(row)) != columns - OWNERS:
        has = f"with the columns {', '.join(sorted(columns))}" if columns else "which is not for such rows"
        raise TypeError(
            f"{row.__name__}.table: there is a table {_table_of(row)!r} already, {has}: choose another name"
        )


def column_types(row: type) -> Mapping[str, Any]:
    """The annotation of each field, in order."""
    hints = typing.get_type_hints(row)
    return {field.name: hints[field.name] for field in fields(row)}


def key_of(row: type) -> tuple[str, ...]:
    """The fields that tell the rows of one owner apart."""
    key = getattr(row, "key", ())
    if not isinstance(key, tuple):
        raise TypeError(f'{row.__name__}.key has to be a tuple of field names: key = ("{key}",)')
    return key


def _table_of(row: type) -> str:
    name = getattr(row, "table", None)
    if not is_dataclass(row) or not isinstance(name, str):
        raise TypeError(f"{row.__name__} is no row: it has to be a dataclass with a class variable `table`")
    return name


def _check_field(where: str, name: str, hint: Any) -> None:
    _check_name(where, name)
    if name in OWNERS | _TAKEN:
        raise TypeError(f"{where}: this name is taken; choose another one")
    parts = set(typing.get_args(hint)) - {types.NoneType} if _is_union(hint) else {hint}
    if len(parts) != 1 or not parts <= _COLUMN_TYPES:
        raise TypeError(
            f"{where}: {_name_of(hint)} is no column type: use int, float, str, bool or bytes, or one | None"
        )


def _check_name(where: str, name: str) -> None:
    """Queries hold these names as they are, without quotes."""
    if any(preparer.quote(name) != name for preparer in _QUOTED_BY) or len(name) > _LONGEST:
        raise TypeError(
            f"{where}: {name!r} cannot be a name in SQL: use lower-case letters, digits and _, at most {_LONGEST} "
            "of them, and no word of SQL"
        )


def _is_union(hint: Any) -> bool:
    return typing.get_origin(hint) in (typing.Union, types.UnionType)


def _is_optional(hint: Any) -> bool:
    return _is_union(hint) and types.NoneType in typing.get_args(hint)


def _name_of(hint: Any) -> str:
    return hint.__name__ if isinstance(hint, type) and not typing.get_args(hint) else str(hint)
