"""A request to hits with excerpts: what the command, the page, the HTTP door and the client share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, exists, or_, select
from sqlalchemy.orm import Session

from db import documents, fulltext
from db import where as selections
from db.fulltext import Found, Hit, Wanted
from db.fulltext.waiting import MOST_COUNTED
from db.store import Store
from db.tables import Classification, Document, GivenLabel
from nlp_tasks import search_words
from scheduler.search import asking, excerpts
from scheduler.search.asking import Query
from scheduler.search.excerpts import Excerpt

#: Hits of a page, and how deep one may page.
MOST_HITS, DEEPEST = 100, 1_000


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """What is looked for."""

    query: str
    collection: str | None = None
    #: A selection by metadata (db.where).
    where: str | None = None
    limit: int = 10
    #: Hits that are passed over.
    offset: int = 0
    #: Combine the words with the vectors of a similarity model.
    hybrid: bool = False


@dataclass(frozen=True, slots=True)
class FoundDocument:
    """A document that answers a query."""

    rank: int
    document_key: str
    collection: str
    score: float
    label: str | None
    body_chars: int
    added_at: datetime
    excerpt: Excerpt

    def as_row(self) -> dict[str, Any]:
        """For JSON and tables."""
        row = asdict(self)
        excerpt = row.pop("excerpt")
        return row | {"excerpt": excerpt["text"], "marks": [list(mark) for mark in excerpt["marks"]]}


@dataclass(frozen=True, slots=True)
class Answer:
    """The hits of one page, the best first."""

    hits: tuple[FoundDocument, ...]
    #: Whether there are more after them.
    has_more: bool
    #: False if more documents match than were ranked: these are the ones in which the words weigh most.
    is_whole: bool
    #: Documents that the index does not know yet.
    n_waiting: int

    @property
    def to_go(self) -> str:
        """ "1,204 documents": those that the index does not know yet; empty for none."""
        if not self.n_waiting:
            return ""
        more = " or more" if self.n_waiting >= MOST_COUNTED else ""
        return f"{self.n_waiting:,} {'document' if self.n_waiting == 1 else 'documents'}{more}"


def search(store: Store, request: SearchRequest) -> Answer:
    """The documents that answer a query. ValueError for a query, a selection or a field that cannot be
    read, NotFoundError for an unknown collection."""
    if not 1 <= request.limit <= MOST_HITS:
        raise ValueError(f"a page has 1 to {MOST_HITS} hits, not {request.limit}")
    if not 0 <= request.offset <= DEEPEST:
        raise ValueError(f"hits are shown up to number {DEEPEST:,}: write more words, or a condition")
    query = asking.read(request.query, search_words.words)
    # Some may have been replaced since they were indexed.
    end = request.offset + request.limit
    with store.read() as session:
        wanted = _wanted(session, request, query)
        found = fulltext.find(session, wanted, end + 50)
    ranked = _fused(store, found, query, wanted, end + 50) if request.hybrid else found.ranked
    with store.read() as session:
        there = fulltext.latest(session, ranked[: end + 50])
        hits = fulltext.hits(session, there[request.offset : end])
        n_waiting = fulltext.count(session)
    shown = _documents(hits, request.offset, query)
    return Answer(tuple(shown), len(there) > end, found.is_whole, n_waiting)


def _fused(store: Store, found: Found, query: Query, wanted: Wanted, most: int) -> list[tuple[int, float]]:
    from scheduler.search import nearest

    only_found = bool(query.phrases or query.without)
    return nearest.fused(
        store, found.ranked, query.text, wanted.collection_id, wanted.conditions, most, only_found=only_found
    )


def words_of(query: Query) -> set[str]:
    """Every word that is marked in an excerpt."""
    return {*query.words, *(word for phrase in query.phrases for word in phrase)}


def _documents(hits: Sequence[Hit], offset: int, query: Query) -> list[FoundDocument]:
    words = words_of(query)
    return [
        FoundDocument(
            rank, hit.key, hit.collection, hit.score, hit.label, hit.body_chars, hit.added_at,
            excerpts.of(hit.text, words),
        )
        for rank, hit in enumerate(hits, offset + 1)
    ]  # fmt: skip


def _wanted(session: Session, request: SearchRequest, query: Query) -> Wanted:
    number = None
    if request.collection is not None:
        number = documents.collection_id(session, request.collection)
    conditions = [selections.where(session, each, number) for each in query.where]
    if request.where is not None:
        conditions.append(selections.where(session, request.where, number))
    conditions += [_has_label(label) for label in query.labels]
    conditions += [~_has_label(label) for label in query.not_labels]
    return Wanted(query.words, query.phrases, query.without, number, tuple(conditions))


def _has_label(label: str) -> ColumnElement[bool]:
    """Given by a person, or else its own, or else a model's."""
    given = exists().where(
        GivenLabel.collection_id == Document.collection_id, GivenLabel.document_key == Document.key
    )
    job = (
        select(Classification.job_id)
        .where(Classification.document_id == Document.id)
        .order_by(Classification.job_id.desc())
        .limit(1)
        .correlate(Document)
        .scalar_subquery()
    )
    by_model = exists().where(
        Classification.document_id == Document.id, Classification.job_id == job, Classification.label == label
    )
    # Never NULL, so that it can be negated.
    own = or_(Document.label.is_not(None) & (Document.label == label), Document.label.is_(None) & by_model)
    return or_(given.where(GivenLabel.label == label), ~given & own)
