"""Documents are put into the index and taken out of it. What is written and what waits changes in one transaction, so
that a process that is killed loses nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import delete, insert, select, text
from sqlalchemy.orm import Session

from db import erased
from db.fulltext import best_lists, postgres
from db.sql import one_of
from db.tables import Collection, Document, SearchDocument, SearchTerm, SearchTotal, SearchWaiting

#: PostgreSQL's number of the lock that whoever changes the counts of words holds.
_LOCK = 0x646F7365


#: Pages of SQLite's index that one step of `clean` writes, of about 4 kB each.
CLEAN_PAGES = 500
_CHANGES = text("SELECT total_changes()")


@dataclass(frozen=True, slots=True)
class Indexed:
    """A document that was analysed."""

    id: int
    #: In order; empty for a text without words.
    words: Sequence[str]


def write(session: Session, analysed: Sequence[Indexed]) -> int:
    """Bring the index up to date for these documents, which wait; returns how many are done. What has become of a
    document since it was read decides: one that is no longer the latest is taken out. Those that another transaction
    is changing go on waiting."""
    erased.together(session)
    _alone(session)
    rows = _locked(session, [each.id for each in analysed])
    there = [each for each in analysed if rows.get(each.id, (False, 0))[0]]
    forget(session, list(rows))
    _insert(session, [(each, rows[each.id][1]) for each in there if each.words])
    return len(rows)


def forget(session: Session, ids: Sequence[int]) -> None:
    """Take documents out of the index; none of them waits any more."""
    if not ids:
        return
    session.execute(delete(SearchWaiting).where(one_of(SearchWaiting.id, ids)))
    if _is_postgres(session):
        _alone(session)
        postgres.forget(session, ids)
    else:
        session.execute(delete(SearchDocument).where(one_of(SearchDocument.id, ids)))


def maintain(session: Session) -> int:
    """Bring some of the lists of frequent words up to date; returns how many, 0 if none is due. SQLite has none."""
    if not _is_postgres(session) or not best_lists.is_any_due(session):
        return 0
    _alone(session)
    return best_lists.maintain(session)


def clean(session: Session, *, begin: bool) -> bool:
    """Write a part of the index of SQLite anew, without the words of documents that were taken out: FTS5 only marks
    them. The first call has `begin`; the others go on. Whether there is more to do; PostgreSQL needs nothing."""
    if _is_postgres(session) or (begin and _segments(session) < 2):
        return False
    before = session.scalar(_CHANGES) or 0
    pages = -CLEAN_PAGES if begin else CLEAN_PAGES
    session.execute(
        text("INSERT INTO search_text (search_text, rank) VALUES ('merge', :pages)"), {"pages": pages}
    )
    # FTS5 says so: with fewer changes there was nothing to merge.
    return (session.scalar(_CHANGES) or 0) - before >= 2


def _segments(session: Session) -> int:
    """The parts that the index of SQLite has; a whole one has no marks of what was taken out."""
    return session.scalar(text("SELECT count(DISTINCT segid) FROM search_text_idx")) or 0


def empty(session: Session) -> None:
    """Take every document out of the index."""
    _alone(session)
    if not _is_postgres(session):
        session.execute(text("INSERT INTO search_text (search_text) VALUES ('delete-all')"))
        session.execute(text("DROP TRIGGER search_document_ad"))
    best_lists.empty(session)
    for table in (SearchDocument, SearchTerm, SearchTotal):
        session.execute(delete(table))
    if not _is_postgres(session):
        session.execute(text(SQLITE_DELETES))


#: Keeps FTS5 as `search_document` is.
SQLITE_DELETES = (
    "CREATE TRIGGER search_document_ad AFTER DELETE ON search_document BEGIN "
    "INSERT INTO search_text (search_text, rowid, words) VALUES ('delete', OLD.id, OLD.words); END"
)


def _alone(session: Session) -> None:
    """Nobody else changes the counts of words until the transaction ends."""
    if _is_postgres(session):
        session.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})


def _locked(session: Session, ids: Sequence[int]) -> dict[int, tuple[bool, int]]:
    """(whether it is to be found, its collection) of each of these documents that nobody is changing now. They stay as
    they are until the transaction ends."""
    query = (
        select(Document.id, Document.is_latest, Document.collection_id, Collection.files_of_id)
        .join(Collection, Collection.id == Document.collection_id)
        .where(one_of(Document.id, ids))
        .with_for_update(read=True, skip_locked=True, of=Document)
    )
    return {
        row.id: (row.is_latest and row.files_of_id is None, row.collection_id)
        for row in session.execute(query)
    }


def _insert(session: Session, documents: Sequence[tuple[Indexed, int]]) -> None:
    if not documents:
        return
    if _is_postgres(session):
        postgres.insert(session, [(each.id, collection, each.words) for each, collection in documents])
        return
    rows = [
        {
            "id": each.id,
            "collection_id": collection,
            "n_words": len(each.words),
            "words": " ".join(each.words),
        }
        for each, collection in documents
    ]
    session.execute(insert(SearchDocument.__table__), rows)  # type: ignore[arg-type]


def _is_postgres(session: Session) -> bool:
    return session.get_bind().dialect.name == "postgresql"
