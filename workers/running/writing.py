"""From a runner's results to what the store takes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from functools import cache
from itertools import groupby, repeat
from math import isfinite
from operator import attrgetter, itemgetter
from typing import Any, TypeAlias

from db.bulk import is_container
from db.chunks import Written
from db.documents import NewDocument
from db.results import Rows
from db.states import ErrorCode
from nlp_tasks.errors import DocumentError
from nlp_tasks.kind import Document, NewText, Result, Row, RowsAbout

#: By row class: the document of each row, and the rows.
_Found: TypeAlias = "defaultdict[Any, tuple[list[int], list[Row]]]"


@dataclass(frozen=True, slots=True)
class Refusal:
    """A result that cannot be stored, and what it says of other documents, which can. Those are not to blame, and no
    later job would make these rows."""

    error: DocumentError
    about_others: Sequence[RowsAbout]


#: What is stored of a document.
Stored: TypeAlias = "Result | Refusal"


def refusal(result: Stored, error: DocumentError) -> Stored:
    """The error in place of a result. What a refusal says of others is not stored, either."""
    if isinstance(result, DocumentError | Refusal):
        return error
    about_others = [row for row in result if type(row) is RowsAbout]
    return Refusal(error, about_others) if about_others else error


def as_written(done: Sequence[tuple[Document, Stored]], *, with_outcomes: bool) -> Written:
    """Outcomes, rows and new documents of some documents. Before the last stage only errors are outcomes. A result
    that is not a number (NaN, infinity) is the error BAD_RESULT: SQL could not compare it with anything. So is a list
    or a dictionary: a cell holds one value."""
    ok_ids: list[int] = []
    errors: list[tuple[int, str, str]] = []
    found: _Found = defaultdict(lambda: ([], []))
    about_others: _Found = defaultdict(lambda: ([], []))
    made: list[tuple[int, NewDocument]] = []
    for document, result in done:
        if isinstance(result, DocumentError):
            errors.append((document.id, result.code, result.detail))
            continue
        if isinstance(result, Refusal):
            errors.append((document.id, result.error.code, result.error.detail))
            result = result.about_others
        else:
            ok_ids.append(document.id)
        # Many rows of one type at a time: there are hundreds of thousands in a job.
        for row_type, some in groupby(result, type):
            if row_type is NewText:
                made += [(document.id, _as_document(each)) for each in some]  # type: ignore[arg-type]
            elif row_type is RowsAbout:
                for other in some:
                    _gather(about_others, other.document_id, other.rows)  # type: ignore[union-attr]
            else:
                _append(found, row_type, document.id, some)  # type: ignore[arg-type]
    tables: dict[str, Rows] = {}
    refused: dict[int, DocumentError] = {}
    for each, (ids, rows) in found.items():
        columns, values_of = _reader(each)
        values = list(zip(ids, *zip(*map(values_of, rows), strict=True), strict=True))
        tables[each.table] = Rows(("document_id", *columns), values, skip_existing=not with_outcomes)
        if not _are_finite(values):
            refused |= _not_finite(each.table, values)
        if not _are_single(values):
            refused |= _not_single(each.table, ("document_id", *columns), values)
    if refused:
        left = [
            (document, refusal(result, refused[document.id]) if document.id in refused else result)
            for document, result in done
        ]
        return as_written(left, with_outcomes=with_outcomes)
    others = {type_.table: _sorted(type_, *rows) for type_, rows in about_others.items()}
    return Written(ok_ids if with_outcomes else (), errors, tables, made=made, about_others=others)


def _gather(found: _Found, document_id: int, rows: Iterable[Row]) -> None:
    for row_type, some in groupby(rows, type):
        _append(found, row_type, document_id, some)


def _append(found: _Found, row_type: type, document_id: int, some: Iterable[Row]) -> None:
    ids, rows = found[row_type]
    rows.extend(some)
    ids.extend(repeat(document_id, len(rows) - len(ids)))


def _sorted(row_type: Any, ids: list[int], rows: list[Row]) -> Rows:
    """Rows about other documents, in the order of their ids: two workers that write about the same documents then wait
    for each other, and never both for the other."""
    columns, values_of = _reader(row_type)
    values = sorted(zip(ids, *zip(*map(values_of, rows), strict=True), strict=True), key=itemgetter(0))
    return Rows(("document_id", *columns), values, skip_existing=True)


def as_figures(rows: Sequence[Row]) -> dict[str, Rows]:
    """The figures of a trained model, by table."""
    tables: dict[str, Rows] = {}
    for row in rows:
        row_type: Any = type(row)
        columns, values_of = _reader(row_type)
        tables.setdefault(row.table, Rows(columns, [])).values.append(values_of(row))
    return tables


def _are_finite(values: Sequence[tuple[Any, ...]]) -> bool:
    """Whether no float among these rows is NaN or infinite. By columns, which is several times as fast."""
    for column in zip(*values, strict=True):
        types = set(map(type, column))
        if float not in types:
            continue
        numbers = column if len(types) == 1 else [value for value in column if type(value) is float]
        if not all(map(isfinite, numbers)):
            return False
    return True


def _not_finite(table: str, values: Sequence[tuple[Any, ...]]) -> dict[int, DocumentError]:
    """The documents whose rows hold a value that is no finite number."""
    error = DocumentError(ErrorCode.BAD_RESULT, f"a value for table {table} is not a finite number")
    return {row[0]: error for row in values if not _are_finite([row])}


def _are_single(values: Sequence[tuple[Any, ...]]) -> bool:
    """Whether no cell among these rows holds several values."""
    return not any(
        is_container(each) for column in zip(*values, strict=True) for each in set(map(type, column))
    )


def _not_single(
    table: str, columns: Sequence[str], values: Sequence[tuple[Any, ...]]
) -> dict[int, DocumentError]:
    """The documents whose rows hold a list or the like in a cell."""
    found: dict[int, DocumentError] = {}
    for row in values:
        for name, value in zip(columns, row, strict=True):
            if is_container(type(value)):
                said = f"{name} of table {table} is a {type(value).__name__}, and a cell holds one value"
                found[row[0]] = DocumentError(ErrorCode.BAD_RESULT, f"{said}: write it as JSON text")
    return found


@cache
def _reader(row: Any) -> tuple[tuple[str, ...], Callable[[Any], tuple[Any, ...]]]:
    """A row type's columns, and what reads them from a row."""
    columns = tuple(field.name for field in fields(row))
    if len(columns) == 1:
        return columns, lambda value: (getattr(value, columns[0]),)
    return columns, attrgetter(*columns)


def _as_document(made: NewText) -> NewDocument:
    return NewDocument(made.key, made.text, made.label, made.source, meta=made.meta, not_prose=made.not_prose)
