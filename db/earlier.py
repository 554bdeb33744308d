"""What earlier jobs like a job found: the newest rows of each document in one result table, and whose they are.

Which jobs are alike is decided by `db.work`, as for new documents and for nights: the same kind, epoch of its code,
model version and collection, and the same parameters, but for those that change no result.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from sqlalchemy import ColumnElement, func, literal, select
from sqlalchemy.orm import Session

from db import work
from db.errors import ConflictError
from db.sql import each_id, one_of
from db.states import ENDED, OutcomeState
from db.tables import Base, Chunk, Job, Outcome
from db.work import Work


def jobs_like(session: Session, job: Job, its_work: Work) -> list[int]:
    """The earlier jobs like this one over the same collection, newest first."""
    return [id_ for id_ in reversed(_alike(session, job, its_work)) if id_ < job.id]


def is_like(session: Session, job: Job, its_work: Work, other_id: int) -> bool:
    """Whether another job over the same collection is like this one."""
    return other_id in _alike(session, job, its_work)


def _alike(session: Session, job: Job, its_work: Work) -> tuple[int, ...]:
    return work.compared(session, its_work, job.collection_id, but=job.id).alike


def documents_of(session: Session, job_id: int) -> list[int]:
    """The documents that a job runs."""
    table, id_ = each_id(Chunk.document_ids)
    query = select(id_).select_from(Chunk).join(table, literal(value=True))
    return list(session.scalars(query.where(Chunk.job_id == job_id, Chunk.stage == 0)))


def done_by(session: Session, job_id: int) -> list[int]:
    """The documents to which a job gave a result."""
    query = select(Outcome.document_id).where(Outcome.job_id == job_id, Outcome.state == OutcomeState.OK)
    return list(session.scalars(query))


def least_of(session: Session, job_id: int, table: str) -> Iterator[tuple[int, float]]:
    """(document id, `least`) of each list that a job made."""
    rows = Base.metadata.tables[table].c
    query = select(rows.document_id, rows.least).where(rows.job_id == job_id)
    yield from map(tuple, session.execute(query.execution_options(yield_per=10_000)))


def lists_of(
    session: Session, job_id: int, table: str, columns: Sequence[str], document_ids: Sequence[int]
) -> Iterator[tuple[Any, ...]]:
    """(document id, columns) of the lists that a job made of these documents."""
    rows = Base.metadata.tables[table].c
    query = select(rows.document_id, *(rows[name] for name in columns)).where(
        rows.job_id == job_id, one_of(rows.document_id, document_ids)
    )
    yield from map(tuple, session.execute(query.execution_options(yield_per=10_000)))


def written_by(session: Session, job_id: int, table: str, document_ids: Sequence[int]) -> set[int]:
    """Those of these documents that a job wrote rows about."""
    rows = Base.metadata.tables[table].c
    query = select(rows.document_id).where(rows.job_id == job_id, one_of(rows.document_id, document_ids))
    return set(session.scalars(query.distinct()))


def insist_on_its_turn(session: Session, job: Job, its_work: Work) -> None:
    """ConflictError while an earlier job like this one has not ended: it is writing what this one has to read."""
    before = _unfinished(session, jobs_like(session, job, its_work), func.min)
    if before is not None:
        raise ConflictError(f"it waits for job {before}, which is like it and has not ended")


def last_unfinished(session: Session, its_work: Work, collection_id: int) -> int | None:
    """The newest unfinished job over a collection that does this work."""
    return _unfinished(session, work.compared(session, its_work, collection_id).alike, func.max)


def _unfinished(
    session: Session, job_ids: Sequence[int], one: Callable[..., ColumnElement[int]]
) -> int | None:
    query = select(one(Job.id)).where(one_of(Job.id, job_ids or (0,)), Job.state.not_in(ENDED))
    found: int | None = session.scalar(query)
    return found
