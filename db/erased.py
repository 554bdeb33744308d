"""Which documents were erased, and the lock that keeps results about them out of the store.

Whoever stores what comes of documents holds a lock together with all others who do; whoever erases documents holds it
alone, for one short transaction. So a writer either commits before the document is erased, and what it wrote is erased
too, or it sees that the document is gone. SQLite has only one writer anyway.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import exists, func, select, text
from sqlalchemy.orm import Session

from db.sql import one_of
from db.tables import Document

#: PostgreSQL's number of the lock.
_LOCK = 0x646F6572
#: As it is sent. `Store.write_results` sends it with the beginning of the transaction, and marks its connection.
TOGETHER = f"SELECT pg_advisory_xact_lock_shared({_LOCK})"
IS_TOGETHER = "docmill_together"


def together(session: Session) -> None:
    """Hold the lock, beside others who write, until the transaction ends."""
    connection = session.connection()
    is_held = connection.get_execution_options().get(IS_TOGETHER, False)
    if connection.dialect.name == "postgresql" and not is_held:
        connection.exec_driver_sql(TOGETHER)


def alone(session: Session) -> None:
    """Hold the lock alone until the transaction ends."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(select(func.pg_advisory_xact_lock(_LOCK)))
    zero(session)


def zero(session: Session) -> None:
    """What this transaction deletes is overwritten with zeros in SQLite's file."""
    if session.get_bind().dialect.name == "sqlite":
        session.execute(text("PRAGMA secure_delete = ON"))


def any_erased(session: Session) -> bool:
    """Whether the store has a document whose text was erased."""
    return bool(session.scalar(select(exists().where(Document.erased_at.is_not(None)))))


def among(session: Session, document_ids: Sequence[int]) -> set[int]:
    """Those of these documents whose text was erased."""
    if not document_ids:
        return set()
    gone = select(Document.id).where(Document.erased_at.is_not(None), one_of(Document.id, document_ids))
    return set(session.scalars(gone))
