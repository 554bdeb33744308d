"""What the index on PostgreSQL knows of words: in how many documents each occurs."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.fulltext.vectors import collection_mark, marks
from db.sql import one_of
from db.tables import SearchTerm, SearchTotal


@dataclass(frozen=True, slots=True)
class Statistics:
    """What the index knows of the words that are looked for."""

    n_documents: int
    mean_length: float
    #: In how many documents a term occurs. Of a mark, those that have it.
    counts: dict[str, int]
    #: The share of the documents that are in the collection.
    share: float

    def idf(self, word: str) -> float:
        """How much a word says: 0 if it is in every document."""
        n = min(self.counts.get(word, 0), self.n_documents)
        return math.log1p((self.n_documents - n + 0.5) / (n + 0.5))

    def expected(self, term: str) -> float:
        """About how many documents of the collection have it."""
        return self.counts.get(term, 0) * self.share


def statistics(session: Session, words: Iterable[str], collection: int | None) -> Statistics:
    """Read the counts of the words and of their marks: a few rows by their key."""
    wanted = [term for word in words for term in (word, *marks(word))]
    if collection is not None:
        wanted.append(collection_mark(collection))
    query = select(SearchTerm.term, SearchTerm.n_documents).where(one_of(SearchTerm.term, wanted))
    counts = {row.term: row.n_documents for row in session.execute(query)}
    total = session.execute(select(SearchTotal.n_documents, SearchTotal.n_words)).one_or_none()
    n_documents, n_words = (total[0], total[1]) if total is not None else (0, 0)
    share = 1.0
    if collection is not None:
        share = counts.get(collection_mark(collection), 0) / max(1, n_documents)
    return Statistics(n_documents, max(1.0, n_words / max(1, n_documents)), counts, share)
