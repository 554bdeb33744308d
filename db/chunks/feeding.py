"""Which chunks the broker should know about. A message is a hint: the chunk stays ready until a worker claims it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session, aliased

from db.chunks.conditions import claimable, has_not_ended, is_due
from db.limits.scopes import collection_name
from db.sql import now, one_of
from db.states import ChunkState, JobState
from db.tables import Chunk, Job


@dataclass(frozen=True, slots=True)
class Message:
    """What the broker is told about a chunk: its id, and a description for people."""

    chunk_id: int
    job_id: int
    kind: str
    stage: int
    seq: int
    n_chunks: int
    n_documents: int
    priority: int


@dataclass(frozen=True, slots=True)
class Waiting:
    """A running job, as feeding sees it."""

    job_id: int
    kind: str
    priority: int
    #: Chunks that workers hold.
    n_leased: int
    #: Chunks that the broker was told about and that nobody has claimed.
    n_sent: int
    #: Chunks that can be sent: counted up to a limit.
    n_unsent: int
    #: What limits may refer to beside its kind.
    collection: str = ""
    submitter: str | None = None
    #: Documents of its first chunk: the others have about as many.
    n_documents: int = 1

    @property
    def n_ready(self) -> int:
        return self.n_sent + self.n_unsent


def waiting(session: Session, limit: int = 1_000) -> list[Waiting]:
    """The running jobs, the most urgent first, then the oldest; chunks that can be sent are counted up to `limit`.
    One statement, which reads the chunks of the jobs' ends only: what workers hold, what was sent, and `limit` more."""
    leased = _by_job(Chunk.state == ChunkState.LEASED)
    sent = _by_job(Chunk.state == ChunkState.READY, Chunk.sent_at.is_not(None), is_due())
    some = (
        select(Chunk.id)
        .where(Chunk.job_id == Job.id, Chunk.state == ChunkState.READY, Chunk.sent_at.is_(None), is_due())
        .correlate(Job)
        .limit(limit)
        .subquery()
    )
    query = (
        select(
            Job.id,
            Job.kind,
            Job.priority,
            func.coalesce(leased.c.n, 0),
            func.coalesce(sent.c.n, 0),
            select(func.count()).select_from(some).scalar_subquery(),
            collection_name(),
            Job.submitter,
            func.coalesce(_first_size(), 1),
        )
        .outerjoin(leased, leased.c.job_id == Job.id)
        .outerjoin(sent, sent.c.job_id == Job.id)
        .where(Job.state == JobState.RUNNING, has_not_ended())
        .order_by(Job.priority.desc(), Job.kind, Job.id)
    )
    return [Waiting(*row) for row in session.execute(query)]


def take_for_sending(session: Session, job_ids: Sequence[int], resend_seconds: float) -> list[Message]:
    """Choose claimable chunks that the broker does not know about: they were never sent, or were sent
    `resend_seconds` ago and are still not claimed. One for each of these jobs, in this order, in which a job may stand
    several times. They are marked as sent. If the message is lost, the chunk is sent again after that time."""
    found: dict[int, list[int]] = {}
    wanted = Counter(job_ids)
    for is_unknown in (Chunk.sent_at.is_(None), Chunk.sent_at < now(-resend_seconds)):
        for job_id, n in wanted.items():
            there = found.setdefault(job_id, [])
            if len(there) < n:
                there += _first(session, n - len(there), is_unknown, Chunk.job_id == job_id, *claimable())
    turns = {job_id: iter(ids) for job_id, ids in found.items()}
    chosen = [id_ for job_id in job_ids if (id_ := next(turns[job_id], None)) is not None]
    if not chosen:
        return []
    session.execute(update(Chunk).where(Chunk.id.in_(chosen)).values(sent_at=now()))
    return _messages(session, chosen)


def unsend(session: Session, chunk_ids: Sequence[int]) -> None:
    """The broker refused the messages: these chunks may be sent again at once."""
    unsent = update(Chunk).where(Chunk.id.in_(chunk_ids), Chunk.state == ChunkState.READY)
    session.execute(unsent.values(sent_at=None))


def unsend_jobs(session: Session, job_ids: Sequence[int]) -> None:
    """The messages about these jobs are taken back from the broker: their chunks may be sent again at once."""
    unsent = update(Chunk).where(
        one_of(Chunk.job_id, job_ids), Chunk.state == ChunkState.READY, Chunk.sent_at.is_not(None)
    )
    session.execute(unsent.values(sent_at=None), execution_options={"synchronize_session": False})


def set_priority(session: Session, job_id: int, priority: int) -> None:
    """The priority of a job's chunks that are not closed; they may be sent again at once, with the new one."""
    still_open = update(Chunk).where(Chunk.job_id == job_id, Chunk.state != ChunkState.CLOSED)
    values = {"priority": priority, "sent_at": None}
    session.execute(still_open.values(values), execution_options={"synchronize_session": False})


def _first_size() -> Any:
    first = (Chunk.job_id == Job.id, Chunk.stage == 0, Chunk.seq == 1)
    return select(Chunk.n_documents).where(*first).correlate(Job).scalar_subquery()


def _by_job(*conditions: Any) -> Any:
    # Grouped by a sum, so that SQLite does not read all chunks in the order of their jobs.
    job_id = (Chunk.job_id + 0).label("job_id")
    return select(job_id, func.count().label("n")).where(*conditions).group_by(job_id).subquery()


def _first(session: Session, limit: int, *conditions: Any) -> list[int]:
    """The first chunks that meet the conditions, locked. Those that another scheduler is taking are left to it."""
    query = select(Chunk.id).where(*conditions).order_by(Chunk.id).limit(limit)
    return list(session.scalars(query.with_for_update(skip_locked=True)))


def _messages(session: Session, chunk_ids: Sequence[int]) -> list[Message]:
    """In the order of the ids."""
    sibling = aliased(Chunk)
    n_chunks = (
        select(func.max(sibling.seq))
        .where(sibling.job_id == Chunk.job_id, sibling.stage == Chunk.stage)
        .scalar_subquery()
    )
    rows = session.execute(
        select(
            Chunk.id, Chunk.job_id, Chunk.queue, Chunk.stage, Chunk.seq, n_chunks, Chunk.n_documents, Chunk.priority
        ).where(Chunk.id.in_(chunk_ids))
    )  # fmt: skip
    found = {row[0]: Message(*row) for row in rows}
    return [found[chunk_id] for chunk_id in chunk_ids]
