"""From a runner's results to what the store takes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields
from functools import cache
from math import isfinite
from operator import attrgetter
from typing import Any

from db.chunks import Written
from db.results import Rows
from nlp_tasks.errors import DocumentError
from nlp_tasks.kind import Document, Result, Row


def as_written(done: Sequence[tuple[Document, Result]], *, with_outcomes: bool) -> Written:
    """Outcomes and rows of some documents. Before the last stage only errors are outcomes. A result that is
    not a number (NaN, infinity) is the error BAD_RESULT: SQL could not compare it with anything."""
    ok_ids: list[int] = []
    errors: list[tuple[int, str, str]] = []
    tables: dict[str, Rows] = {}
    for document, result in done:
        error = result if isinstance(result, DocumentError) else _add(tables, document.id, result)
        if error is not None:
            errors.append((document.id, error.code, error.detail))
        else:
            ok_ids.append(document.id)
    return Written(ok_ids if with_outcomes else (), errors, tables)


def as_figures(rows: Sequence[Row]) -> dict[str, Rows]:
    """The figures of a trained model, by table."""
    tables: dict[str, Rows] = {}
    for row in rows:
        row_type: Any = type(row)
        columns, values_of = _reader(row_type)
        tables.setdefault(row.table, Rows(columns, [])).values.append(values_of(row))
    return tables


def _add(tables: dict[str, Rows], document_id: int, result: Sequence[Any]) -> DocumentError | None:
    """Add a document's rows to those of their tables, all or none."""
    new: list[tuple[Rows, tuple[Any, ...]]] = []
    for row in result:
        row_type: Any = type(row)
        columns, values_of = _reader(row_type)
        values = values_of(row)
        if not all(isfinite(value) for value in values if type(value) is float):
            return DocumentError("BAD_RESULT", f"a value for table {row.table} is not a finite number")
        rows = tables.get(row.table) or tables.setdefault(row.table, Rows(("document_id", *columns), []))
        new.append((rows, (document_id, *values)))
    for rows, values in new:
        rows.values.append(values)
    return None


@cache
def _reader(row: Any) -> tuple[tuple[str, ...], Callable[[Any], tuple[Any, ...]]]:
    """A row type's columns, and what reads them from a row."""
    columns = tuple(field.name for field in fields(row))
    if len(columns) == 1:
        return columns, lambda value: (getattr(value, columns[0]),)
    return columns, attrgetter(*columns)
