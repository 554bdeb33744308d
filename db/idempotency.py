"""Idempotency keys: a request is carried out once, and its answer is kept for a day."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from db.sql import insert_for, now
from db.tables import IdempotentRequest

KEEP_SECONDS = 24 * 3600


@dataclass(frozen=True, slots=True)
class Before:
    """What the same key was used for, and the answer."""

    digest: str
    status: int
    answer: str


def claim(session: Session, owner: str, key: str, digest: str) -> Before | None:
    """Take a key, or say what it was used for. Whoever comes while the key is being used waits for that transaction
    to end."""
    row = insert_for(session, IdempotentRequest).values(owner=owner, key=key, digest=digest)
    taken = session.execute(row.on_conflict_do_nothing().returning(IdempotentRequest.key)).one_or_none()
    if taken is not None:
        return None
    mine = (IdempotentRequest.owner == owner, IdempotentRequest.key == key)
    found = session.scalars(select(IdempotentRequest).where(*mine)).one()
    return Before(found.digest, found.status or 500, found.answer or "")


def answered(session: Session, owner: str, key: str, status: int, answer: str) -> None:
    """Note the answer, in the same transaction."""
    mine = (IdempotentRequest.owner == owner, IdempotentRequest.key == key)
    session.execute(update(IdempotentRequest).where(*mine).values(status=status, answer=answer))


def forget_old(session: Session) -> None:
    """Delete keys of which a day has passed."""
    old = delete(IdempotentRequest).where(IdempotentRequest.created_at < now(-KEEP_SECONDS))
    session.execute(old, execution_options={"synchronize_session": False})
