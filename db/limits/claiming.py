"""What a claim may take of the limits, and what it took.

On PostgreSQL, the statement that claims a chunk asks them too, by the function `docmill_admit` of migration 0056 (see
there): under limits, a chunk sends as many messages as without. On SQLite, where a message costs nothing, `admit` asks.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Row,
    Select,
    Update,
    bindparam,
    case,
    exists,
    func,
    literal,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Session

from db import tallies
from db.limits.scopes import holds_for, is_limiting, night_from
from db.limits.states import CATCH_UP_SECONDS
from db.sql import UtcDateTime, now, one_of, seconds_between
from db.states import ChunkState
from db.tables import Base, Chunk, Job, JobLimit

_KEY = ("collection", "kind", "submitter")
_USED = ("chunks_at_once", "documents_per_minute", "device_seconds_per_night", "time_zone", "next_at", "night_from",
         "seconds_used", "chunks_done")  # fmt: skip
_CHUNK, _JOB, _LIMIT = (
    Base.metadata.tables["chunk"],
    Base.metadata.tables["job"],
    Base.metadata.tables["job_limit"],
)


@dataclass(frozen=True, slots=True)
class Meter:
    """A limit that the time of a chunk counts for, and the night in which the chunk was claimed."""

    key: tuple[str, str, str]
    night_from: datetime


@dataclass(frozen=True, slots=True)
class Admission:
    """Whether a chunk may be run, and what its time counts for."""

    is_admitted: bool
    meters: tuple[Meter, ...] = ()


def admission(n_limits: ColumnElement[int], chunk: Any) -> ColumnElement[Any]:
    """On PostgreSQL, in the SQL that claims a chunk: what `admit` does, with the number of limits that may hold for its
    job. NULL if a limit refuses the chunk, which is then ready again; else `meters_of` reads it."""
    asked = func.docmill_admit(chunk.id, chunk.job_id, chunk.n_documents, type_=JSONB())
    return case((n_limits > 0, asked), else_=literal([], JSONB())).label("admission")


def meters_of(admission: Sequence[Any]) -> tuple[Meter, ...]:
    """What the time of a chunk counts for."""
    return tuple(Meter((c, k, s), datetime.fromisoformat(night)) for c, k, s, night in admission)


def as_json(meters: tuple[Meter, ...]) -> list[list[str]]:
    """The meters as `docmill_count_time` takes them."""
    return [[*meter.key, meter.night_from.isoformat()] for meter in meters]


def admit(session: Session, job_id: int, n_documents: int) -> Admission:
    """On SQLite: whether the limits of a job allow the chunk that was just claimed, which counts among those that are
    held. What it takes is noted."""
    rows = _locked(session, job_id)
    if not all(_allows(session, row) for row in rows):
        return Admission(is_admitted=False)
    for row in rows:
        _note(session, row, n_documents)
    return Admission(True, tuple(_meter(row) for row in rows if row.device_seconds_per_night is not None))


def count_at_end(session: Session, chunk_id: int, meters: tuple[Meter, ...]) -> None:
    """As `count`. On PostgreSQL it is done with the last statement of the transaction of `Store.write`, which spares a
    message, and others who claim under these limits wait for the commit alone."""
    if meters and session.get_bind().dialect.name == "postgresql":
        tallies.first_call(session, "docmill_count_time", chunk_id, json.dumps(as_json(meters)))
    else:
        count(session, chunk_id, meters)


def count(session: Session, chunk_id: int, meters: tuple[Meter, ...]) -> None:
    """Add the time since a chunk was claimed to the nights that it counts for. To be called in the transaction that
    lets it go, when its row is locked. A night that is over no longer counts."""
    for meter in meters:
        values = _key_values(meter.key) | {"of_chunk": chunk_id, "of_night": meter.night_from}
        session.connection().execute(_add_time(), values)


def count_held(session: Session, chunk_ids: list[int]) -> None:
    """The same for chunks that are taken from their holders; those that are not held do not count."""
    held = (
        select(Chunk.id, Chunk.job_id)
        .join(Job, Job.id == Chunk.job_id)
        .join(JobLimit, JobLimit.device_seconds_per_night.is_not(None) & holds_for())
        .where(one_of(Chunk.id, chunk_ids or (0,)), Chunk.state == ChunkState.LEASED)
        .distinct()
    )
    found = session.execute(held).all()
    jobs = sorted({row.job_id for row in found})
    if len(jobs) > 1:
        # In one order for all jobs together: who claims waits for these limits in that order, too.
        session.connection().execute(_lock_of_jobs(jobs))
    for chunk_id, job_id in found:
        rows = [row for row in _locked(session, job_id) if row.device_seconds_per_night is not None]
        count(session, chunk_id, tuple(_meter(row) for row in rows))


def _allows(session: Session, row: Row[Any]) -> bool:
    if row.documents_per_minute is not None and row.next_at is not None and row.next_at > row.moment:
        return False
    night = row.device_seconds_per_night
    if row.chunks_at_once is None and night is None:
        return True
    n_held = session.connection().execute(_count_held(), _key_values(row[:3])).scalar_one()
    if row.chunks_at_once is not None and n_held > row.chunks_at_once:
        return False
    if night is None or _is_another_night(row):
        return True
    mean = row.seconds_used / row.chunks_done if row.chunks_done else 0.0
    return bool(row.seconds_used < night and row.seconds_used + n_held * mean <= night)


def _note(session: Session, row: Row[Any], n_documents: int) -> None:
    """Move the time of the next chunk, and begin the night, where there is something to note."""
    values: dict[str, Any] = {}
    if row.documents_per_minute is not None:
        values["next_at"] = _next_at(row, n_documents)
    if row.device_seconds_per_night is not None and _is_another_night(row):
        values |= {"night_from": _tonight(row), "seconds_used": 0.0, "chunks_done": 0}
    if values:
        names = {f"new_{name}": value for name, value in values.items()}
        session.connection().execute(_change(tuple(values)), _key_values(row[:3]) | names)


def _next_at(row: Row[Any], n_documents: int) -> datetime:
    """When the next chunk may be claimed (the generic cell rate algorithm, ITU-T I.371)."""
    behind: datetime = row.moment - timedelta(seconds=CATCH_UP_SECONDS)
    start = behind if row.next_at is None else max(row.next_at, behind)
    return start + timedelta(minutes=n_documents / row.documents_per_minute)


def _meter(row: Row[Any]) -> Meter:
    return Meter(tuple(row[:3]), _tonight(row))


def _tonight(row: Row[Any]) -> datetime:
    return night_from(row.moment, row.time_zone)


def _is_another_night(row: Row[Any]) -> bool:
    return bool(row.night_from != _tonight(row))


# --- statements ----------------------------------------------------------------------------------------------------


def _locked(session: Session, job_id: int) -> list[Row[Any]]:
    """The limits that hold for a job, locked in one order for all, as they are now."""
    return list(session.connection().execute(_lock(), {"of_job": job_id}))


@cache
def _lock() -> Select[*tuple[Any, ...]]:
    return (
        select(*(_LIMIT.c[name] for name in (*_KEY, *_USED)), now().label("moment"))
        .select_from(_LIMIT.join(_JOB, holds_for()))
        .where(_JOB.c.id == bindparam("of_job"), is_limiting())
        .order_by(*(_LIMIT.c[name] for name in _KEY))
        .with_for_update(of=_LIMIT)
        .execution_options(docmill_prepare=True)
    )


def _lock_of_jobs(job_ids: Sequence[int]) -> Select[str]:
    """Locks the limits that hold for any of several jobs, in the order of their keys."""
    holds = exists(select(_JOB.c.id).where(one_of(_JOB.c.id, job_ids), holds_for()).correlate(_LIMIT))
    return (
        select(_LIMIT.c.collection)
        .where(is_limiting(), holds)
        .order_by(*(_LIMIT.c[name] for name in _KEY))
        .with_for_update(of=_LIMIT)
    )


@cache
def _count_held() -> Select[int]:
    return (
        select(func.count())
        .select_from(_CHUNK.join(_JOB, _JOB.c.id == _CHUNK.c.job_id).join(_LIMIT, holds_for()))
        .where(_CHUNK.c.state == ChunkState.LEASED, *_is_key())
        .execution_options(docmill_prepare=True)
    )


@cache
def _change(names: tuple[str, ...]) -> Update:
    changed = update(_LIMIT).where(*_is_key()).values({name: bindparam(f"new_{name}") for name in names})
    return changed.execution_options(docmill_prepare=True)


@cache
def _add_time() -> Update:
    claimed_at = select(_CHUNK.c.claimed_at).where(_CHUNK.c.id == bindparam("of_chunk")).scalar_subquery()
    return (
        update(_LIMIT)
        .where(*_is_key(), _LIMIT.c.night_from == bindparam("of_night", type_=UtcDateTime()))
        .values(
            seconds_used=_LIMIT.c.seconds_used + func.coalesce(seconds_between(claimed_at, now()), 0.0),
            chunks_done=_LIMIT.c.chunks_done + 1,
        )
        .execution_options(docmill_prepare=True)
    )


def _is_key() -> tuple[Any, ...]:
    return tuple(_LIMIT.c[name] == bindparam(f"of_{name}") for name in _KEY)


def _key_values(key: Any) -> dict[str, Any]:
    return {f"of_{name}": value for name, value in zip(_KEY, key, strict=True)}
