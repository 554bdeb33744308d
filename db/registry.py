"""Which workers and schedulers run on this store: each refreshes its row, and removes it when it stops.

A row that is no longer refreshed belongs to a process that was lost with its machine. Nothing here requeues chunks:
leases do. Times are from the database's clock. Nothing here decides what a worker holds either: that is
read from the leases.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import CursorResult, Select, delete, exists, func, select, text
from sqlalchemy.orm import Session, aliased

from db import compatibility, drains
from db.chunks.conditions import held_by
from db.drains import Target
from db.errors import ConflictError, NotFoundError
from db.sql import UtcDateTime, insert_for, now
from db.states import ChunkState, DrainLevel, WorkerPhase
from db.tables import Chunk, Job, LostClaim, Worker

_TIMES = dict.fromkeys(("lease_until", "started_at", "last_seen_at", "drained_at"), UtcDateTime())

#: A row is refreshed about this often, and when its phase changes. A thousand workers write 33 times a second.
BEAT_SECONDS = 30.0
#: A process that was not seen for this long is lost. `v_workers` calls it gone.
LOST_SECONDS = 90.0
#: The state that `v_workers` gives to such a process.
GONE = "gone"
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
    python_version: str | None = None
    torch_version: str | None = None
    phase: WorkerPhase = WorkerPhase.RUNNING


@dataclass(frozen=True, slots=True)
class Listed:
    """A member, as `v_workers` shows it."""

    instance: str
    role: str
    name: str
    host: str
    pid: int
    device: str | None
    kinds: str
    state: str
    n_chunks: int
    n_documents: int
    lease_until: datetime | None
    docmill_version: str
    schema_revision: str
    python_version: str | None
    torch_version: str | None
    started_at: datetime
    last_seen_at: datetime
    drained_at: datetime | None
    drained_by: str | None

    @property
    def is_gone(self) -> bool:
        return self.state == GONE


@dataclass(frozen=True, slots=True)
class HeldChunk:
    """A chunk that one of a worker's processes holds."""

    #: The process: what its instance has after the worker's.
    process: str
    chunk_id: int
    job_id: int
    kind: str
    stage: int
    seq: int
    n_documents: int
    n_done: int
    claimed_at: datetime | None
    lease_until: datetime


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
    """Register these members, or refresh their rows, in one statement."""
    rows = [asdict(member) | {"started_at": now(), "last_seen_at": now()} for member in members]
    statement = insert_for(session, Worker).values(rows)
    changes = {"last_seen_at": now(), "phase": statement.excluded.phase}
    session.execute(statement.on_conflict_do_update(index_elements=["instance"], set_=changes))


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
    drains.prune(session)
    return n


def listing(session: Session, host: str | None = None) -> list[Listed]:
    """All members, or those of a host, as `v_workers` shows them: also those that are gone and not yet forgotten."""
    columns = ", ".join(Listed.__dataclass_fields__)
    query = f"SELECT {columns} FROM v_workers"  # noqa: S608 (names of our own)
    of_host = "" if host is None else " WHERE host = :host"
    rows = session.execute(
        text(f"{query}{of_host} ORDER BY role DESC, host, name, started_at").columns(**_TIMES),
        {} if host is None else {"host": host},
    )
    return [Listed(*row) for row in rows]


def target(session: Session, what: str) -> Target:
    """What a drain of this host, worker's name or instance names. NotFoundError if no worker, and no drain, is of
    that name; ConflictError if it is the name of two workers that run at the same time."""
    workers = [one for one in listing(session) if one.role == "worker"]
    for level in (DrainLevel.INSTANCE, DrainLevel.NAME, DrainLevel.HOST):
        if any(getattr(one, level) == what for one in workers):
            if level == DrainLevel.NAME:
                _insist_on_one(what, workers)
            return Target(level, what)
    for drain in drains.listing(session):
        if drain.target == what:
            return drains.target_of(drain)
    if any(what in (one.name, one.instance) for one in listing(session)):
        raise ConflictError(
            f"{what} is a scheduler, which is not drained: stop its process, another takes over"
        )
    raise NotFoundError(f"there is no worker and no host {what!r}: `docmill workers` lists them")


def named(session: Session, what: str) -> Listed:
    """The worker or scheduler of this name or instance. NotFoundError, or ConflictError if there are two."""
    found = [one for one in listing(session) if what in (one.instance, one.name)]
    if not found:
        raise NotFoundError(f"there is no worker {what!r}: `docmill workers` lists them")
    _insist_on_one(what, found)
    # The last one: those before it are gone.
    return sorted(found, key=lambda one: (not one.is_gone, one.started_at))[-1]


def _insist_on_one(name: str, members: Sequence[Listed]) -> None:
    found = [one for one in members if one.name == name and not one.is_gone]
    if len(found) > 1:
        each = ", ".join(f"{one.instance} (pid {one.pid} on {one.host})" for one in found)
        raise ConflictError(f"{len(found)} are named {name}: name one by its instance: {each}")


def held(session: Session, instance: str) -> list[HeldChunk]:
    """What the processes of a worker hold now, by its leases."""
    query = (
        select(
            Chunk.instance, Chunk.id, Chunk.job_id, Job.kind, Chunk.stage, Chunk.seq, Chunk.n_documents,
            Chunk.n_ok + Chunk.n_error, Chunk.claimed_at, Chunk.lease_until,
        )
        .join(Job, Job.id == Chunk.job_id)
        .where(*held_by(instance))
        .order_by(Chunk.id)
    )  # fmt: skip
    found = session.execute(query).all()
    return [HeldChunk(*((process or "").partition(".")[2], *rest)) for process, *rest in found]


def alive(session: Session, role: str) -> list[Worker]:
    """The members of this role that were seen recently."""
    query = select(Worker).where(Worker.role == role, _is_alive(Worker))
    return list(session.scalars(query.order_by(Worker.name, Worker.started_at)))


def at_work(session: Session) -> list[Worker]:
    """The workers that take chunks: they were seen recently, and are not drained."""
    admitted = ~exists().where(drains.names(Worker.host, Worker.name, Worker.instance))
    query = select(Worker).where(Worker.role == "worker", _is_alive(Worker), admitted)
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


def outdated(session: Session) -> list[Worker]:
    """Members whose code may not work on the store's tables any more: they claim nothing."""
    query = select(Worker).where(_is_alive(Worker), Worker.schema_revision < compatibility.since())
    return list(session.scalars(query.order_by(Worker.name)))


def _is_alive(worker: Any) -> Any:
    return worker.last_seen_at >= now(-LOST_SECONDS)
