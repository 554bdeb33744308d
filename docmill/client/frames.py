"""Result rows as a DataFrame of pandas or polars, or as an Arrow table."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from itertools import islice
from typing import Any, Literal

from sqlalchemy import Column as TableColumn

from db.results import query_of
from docmill.errors import InvalidRequestError, MissingPackageError
from workers import kinds

As = Literal["rows", "pandas", "polars", "arrow"]
#: What to import, and what to install, for each.
_PACKAGES = {
    "pandas": ("pandas", "pip install pandas"),
    "polars": ("polars", "pip install polars"),
    "arrow": ("pyarrow", "pip install 'docmill[parquet]'"),
}
#: Rows that are dictionaries at a time.
BLOCK_ROWS = 20_000

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Column:
    """The type of a column, as the store has it."""

    type: type
    nullable: bool = True


Columns = Mapping[str, Column]

#: Of the documents that failed.
ERROR_COLUMNS: Columns = {
    name: Column(str, name == "source") for name in ("document_key", "error_code", "error_detail", "source")
}


def check(as_: str) -> None:
    """InvalidRequestError for an unknown form, MissingPackageError if its package is not installed."""
    if as_ == "rows":
        return
    if as_ not in _PACKAGES:
        raise InvalidRequestError(f"as_={as_!r}: choose rows, {', '.join(_PACKAGES)}")
    _package(as_)


def result_columns(kind: str, table: str | None = None, model: str | None = None) -> Columns:
    """The columns of a kind's result table. Empty for a kind that is not installed here: then the values decide.
    ValueError if the kind has no such table."""
    if kind not in kinds.all_kinds():
        return {}
    query, _ = query_of(0, kinds.result_table(kind, table, model))
    return {
        column.name: Column(column.type.python_type, _is_nullable(column))
        for column in query.selected_columns
    }


class Frame:
    """Takes rows block by block, and becomes one frame. Columns that `columns` does not name, such as metadata, have
    the type of their values, or are text if these are of several types."""

    def __init__(self, as_: str, columns: Columns) -> None:
        self._package = _package(as_)
        self._part, self._joined, self._with = _WAYS[as_]
        self._columns = columns
        self._order = list(columns)
        self._parts: list[Any] = []
        self._others: dict[str, list[Any]] = {}

    def take(self, block: Sequence[Row]) -> None:
        """Further rows."""
        self._order = list(block[0])
        for name in self._order:
            if name not in self._columns:
                self._others.setdefault(name, []).extend(row[name] for row in block)
        known = [name for name in self._columns if name in block[0]]
        self._add({name: [row[name] for row in block] for name in known})

    def made(self) -> Any:
        """The frame of all rows."""
        if not self._parts:
            self._add({name: [] for name in self._columns})
        others = {name: _of_one_type(values) for name, values in self._others.items()}
        return self._with(self._package, self._joined(self._package, self._parts), others, self._order)

    def _add(self, values: Mapping[str, list[Any]]) -> None:
        self._parts.append(self._part(self._package, values, self._columns))


def made(rows: Iterable[Row], columns: Columns, as_: str) -> Any:
    """All rows in one frame."""
    frame = Frame(as_, columns)
    found = iter(rows)
    while block := list(islice(found, BLOCK_ROWS)):
        frame.take(block)
    return frame.made()


def _package(as_: str) -> Any:
    name, how = _PACKAGES[as_]
    try:
        return import_module(name)
    except ImportError as error:
        raise MissingPackageError(f"as_={as_!r} needs {name}, which is not installed: {how}") from error


def _is_nullable(column: Any) -> bool:
    # A label, the key of another document: every row has one.
    return bool(column.nullable) if isinstance(column, TableColumn) else False


def _of_one_type(values: list[Any]) -> list[Any]:
    types = {type(value) for value in values if value is not None}
    if types == {int, float}:
        return [None if value is None else float(value) for value in values]
    if len(types) < 2:
        return values
    return [
        value if value is None or isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        for value in values
    ]


# --- pandas -----------------------------------------------------------------------------------------------------


def _pandas_part(pandas: Any, values: Mapping[str, list[Any]], columns: Columns) -> Any:
    return pandas.DataFrame(
        {
            name: pandas.Series(each, dtype=_pandas_type(pandas, columns[name]))
            for name, each in values.items()
        }
    )


def _pandas_type(pandas: Any, column: Column) -> Any:
    if column.type is str:
        return "str" if int(pandas.__version__.partition(".")[0]) >= 3 else object
    types = {int: ("int64", "Int64"), float: ("float64", "float64"), bool: ("bool", "boolean")}
    return types[column.type][column.nullable]


def _pandas_joined(pandas: Any, parts: Sequence[Any]) -> Any:
    return pandas.concat(parts, ignore_index=True)


def _pandas_with(pandas: Any, frame: Any, others: Mapping[str, list[Any]], order: Sequence[str]) -> Any:
    return frame.assign(**{name: pandas.Series(each) for name, each in others.items()})[list(order)]


# --- polars -----------------------------------------------------------------------------------------------------


def _polars_part(polars: Any, values: Mapping[str, list[Any]], columns: Columns) -> Any:
    types = {int: polars.Int64, float: polars.Float64, str: polars.String, bool: polars.Boolean}
    return polars.DataFrame(values, schema={name: types[columns[name].type] for name in values})


def _polars_joined(polars: Any, parts: Sequence[Any]) -> Any:
    return polars.concat(parts)


def _polars_with(polars: Any, frame: Any, others: Mapping[str, list[Any]], order: Sequence[str]) -> Any:
    return frame.with_columns(polars.Series(name, each) for name, each in others.items()).select(order)


# --- Arrow ------------------------------------------------------------------------------------------------------


def _arrow_part(pyarrow: Any, values: Mapping[str, list[Any]], columns: Columns) -> Any:
    types = {
        int: pyarrow.int64(), float: pyarrow.float64(), str: pyarrow.string(), bool: pyarrow.bool_()
    }  # fmt: skip
    fields = [pyarrow.field(name, types[columns[name].type], columns[name].nullable) for name in values]
    arrays = [pyarrow.array(each, field.type) for each, field in zip(values.values(), fields, strict=True)]
    return pyarrow.Table.from_arrays(arrays, schema=pyarrow.schema(fields))


def _arrow_joined(pyarrow: Any, parts: Sequence[Any]) -> Any:
    return pyarrow.concat_tables(parts)


def _arrow_with(pyarrow: Any, table: Any, others: Mapping[str, list[Any]], order: Sequence[str]) -> Any:
    for name, each in others.items():
        table = table.append_column(name, pyarrow.array(each))
    return table.select(list(order))


_WAYS = {
    "pandas": (_pandas_part, _pandas_joined, _pandas_with),
    "polars": (_polars_part, _polars_joined, _polars_with),
    "arrow": (_arrow_part, _arrow_joined, _arrow_with),
}
