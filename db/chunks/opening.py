"""blocked -> ready: the chunks of a job that has started, stage by stage."""

from __future__ import annotations

from sqlalchemy import ColumnElement, exists, select, update
from sqlalchemy.orm import Session

from db.chunks.conditions import first_open_stage, job_is_running
from db.compare_and_set import n_changed
from db.sql import now
from db.states import ChunkState
from db.tables import Chunk

#: Chunks that one transaction of the scheduler changes at most, so that nobody waits long for its locks.
STEP_CHUNKS = 1_000


def open_some(session: Session, job_id: int, limit: int = STEP_CHUNKS) -> int:
    """blocked -> ready for some chunks of a running job: those of the first stage in which not every chunk is
    closed. Returns how many were opened: call until it is 0."""
    some = select(Chunk.id).where(*_can_open(job_id)).order_by(Chunk.seq).limit(limit).scalar_subquery()
    return n_changed(
        session,
        update(Chunk)
        .where(Chunk.id.in_(some), Chunk.state == ChunkState.BLOCKED, job_is_running())
        .values(state=ChunkState.READY, ready_at=now()),
    )


def has_blocked_chunks(session: Session, job_id: int) -> bool:
    """Whether `open_some` has a chunk to open."""
    return bool(session.scalar(select(exists().where(*_can_open(job_id)))))


def _can_open(job_id: int) -> tuple[ColumnElement[bool], ...]:
    return (
        Chunk.job_id == job_id,
        Chunk.state == ChunkState.BLOCKED,
        Chunk.stage == first_open_stage(job_id),
    )
