"""Outcomes of old jobs go with their result rows, where a newer job of the same kind, parameters and model has the
document too: so what every view shows of a document stays, and so does what `submit --new` and quarantine look at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, CursorResult, Table, and_, delete, exists, or_, select, update
from sqlalchemy.orm import Session, aliased

from db import results
from db.retention.policy import OfJobs, words
from db.retention.steps import Place, Step, next_job
from db.sql import insert_for, now, one_of
from db.states import HARMFUL, OutcomeState
from db.tables import Base, Document, Job, ModelVersion, Outcome, Pruned
from db.tables.base import tables_of
from db.tables.result import JobResult


def step(session: Session, rule: OfJobs, after: Place, limit: int, *, really: bool) -> Step:
    """Look at some outcomes of one job, in the order of their documents."""
    # `after.second` is 0 where the last job is done with, else that job goes on.
    first = after.first - 1 if after.second else after.first
    job = next_job(session, rule, first, ~_is_provenance())
    if job is None:
        return Step()
    start = after.second if job.id == after.first else 0
    some = select(Outcome.document_id).where(Outcome.job_id == job.id, Outcome.document_id > start)
    ids = session.scalars(some.order_by(Outcome.document_id).limit(limit)).all()
    rest = Place(job.id, ids[-1]) if len(ids) == limit else Place(job.id)
    newer = _newer_like(session, job) if ids else []
    if not newer:
        return Step(next=Place(job.id))
    tables = _tables_of(session, job.id)
    chosen = _superseded(session, job, ids, tables, newer)
    counts = Counter(outcomes=len(chosen))
    if chosen:
        for table in tables:
            counts[f"rows of {table.name}"] += _delete(session, table, job.id, chosen, really=really)
        if really:
            _prune(session, job.id, words("outcomes", rule.older_than), chosen)
    return Step(+counts, rest)


def _is_provenance() -> ColumnElement[bool]:
    """The job trained a model that is there: its outcomes say which documents it was trained on."""
    return exists().where(ModelVersion.job_id == Job.id, ModelVersion.pruned_at.is_(None))


def _tables_of(session: Session, job_id: int) -> list[Table]:
    """The tables in which the job has results."""
    tables = [Base.metadata.tables[name] for name in sorted(results.by_job())]
    return [table for table in tables if session.scalar(select(exists().where(table.c.job_id == job_id)))]


def _superseded(
    session: Session, job: Job, ids: Sequence[int], tables: Sequence[Table], newer: Sequence[int]
) -> list[int]:
    """Those of these documents of a job that newer results stand for; and removed ones, which no view shows."""
    document, later, its = aliased(Document), aliased(Document), aliased(Outcome)
    replaced = exists().where(
        later.collection_id == document.collection_id,
        later.key == document.key,
        later.version >= document.version,
        its.document_id == later.id,
        one_of(its.job_id, newer),
        or_(
            its.state == OutcomeState.OK,
            # A later failure stands for a failure; only a success ends a quarantine.
            and_(Outcome.state == OutcomeState.ERROR, Outcome.error_code.not_in(HARMFUL)),
        ),
    )
    indexed = tables_of(JobResult)
    shown = [_is_shown(table, job.id, document) for table in tables if table.name in indexed]
    query = (
        select(Outcome.document_id)
        .join(document, document.id == Outcome.document_id)
        .where(
            Outcome.job_id == job.id,
            one_of(Outcome.document_id, ids),
            or_(document.version == 0, and_(replaced, *(~each for each in shown))),
        )
        .order_by(Outcome.document_id)
    )
    return list(session.scalars(query))


def _newer_like(session: Session, job: Job) -> list[int]:
    """Ended jobs after this one that do the same: the kind, the parameters and the model's name are equal."""
    mine, other = aliased(ModelVersion), aliased(ModelVersion)
    query = (
        select(Job.id)
        .outerjoin(other, other.id == Job.model_version_id)
        .outerjoin(mine, mine.id == job.model_version_id)
        .where(
            Job.id > job.id,
            Job.kind == job.kind,
            Job.parameters == job.parameters,
            other.model_id.is_not_distinct_from(mine.model_id),
        )
    )
    return list(session.scalars(query))


def _is_shown(table: Table, job_id: int, document: Any) -> ColumnElement[bool]:
    """Whether the job's rows about a document are the newest of its key in this table: a view shows them."""
    mine, newer, of = table.alias(), table.alias(), aliased(Document)
    has_newer = exists().where(
        of.collection_id == document.collection_id,
        of.key == document.key,
        newer.c.document_id == of.id,
        or_(
            of.version > document.version,
            and_(of.version == document.version, newer.c.job_id > job_id),
        ),
    )
    has_rows = exists().where(mine.c.job_id == job_id, mine.c.document_id == document.id)
    return and_(has_rows, ~has_newer)


def _delete(session: Session, table: Table, job_id: int, ids: Sequence[int], *, really: bool) -> int:
    """Delete the job's rows about these documents, or count them."""
    mine = (table.c.job_id == job_id, one_of(table.c.document_id, ids))
    if not really:
        return len(session.execute(select(table.c.document_id).where(*mine)).all())
    result: CursorResult[Any] = session.execute(delete(table).where(*mine))  # type: ignore[assignment]
    return int(result.rowcount)


def _prune(session: Session, job_id: int, policy: str, ids: Sequence[int]) -> None:
    """Delete these outcomes. A trigger refuses to, unless the row in `pruned` is open, and counts them there."""
    opened = insert_for(session, Pruned).values(job_id=job_id, policy=policy, n_ok=0, n_error=0, is_open=True)
    session.execute(
        opened.on_conflict_do_update(
            index_elements=["job_id", "policy"], set_={"is_open": True, "last_at": now()}
        )
    )
    session.execute(delete(Outcome).where(Outcome.job_id == job_id, one_of(Outcome.document_id, ids)))
    mine = (Pruned.job_id == job_id, Pruned.policy == policy)
    session.execute(update(Pruned).where(*mine).values(is_open=False))
