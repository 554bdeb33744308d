"""The policy in the store, whose turn it is to apply it, and what each pass pruned."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, insert, or_, select, update
from sqlalchemy.orm import Session

from db.compare_and_set import changed
from db.sql import now
from db.tables import Job, Outcome, Pruned, RetentionPass, RetentionPolicy

#: A scheduler that works on a pass says so at least this often.
BUSY_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Stored:
    """The policy that schedulers apply."""

    policy: str
    set_at: datetime
    next_at: datetime


def set_policy(session: Session, policy: str) -> None:
    """Store a policy, in place of another; the next pass begins at once."""
    remove_policy(session)
    session.execute(insert(RetentionPolicy).values(policy=policy, next_at=now()))


def remove_policy(session: Session) -> bool:
    """Remove the policy: schedulers prune nothing any more. Whether there was one."""
    there = stored(session) is not None
    session.execute(delete(RetentionPolicy))
    return there


def stored(session: Session) -> Stored | None:
    """The policy that schedulers apply; None if retention is off."""
    row = session.execute(
        select(RetentionPolicy.policy, RetentionPolicy.set_at, RetentionPolicy.next_at)
    ).one_or_none()
    return Stored(*row) if row is not None else None


def is_due(session: Session) -> bool:
    """Whether a pass is to begin, or to go on because its scheduler is gone."""
    due = select(RetentionPolicy.id).where(*_is_due())
    return session.scalar(due.limit(1)) is not None


def take(session: Session) -> Stored | None:
    """Win the turn: one scheduler applies the policy at a time. None if it is not due, or another one has it."""
    taken = update(RetentionPolicy).where(*_is_due()).values(busy_until=now(BUSY_SECONDS))
    return stored(session) if changed(session, taken) else None


def still_mine(session: Session, mine: Stored) -> bool:
    """Go on with a pass: renews the turn. False if the policy was changed meanwhile."""
    renewed = update(RetentionPolicy).where(RetentionPolicy.set_at == mine.set_at)
    return changed(session, renewed.values(busy_until=now(BUSY_SECONDS)))


def done(session: Session, mine: Stored, every: float) -> None:
    """A pass has ended: the next one begins after `every` seconds."""
    session.execute(
        update(RetentionPolicy)
        .where(RetentionPolicy.set_at == mine.set_at)
        .values(next_at=now(every), busy_until=None)
    )


def begin(session: Session) -> int:
    """Note that a pass begins; returns its number."""
    made = insert(RetentionPass).values(counts={}).returning(RetentionPass.id)
    return int(session.scalars(made).one())


def note(session: Session, pass_id: int, counts: Counter[str], *, ended: bool = False) -> None:
    """Store what a pass has pruned so far."""
    values: dict[str, Any] = {"counts": dict(counts)} | ({"ended_at": now()} if ended else {})
    session.execute(update(RetentionPass).where(RetentionPass.id == pass_id).values(values))


def latest(session: Session, limit: int) -> list[RetentionPass]:
    """The last passes, newest first."""
    return list(session.scalars(select(RetentionPass).order_by(RetentionPass.id.desc()).limit(limit)))


@dataclass(frozen=True, slots=True)
class Account:
    """The outcomes of a job that has ended: those that are there, and those that were pruned."""

    job_id: int
    n_documents: int
    n_there: int
    n_pruned: int

    @property
    def adds_up(self) -> bool:
        return self.n_there + self.n_pruned == self.n_documents


def accounts(session: Session, limit: int) -> list[Account]:
    """The accounts of the jobs from which something was pruned last."""
    last = (
        select(Pruned.job_id, func.sum(Pruned.n_ok + Pruned.n_error).label("n"))
        .group_by(Pruned.job_id)
        .order_by(func.max(Pruned.last_at).desc())
        .limit(limit)
        .subquery()
    )
    n_there = select(func.count()).where(Outcome.job_id == Job.id).scalar_subquery()
    rows = session.execute(
        select(Job.id, Job.n_documents, n_there, last.c.n)
        .join(last, last.c.job_id == Job.id)
        .order_by(Job.id)
    )
    return [Account(id_, n_documents, there, int(n)) for id_, n_documents, there, n in rows]


def pruned_of(session: Session, job_id: int) -> int:
    """How many outcomes of a job were pruned."""
    rows = session.execute(select(Pruned.n_ok, Pruned.n_error).where(Pruned.job_id == job_id))
    return sum(row.n_ok + row.n_error for row in rows)


def _is_due() -> tuple[Any, ...]:
    free = or_(RetentionPolicy.busy_until.is_(None), RetentionPolicy.busy_until < now())
    return (RetentionPolicy.next_at <= now(), free)
