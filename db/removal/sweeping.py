"""After the batches of a removal: neighbours that name a removed document go, and their lists are marked.

No index leads from a neighbour to the lists that name it (it would cost every similarity job more than this costs), so
the table is read once, in steps.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import delete, insert, select, tuple_, update
from sqlalchemy.orm import Session

from db.compare_and_set import n_changed
from db.sql import now, one_of
from db.tables import Document, Neighbour, NeighbourList, NeighbourTerm, Removal

#: Neighbours that one step reads.
STEP_ROWS = 20_000


@dataclass(frozen=True, slots=True)
class Place:
    """How far the reading is: the last row that was read."""

    job_id: int = 0
    document_id: int = 0
    rank: int = 0


def start(session: Session, collection: int) -> int:
    """Note that a removal begins; returns its number. The first batch belongs into the same transaction."""
    made = insert(Removal).values(collection_id=collection).returning(Removal.id)
    return int(session.scalars(made).one())


def unfinished(session: Session, older_than: float = 0) -> list[int]:
    """Removals that began this many seconds ago, and were interrupted before their end or still run."""
    began = Removal.started_at <= now(-older_than)
    return list(session.scalars(select(Removal.id).where(Removal.ended_at.is_(None), began)))


def sweep_some(session: Session, after: Place, limit: int = STEP_ROWS) -> Place | None:
    """One step, beginning after a place (`Place()` is the beginning); None once the table was read to its end."""
    key = tuple_(Neighbour.job_id, Neighbour.document_id, Neighbour.rank)
    rest = key > tuple_(after.job_id, after.document_id, after.rank)
    some = (
        select(Neighbour.job_id, Neighbour.document_id, Neighbour.rank, Neighbour.neighbour_id)
        .where(rest)
        .order_by(Neighbour.job_id, Neighbour.document_id, Neighbour.rank)
        .limit(limit)
    )
    rows = session.execute(some).all()
    if not rows:
        return None
    removed = _removed(session, sorted({row.neighbour_id for row in rows}))
    for row in rows:
        if row.neighbour_id in removed:
            mine = (Neighbour.job_id == row.job_id, Neighbour.document_id == row.document_id)
            session.execute(delete(Neighbour).where(*mine, Neighbour.rank == row.rank))
            terms = (NeighbourTerm.job_id == row.job_id, NeighbourTerm.document_id == row.document_id)
            session.execute(delete(NeighbourTerm).where(*terms, NeighbourTerm.neighbour_rank == row.rank))
            lists = (NeighbourList.job_id == row.job_id, NeighbourList.document_id == row.document_id)
            n_changed(session, update(NeighbourList).where(*lists).values(is_cut=True))
    return Place(rows[-1].job_id, rows[-1].document_id, rows[-1].rank)


def _removed(session: Session, ids: list[int]) -> set[int]:
    query = select(Document.id).where(
        Document.erased_at.is_not(None), Document.version == 0, one_of(Document.id, ids)
    )
    return set(session.scalars(query))


def end(session: Session, removal_id: int) -> None:
    """Note that the removal has ended."""
    ended = update(Removal).where(Removal.id == removal_id, Removal.ended_at.is_(None))
    session.execute(ended.values(ended_at=now()))
