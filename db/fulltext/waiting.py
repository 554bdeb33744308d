"""Documents that the index does not know yet, or still knows although they are no longer the latest."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import delete, exists, func, select
from sqlalchemy.orm import Session

from db.fulltext import writing
from db.sql import insert_for
from db.tables import Collection, Document, SearchWaiting

#: Documents are counted up to this number: beyond it nobody needs to know.
MOST_COUNTED = 100_000
#: Characters of a text that are indexed.
MOST_CHARS = 1_000_000


@dataclass(frozen=True, slots=True)
class Waiting:
    """A document that waits."""

    id: int
    #: Its beginning; None if it is no longer to be found.
    text: str | None


def count(session: Session) -> int:
    """How many documents wait, at most MOST_COUNTED."""
    some = select(SearchWaiting.id).limit(MOST_COUNTED).subquery()
    return session.scalar(select(func.count()).select_from(some)) or 0


def next_texts(session: Session, n_documents: int, n_chars: int, *, newest_first: bool) -> list[Waiting]:
    """The next documents: at most so many, and, unless the first alone is longer, so many characters in all."""
    order = SearchWaiting.id.desc() if newest_first else SearchWaiting.id
    sizes = (
        select(SearchWaiting.id, Document.is_latest, Document.body_chars)
        .join(Document, Document.id == SearchWaiting.id)
        .order_by(order)
        .limit(n_documents)
    )
    chosen: list[tuple[int, bool]] = []
    for id_, is_latest, size in session.execute(sizes):
        n_chars -= min(size, MOST_CHARS)
        if chosen and n_chars < 0:
            break
        chosen.append((id_, is_latest))
    latest = [id_ for id_, is_latest in chosen if is_latest]
    beginning = func.substr(Document.text, 1, MOST_CHARS)
    query = select(Document.id, beginning).where(Document.id.in_(latest), Document.is_latest)
    texts: dict[int, str] = dict(map(tuple, session.execute(query)))
    return [Waiting(id_, texts.get(id_)) for id_, _ in chosen]


def start_again(session: Session) -> int:
    """Empty the index and let every document wait; returns how many."""
    writing.empty(session)
    session.execute(delete(SearchWaiting))
    of_people = exists().where(Collection.id == Document.collection_id, Collection.files_of_id.is_(None))
    every = select(Document.id).where(Document.is_latest, of_people)
    # A document that is added or changed at the same time waits already.
    session.execute(insert_for(session, SearchWaiting).from_select(["id"], every).on_conflict_do_nothing())
    return session.scalar(select(func.count()).select_from(SearchWaiting)) or 0
