"""Given labels: stored by document key, read by training and by the views."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, exists, func, insert, literal, select, tuple_
from sqlalchemy.orm import Session

from db import corrections, documents, erased
from db.errors import NotFoundError
from db.sql import one_of
from db.streaming import streamed
from db.tables import Collection, Document, GivenLabel

#: The source of a label that was set by hand.
HUMAN = "human"
#: Keys looked up and rows sent in one statement.
BATCH = 2_000


@dataclass(frozen=True, slots=True)
class Given:
    """The labels of one document: one, several, or none that applies."""

    key: str
    labels: tuple[str, ...]
    source: str


def give(session: Session, collection: int, given: Sequence[Given]) -> list[str]:
    """Store labels, in place of those that these documents were given before. If a key comes twice, the last one
    counts. Returns the keys that the collection does not have, for which nothing is stored."""
    unknown: list[str] = []
    erased.together(session)
    for start in range(0, len(given), BATCH):
        batch = {each.key: each for each in given[start : start + BATCH]}
        known = _known(session, collection, list(batch))
        unknown += [key for key in batch if key not in known]
        _replace(session, collection, [each for each in batch.values() if each.key in known])
    return unknown


def remove(session: Session, collection: int, key: str) -> None:
    """Remove the labels that a document was given. NotFoundError if there are none."""
    mine = (GivenLabel.collection_id == collection, GivenLabel.document_key == key)
    if not session.scalar(select(func.count()).select_from(GivenLabel).where(*mine)):
        raise NotFoundError(
            f"document {key!r} was given no label: `docmill label list` shows those that were"
        )
    session.execute(delete(GivenLabel).where(*mine))


def of_documents(session: Session, document_ids: Sequence[int]) -> dict[int, tuple[str, ...]]:
    """The given labels of the documents of these ids that have any."""
    query = (
        select(Document.id, GivenLabel.label)
        .join(
            GivenLabel,
            (GivenLabel.collection_id == Document.collection_id) & (GivenLabel.document_key == Document.key),
        )
        .where(one_of(Document.id, list(document_ids)))
        .order_by(Document.id, GivenLabel.rank)
    )
    found: dict[int, tuple[str, ...]] = {}
    for id_, label in session.execute(query):
        found[id_] = found.get(id_, ()) + (() if label is None else (label,))
    return found


def listing(session: Session, collection: str | None = None) -> Iterator[dict[str, Any]]:
    """Every given label, by collection, key and rank."""
    query = (
        select(
            Collection.name.label("collection"), GivenLabel.document_key, GivenLabel.rank, GivenLabel.label,
            GivenLabel.source, GivenLabel.given_at,
        )
        .join(Collection, Collection.id == GivenLabel.collection_id)
        .order_by(Collection.name, GivenLabel.document_key, GivenLabel.rank)
    )  # fmt: skip
    if collection is not None:
        query = query.where(Collection.name == collection)
    yield from streamed(session, query)


def page(
    session: Session, collection: int | None, after: Sequence[Any] | None, limit: int
) -> list[dict[str, Any]]:
    """Given labels of one collection or all, by the collection's number, key and rank, after the last ones of a page:
    (number, key, rank)."""
    key = (GivenLabel.collection_id, GivenLabel.document_key, GivenLabel.rank)
    query = (
        select(
            GivenLabel.collection_id.label("number"), Collection.name.label("collection"), GivenLabel.document_key,
            GivenLabel.rank, GivenLabel.label, GivenLabel.source, GivenLabel.given_at,
        )
        .join(Collection, Collection.id == GivenLabel.collection_id)
        .order_by(*key)
        .limit(limit)
    )  # fmt: skip
    if collection is not None:
        query = query.where(GivenLabel.collection_id == collection)
    if after is not None:
        begin = (literal(value, column.type) for value, column in zip(after, key, strict=True))
        query = query.where(tuple_(*key) > tuple_(*begin))
    return [dict(row) for row in session.execute(query).mappings()]


def every(session: Session, collection: int | None, limit: int | None) -> Iterator[dict[str, Any]]:
    """The same rows, at most `limit`, read page by page."""
    after: tuple[Any, ...] | None = None
    left = limit
    while left is None or left > 0:
        at_once = BATCH if left is None else min(BATCH, left)
        rows = page(session, collection, after, at_once)
        yield from rows
        if len(rows) < at_once:
            return
        after = (rows[-1]["number"], rows[-1]["document_key"], rows[-1]["rank"])
        left = None if left is None else left - len(rows)


def of_key(session: Session, collection: int, key: str) -> list[str]:
    """The labels that one document was given."""
    mine = (GivenLabel.collection_id == collection, GivenLabel.document_key == key)
    found = session.scalars(select(GivenLabel.label).where(*mine).order_by(GivenLabel.rank))
    return [label for label in found if label is not None]


def collections_with(session: Session, key: str) -> list[str]:
    """The names of the collections that have a document of this key."""
    # By the index of each collection: there are few collections, and many documents.
    is_there = exists().where(
        Document.collection_id == Collection.id, Document.key == key, Document.is_latest
    )
    query = (
        select(Collection.name)
        .where(Collection.files_of_id.is_(None), Collection.removed_at.is_(None), is_there)
        .order_by(Collection.name)
    )
    return list(session.scalars(query))


def _known(session: Session, collection: int, keys: list[str]) -> set[str]:
    query = select(Document.key).where(
        Document.collection_id == collection, Document.is_latest, one_of(Document.key, keys)
    )
    return set(session.scalars(query))


def _replace(session: Session, collection: int, given: Sequence[Given]) -> None:
    if not given:
        return
    keys = [each.key for each in given]
    session.execute(
        delete(GivenLabel)
        .where(GivenLabel.collection_id == collection, one_of(GivenLabel.document_key, keys))
        .execution_options(synchronize_session=False)
    )
    rows = [
        {
            "collection_id": collection,
            "document_key": each.key,
            "rank": rank,
            "label": label,
            "source": each.source,
        }
        for each in given
        for rank, label in enumerate(each.labels or (None,), start=1)
    ]
    session.execute(insert(GivenLabel), rows)


def corrections_since(session: Session, model: str) -> int:
    """How many documents were given a label since the newest training of this model was submitted, in the collections
    where it is used and in those that it was trained on."""
    return corrections.since(session, model)


@dataclass(frozen=True, slots=True)
class LabelledVersions:
    """The labelled documents of a collection in the versions that it had at a time: all up to a document's id."""

    collection_id: int
    collection: str
    newest: int

    @classmethod
    def resolve(cls, session: Session, name: str) -> LabelledVersions:
        """From NAME for those that there are now, or NAME@N for those up to the document N. NotFoundError if there is
        no such collection."""
        before, at, number = name.rpartition("@")
        is_fixed = at == "@" and number.isdecimal() and len(number) < 19 and not _exists(session, name)
        collection = before if is_fixed else name
        id_ = documents.collection_id(session, collection)
        if is_fixed:
            return cls(id_, collection, int(number))
        newest = select(func.max(Document.id)).where(Document.collection_id == id_, Document.is_latest)
        return cls(id_, collection, session.scalar(newest) or 0)

    @property
    def ref(self) -> str:
        """NAME@N"""
        return f"{self.collection}@{self.newest}"

    def labels(self, session: Session) -> dict[int, str]:
        """The label of each document by its id: the one that it came with, or "" if it was only given one."""
        of_key = (
            select(func.max(Document.id).label("id"))
            .where(Document.collection_id == self.collection_id, Document.id <= self.newest)
            .group_by(Document.key)
            .subquery()
        )
        is_given = exists().where(
            GivenLabel.collection_id == Document.collection_id, GivenLabel.document_key == Document.key
        )
        query = (
            select(Document.id, Document.label)
            .join(of_key, of_key.c.id == Document.id)
            .where(Document.erased_at.is_(None), Document.label.is_not(None) | is_given)
            .order_by(Document.id)
        )
        return {row.id: row.label or "" for row in session.execute(query)}


def _exists(session: Session, name: str) -> bool:
    return session.scalar(select(Collection.id).where(Collection.name == name)) is not None
