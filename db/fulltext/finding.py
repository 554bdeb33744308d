"""The best documents for words, phrases and conditions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from db.fulltext import ranking, sqlite
from db.sql import one_of
from db.tables import Collection, Document

#: Characters of a text that an excerpt is looked for in.
TEXT_CHARS = 200_000


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is looked for. Words are as nlp_tasks.search_words makes them."""

    #: Each makes a document better; without phrases, it has to have one of them.
    words: Sequence[str] = ()
    #: A document has to have all of them, each with its words side by side.
    phrases: Sequence[Sequence[str]] = ()
    #: It must have none of these.
    without: Sequence[Sequence[str]] = ()
    #: One collection; None for all.
    collection_id: int | None = None
    #: About Document.
    conditions: tuple[ColumnElement[bool], ...] = ()


@dataclass(frozen=True, slots=True)
class Hit:
    """A document that was found."""

    id: int
    key: str
    collection: str
    score: float
    label: str | None
    body_chars: int
    added_at: datetime
    #: Its beginning.
    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Found:
    """Documents by score, the best first."""

    ranked: list[tuple[int, float]]
    #: False if more documents match than were looked at: those in which the words weigh most.
    is_whole: bool


def find(session: Session, wanted: Wanted, most: int) -> Found:
    """The best documents, at most so many; empty if nothing matches. Without words and phrases nothing does."""
    if not wanted.words and not wanted.phrases:
        return Found([], is_whole=True)
    if session.get_bind().dialect.name == "postgresql":
        found = ranking.rank(
            session, wanted.words, wanted.phrases, wanted.without, wanted.collection_id, wanted.conditions,
            most,
        )  # fmt: skip
        return Found(found.hits[:most], found.is_whole)
    conditions = wanted.conditions
    if wanted.collection_id is not None:
        conditions = (Document.collection_id == wanted.collection_id, *conditions)
    ranked = sqlite.rank(session, wanted.words, wanted.phrases, wanted.without, conditions, most)
    return Found(ranked, is_whole=True)


def latest(session: Session, ranked: Sequence[tuple[int, float]]) -> list[tuple[int, float]]:
    """The same without those that are no longer the latest."""
    query = select(Document.id).where(one_of(Document.id, [id_ for id_, _ in ranked]), Document.is_latest)
    there = set(session.scalars(query)) if ranked else set()
    return [each for each in ranked if each[0] in there]


def hits(session: Session, ranked: Sequence[tuple[int, float]]) -> list[Hit]:
    """These documents in the same order, without those that are no longer the latest."""
    query = (
        select(
            Document.id, Document.key, Collection.name, Document.label, Document.body_chars, Document.added_at,
            func.substr(Document.text, 1, TEXT_CHARS),
        )
        .join(Collection, Collection.id == Document.collection_id)
        .where(one_of(Document.id, [id_ for id_, _ in ranked]), Document.is_latest, Collection.files_of_id.is_(None))
    )  # fmt: skip
    rows = {row[0]: row for row in session.execute(query)} if ranked else {}
    return [
        Hit(id_, row[1], row[2], score, row[3], row[4], row[5], row[6])
        for id_, score in ranked
        if (row := rows.get(id_)) is not None
    ]
