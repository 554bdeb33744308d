"""The result rows and errors of a job, page by page: a page begins after the key of the last row of the one before.

The rows are read by their primary key, so that a page costs the same however many rows there are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Boolean, ColumnElement, Float, Select, String, literal, select, text, tuple_
from sqlalchemy.orm import Session

from db import results
from db.states import OutcomeState
from db.streaming import streamed
from db.tables import Base, Document, Outcome

#: Characters of texts after which a page ends early.
MOST_CHARS = 8_000_000
_KEY = "page key "
#: As the index ix_outcome_failed has it: SQLite uses it for this very condition alone.
_IS_ERROR = text(f"outcome.state = '{OutcomeState.ERROR}'")


@dataclass(frozen=True, slots=True)
class Rows:
    """A page."""

    columns: tuple[tuple[str, type], ...]
    rows: list[dict[str, Any]]
    #: The key of the last row, if rows follow.
    last: tuple[Any, ...] | None


def key_types(table: str) -> tuple[type, ...]:
    """The types of what a key of this table's rows consists of."""
    return tuple(_python(column) for column in _key_columns(table))


def of_results(
    session: Session,
    job_id: int,
    table: str,
    after: Sequence[Any] | None,
    limit: int,
    meta: Sequence[str] = (),
) -> Rows:
    """The rows of a result table after a key, in the order of documents and ranks. Fields of the documents' metadata
    come after the key, each as a column of its name."""
    query, _ = results.query_of(job_id, table)
    columns = tuple((column.name, _python(column)) for column in query.selected_columns)
    if meta:
        query = results.with_meta(query)
    found = _page(session, query, _key_columns(table), columns, after, limit)
    return results_with_meta(found, meta) if meta else found


def results_with_meta(found: Rows, meta: Sequence[str]) -> Rows:
    """The rows with these fields of the metadata, of which a value is a text, a number or yes or no."""
    rows = [results.beside(row, meta) for row in found.rows]
    names = {name for name, _ in found.columns}
    own = tuple((name if name not in names else f"meta.{name}", str) for name in meta)
    return Rows((*found.columns[:1], *own, *found.columns[1:]), rows, found.last)


def of_errors(
    session: Session, job_id: int, code: str | None, after: Sequence[Any] | None, limit: int
) -> Rows:
    """The documents that failed, with code and detail, by document; those of one code if it is given."""
    wanted: tuple[Any, ...] = (
        Document.key.label("document_key"), Outcome.error_code, Outcome.error_detail, Document.source,
    )  # fmt: skip
    query: Select[Any] = (
        select(*wanted)
        .join(Document, Document.id == Outcome.document_id)
        .where(Outcome.job_id == job_id, _IS_ERROR)
        .order_by(Outcome.document_id)
    )
    if code is not None:
        query = query.where(Outcome.error_code == code)
    columns = tuple((column.name, str) for column in query.selected_columns)
    return _page(session, query, [Outcome.__table__.c.document_id], columns, after, limit)


def _key_columns(table: str) -> list[ColumnElement[Any]]:
    return [column for column in Base.metadata.tables[table].primary_key.columns if column.name != "job_id"]


def _page(
    session: Session,
    query: Select[Any],
    key: list[ColumnElement[Any]],
    columns: tuple[tuple[str, type], ...],
    after: Sequence[Any] | None,
    limit: int,
) -> Rows:
    query = query.add_columns(*(column.label(f"{_KEY}{place}") for place, column in enumerate(key)))
    if after is not None:
        begin = tuple_(*(literal(value, column.type) for value, column in zip(after, key, strict=True)))
        query = query.where(tuple_(*key) > begin)
    rows: list[dict[str, Any]] = []
    last: tuple[Any, ...] = ()
    n_chars = 0
    for row in streamed(session, query.limit(limit + 1)):
        if len(rows) == limit or n_chars > MOST_CHARS:
            return Rows(columns, rows, last)
        last = tuple(row.pop(f"{_KEY}{place}") for place in range(len(key)))
        n_chars += sum(len(value) for value in row.values() if isinstance(value, str | bytes))
        rows.append(row)
    return Rows(columns, rows, None)


def _python(column: ColumnElement[Any]) -> type:
    if isinstance(column.type, Boolean):
        return bool
    if isinstance(column.type, Float):
        return float
    if isinstance(column.type, String):
        return str
    return column.type.python_type
