"""The documents in which a frequent word weighs most, read from the marks in the index: what a list is built from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from db.fulltext.ranking import plan_for_indexes, tsquery, weights
from db.fulltext.term_counts import Statistics, statistics
from db.fulltext.vectors import TIERS, collection_mark, marks, quoted, weight
from db.sql import one_of
from db.tables import Collection, SearchDocument, SearchTerm

#: What stands for all collections.
OTHERS = "*"
#: At most this many times the wanted number of documents is read.
_READ = 2


@dataclass(frozen=True, slots=True)
class Source:
    """(document, collection, weight) of documents with a word; those in which it weighs less than `floor` may be
    missing."""

    entries: Sequence[tuple[int, int, float]]
    floor: float


def documents(
    session: Session, word: str, most: int, of_collection: int, n_collections: int
) -> dict[str, Source]:
    """The documents in which a word weighs most, by the marks: about `most`, and so many of each of the largest
    collections, by the number of the collection. Reads a bounded number, however many have the word."""
    plan_for_indexes(session)
    known = statistics(session, [word], None)
    found = {OTHERS: _heaviest_of(session, known, word, most, None)}
    collections = _largest_collections(session, n_collections)
    if len(collections) > 1:
        for number in collections:
            of_one = statistics(session, [word], number)
            found[str(number)] = _heaviest_of(session, of_one, word, of_collection, number)
    return found


def _heaviest_of(session: Session, known: Statistics, word: str, most: int, collection: int | None) -> Source:
    terms, n = [], 0.0
    for mark in reversed(marks(word)):
        if known.counts.get(mark):
            terms.append(mark)
            n += known.expected(mark)
        if n >= most:
            break
    if n < most:
        terms = [word]
    match = " | ".join(map(quoted, terms))
    if collection is not None:
        match = f"({match}) & {quoted(collection_mark(collection))}"
    rank_ = func.ts_rank(weights(), SearchDocument.words, tsquery(quoted(word)))
    query = select(SearchDocument.id, SearchDocument.collection_id, SearchDocument.n_words, rank_)
    query = query.where(SearchDocument.words.op("@@")(tsquery(match))).limit(_READ * most)
    rows = session.execute(query).all()
    entries = [(id_, of, weight(n_words, rank_, known.mean_length)) for id_, of, n_words, rank_ in rows]
    return Source(entries, 0.0 if terms == [word] else TIERS[int(terms[-1].partition("^")[0]) - 1])


def _largest_collections(session: Session, most: int) -> list[int]:
    by_mark = {collection_mark(number): number for number in session.scalars(select(Collection.id))}
    query = (
        select(SearchTerm.term)
        .where(one_of(SearchTerm.term, list(by_mark)))
        .order_by(SearchTerm.n_documents.desc())
        .limit(most)
    )
    return [by_mark[term] for term in session.scalars(query)]
