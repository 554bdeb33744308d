"""The index on PostgreSQL: a tsvector for each document with a GIN index, and BM25 over a bounded set of candidates.

ts_rank knows neither how rare a word is nor how long a document is. So the best documents are ranked here: counts of
words are kept (`search_term`), and from ts_rank comes how often a word occurs in a document. A frequent word may occur
in every third document; reading all of those takes seconds. Therefore each document also has marks for the words that
weigh much in it (short lists, or tiered indexes: C. Manning et al., Introduction to Information Retrieval, 7.2.1), and
of a frequent word the documents with the highest marks are candidates.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from sqlalchemy import ColumnElement, Select, cast, func, literal, select, text
from sqlalchemy.dialects.postgresql import ARRAY, REAL, TSQUERY
from sqlalchemy.orm import Session

from db.sql import one_of
from db.tables import Document, SearchDocument, SearchTerm, SearchTotal

#: BM25: how soon more occurrences of a word stop to count, and how much the length of a text does. FTS5 has the same.
K1, B = 1.2, 0.75
#: A word weighs this much or more in a document (it is 1 if it occurs once in a text of mean length, at most 2.2).
TIERS = (1.2, 1.4, 1.6, 1.75, 1.88, 1.97, 2.04, 2.1)
#: Documents that are ranked; and those among which other conditions choose.
CANDIDATES, CHOSEN_FROM = 3_000, 3_000
#: Limits of PostgreSQL: the last place of a word, places of one word, bytes of a vector (with some room).
_LAST_PLACE, _MOST_PLACES, _MOST_BYTES = 16_383, 255, 900_000
#: Of a word that occurs n times, ts_rank is the sum of 1 / i^2 for i up to n, divided by this.
_RANK_LIMIT = 1.64493406685
_RANKS = [total / _RANK_LIMIT for total in accumulate(1 / n**2 for n in range(1, _MOST_PLACES + 1))]
_SECONDS = 5


# --- writing ------------------------------------------------------------------------------------------------------


def insert(session: Session, documents: Sequence[tuple[int, int, Sequence[str]]]) -> None:
    """Put (document, collection, words) into the index, in which they are not."""
    n_words = sum(len(words) for _, _, words in documents)
    mean = _mean_length(session, len(documents), n_words)
    vectors = [_vector(words, collection, mean) for _, collection, words in documents]
    session.connection().exec_driver_sql(
        "INSERT INTO search_document (id, collection_id, n_words, words) "
        "SELECT i, c, n, w::tsvector FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::text[]) v(i, c, n, w)",
        (
            [id_ for id_, _, _ in documents],
            [collection for _, collection, _ in documents],
            [len(words) for _, _, words in documents],
            [each.literal for each in vectors],
        ),
    )
    _count(session, Counter(term for each in vectors for term in each.terms))
    _add_to_total(session, len(documents), n_words)


def forget(session: Session, ids: Sequence[int]) -> None:
    """Take documents out; a word that no other document has is forgotten too."""
    rows = (
        session.connection()
        .exec_driver_sql(
            "DELETE FROM search_document WHERE id = ANY(%s) RETURNING n_words, tsvector_to_array(words)",
            (list(ids),),
        )
        .all()
    )
    if not rows:
        return
    counted = Counter(term for _, terms in rows for term in terms)
    _count(session, Counter({term: -n for term, n in counted.items()}))
    session.connection().exec_driver_sql(
        "DELETE FROM search_term WHERE term = ANY(%s) AND n_documents <= 0", (list(counted),)
    )
    _add_to_total(session, -len(rows), -sum(n for n, _ in rows))


@dataclass(frozen=True, slots=True)
class _Vector:
    literal: str
    terms: Sequence[str]


def _vector(words: Sequence[str], collection: int, mean: float) -> _Vector:
    """A tsvector as PostgreSQL reads it: words with places, then the marks."""
    places: dict[str, list[int]] = {}
    for place, word in enumerate(words, 1):
        places.setdefault(word, []).append(place)
    parts, terms, n_bytes = [], [], 0
    for word, found in places.items():
        shown = sorted({min(place, _LAST_PLACE) for place in found[:_MOST_PLACES]})
        n_bytes += 2 * len(word.encode()) + 2 * len(shown) + 16
        if n_bytes > _MOST_BYTES:
            break
        parts.append(f"{quoted(word)}:{','.join(map(str, shown))}")
        terms.append(word)
        if tier := _tier(len(found), len(words), mean):
            mark = tier_mark(tier, word)
            parts.append(quoted(mark))
            terms.append(mark)
    of_collection = collection_mark(collection)
    return _Vector(" ".join([*parts, quoted(of_collection)]), [*terms, of_collection])


def _tier(n: int, n_words: int, mean: float) -> int:
    weight = n * (K1 + 1) / (n + K1 * (1 - B + B * n_words / mean))
    return sum(weight >= tier for tier in TIERS)


def tier_mark(tier: int, word: str) -> str:
    """What a document has in which the word weighs so much. No word has this character."""
    return f"{tier}^{word}"


def collection_mark(collection: int) -> str:
    """What every document of a collection has."""
    return f"c^{collection}"


def quoted(term: str) -> str:
    """A term as it is written in a tsvector or tsquery, whatever characters it has."""
    doubled = term.replace("\\", "\\\\").replace("'", "''")
    return f"'{doubled}'"


def _count(session: Session, counted: Counter[str]) -> None:
    terms = sorted(counted)
    session.connection().exec_driver_sql(
        "INSERT INTO search_term AS t (term, n_documents) SELECT * FROM unnest(%s::text[], %s::bigint[]) "
        "ON CONFLICT (term) DO UPDATE SET n_documents = t.n_documents + EXCLUDED.n_documents",
        (terms, [counted[term] for term in terms]),
    )


def _add_to_total(session: Session, n_documents: int, n_words: int) -> None:
    session.connection().exec_driver_sql(
        "INSERT INTO search_total AS t (id, n_documents, n_words) VALUES (1, %s, %s) ON CONFLICT (id) DO UPDATE "
        "SET n_documents = t.n_documents + EXCLUDED.n_documents, n_words = t.n_words + EXCLUDED.n_words",
        (n_documents, n_words),
    )


def _mean_length(session: Session, n_documents: int, n_words: int) -> float:
    """The mean number of words of a document, these included."""
    row = session.execute(select(SearchTotal.n_documents, SearchTotal.n_words)).one_or_none()
    before = row if row is not None else (0, 0)
    return max(1.0, (before[1] + n_words) / max(1, before[0] + n_documents))


# --- finding ------------------------------------------------------------------------------------------------------


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


@dataclass(frozen=True, slots=True)
class Ranked:
    """(document, score), the best first."""

    hits: list[tuple[int, float]]
    #: Whether every document that matches was looked at.
    is_whole: bool


def statistics(session: Session, words: Iterable[str], collection: int | None) -> Statistics:
    """Read the counts of the words and of their marks: a few rows by their key."""
    wanted = [term for word in words for term in (word, *_marks(word))]
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


def rank(
    session: Session,
    words: Sequence[str],
    phrases: Sequence[Sequence[str]],
    without: Sequence[Sequence[str]],
    collection: int | None,
    conditions: Sequence[ColumnElement[bool]],
) -> Ranked:
    """The documents with all of the phrases, or without phrases with one of the words, by BM25 over all of them."""
    session.execute(
        text(
            f"SET LOCAL statement_timeout = '{_SECONDS}s'; SET LOCAL enable_seqscan = off; SET LOCAL jit = off"
        )
    )
    every = list(dict.fromkeys([*words, *(word for phrase in phrases for word in phrase)]))
    known = statistics(session, every, collection)
    match, is_whole = _match(known, words, phrases, CHOSEN_FROM if conditions else CANDIDATES)
    if match is None:
        return Ranked([], is_whole=True)
    if without:
        match = f"({match}) & !({' | '.join(map(_phrase, without))})"
    if collection is not None and known.share < 0.5:
        match = f"({match}) & {quoted(collection_mark(collection))}"
    most = CHOSEN_FROM if conditions else CANDIDATES
    rows = session.execute(_query(match, every, collection, conditions, most)).all()
    if not rows:
        return Ranked([], is_whole)
    idf = [known.idf(word) for word in every]
    hits = [(row[0], _bm25(row[1], row[2:], idf, known.mean_length)) for row in rows]
    hits.sort(key=lambda hit: (-hit[1], -hit[0]))
    return Ranked(hits, is_whole and len(rows) < most)


def _query(
    match: str,
    words: Sequence[str],
    collection: int | None,
    conditions: Sequence[ColumnElement[bool]],
    most: int,
) -> Select[*tuple[Any, ...]]:
    """(document, its length, the rank of each word). The candidates come first, and not more than `most`: the
    conditions are evaluated for these alone."""
    weights = cast(literal([1.0] * 4, ARRAY(REAL)), ARRAY(REAL))
    ranks = [
        func.ts_rank(weights, SearchDocument.words, _tsquery(quoted(word))).label(f"rank_{i}")
        for i, word in enumerate(words)
    ]
    found = select(SearchDocument.id, SearchDocument.n_words, *ranks)
    found = found.where(SearchDocument.words.op("@@")(_tsquery(match))).limit(most)
    if collection is not None:
        found = found.where(SearchDocument.collection_id == collection)
    if not conditions:
        return found
    some = found.cte("candidates").prefix_with("MATERIALIZED", dialect="postgresql")
    return select(some).join(Document, Document.id == some.c.id).where(Document.is_latest, *conditions)


def _tsquery(written: str) -> ColumnElement[Any]:
    return cast(literal(written), TSQUERY)


def _phrase(words: Sequence[str]) -> str:
    return "(" + " <-> ".join(map(quoted, words)) + ")"


def _match(
    known: Statistics, words: Sequence[str], phrases: Sequence[Sequence[str]], most: int
) -> tuple[str | None, bool]:
    """The tsquery that finds candidates, and whether it finds all. None if nothing can be found."""
    if phrases:
        return " & ".join(map(_phrase, phrases)), True
    there = sorted((word for word in words if known.counts.get(word)), key=known.counts.__getitem__)
    if not there:
        return None, True
    if sum(map(known.expected, there)) <= most:
        return " | ".join(map(quoted, there)), True
    return _short_lists(known, there, most), False


def _short_lists(known: Statistics, words: Sequence[str], most: int) -> str:
    """Of rare words all documents, of frequent ones those in which they weigh most; and those in which two frequent
    words weigh much. The rarest word is first: it counts most, so each may take half of the room that is left."""
    parts, left, frequent = [], 0.8 * most, []
    for word in words:
        room = left / 2 if word != words[-1] else left
        if known.expected(word) <= room:
            parts.append(quoted(word))
            left -= known.expected(word)
            continue
        frequent.append(word)
        marks, n = _heaviest(known, word, room)
        parts += map(quoted, marks)
        left -= n
    if len(frequent) > 1:
        parts.append(_both(known, frequent[0], frequent[1], 0.2 * most))
    return " | ".join(parts)


def _heaviest(known: Statistics, word: str, room: float) -> tuple[list[str], float]:
    """The marks of the documents in which a word weighs most, as many as there is room for, and how many those are."""
    chosen: list[str] = []
    n = 0.0
    for mark in reversed([mark for mark in _marks(word) if known.counts.get(mark)]):
        if chosen and n + known.expected(mark) > room:
            break
        n += known.expected(mark)
        chosen.append(mark)
    return chosen or [word], min(n, room)


def _both(known: Statistics, one: str, other: str, room: float) -> str:
    """The documents in which two words weigh much: as many as there is room for if they are independent."""
    n_all = max(1.0, known.n_documents * known.share)
    marks = list(zip(_marks(one), _marks(other), strict=True))
    while len(marks) > 1:
        first, second = (sum(known.expected(each) for each in side) for side in zip(*marks, strict=True))
        if first * second / n_all <= room:
            break
        marks = marks[1:]
    sides = (" | ".join(map(quoted, side)) for side in zip(*marks, strict=True))
    return " & ".join(f"({side})" for side in sides)


def _marks(word: str) -> list[str]:
    return [tier_mark(tier, word) for tier in range(1, len(TIERS) + 1)]


def _bm25(n_words: int, ranks: Sequence[float], idf: Sequence[float], mean: float) -> float:
    """The score of a document of so many words, from the rank of each word."""
    norm = K1 * (1 - B + B * n_words / mean)
    score = 0.0
    for rank_, weight in zip(ranks, idf, strict=True):
        if rank_ > 0:
            n = bisect_left(_RANKS, rank_ - 1e-6) + 1
            score += weight * n * (K1 + 1) / (n + norm)
    return score
