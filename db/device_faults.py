"""Devices that failed and rest. Their launcher writes it down; doctor and status read it. Times are the database's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from db.registry import FORGET_SECONDS
from db.sql import insert_for, now
from db.tables import DeviceFault

#: A row that its launcher has not refreshed for this long says nothing about now.
STALE_SECONDS = 1800.0


@dataclass(frozen=True, slots=True)
class Fault:
    """A device that is taken out, as its launcher reports it."""

    instance: str
    worker: str
    host: str
    model: str
    fault: str
    n_failures: int


def report(session: Session, fault: Fault, retry_seconds: float) -> None:
    """The device is out, and is tried again after `retry_seconds`."""
    values = asdict(fault) | {"failed_at": now(), "retry_at": now(retry_seconds), "seen_at": now()}
    statement = insert_for(session, DeviceFault).values(**values)
    changed = {name: statement.excluded[name] for name in values if name != "instance"}
    session.execute(statement.on_conflict_do_update(index_elements=["instance"], set_=changed))
    long_ago = now(-FORGET_SECONDS)
    session.execute(delete(DeviceFault).where(DeviceFault.seen_at < long_ago))


def recovered(session: Session, instances: Sequence[str]) -> None:
    """These devices work again, or nobody asks for them any more."""
    session.execute(delete(DeviceFault).where(DeviceFault.instance.in_(instances)))


def out(session: Session) -> list[DeviceFault]:
    """The devices that are out now."""
    query = select(DeviceFault).where(DeviceFault.seen_at >= now(-STALE_SECONDS))
    return list(session.scalars(query.order_by(DeviceFault.worker)))
