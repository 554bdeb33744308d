"""On PostgreSQL: for each frequent word, a list of the documents in which it weighs most.

A query of frequent words adds up the weights in a few such lists, and only the best sums are ranked exactly (champion
lists: C. Manning et al., Introduction to Information Retrieval, 7.1.3). A list is built from the marks in the index
(db.fulltext.postgres). New documents that belong into it are rows of `search_posting` until it is written anew, which
`maintain` does, a few lists at a time.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from db.sql import now, one_of
from db.tables import SearchDocument, SearchList, SearchPosting, SearchTerm

if TYPE_CHECKING:
    from db.fulltext.packed_lists import Entries

#: A word in at least this many documents gets a list.
FREQUENT_FROM = 2_000
#: New documents after which a list is written anew.
FOLD_FROM = 500
#: A list is built anew after this share of the documents with its word was taken out of the index.
REBUILD_SHARE = 0.2
#: Lists that one call of `maintain` works on, of which it builds one: whoever erases documents waits for it.
LISTS_AT_ONCE = 5
#: A list whose building takes longer than a statement may (`ranking.plan_for_indexes`) is tried again after this time.
RETRY_SECONDS = 600
#: SQLSTATE of a statement that took too long.
_TOO_LONG = "57014"
#: Rows of `search_posting` that a query reads.
_MOST_POSTINGS = 20_000

#: Of a document: its number, its collection, and how much each word weighs in it.
Weights: TypeAlias = tuple[int, int, Mapping[str, float]]


# --- writing ------------------------------------------------------------------------------------------------------


def admit(session: Session, documents: Sequence[Weights]) -> None:
    """Note new documents for the lists into which they belong; a word that has become frequent is to get a list."""
    words = sorted({word for _, _, weights in documents for word in weights})
    query = (
        select(SearchTerm.term, SearchList.term.is_not(None), SearchList.best.is_not(None), SearchList.floors)
        .outerjoin(SearchList, SearchList.term == SearchTerm.term)
        .where(one_of(SearchTerm.term, words), SearchTerm.n_documents >= FREQUENT_FROM)
    )
    floors: dict[str, Mapping[str, float]] = {}
    without = []
    for term, has_row, is_built, of_term in session.execute(query):
        if is_built:
            floors[term] = of_term
        elif not has_row:
            without.append(term)
    _order(session, without)
    _note(session, documents, floors)


def _order(session: Session, terms: Sequence[str]) -> None:
    rows = [{"term": each, "floors": {}, "n_postings": 0, "n_removed": 0, "due_at": now()} for each in terms]
    if rows:
        session.execute(insert(SearchList).values(rows).on_conflict_do_nothing())


def _note(session: Session, documents: Sequence[Weights], floors: Mapping[str, Mapping[str, float]]) -> None:
    rows = [
        (word, id_, collection, weight)
        for id_, collection, weights in documents
        for word, weight in weights.items()
        if word in floors and weight >= _floor(floors[word], collection)
    ]
    if not rows:
        return
    terms, ids, collections, weights_ = map(list, zip(*rows, strict=True))
    run = session.connection().exec_driver_sql
    run(
        "INSERT INTO search_posting (term, document_id, collection_id, weight) "
        "SELECT * FROM unnest(%s::text[], %s::bigint[], %s::bigint[], %s::float8[]) "
        "ON CONFLICT (term, document_id) DO UPDATE SET weight = EXCLUDED.weight",
        (terms, ids, collections, weights_),
    )
    run(
        "UPDATE search_list l SET n_postings = l.n_postings + c.n, "
        "due_at = CASE WHEN l.n_postings + c.n >= %s THEN coalesce(l.due_at, now()) ELSE l.due_at END "
        "FROM (SELECT term, count(*) AS n FROM unnest(%s::text[]) term GROUP BY term) c WHERE l.term = c.term",
        (FOLD_FROM, terms),
    )


def _floor(floors: Mapping[str, float], collection: int) -> float:
    return floors.get(str(collection), floors.get("*", 0.0))


def forget(session: Session, ids: Sequence[int], counted: Mapping[str, int]) -> None:
    """Documents were taken out of the index; `counted` says how many had each term. The lists of these are written
    anew soon, without them."""
    session.execute(delete(SearchPosting).where(one_of(SearchPosting.document_id, ids)))
    session.connection().exec_driver_sql(
        "UPDATE search_list l SET n_removed = l.n_removed + c.n, due_at = coalesce(l.due_at, now()) "
        "FROM unnest(%s::text[], %s::bigint[]) c(term, n) WHERE l.term = c.term",
        (list(counted), list(counted.values())),
    )


def empty(session: Session) -> None:
    """Forget all lists."""
    session.execute(delete(SearchPosting))
    session.execute(delete(SearchList))


# --- maintenance --------------------------------------------------------------------------------------------------


def is_any_due(session: Session) -> bool:
    """Whether `maintain` has something to do."""
    return session.scalar(select(SearchList.term).where(SearchList.due_at <= now()).limit(1)) is not None


def maintain(session: Session) -> int:
    """Build, or write anew, the lists that have been due for longest, a few of them; returns how many. One that cannot
    be built in time is put off, so that the others get their turn."""
    query = (
        select(SearchList.term, SearchList.best.is_not(None), SearchList.n_removed, SearchTerm.n_documents)
        .outerjoin(SearchTerm, SearchTerm.term == SearchList.term)
        .where(SearchList.due_at <= now())
        .order_by(SearchList.due_at, SearchList.term)
        .limit(LISTS_AT_ONCE)
    )
    due = session.execute(query).all()
    for n, (term, is_built, n_removed, n_documents) in enumerate(due, 1):
        if n_documents is None or n_documents < FREQUENT_FROM / 2:
            _drop(session, term)
        elif not is_built or n_removed >= REBUILD_SHARE * n_documents:
            _build_in_time(session, term)
            return n
        else:
            _fold(session, term, are_removed=n_removed > 0)
    return len(due)


def _drop(session: Session, term: str) -> None:
    """The word is no longer frequent."""
    session.execute(delete(SearchPosting).where(SearchPosting.term == term))
    session.execute(delete(SearchList).where(SearchList.term == term))


def _build_in_time(session: Session, term: str) -> None:
    try:
        with session.begin_nested():
            _build(session, term)
    except OperationalError as error:
        if getattr(error.orig, "sqlstate", None) != _TOO_LONG:
            raise
        later = update(SearchList).where(SearchList.term == term).values(due_at=now(RETRY_SECONDS))
        session.execute(later)


def _build(session: Session, term: str) -> None:
    from db.fulltext import heaviest, packed_lists

    sources = heaviest.documents(
        session, term, packed_lists.DEPTH, packed_lists.OF_COLLECTION, packed_lists.COLLECTIONS
    )
    # What was read of all collections is of each of them, too.
    of_all = sources[heaviest.OTHERS].floor
    floors = {key: min(source.floor, of_all) for key, source in sources.items()}
    entries = packed_lists.packed([entry for source in sources.values() for entry in source.entries])
    _store(session, term, entries, floors)


def _fold(session: Session, term: str, *, are_removed: bool) -> None:
    """The list with the documents that came, and without those that were removed."""
    from db.fulltext import packed_lists

    entries = read(session, [term])[term]
    if are_removed:
        ids = entries["document"].tolist()
        there = list(session.scalars(select(SearchDocument.id).where(one_of(SearchDocument.id, ids))))
        entries = packed_lists.only(entries, there)
    floors = session.scalars(select(SearchList.floors).where(SearchList.term == term)).one()
    _store(session, term, entries, floors)


def _store(session: Session, term: str, entries: Entries, floors: Mapping[str, float]) -> None:
    from db.fulltext import packed_lists

    kept, above = packed_lists.trimmed(entries)
    merged = {
        key: max(floors.get(key, floors.get("*", 0.0)), above.get(key, 0.0)) for key in {*floors, *above}
    }
    session.connection().exec_driver_sql(
        "UPDATE search_list SET best = %s, floors = %s::jsonb, n_postings = 0, n_removed = 0, due_at = NULL "
        "WHERE term = %s",
        (kept.tobytes(), json.dumps(merged), term),
    )
    session.execute(delete(SearchPosting).where(SearchPosting.term == term))


# --- reading ------------------------------------------------------------------------------------------------------


def read(session: Session, words: Sequence[str]) -> dict[str, Entries]:
    """The lists of those of these words that have one, with the documents that are still to go into it."""
    from db.fulltext import packed_lists

    driver: Any = session.connection().connection.driver_connection
    # As text, the bytes would be twice as many.
    with driver.cursor(binary=True) as cursor:
        cursor.execute(
            "SELECT term, best FROM search_list WHERE term = ANY(%s) AND best IS NOT NULL", (list(words),)
        )
        found = {term: packed_lists.unpacked(packed) for term, packed in cursor}
    if not found:
        return {}
    fresh = (
        select(
            SearchPosting.term, SearchPosting.document_id, SearchPosting.collection_id, SearchPosting.weight
        )
        .where(one_of(SearchPosting.term, list(found)))
        .limit(_MOST_POSTINGS)
    )
    more: dict[str, list[tuple[int, int, float]]] = {}
    for term, document, collection, weight in session.execute(fresh):
        more.setdefault(term, []).append((document, collection, weight))
    return {
        term: packed_lists.with_more(entries, more[term]) if term in more else entries
        for term, entries in found.items()
    }
