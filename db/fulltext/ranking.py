"""The best documents on PostgreSQL: BM25 over a bounded set of candidates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, cast, func, literal, select, text
from sqlalchemy.dialects.postgresql import ARRAY, REAL, TSQUERY
from sqlalchemy.orm import Session

from db.fulltext import best_lists, short_lists
from db.fulltext.term_counts import Statistics, statistics
from db.fulltext.vectors import collection_mark, phrase, quoted, weight
from db.sql import one_of
from db.tables import Document, SearchDocument

#: Documents that are ranked; of these, the ones that lists of frequent words may bring; and those among which other
#: conditions choose, a block at a time.
CANDIDATES, FROM_LISTS, CHOSEN_FROM, BLOCK = 3_000, 1_500, 3_000, 750
#: Beside those of the lists, so many documents of rarer words are ranked; and of so many, conditions choose.
FOR_OTHERS, FOR_OTHERS_CHOSEN = 1_500, 1_000
#: Fewer documents than this in the lists are too few: the marks are used, too.
FEWEST_IN_LISTS = 200
_SECONDS = 5
#: Documents that meet the conditions, after which no more are looked for.
_WORTH_RANKING = 300


@dataclass(frozen=True, slots=True)
class Ranked:
    """(document, score), the best first."""

    hits: list[tuple[int, float]]
    #: Whether every document that matches was looked at.
    is_whole: bool


def rank(
    session: Session,
    words: Sequence[str],
    phrases: Sequence[Sequence[str]],
    without: Sequence[Sequence[str]],
    collection: int | None,
    conditions: Sequence[ColumnElement[bool]],
    n_hits: int,
) -> Ranked:
    """The documents with all of the phrases, or without phrases with one of the words, by BM25 over all of them."""
    plan_for_indexes(session)
    every = list(dict.fromkeys([*words, *(word for phrase in phrases for word in phrase)]))
    known = statistics(session, every, collection)
    limit = _Limit(
        collection if collection is None or known.share < 0.5 else None, collection, without, phrases
    )
    room = FOR_OTHERS if not conditions else FOR_OTHERS_CHOSEN
    ids, match, is_whole = _candidates(session, known, words, phrases, limit, room)
    rows: list[Any] = []
    if ids:
        ids = _chosen(session, ids, limit, conditions, n_hits)
        rows += session.execute(_of_ids(ids, every, limit)).all()
    if match is not None:
        most = CANDIDATES - len(rows)
        found = session.execute(query(limit.of(match), every, collection, conditions, most)).all()
        is_whole = is_whole and len(found) < most
        rows += found
    idf = [known.idf(word) for word in every]
    hits = {row[0]: bm25(row[1], row[2:], idf, known.mean_length) for row in rows}
    return Ranked(sorted(hits.items(), key=lambda hit: (-hit[1], -hit[0])), is_whole)


@dataclass(frozen=True, slots=True)
class _Limit:
    """What every document that is found has to meet, beside the words."""

    #: The collection, if it is small enough for the index to help; and in any case.
    marked_collection: int | None
    collection: int | None
    without: Sequence[Sequence[str]]
    phrases: Sequence[Sequence[str]]

    def of(self, match: str) -> str:
        """The same tsquery with the limit."""
        if self.without:
            match = f"({match}) & !({' | '.join(map(phrase, self.without))})"
        if self.marked_collection is not None:
            match = f"({match}) & {quoted(collection_mark(self.marked_collection))}"
        return match

    @property
    def alone(self) -> str | None:
        """The limit as a tsquery; None for none."""
        parts = list(map(phrase, self.phrases))
        parts += [f"!({' | '.join(map(phrase, self.without))})"] if self.without else []
        return " & ".join(parts) or None


def _candidates(
    session: Session,
    known: Statistics,
    words: Sequence[str],
    phrases: Sequence[Sequence[str]],
    limit: _Limit,
    room: int,
) -> tuple[list[int], str | None, bool]:
    """Documents from the lists of frequent words, the best first; the tsquery that finds the others, of which there is
    `room` for so many; and whether these are all that match."""
    from db.fulltext import packed_lists

    match, is_whole = short_lists.matching(known, words, phrases, CANDIDATES)
    listed = [*words, *(word for phrase in phrases for word in phrase)]
    if is_whole and _fewest(known, phrases) <= CANDIDATES:
        return [], match, True
    frequent = [word for word in listed if known.counts.get(word, 0) >= best_lists.FREQUENT_FROM]
    lists = best_lists.read(session, frequent) if frequent else {}
    most = CHOSEN_FROM if phrases else FROM_LISTS
    ids = packed_lists.best(lists, {word: known.idf(word) for word in lists}, limit.collection, CHOSEN_FROM)
    if phrases or len(ids) < FEWEST_IN_LISTS:
        return ids[:most], match, is_whole and not ids
    rest = sorted((w for w in words if known.counts.get(w) and w not in lists), key=known.counts.__getitem__)
    if not rest:
        return ids, None, False
    if sum(map(known.expected, rest)) <= room:
        return ids, " | ".join(map(quoted, rest)), False
    return ids, short_lists.of_words(known, rest, room), False


def _fewest(known: Statistics, phrases: Sequence[Sequence[str]]) -> float:
    """At most about so many documents have all of the phrases; 0 without any."""
    return min((known.expected(word) for phrase in phrases for word in phrase), default=0.0)


def _chosen(
    session: Session, ids: list[int], limit: _Limit, conditions: Sequence[ColumnElement[bool]], n_hits: int
) -> list[int]:
    """Of documents in order, those that meet the conditions: as many as are worth ranking for so many hits."""
    if not conditions:
        return ids[: CHOSEN_FROM if limit.phrases else FROM_LISTS]
    chosen: list[int] = []
    for start in range(0, len(ids), BLOCK):
        block = ids[start : start + BLOCK]
        query = select(Document.id).where(one_of(Document.id, block), Document.is_latest, *conditions)
        there = set(session.scalars(query))
        chosen += [id_ for id_ in block if id_ in there]
        if len(chosen) >= max(_WORTH_RANKING, 2 * n_hits) and not limit.phrases:
            break
    return chosen


def _of_ids(ids: Sequence[int], words: Sequence[str], limit: _Limit) -> Select[*tuple[Any, ...]]:
    found = _ranks(words).where(one_of(SearchDocument.id, ids))
    if limit.alone is not None:
        found = found.where(SearchDocument.words.op("@@")(tsquery(limit.alone)))
    return found


def plan_for_indexes(session: Session) -> None:
    """Until the transaction ends, statements use the index, and end after some seconds."""
    session.execute(
        text(
            f"SET LOCAL statement_timeout = '{_SECONDS}s'; SET LOCAL enable_seqscan = off; SET LOCAL jit = off"
        )
    )


def query(
    match: str,
    words: Sequence[str],
    collection: int | None,
    conditions: Sequence[ColumnElement[bool]],
    most: int,
) -> Select[*tuple[Any, ...]]:
    """(document, its length, the rank of each word). The candidates come first, and not more than `most`: conditions
    are evaluated for these alone, and ranks computed for those that meet them."""
    matching: ColumnElement[bool] = SearchDocument.words.op("@@")(tsquery(match))
    if collection is not None:
        matching = and_(matching, SearchDocument.collection_id == collection)
    if not conditions:
        return _ranks(words).where(matching).limit(most)
    some = select(SearchDocument.id).where(matching).limit(most)
    candidates = some.cte("candidates").prefix_with("MATERIALIZED", dialect="postgresql")
    found = _ranks(words).join(candidates, candidates.c.id == SearchDocument.id)
    return found.join(Document, Document.id == candidates.c.id).where(Document.is_latest, *conditions)


def _ranks(words: Sequence[str]) -> Select[*tuple[Any, ...]]:
    ranks = [
        func.ts_rank(weights(), SearchDocument.words, tsquery(quoted(word))).label(f"rank_{i}")
        for i, word in enumerate(words)
    ]
    return select(SearchDocument.id, SearchDocument.n_words, *ranks)


def weights() -> ColumnElement[Any]:
    """For ts_rank: places of all classes count the same."""
    return cast(literal([1.0] * 4, ARRAY(REAL)), ARRAY(REAL))


def tsquery(written: str) -> ColumnElement[Any]:
    """A tsquery as an expression."""
    return cast(literal(written), TSQUERY)


def bm25(n_words: int, ranks: Sequence[float], idf: Sequence[float], mean: float) -> float:
    """The score of a document of this length, from the rank of each word."""
    pairs = zip(ranks, idf, strict=True)
    return sum(of_word * weight(n_words, rank_, mean) for rank_, of_word in pairs if rank_ > 0)
