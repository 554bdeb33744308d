"""What a claim may take of the limits, and what it took."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, or_, select, update
from sqlalchemy.orm import Session

from db.limits.scopes import holds_for, night_from
from db.limits.states import CATCH_UP_SECONDS
from db.sql import clock
from db.states import ChunkState
from db.tables import Chunk, Job, JobLimit


@dataclass(frozen=True, slots=True)
class Admission:
    """Whether a chunk may be run, and whether its time counts for a limit."""

    is_admitted: bool
    is_metered: bool = False


def admit(session: Session, job_id: int, n_documents: int) -> Admission:
    """Whether the limits of a job allow the chunk that was just claimed, which counts among those that are held. What
    it takes is noted. Other claims under these limits wait until this transaction ends."""
    rows = _locked(session, job_id, or_(*_limited()))
    if not rows:
        return Admission(is_admitted=True)
    moment = clock(session)
    if not all(_allows(session, row, moment) for row in rows):
        return Admission(is_admitted=False)
    for row in rows:
        if row.documents_per_minute is not None:
            _set(session, row, {"next_at": _next_at(row, moment, n_documents)})
    return Admission(True, any(row.device_seconds_per_night is not None for row in rows))


def count(session: Session, *these: Any) -> None:
    """Add the time for which chunks were held, those that meet the conditions, to the nights of their limits. To be
    called in the transaction that lets them go, when it has locked their rows."""
    held = (
        select(Chunk.id, Chunk.job_id, Chunk.claimed_at)
        .join(Job, Job.id == Chunk.job_id)
        .join(JobLimit, JobLimit.device_seconds_per_night.is_not(None) & holds_for(Job))
        .where(*these)
        .distinct()
    )
    rows = session.execute(held).all()
    moment = clock(session) if rows else None
    for _, job_id, claimed_at in rows:
        assert moment is not None
        seconds = (moment - (claimed_at or moment)).total_seconds()
        for row in _locked(session, job_id, JobLimit.device_seconds_per_night.is_not(None)):
            _set(session, row, _with_seconds(row, moment, seconds))


def _limited() -> list[Any]:
    return [
        JobLimit.chunks_at_once.is_not(None),
        JobLimit.documents_per_minute.is_not(None),
        JobLimit.device_seconds_per_night.is_not(None),
    ]


def _locked(session: Session, job_id: int, condition: Any) -> list[JobLimit]:
    """The rows that hold for a job, locked in one order for all, as they are now."""
    query = (
        select(JobLimit)
        .join(Job, holds_for(Job))
        .where(Job.id == job_id, condition)
        .order_by(JobLimit.collection, JobLimit.kind, JobLimit.submitter)
        .with_for_update(of=JobLimit)
    )
    return list(session.scalars(query.execution_options(populate_existing=True)))


def _allows(session: Session, row: JobLimit, moment: datetime) -> bool:
    if row.documents_per_minute is not None and row.next_at is not None and row.next_at > moment:
        return False
    if row.chunks_at_once is None and row.device_seconds_per_night is None:
        return True
    n_held = _n_held(session, row)
    if row.chunks_at_once is not None and n_held > row.chunks_at_once:
        return False
    if row.device_seconds_per_night is None:
        return True
    used = row.seconds_used if row.night_from == night_from(moment, row.time_zone) else 0.0
    mean = row.seconds_used / row.chunks_done if row.chunks_done else 0.0
    return used < row.device_seconds_per_night and used + n_held * mean <= row.device_seconds_per_night


def _n_held(session: Session, row: JobLimit) -> int:
    query = (
        select(func.count())
        .select_from(Chunk)
        .join(Job, Job.id == Chunk.job_id)
        .join(JobLimit, holds_for(Job))
        .where(Chunk.state == ChunkState.LEASED, *_is(row))
    )
    return session.scalar(query) or 0


def _next_at(row: JobLimit, moment: datetime, n_documents: int) -> datetime:
    """When the next chunk may be claimed."""
    behind = moment - timedelta(seconds=CATCH_UP_SECONDS)
    start = behind if row.next_at is None else max(row.next_at, behind)
    return start + timedelta(minutes=n_documents / (row.documents_per_minute or 1))


def _with_seconds(row: JobLimit, moment: datetime, seconds: float) -> dict[str, Any]:
    tonight = night_from(moment, row.time_zone)
    if row.night_from != tonight:
        return {"night_from": tonight, "seconds_used": seconds, "chunks_done": 1}
    return {"seconds_used": row.seconds_used + seconds, "chunks_done": row.chunks_done + 1}


def _set(session: Session, row: JobLimit, values: dict[str, Any]) -> None:
    session.execute(
        update(JobLimit).where(*_is(row)).values(values), execution_options={"synchronize_session": False}
    )


def _is(row: JobLimit) -> tuple[Any, ...]:
    return (
        JobLimit.collection == row.collection,
        JobLimit.kind == row.kind,
        JobLimit.submitter == row.submitter,
    )
