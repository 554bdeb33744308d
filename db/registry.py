"""Which workers and schedulers run on this store: each refreshes its row, and removes it when it stops.

A row that is no longer refreshed belongs to a process that was lost with its machine. Nothing here requeues chunks:
leases do. Times are from the database's clock.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import CursorResult, Select, delete, exists, func, select
from sqlalchemy.orm import Session, aliased

from db.sql import insert_for, now
from db.states import ChunkState
from db.tables import Chunk, Job, LostClaim, Worker

#: Every row is refreshed at least this often.
BEAT_SECONDS = 10.0
#: A process that was not seen for this long is lost.
LOST_SECONDS = 60.0
#: A lost process is reported for this long, and then its row is deleted.
FORGET_SECONDS = 86_400.0


@dataclass(frozen=True, slots=True)
class Member:
    """A worker of one device, or a scheduler, as it registers itself."""

    instance: str
    role: str
    name: str
    host: str
    pid: int
    device: str | None
    kinds: str
    docmill_version: str
    schema_revision: str


@dataclass(frozen=True, slots=True)
class Lost:
    """A lost process, and what it held."""

    role: str
    name: str
    host: str
    pid: int
    last_seen_at: datetime
    #: (job, chunk's number in it), the first few.
    held: Sequence[tuple[int, int]]
    n_held: int


def beat(session: Session, members: Sequence[Member]) -> None:
    """Register these members, or refresh their rows."""
    for member in members:
        statement = insert_for(session, Worker).values(**asdict(member), started_at=now(), last_seen_at=now())
        session.execute(
            statement.on_conflict_do_update(index_elements=["instance"], set_={"last_seen_at": now()})
        )


def leave(session: Session, instances: Sequence[str]) -> None:
    """Remove the rows of instances that have stopped, or are known to be replaced."""
    session.execute(delete(Worker).where(Worker.instance.in_(instances)))


def prune(session: Session, limit: int = 100) -> int:
    """Delete the rows of what was lost long ago, some rows of each table at a time. Returns how many."""
    long_ago = now(-FORGET_SECONDS)
    workers = select(Worker.instance).where(Worker.last_seen_at < long_ago).limit(limit)
    claims = select(LostClaim.chunk_id, LostClaim.fence).where(LostClaim.lost_at < long_ago).limit(limit)
    statements = [
        delete(Worker).where(Worker.instance.in_(list(session.scalars(workers)))),
        *(
            delete(LostClaim).where(LostClaim.chunk_id == chunk_id, LostClaim.fence == fence)
            for chunk_id, fence in session.execute(claims)
        ),
    ]
    n = 0
    for statement in statements:
        result: CursorResult[Any] = session.execute(statement)  # type: ignore[assignment]
        n += int(result.rowcount)
    return n


def alive(session: Session, role: str) -> list[Worker]:
    """The members of this role that were seen recently."""
    query = select(Worker).where(Worker.role == role, _is_alive(Worker))
    return list(session.scalars(query.order_by(Worker.name, Worker.started_at)))


def duplicates(session: Session) -> list[tuple[str, list[tuple[str, int]]]]:
    """(name, [(host, pid), ...]) of workers that run at the same time under the same name. A worker that has just
    been replaced does not count: it was not seen after the other's start."""
    other = aliased(Worker)
    at_once = exists().where(
        other.name == Worker.name,
        other.instance != Worker.instance,
        other.role == "worker",
        _is_alive(other),
        other.last_seen_at > Worker.started_at,
        Worker.last_seen_at > other.started_at,
    )
    query = select(Worker).where(Worker.role == "worker", _is_alive(Worker), at_once)
    found: dict[str, list[tuple[str, int]]] = {}
    for worker in session.scalars(query.order_by(Worker.name, Worker.started_at)):
        found.setdefault(worker.name, []).append((worker.host, worker.pid))
    return list(found.items())


def lost(session: Session, limit: int = 20) -> list[Lost]:
    """The processes that were not seen for long, and that no other of the same name and role has replaced."""
    successor = aliased(Worker)
    replaced = exists().where(
        successor.role == Worker.role,
        successor.name == Worker.name,
        successor.started_at > Worker.last_seen_at,
    )
    query = select(Worker).where(Worker.last_seen_at < now(-LOST_SECONDS), ~replaced)
    rows = session.scalars(query.order_by(Worker.last_seen_at.desc()).limit(limit))
    return [_as_lost(session, worker) for worker in rows]


def _as_lost(session: Session, worker: Worker) -> Lost:
    held = _held(worker.instance)
    n_held = session.scalar(select(func.count()).select_from(held.subquery())) or 0
    first = [(job_id, seq) for job_id, seq in session.execute(held.order_by(Job.id, Chunk.seq).limit(3))]
    return Lost(worker.role, worker.name, worker.host, worker.pid, worker.last_seen_at, tuple(first), n_held)


def _held(instance: str) -> Select[int, int]:
    """(job, chunk's number) of what a worker's processes hold, or lost."""
    prefix = f"{instance}."
    still = select(Chunk.id).where(Chunk.state == ChunkState.LEASED, Chunk.instance.startswith(prefix))
    lost_claims = select(LostClaim.chunk_id).where(LostClaim.instance.startswith(prefix))
    return (
        select(Job.id, Chunk.seq)
        .join(Job, Job.id == Chunk.job_id)
        .where(Chunk.id.in_(still.union(lost_claims)))
    )


def outdated(session: Session, schema: str) -> list[Worker]:
    """Members whose code does not know this schema yet: they claim nothing."""
    query = select(Worker).where(_is_alive(Worker), Worker.schema_revision < schema)
    return list(session.scalars(query.order_by(Worker.name)))


def _is_alive(worker: Any) -> Any:
    return worker.last_seen_at >= now(-LOST_SECONDS)
