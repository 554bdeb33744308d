"""Jobs that run alone, and jobs that are submitted once.

An exclusive job runs beside no other job of its collection and kind: it waits for those submitted before it, and those
submitted after it wait for it. A unique one is not made while an unfinished job does the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import ColumnElement, and_, exists, func, or_, select
from sqlalchemy.orm import Session, aliased

from db import work
from db.chunks.conditions import has_not_ended
from db.sql import one_of
from db.states import UNFINISHED
from db.tables import Job

if TYPE_CHECKING:
    from db.jobs.submitting import NewJob

#: The upper half of the keys of PostgreSQL's advisory locks; the collection's number is the lower one.
_LOCK = 0x646F6363 << 32


def lock(session: Session, collection_id: int, *, alone: bool) -> None:
    """Until the transaction ends, no exclusive or unique job over the collection is submitted; with `alone`, no job
    at all. SQLite has only one writer anyway."""
    if session.get_bind().dialect.name == "postgresql":
        take = func.pg_advisory_xact_lock if alone else func.pg_advisory_xact_lock_shared
        session.execute(select(take(_LOCK + collection_id)))


def doing_the_same(session: Session, new: NewJob) -> Job | None:
    """The newest unfinished job that does the same work to the same selection of documents."""
    alike = work.compared(session, new.work, new.collection_id).alike
    same = select(Job).where(
        one_of(Job.id, alike or (0,)),
        Job.state.in_(UNFINISHED),
        Job.where_clause.is_not_distinct_from(new.where),
        Job.model_ref.is_not_distinct_from(new.model_ref),
    )
    sources = new.sources.as_json()
    return next(
        (job for job in session.scalars(same.order_by(Job.id.desc())) if job.sources == sources), None
    )


def has_to_wait(session: Session, job: Job) -> bool:
    """Whether a new job may not run beside one that is there."""
    other = (Job.collection_id == job.collection_id) & (Job.kind == job.kind) & has_not_ended()
    if not job.is_exclusive:
        other &= Job.is_exclusive.is_(True)
    return bool(session.scalar(select(exists().where(other))))


def runs_beside_none() -> ColumnElement[bool]:
    """The condition that no job which was submitted before a job keeps it from running."""
    before = aliased(Job)
    return ~exists().where(
        and_(
            before.collection_id == Job.collection_id,
            before.kind == Job.kind,
            before.id < Job.id,
            has_not_ended(before),
            or_(before.is_exclusive, Job.is_exclusive),
        )
    )


def in_the_way(session: Session, job_id: int) -> int | None:
    """The first job that keeps a waiting job from running, though it does not wait for it by number."""
    before, mine = aliased(Job), aliased(Job)
    query = (
        select(func.min(before.id))
        .join(mine, (mine.collection_id == before.collection_id) & (mine.kind == before.kind))
        .where(
            mine.id == job_id,
            before.id < mine.id,
            has_not_ended(before),
            or_(before.is_exclusive, mine.is_exclusive),
        )
    )
    return session.scalar(query)
