"""What all steps of retention share."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Protocol

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import Session, aliased

from db.retention.policy import OfJobs
from db.sql import now
from db.states import ENDED, JobState
from db.tables import Job


@dataclass(frozen=True, slots=True)
class Place:
    """Where a step begins: after this job, or version, or run, and after this document, in it."""

    first: int = 0
    second: int = 0


@dataclass(frozen=True)
class Step:
    """What one step pruned, or would; and where the next begins, None after the last."""

    counts: Counter[str] = field(default_factory=Counter)
    next: Place | None = None
    #: Folders of models whose files are to be deleted, relative to the models folder.
    folders: tuple[str, ...] = ()


class Sort(Protocol):
    """One sort of what is pruned."""

    def __call__(self, session: Session, after: Place, limit: int, *, really: bool) -> Step: ...


def next_job(session: Session, rule: OfJobs, after: int, *more: ColumnElement[bool]) -> Job | None:
    """The next ended job that a rule speaks of."""
    newer = aliased(Job)
    n_newer = (
        select(func.count())
        .where(
            newer.id > Job.id,
            newer.kind == Job.kind,
            newer.collection_id == Job.collection_id,
            newer.model_ref.is_not_distinct_from(Job.model_ref),
            newer.state.in_(ENDED),
        )
        .scalar_subquery()
    )
    query = select(Job).where(
        Job.id > after,
        Job.state.in_([JobState(state) for state in rule.states]),
        Job.finished_at < now(-rule.older_than),
        n_newer >= rule.keep_last,
        *more,
    )
    if rule.kinds is not None:
        query = query.where(Job.kind.in_(rule.kinds))
    return session.scalar(query.order_by(Job.id).limit(1))


def names_in_use(session: Session) -> set[str]:
    """What jobs that have not ended name: model references, and text parameters."""
    open_jobs = select(Job.model_ref, Job.parameters).where(Job.state.not_in(ENDED))
    found: set[str] = set()
    for ref, parameters in session.execute(open_jobs):
        found |= {ref} if ref else set()
        found |= {value for value in parameters.values() if isinstance(value, str)}
    return found


def some_job_runs(session: Session) -> bool:
    """Whether a job is at work, to which pruning gives way."""
    working = or_(Job.state == JobState.RUNNING, Job.state == JobState.CANCELLING)
    return session.scalar(select(Job.id).where(working).limit(1)) is not None
