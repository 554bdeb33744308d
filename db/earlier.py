"""What earlier jobs like a job found: the newest rows of each document in one result table, and whose they are.

Two jobs are alike if they have the same kind, epoch of its code, parameters, model version and collection.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sqlalchemy import ColumnElement, func, literal, select
from sqlalchemy.orm import Session

from db.errors import ConflictError
from db.sql import each_id, one_of
from db.states import ENDED, OutcomeState
from db.tables import Base, Chunk, Job, Outcome


def alike(job: Job) -> tuple[ColumnElement[bool], ...]:
    """The condition that a job of any collection is like this one, and another."""
    return (
        Job.kind == job.kind,
        Job.id != job.id,
        Job.epoch == job.epoch,
        Job.parameters == literal(job.parameters, Job.parameters.type),
        Job.model_version_id.is_not_distinct_from(job.model_version_id),
    )


def jobs_like(session: Session, job_id: int) -> list[int]:
    """The earlier jobs like this one over the same collection, newest first."""
    job = session.get_one(Job, job_id)
    query = select(Job.id).where(*alike(job), Job.collection_id == job.collection_id, Job.id < job_id)
    return list(session.scalars(query.order_by(Job.id.desc())))


def is_like(session: Session, job: Job, other_id: int) -> bool:
    """Whether another job over the same collection is like this one."""
    query = select(Job.id).where(*alike(job), Job.collection_id == job.collection_id, Job.id == other_id)
    return session.scalar(query) is not None


def documents_of(session: Session, job_id: int) -> list[int]:
    """The documents that a job runs."""
    table, id_ = each_id(Chunk.document_ids)
    query = select(id_).select_from(Chunk).join(table, literal(value=True))
    return list(session.scalars(query.where(Chunk.job_id == job_id, Chunk.stage == 0)))


def done_by(session: Session, job_id: int) -> list[int]:
    """The documents to which a job gave a result."""
    query = select(Outcome.document_id).where(Outcome.job_id == job_id, Outcome.state == OutcomeState.OK)
    return list(session.scalars(query))


def results_of(session: Session, job_id: int, table: str) -> Iterator[tuple[int, int, float]]:
    """(document id, number of rows, lowest score) of each document that a job wrote rows about."""
    rows = Base.metadata.tables[table].c
    query = (
        select(rows.document_id, func.count(), func.min(rows.score))
        .where(rows.job_id == job_id)
        .group_by(rows.document_id)
    )
    yield from session.execute(query.execution_options(yield_per=10_000))


def written_by(session: Session, job_id: int, table: str, document_ids: Sequence[int]) -> set[int]:
    """Those of these documents that a job wrote rows about."""
    rows = Base.metadata.tables[table].c
    query = select(rows.document_id).where(rows.job_id == job_id, one_of(rows.document_id, document_ids))
    return set(session.scalars(query.distinct()))


def insist_on_its_turn(session: Session, job_id: int) -> None:
    """ConflictError while an earlier job like this one has not ended: it is writing what this one has to read."""
    job = session.get_one(Job, job_id)
    unfinished = select(func.min(Job.id)).where(
        *alike(job), Job.collection_id == job.collection_id, Job.id < job_id, Job.state.not_in(ENDED)
    )
    if (before := session.scalar(unfinished)) is not None:
        raise ConflictError(f"it waits for job {before}, which is like it and has not ended")


def last_unfinished(session: Session, job: Job) -> int | None:
    """The newest unfinished job like this one over the same collection."""
    return session.scalar(
        select(func.max(Job.id)).where(
            *alike(job), Job.collection_id == job.collection_id, Job.state.not_in(ENDED)
        )
    )
