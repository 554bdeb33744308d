"""One batch of a removal: counting what would go, or erasing it, with the same conditions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    MetaData,
    String,
    Table,
    cast,
    delete,
    func,
    inspect,
    literal,
    select,
    tuple_,
    union,
    update,
)
from sqlalchemy.orm import Session

from db import erased, fulltext, jobs
from db.compare_and_set import n_changed
from db.removal.choosing import Versions, versions
from db.sql import now, one_of
from db.states import ENDED
from db.tables import (
    Base,
    Collection,
    Document,
    GivenLabel,
    Job,
    Model,
    ModelVersion,
    Neighbour,
    Outcome,
    Removal,
)

#: Documents that were made of the files of one batch and go with them in one transaction.
MOST_MADE = 1_000


@dataclass(frozen=True)
class Found:
    """What goes, or went, with a batch of keys."""

    #: Keys of documents; all versions of one count once.
    n_documents: int = 0
    #: All their versions.
    n_versions: int = 0
    #: Registered files.
    n_files: int = 0
    #: Rows by table.
    rows: Counter[str] = field(default_factory=Counter)
    #: Outcomes that stay, about a document of which nothing else is left.
    n_outcomes: int = 0
    #: Versions of models that were trained on some of the documents: they stay.
    models: frozenset[str] = frozenset()
    #: The same keys have to be erased again: they stand for more than one batch.
    is_partial: bool = False

    def __add__(self, other: Found) -> Found:
        return Found(
            self.n_documents + other.n_documents,
            self.n_versions + other.n_versions,
            self.n_files + other.n_files,
            self.rows + other.rows,
            self.n_outcomes + other.n_outcomes,
            self.models | other.models,
            other.is_partial,
        )


def count(session: Session, collection: int, keys: Sequence[str], seen: set[int]) -> Found:
    """What `erase` would do with these keys, beside what is in `seen`, to which it adds. Changes nothing."""
    chosen = versions(session, collection, keys).without(seen)
    seen.update(chosen.ids)
    return _found(session, collection, chosen)


def erase(session: Session, collection: int, keys: Sequence[str], removal_id: int) -> Found:
    """Remove the documents of these keys, in all versions, with everything that is stored about them but their
    outcomes; the details of these are erased. Keys that are gone already are passed over."""
    erased.alone(session)
    mine = (Collection.id == collection) | (Collection.files_of_id == collection)
    session.execute(select(Collection.id).where(mine).order_by(Collection.id).with_for_update(key_share=True))
    chosen = versions(session, collection, keys, MOST_MADE)
    found = _found(session, collection, chosen)
    ids = chosen.ids
    if not ids:
        return found
    for table, where in _rows(session, collection, chosen):
        session.execute(delete(table).where(where))
    _erase_details(session, ids)
    _erase_documents(session, ids)
    fulltext.forget(session, ids)
    session.execute(
        update(Removal)
        .where(Removal.id == removal_id)
        .values(
            n_documents=Removal.n_documents + found.n_documents,
            n_files=Removal.n_files + found.n_files,
            n_rows=Removal.n_rows + found.rows.total(),
        )
    )
    return found


def _found(session: Session, collection: int, chosen: Versions) -> Found:
    ids = chosen.ids
    if not ids:
        return Found()
    rows: Counter[str] = Counter()
    for table, where in _rows(session, collection, chosen):
        if n := session.scalar(select(func.count()).select_from(table).where(where)):
            rows[table.name] += n
    return Found(
        len(chosen.documents),
        sum(map(len, chosen.documents.values())),
        len(chosen.files),
        rows,
        session.scalar(select(func.count()).where(one_of(Outcome.document_id, ids))) or 0,
        frozenset(_models(session, ids)),
        chosen.is_partial,
    )


def _models(session: Session, ids: Sequence[int]) -> Iterator[str]:
    query = (
        select(Model.name, ModelVersion.version)
        .join(ModelVersion, ModelVersion.model_id == Model.id)
        .join(Outcome, Outcome.job_id == ModelVersion.job_id)
        .where(one_of(Outcome.document_id, ids), Outcome.state == "ok")
        .distinct()
    )
    return (f"{name}@{version}" for name, version in session.execute(query))


def _rows(session: Session, collection: int, chosen: Versions) -> Iterator[tuple[Table, ColumnElement[bool]]]:
    """The rows that are about these documents: each table with the condition."""
    ids = chosen.ids
    # Details first: the rows that they belong to lead to them.
    for table in sorted(tables_about_documents(session), key=_is_found_by_document):
        if _is_found_by_document(table):
            yield table, one_of(table.c.document_id, ids)
        else:
            yield table, tuple_(table.c.job_id, table.c.document_id).in_(_in_jobs(ids))
    of_key = one_of(GivenLabel.document_key, list(chosen.documents))
    labels = Base.metadata.tables[GivenLabel.__tablename__]
    yield labels, (GivenLabel.collection_id == collection) & of_key


def tables_about_documents(session: Session) -> list[Table]:
    """Every table whose rows are about a document, but outcomes: also those of kinds that are not installed here."""
    known = session.info.get("tables about documents")
    if known is None:
        known = session.info["tables about documents"] = list(_tables_about_documents(session))
    return known


def _tables_about_documents(session: Session) -> Iterator[Table]:
    there = inspect(session.connection())
    for name in sorted(set(there.get_table_names()) - {Outcome.__tablename__}):
        if name in Base.metadata.tables:
            if "document_id" in Base.metadata.tables[name].c:
                yield Base.metadata.tables[name]
            continue
        names = [column["name"] for column in there.get_columns(name)]
        if "document_id" in names:
            yield Table(name, MetaData(), *(Column(column, BigInteger) for column in names))


def _is_found_by_document(table: Table) -> bool:
    """Whether an index leads from a document to its rows; else it leads from the job and the document."""
    if "job_id" not in table.c:
        return True
    return any(next(iter(index.columns)).name == "document_id" for index in table.indexes)


def _in_jobs(ids: Sequence[int]) -> Any:
    """(job, document) of every job that has one of these documents, or may have: its outcome is written last. And of
    every job that wrote a list about one while it ran others."""
    ended = select(Outcome.job_id, Outcome.document_id).where(one_of(Outcome.document_id, ids))
    of_open = (
        select(Job.id, Document.id)
        .select_from(Document)
        .join(Job, Job.state.not_in(ENDED))
        .where(one_of(Document.id, ids))
    )
    listed = select(Neighbour.job_id, Neighbour.document_id).where(one_of(Neighbour.document_id, ids))
    return union(ended, of_open, listed)


def _erase_details(session: Session, ids: Sequence[int]) -> None:
    """An error's detail may quote the text."""
    jobs.erase_notes(session, ids)
    # The trigger that protects outcomes asks for this order.
    session.execute(update(Document).where(one_of(Document.id, ids)).values(erased_at=now()))
    detailed = (one_of(Outcome.document_id, ids), Outcome.error_detail.is_not(None))
    n_changed(session, update(Outcome).where(*detailed).values(error_detail=None))


def _erase_documents(session: Session, ids: Sequence[int]) -> None:
    """Of each row the number is left. Columns that may be empty are emptied, whatever they hold."""
    kept = {"erased_at"}
    values: dict[str, Any] = {
        column.name: None for column in Document.__table__.c if column.nullable and column.name not in kept
    }
    values |= {
        "key": literal("(removed ") + cast(Document.id, String) + literal(")"),
        # No version of people's documents: such a key clashes with none.
        "version": 0,
        "is_latest": False,
        "text": "",
        "content_hash": b"",
        "body_chars": 0,
        "source": "",
        "meta": {},
    }
    n_changed(session, update(Document).where(one_of(Document.id, ids)).values(values))
