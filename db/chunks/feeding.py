"""Which chunks the broker should know about. A message is a hint: the chunk stays ready until a worker claims it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session, aliased

from db.chunks.conditions import claimable
from db.sql import now
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


def ready(session: Session, limit: int = 1_000) -> list[tuple[str, int, int]]:
    """(queue, priority, number of chunks that could be claimed now, counted up to `limit`), most urgent first."""
    running = select(Job.kind, Job.priority).where(Job.state == JobState.RUNNING).distinct()
    found = []
    for queue, priority in session.execute(running.order_by(Job.priority.desc(), Job.kind)).all():
        n = 0
        for job_id in _running_jobs(session, queue, priority):
            some = select(Chunk.id).where(Chunk.job_id == job_id, *claimable()).limit(limit - n)
            n += session.scalar(select(func.count()).select_from(some.subquery())) or 0
            if n >= limit:
                break
        if n:
            found.append((queue, priority, n))
    return found


def take_for_sending(
    session: Session, queue: str, priority: int, limit: int, resend_seconds: float
) -> list[Message]:
    """Choose claimable chunks that the broker does not know about: they were never sent, or were sent
    `resend_seconds` ago and are still not claimed. They are marked as sent. If the message is lost, the chunk is
    sent again after that time."""
    jobs = _running_jobs(session, queue, priority)
    ids: list[int] = []
    for is_unknown in (Chunk.sent_at.is_(None), Chunk.sent_at < now(-resend_seconds)):
        for job_id in jobs:
            if len(ids) < limit:
                ids += _first(session, limit - len(ids), is_unknown, Chunk.job_id == job_id, *claimable())
    if not ids:
        return []
    session.execute(update(Chunk).where(Chunk.id.in_(ids)).values(sent_at=now()))
    return _messages(session, ids)


def unsend(session: Session, chunk_ids: Sequence[int]) -> None:
    """The broker refused the messages: these chunks may be sent again at once."""
    unsent = update(Chunk).where(Chunk.id.in_(chunk_ids), Chunk.state == ChunkState.READY)
    session.execute(unsent.values(sent_at=None))


def _running_jobs(session: Session, queue: str, priority: int) -> Sequence[int]:
    """The running jobs of a queue and priority, oldest first. Chunks are looked up job by job, so that the ready
    chunks of a paused or cancelled job, which may be a million, are never scanned."""
    jobs = select(Job.id).where(Job.state == JobState.RUNNING, Job.kind == queue, Job.priority == priority)
    return session.scalars(jobs.order_by(Job.id)).all()


def _first(session: Session, limit: int, *conditions: Any) -> list[int]:
    """The first chunks that meet the conditions, locked. Those that another scheduler is taking are left to it."""
    query = select(Chunk.id).where(*conditions).order_by(Chunk.id).limit(limit)
    return list(session.scalars(query.with_for_update(skip_locked=True)))


def _messages(session: Session, chunk_ids: Sequence[int]) -> list[Message]:
    sibling = aliased(Chunk)
    n_chunks = (
        select(func.max(sibling.seq))
        .where(sibling.job_id == Chunk.job_id, sibling.stage == Chunk.stage)
        .scalar_subquery()
    )
    rows = session.execute(
        select(
            Chunk.id, Chunk.job_id, Chunk.queue, Chunk.stage, Chunk.seq, n_chunks, Chunk.n_documents, Chunk.priority
        )
        .where(Chunk.id.in_(chunk_ids))
        .order_by(Chunk.id)
    )  # fmt: skip
    return [Message(*row) for row in rows]
