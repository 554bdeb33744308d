"""What monitoring asks a store: figures of this moment, each from an index, with a bound on the rows that are read.

No query here depends on how many documents, outcomes or ended jobs there are. Counters are in db.tallies.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, func, literal_column, select, text
from sqlalchemy.orm import Session

from db import notifications, quarantine, registry, schedules
from db.disk_use import store_bytes as store_bytes
from db.sql import clock, now
from db.states import ENDED, ChunkState, JobState, NightState, RunState
from db.tables import Chunk, Job, Night, NightStep, Run, Worker
from db.tables.worker import ROLES

#: Ready chunks of one job are counted up to this number; so are quarantine and notifications.
MOST_COUNTED = 20_000
#: Running jobs whose chunks are looked at: the oldest ones.
MOST_JOBS = 1_000
#: The oldest chunk of a job is looked for among this many, first by number.
MOST_AGED = 200
#: Schedules and nights that are shown: the newest ones.
MOST_NAMES = 200
#: Runs of a schedule, and nights of a name, among which the last success is looked for.
MOST_BEFORE = 400


@dataclass(frozen=True, slots=True)
class Queue:
    """The chunks of one kind and priority that a worker could claim."""

    kind: str
    priority: int
    n_ready: int
    oldest_seconds: float


@dataclass(frozen=True, slots=True)
class Held:
    """The chunks of one kind that workers hold."""

    kind: str
    n: int
    #: Their lease has run out, and no scheduler has requeued them.
    n_expired: int


@dataclass(frozen=True, slots=True)
class Repeated:
    """How a schedule, or the nights of one name, have fared."""

    name: str
    last_success: datetime | None
    #: Of the last success, from its start to its end.
    last_seconds: float | None
    is_running: bool
    #: Schedules only.
    next_at: datetime | None = None
    is_paused: bool = False
    n_failures: int = 0


@dataclass(frozen=True, slots=True)
class Unsent:
    """Notifications that were not delivered."""

    n_pending: int
    n_dead: int
    oldest_seconds: float


def queues(session: Session) -> list[Queue]:
    """What waits for workers, by kind and priority."""
    ready = (Chunk.job_id == Job.id, Chunk.state == _literal(ChunkState.READY))
    some = select(Chunk.id).where(*ready).limit(MOST_COUNTED).correlate(Job).subquery()
    since = func.coalesce(Chunk.ready_at, Chunk.claimed_at, Job.started_at).label("since")
    first = select(since).where(*ready).order_by(Chunk.id).limit(MOST_AGED).correlate(Job).subquery()
    running = (
        select(
            Job.kind,
            Job.priority,
            select(func.count()).select_from(some).scalar_subquery().label("n"),
            select(func.min(first.c.since)).scalar_subquery().label("since"),
        )
        .where(_is_open(), Job.state == _literal(JobState.RUNNING))
        .order_by(Job.id)
        .limit(MOST_JOBS)
        .subquery()
    )
    c = running.c
    query = select(c.kind, c.priority, func.sum(c.n), func.min(c.since)).where(c.n > 0)
    moment = clock(session)
    return [
        Queue(kind, priority, int(n), _seconds(moment, oldest))
        for kind, priority, n, oldest in session.execute(query.group_by(c.kind, c.priority))
    ]


def jobs(session: Session) -> list[tuple[str, JobState, int]]:
    """(kind, state, how many) of the jobs that have not ended."""
    query = select(Job.kind, Job.state, func.count()).where(_is_open()).group_by(Job.kind, Job.state)
    return [(kind, state, n) for kind, state, n in session.execute(query)]


def leases(session: Session) -> list[Held]:
    """What workers hold, by kind: at most one chunk for each process."""
    expired = func.count().filter(Chunk.lease_until < now())
    query = select(Chunk.queue, func.count(), expired).where(Chunk.state == _literal(ChunkState.LEASED))
    return [Held(*row) for row in session.execute(query.group_by(Chunk.queue))]


def members(session: Session) -> list[tuple[str, str, int]]:
    """(role, "alive" or "lost", how many): rows of lost ones are deleted after a day."""
    is_alive = Worker.last_seen_at >= now(-registry.LOST_SECONDS)
    n_alive = func.count().filter(is_alive)
    query = select(Worker.role, n_alive, func.count() - n_alive).group_by(Worker.role)
    found = {role: (alive, lost) for role, alive, lost in session.execute(query)}
    # A role without rows is none alive: an alert needs that number.
    return [
        (role, state, n)
        for role in ROLES
        for state, n in zip(("alive", "lost"), found.get(role, (0, 0)), strict=True)
    ]


def quarantined(session: Session) -> int:
    """Documents in quarantine, counted up to MOST_COUNTED."""
    return quarantine.count(session, MOST_COUNTED)


def unsent(session: Session) -> Unsent:
    """Notifications that wait, or were given up."""
    n_pending, n_dead, since = notifications.unsent(session, MOST_COUNTED)
    return Unsent(n_pending, n_dead, _seconds(clock(session), since))


def scheduled(session: Session) -> list[Repeated]:
    """Every schedule that was not removed."""
    found = []
    for schedule in schedules.active(session)[:MOST_NAMES]:
        some = select(Run.started_at, Run.fired_at, Run.ended_at, Run.state)
        some = some.where(Run.schedule_id == schedule.id).order_by(Run.due_at.desc()).limit(MOST_BEFORE)
        rows = session.execute(some).all()
        succeeded = next((row for row in rows if row.state == RunState.SUCCEEDED and row.ended_at), None)
        began = (succeeded.started_at or succeeded.fired_at) if succeeded else None
        found.append(
            Repeated(
                schedule.name,
                succeeded.ended_at if succeeded else None,
                _between(began, succeeded.ended_at) if succeeded else None,
                any(row.state == RunState.RUNNING for row in rows),
                schedule.next_at,
                schedule.paused_at is not None,
                schedule.n_failures,
            )
        )
    return found


def nights(session: Session) -> list[Repeated]:
    """The nights, by name."""
    names = session.scalars(
        select(Night.name).group_by(Night.name).order_by(func.max(Night.id).desc()).limit(MOST_NAMES)
    )
    return [_nights_of(session, name) for name in names.all()]


def _nights_of(session: Session, name: str) -> Repeated:
    some = select(Night.id, Night.state, Night.created_at, Night.finished_at).where(Night.name == name)
    rows = session.execute(some.order_by(Night.id.desc()).limit(MOST_BEFORE)).all()
    done = next((row for row in rows if row.state == NightState.DONE), None)
    is_running = any(row.finished_at is None for row in rows)
    if done is None:
        return Repeated(name, None, None, is_running)
    began = session.scalar(select(func.min(NightStep.started_at)).where(NightStep.night_id == done.id))
    seconds = _between(began or done.created_at, done.finished_at)
    return Repeated(name, done.finished_at, seconds, is_running)


def limit_time(session: Session, seconds: float) -> None:
    """PostgreSQL ends each statement of this transaction after this time."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text(f"SET LOCAL statement_timeout = {int(seconds * 1000)}"))


def _is_open() -> ColumnElement[bool]:
    """The condition of the partial index of jobs."""
    return Job.state.not_in([_literal(state) for state in ENDED])


def _literal(state: str) -> ColumnElement[Any]:
    """Part of the statement, so that SQLite knows that a partial index has all that is asked for."""
    return literal_column(f"'{state}'")


def _seconds(moment: datetime, since: Any) -> float:
    # SQLite's min() of times is a text again.
    begin = datetime.fromisoformat(since) if isinstance(since, str) else since
    if begin is None:
        return 0.0
    begin = begin if begin.tzinfo is not None else begin.replace(tzinfo=moment.tzinfo)
    return max(0.0, (moment - begin).total_seconds())


def _between(begin: datetime | None, end: datetime | None) -> float | None:
    return None if begin is None or end is None else max(0.0, (end - begin).total_seconds())
