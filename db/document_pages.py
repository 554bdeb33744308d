"""Collections and documents page by page, each read by an index from the last row of the page before."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from db import where as selections
from db.tables import Collection, Document

#: Documents of a page of `every`.
_AT_ONCE = 1_000


@dataclass(frozen=True, slots=True)
class Line:
    """A document in a list, without its text."""

    id: int
    document_key: str
    version: int
    body_chars: int
    label: str | None
    source: str
    added_at: datetime
    meta: dict[str, Any]


def of_collection(
    session: Session, collection: int, where: str | None, after_id: int, limit: int
) -> list[Line]:
    """The latest documents after one, in the order in which they were added; those that a selection means (db.where).
    ValueError for a selection that cannot be understood."""
    conditions = () if where is None else (selections.where(session, where, collection),)
    document = Document.__table__.c
    query = (
        select(
            document.id, document.key, document.version, document.body_chars, document.label, document.source,
            document.added_at, document.meta,
        )
        .where(Document.collection_id == collection, Document.is_latest, Document.id > after_id, *conditions)
        .order_by(Document.id)
        .limit(limit)
    )  # fmt: skip
    return [Line(*row) for row in session.execute(query)]


def every(session: Session, collection: int, where: str | None, limit: int | None) -> Iterator[Line]:
    """The latest documents of a collection, at most `limit`, read page by page."""
    after_id, left = 0, limit
    while left is None or left > 0:
        at_once = _AT_ONCE if left is None else min(_AT_ONCE, left)
        page = of_collection(session, collection, where, after_id, at_once)
        yield from page
        if len(page) < at_once:
            return
        after_id, left = page[-1].id, None if left is None else left - len(page)


def collections(session: Session, after: str | None, limit: int | None) -> Sequence[tuple[str, datetime]]:
    """Names of collections and when they were made, by name."""
    query = (
        select(Collection.name, Collection.created_at)
        .where(Collection.files_of_id.is_(None), Collection.removed_at.is_(None))
        .order_by(Collection.name)
        .limit(limit)
    )
    if after is not None:
        query = query.where(Collection.name > after)
    return [(name, created_at) for name, created_at in session.execute(query)]


def created_at(session: Session, collection: int) -> datetime:
    """When a collection was made."""
    return session.get_one(Collection, collection).created_at


def meta_of(session: Session, collection: int, key: str) -> dict[str, Any]:
    """The metadata of a document's latest version."""
    document = Document.__table__.c
    mine = (Document.collection_id == collection, Document.key == key, Document.is_latest)
    return session.execute(select(document.meta).where(*mine)).scalar_one_or_none() or {}
