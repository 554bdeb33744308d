"""Result rows are written to their typed tables, and read as plain dictionaries."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    CursorResult,
    ForeignKey,
    Insert,
    Select,
    Table,
    bindparam,
    exists,
    func,
    insert,
    literal,
    select,
    true,
)
from sqlalchemy.orm import Session, aliased

from db import bulk, tallies
from db.sql import each_id, insert_for, now, one_of
from db.states import OutcomeState
from db.streaming import streamed
from db.tables import Base, Chunk, Document, DocumentVector, Outcome
from db.tables.result import by_job as by_job
from db.tables.result import by_model_version as by_model_version
from db.tables.result import is_by_model_version as is_by_model_version
from db.tallies import Counted


def write_ok(session: Session, job_id: int, kind: str, document_ids: Sequence[int]) -> None:
    """The outcome `ok` for each document: one statement with one parameter, however many they are."""
    if document_ids:
        session.connection().execute(_outcomes_ok(), {"b_job": job_id, "b_ids": list(document_ids)})
        tallies.add(session, Counted.DOCUMENTS, kind, OutcomeState.OK, len(document_ids))


@cache
def _outcomes_ok() -> Insert:
    """Built once: every chunk runs it."""
    table, id_ = each_id(bindparam("b_ids", type_=Chunk.document_ids.type))
    job = bindparam("b_job", type_=Outcome.job_id.type)
    rows = select(job, id_, _state(OutcomeState.OK), now()).select_from(table)
    into = insert(Outcome.__table__)  # type: ignore[arg-type]
    columns = ["job_id", "document_id", "state", "written_at"]
    return into.from_select(columns, rows, include_defaults=False).execution_options(docmill_prepare=True)


def write_errors(session: Session, job_id: int, kind: str, errors: Sequence[tuple[int, str, str]]) -> None:
    """The outcome `error` for each (document id, code, detail)."""
    if errors:
        rows = [
            {
                "job_id": job_id,
                "document_id": id_,
                "state": OutcomeState.ERROR,
                "error_code": code,
                "error_detail": detail,
            }
            for id_, code, detail in errors
        ]
        session.execute(insert(Outcome.__table__), rows)  # type: ignore[arg-type]
        for _, code, _ in errors:
            tallies.add(session, Counted.DOCUMENTS, kind, code)


def write_error_for(
    session: Session, job_id: int, kind: str, document_ids: Sequence[int], code: str, detail: str
) -> int:
    """The same error for each of these documents that has no outcome in the job yet; returns how many there were."""
    if not document_ids:
        return 0
    table, id_ = each_id(literal(list(document_ids), Chunk.document_ids.type))
    # SQLite needs the WHERE, to tell ON CONFLICT from the ON of a join.
    errors = (
        select(
            literal(job_id),
            id_,
            literal(OutcomeState.ERROR, Outcome.state.type),
            literal(str(code)),
            literal(detail),
            now(),
        )
        .select_from(table)
        .where(true())
    )
    result: CursorResult[Any] = session.execute(  # type: ignore[assignment]
        insert_for(session, Outcome.__table__)
        .from_select(
            ["job_id", "document_id", "state", "error_code", "error_detail", "written_at"],
            errors,
            include_defaults=False,
        )
        .on_conflict_do_nothing(),
        execution_options={"preserve_rowcount": True},
    )
    n = int(result.rowcount)
    tallies.add(session, Counted.DOCUMENTS, kind, code, n)
    return n


def _state(state: OutcomeState) -> ColumnElement[Any]:
    return literal(state, Outcome.state.type)


def with_outcome(session: Session, job_id: int, document_ids: Sequence[int]) -> set[int]:
    """Those of these documents that have an outcome in a job."""
    found = select(Outcome.document_id).where(
        Outcome.job_id == job_id, one_of(Outcome.document_id, document_ids)
    )
    return set(session.scalars(found))


@dataclass(frozen=True, slots=True)
class Rows:
    """Result rows of one table, as the drivers take them."""

    #: document_id first.
    columns: tuple[str, ...]
    values: list[tuple[Any, ...]]
    #: Existing rows stay: a stage before the last one may run a document again.
    skip_existing: bool = False


def write_rows(session: Session, table: str, owner_id: int | None, rows: Rows) -> None:
    """Result rows of one table; the owner is the job, or for rows that are kept, the model version."""
    if not rows.values:
        return
    kept = is_by_model_version(table)
    owner = ("model_version_id" if kept else "job_id", owner_id)
    # Two jobs may infer the same vector at the same time: the first row stays.
    bulk.insert_tuples(
        session,
        Base.metadata.tables[table],
        rows.columns,
        rows.values,
        owner=owner,
        skip_existing=kept or rows.skip_existing,
    )


def pending(
    session: Session, job_id: int, document_ids: Sequence[int], keep: str | None, model_version_id: int | None
) -> list[int]:
    """Of these documents, the ones without an outcome in this job (and, if `keep` names a table of kept rows,
    without a row there for this model version), in order."""
    done = with_outcome(session, job_id, document_ids)
    if keep is not None:
        kept = Base.metadata.tables[keep].c
        done |= set(
            session.scalars(
                select(kept.document_id).where(
                    kept.model_version_id == model_version_id, one_of(kept.document_id, document_ids)
                )
            )
        )
    return [id_ for id_ in document_ids if id_ not in done]


def vectors(
    session: Session,
    model_version_id: int,
    collection_id: int | None,
    as_of: datetime | None = None,
    *,
    with_terms: bool = False,
) -> Iterator[tuple[int, str, bytes, bytes, float | None]]:
    """(document id, key, vector, terms, scale) of a model version's latest documents, in one collection or all, by id;
    with `as_of`, of those that were the latest at that time. The terms are empty unless asked for."""
    terms = func.coalesce(DocumentVector.terms, b"") if with_terms else literal(b"")
    query = (
        select(
            DocumentVector.document_id,
            Document.key,
            DocumentVector.vector,
            terms.label("terms"),
            DocumentVector.scale,
        )
        .join(Document, Document.id == DocumentVector.document_id)
        .where(DocumentVector.model_version_id == model_version_id, _latest(as_of))
        .order_by(DocumentVector.document_id)
    )
    if collection_id is not None:
        query = query.where(Document.collection_id == collection_id)
    for row in session.execute(query.execution_options(yield_per=2_000)):
        yield row.document_id, row.key, row.vector, row.terms, row.scale


def _latest(as_of: datetime | None) -> ColumnElement[bool]:
    if as_of is None:
        return Document.is_latest.is_(True)
    later = aliased(Document)
    newer = exists().where(
        later.collection_id == Document.collection_id,
        later.key == Document.key,
        later.version > Document.version,
        later.added_at <= as_of,
    )
    return (Document.added_at <= as_of) & ~newer


def rows_of(
    session: Session, job_id: int, table: str, meta: Sequence[str] = (), limit: int | None = None
) -> Iterator[dict[str, Any]]:
    """A job's rows in one result table, each with its document's key, by document and rank; at most `limit`. Fields of
    the document's metadata (a.b for one of an object) come after the key, each as a column of its name."""
    query, _ = query_of(job_id, table)
    query = query.limit(limit)
    if meta:
        query = with_meta(query)
    for row in streamed(session, query):
        yield beside(row, meta) if meta else row


def query_of(job_id: int, table: str) -> tuple[Select[Any], tuple[str, ...]]:
    """The query of `rows_of`, and the columns that tell its rows apart."""
    source: Table = Base.metadata.tables[table]
    order = [column for column in source.primary_key.columns if column.name != "job_id"]
    others = [key.parent for key in sorted(source.foreign_keys, key=str) if _names_another_document(key)]
    left_out = {"job_id", "document_id", *(column.name for column in others)}
    query: Select[Any] = select(
        Document.key.label("document_key"), *(c for c in source.c if c.name not in left_out)
    ).join(source, source.c.document_id == Document.id)
    for column in others:
        other = aliased(Document)
        label = f"{column.name.removesuffix('_id')}_key"
        query = query.join(other, other.id == column).add_columns(other.key.label(label))
    key = ("document_key", *(column.name for column in order if column.name not in left_out))
    return query.where(source.c.job_id == job_id).order_by(*order), key


#: A name that no column has.
_META = "document.meta"


def with_meta(query: Select[Any]) -> Select[Any]:
    """The query with what `beside` needs."""
    return query.add_columns(Document.meta.label(_META))


def beside(row: dict[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """A row with these fields of its document's metadata after the key."""
    found = row.pop(_META)
    fields = {name if name not in row else f"meta.{name}": _field(found, name) for name in names}
    return {"document_key": row.pop("document_key"), **fields, **row}


def _field(meta: Any, name: str) -> Any:
    """A field by its name or path; an object or array as JSON."""
    if name not in meta and "." in name:
        first, _, rest = name.partition(".")
        return _field(meta[first], rest) if isinstance(meta.get(first), dict) else None
    value = meta.get(name)
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else value


def _names_another_document(key: ForeignKey) -> bool:
    return key.column.table.name == Document.__tablename__ and key.parent.name != "document_id"


def rows_of_documents(
    session: Session, table: str, owner: tuple[str, int | None], document_ids: Sequence[int]
) -> dict[int, list[dict[str, Any]]]:
    """The rows of some documents in one result table, in order, by document id. `owner` is a column and its
    value: the job, or the model version."""
    source: Table = Base.metadata.tables[table]
    query = (
        select(source)
        .where(source.c[owner[0]] == owner[1], one_of(source.c.document_id, list(document_ids)))
        .order_by(*source.primary_key.columns)
    )
    found: dict[int, list[dict[str, Any]]] = {}
    for row in session.execute(query).mappings():
        found.setdefault(row["document_id"], []).append(dict(row))
    return found


def errors_of(session: Session, job_id: int, limit: int | None = None) -> Iterator[dict[str, Any]]:
    """A job's failed documents with code and detail, by document."""
    query = (
        select(Document.key.label("document_key"), Outcome.error_code, Outcome.error_detail, Document.source)
        .join(Document, Document.id == Outcome.document_id)
        .where(Outcome.job_id == job_id, Outcome.state == OutcomeState.ERROR)
        .order_by(Outcome.document_id)
        .limit(limit)
    )
    yield from streamed(session, query)
