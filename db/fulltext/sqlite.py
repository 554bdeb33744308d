"""The index on SQLite: FTS5 finds and ranks (its bm25 has the same constants as db.fulltext.postgres)."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, column, select, table
from sqlalchemy.orm import Session

from db.tables import Document

_INDEX = table("search_text", column("rowid"), column("rank"), column("search_text"))


def rank(
    session: Session,
    words: Sequence[str],
    phrases: Sequence[Sequence[str]],
    without: Sequence[Sequence[str]],
    conditions: Sequence[ColumnElement[bool]],
    most: int,
) -> list[tuple[int, float]]:
    """(document, score) of the documents with all of the phrases, or without phrases with one of the words; the best
    first, at most so many."""
    score = -_INDEX.c.rank
    query = (
        select(_INDEX.c.rowid, score)
        .join_from(_INDEX, Document, Document.id == _INDEX.c.rowid)
        .where(_INDEX.c.search_text.op("MATCH")(expression(words, phrases, without)), Document.is_latest)
        .where(*conditions)
        .order_by(_INDEX.c.rank, _INDEX.c.rowid.desc())
        .limit(most)
    )
    return [(id_, found) for id_, found in session.execute(query)]


def expression(
    words: Sequence[str], phrases: Sequence[Sequence[str]], without: Sequence[Sequence[str]]
) -> str:
    """What FTS5 is to match. Each word is a string of its own, so that none is taken for an operator."""
    required = " AND ".join(map(_phrase, phrases))
    any_of = " OR ".join([*(_phrase([word]) for word in words)])
    if required and any_of:
        # A word that a document need not have counts for its rank.
        match = f"({required}) AND ({' OR '.join([*map(_phrase, phrases), any_of])})"
    else:
        match = required or any_of
    if without:
        match = f"({match}) NOT ({' OR '.join(map(_phrase, without))})"
    return match


def _phrase(words: Sequence[str]) -> str:
    doubled = " ".join(words).replace('"', '""')
    return f'"{doubled}"'
