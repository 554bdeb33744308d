"""Which workers are drained: they claim nothing until they are undrained.

A drain is a row, and every claim reads it. So it holds from its commit on, whether or not Redis, the worker's launcher
or its heartbeat work. A drain of a host or of a name also holds for workers that start later.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, exists, or_, select
from sqlalchemy.orm import Session

from db.sql import insert_for, now
from db.states import DrainLevel
from db.tables import Drain, Worker


@dataclass(frozen=True, slots=True)
class Target:
    """What may be drained."""

    level: DrainLevel
    #: The host, the worker's name, or the worker's instance.
    name: str

    def __str__(self) -> str:
        return f"{self.level} {self.name}"

    def is_of(self, host: str, name: str, instance: str) -> bool:
        """Whether it names this worker."""
        return self.name == {"host": host, "name": name, "instance": instance}[self.level]


def drain(session: Session, target: Target, *, exits: bool, by: str | None) -> None:
    """Let these workers claim nothing from now on. A second drain replaces what the first said about `exits`."""
    values = {"exits": exits, "drained_at": now(), "drained_by": by}
    statement = insert_for(session, Drain).values(level=target.level, target=target.name, **values)
    session.execute(statement.on_conflict_do_update(index_elements=["level", "target"], set_=values))


def undrain(session: Session, target: Target) -> bool:
    """Let these workers claim again; whether they were drained under this name."""
    found = delete(Drain).where(Drain.level == target.level, Drain.target == target.name)
    return session.execute(found.returning(Drain.target)).first() is not None


def undrain_all(session: Session, what: str) -> list[Target]:
    """Let what is called so claim again, as a host, a name or an instance; returns the drains that have ended."""
    targets = [Target(level, what) for level in DrainLevel]
    return [target for target in targets if undrain(session, target)]


def target_of(drain: Drain) -> Target:
    """What a drain names."""
    return Target(drain.level, drain.target)


def listing(session: Session) -> Sequence[Drain]:
    """Every drain, the oldest first."""
    return session.scalars(select(Drain).order_by(Drain.drained_at, Drain.target)).all()


def of(session: Session, host: str, name: str, instance: str) -> Drain | None:
    """The drain that holds for a worker, the oldest if there are several; `instance` is the launched worker's."""
    query = select(Drain).where(names(host, name, instance)).order_by(Drain.drained_at, Drain.target)
    return session.scalars(query.limit(1)).first()


def ends(session: Session, instance: str, drained_at: datetime) -> bool:
    """Whether a worker that is drained with `exits` has to end: it ran already when the drain began."""
    ran = exists().where(Worker.instance == instance, Worker.started_at <= drained_at)
    return bool(session.scalar(select(ran)))


def admits(host: Any, name: Any, instance: Any) -> ColumnElement[bool]:
    """In SQL: the condition that this worker is not drained; texts, or parameters."""
    return ~exists().where(names(host, name, instance))


def prune(session: Session) -> None:
    """Delete the drains of single workers that have ended."""
    ended = ~exists().where(Worker.instance == Drain.target)
    session.execute(
        delete(Drain)
        .where(Drain.level == DrainLevel.INSTANCE, ended)
        .execution_options(synchronize_session=False)
    )


def names(host: Any, name: Any, instance: Any) -> ColumnElement[bool]:
    """In SQL: the condition that a drain names this worker; texts, or columns."""
    pairs = ((DrainLevel.HOST, host), (DrainLevel.NAME, name), (DrainLevel.INSTANCE, instance))
    return or_(*(and_(Drain.level == level, Drain.target == target) for level, target in pairs))
