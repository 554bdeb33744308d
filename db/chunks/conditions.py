"""What the transitions of chunks share: the conditions on which they depend, and the values that they set."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, ScalarSelect, exists, func, literal_column, or_, select
from sqlalchemy.orm import aliased

from db.sql import now
from db.states import ENDED, ChunkState, JobState
from db.tables import Chunk, Job


def claimable() -> tuple[ColumnElement[bool], ...]:
    """The condition that a worker may claim a chunk now."""
    return (*is_ready(Chunk), job_is_running())


def is_ready(chunk: Any) -> tuple[ColumnElement[bool], ...]:
    """The condition that a chunk is ready and does not wait any more. `chunk` has its columns."""
    return (chunk.state == ChunkState.READY, is_due(chunk))


def is_due(chunk: Any = Chunk) -> ColumnElement[bool]:
    """The condition that a chunk's backoff, if it has one, is over."""
    return or_(chunk.not_before.is_(None), chunk.not_before <= now())


def job_is_running() -> ColumnElement[bool]:
    """The condition that a chunk's job is running."""
    return exists().where(*is_of_running(Chunk, Job))


def is_of_running(chunk: Any, job: Any) -> tuple[ColumnElement[bool], ...]:
    """The condition that this is the chunk's job, and that it runs."""
    return (job.id == chunk.job_id, job.state == JobState.RUNNING)


def has_not_ended(job: Any = Job) -> ColumnElement[bool]:
    """The condition that a job has not ended; in literals, so that the index of open jobs is used."""
    found: ColumnElement[bool] = job.state.not_in([literal_column(f"'{state}'") for state in ENDED])
    return found


def held_by(instance: str) -> tuple[ColumnElement[bool], ...]:
    """The condition that this process, or any process of this worker, holds a chunk."""
    of_worker = Chunk.instance.startswith(f"{instance}.", autoescape=True)
    return (Chunk.state == ChunkState.LEASED, or_(Chunk.instance == instance, of_worker))


def is_open(job_id: int) -> tuple[ColumnElement[bool], ...]:
    """The condition that a chunk of this job is not closed."""
    return (Chunk.job_id == job_id, Chunk.state != ChunkState.CLOSED)


def first_open_stage(job_id: int) -> ScalarSelect[int]:
    """The first stage of a job in which not every chunk is closed."""
    earlier = aliased(Chunk)
    return (
        select(func.min(earlier.stage))
        .where(earlier.job_id == job_id, earlier.state != ChunkState.CLOSED)
        .scalar_subquery()
    )


def back_to_ready(delay_seconds: float) -> dict[str, Any]:
    """What a requeued chunk is set to; it can be claimed again after the delay."""
    return {
        "state": ChunkState.READY,
        "lease_until": None,
        "sent_at": None,
        "not_before": now(delay_seconds) if delay_seconds else None,
        "ready_at": now(delay_seconds),
    }


def as_closed() -> dict[str, Any]:
    """What a closed chunk is set to."""
    return {"state": ChunkState.CLOSED, "lease_until": None, "closed_at": now(), "suspect_id": None}


def backoff_seconds(n_before: int) -> float:
    """How long a chunk waits that has failed `n_before` times already: 1, 2, 4 ... 60 seconds."""
    return min(2.0**n_before, 60)
