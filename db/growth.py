"""What nights and jobs changed: how the store grew, and how many documents got another label. `note_run` and `note_job`
say in the transaction that ends a run or job that it is to be counted; `count_some` counts, a slice at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Select, case, delete, exists, func, literal, select, update
from sqlalchemy.orm import Session, aliased

from db.disk_use import store_bytes
from db.sql import insert_for, now, one_of
from db.tables import Classification, Document, Job, LabelMoves, Run, RunGrowth

#: Documents of one slice; labels of one slice, each of which is looked up.
DOCUMENTS, LABELS = 20_000, 1_000


@dataclass(frozen=True, slots=True)
class Moves:
    """Documents that had a label before, and those of them that got another one."""

    n_compared: int
    n_moved: int


@dataclass(frozen=True, slots=True)
class Growth:
    """Of a run."""

    store_bytes: int
    #: Versions of documents since the run before; None if there was none.
    n_added: int | None


def note_run(session: Session, run_id: int) -> None:
    """A run has ended: note how large the store is."""
    newest = session.scalar(select(func.max(Document.id))) or 0
    schedule_id = select(Run.schedule_id).where(Run.id == run_id).scalar_subquery()
    before = session.scalar(
        select(RunGrowth.newest_document_id)
        .join(Run, Run.id == RunGrowth.run_id)
        .where(Run.schedule_id == schedule_id, Run.id < run_id)
        .order_by(Run.id.desc())
        .limit(1)
    )
    values = {
        "run_id": run_id,
        "store_bytes": store_bytes(session),
        "newest_document_id": newest,
        "n_added": None if before is None else 0,
        "counted_to": newest if before is None else before,
        "counted_at": now() if before is None else None,
    }
    session.execute(insert_for(session, RunGrowth).values(values).on_conflict_do_nothing())


def note_job(session: Session, job_id: int) -> None:
    """A job has ended: if it gave labels, those that moved are to be counted."""
    rows = select(literal(job_id), literal(0), literal(0), literal(0)).where(
        exists().where(Classification.job_id == job_id)
    )
    columns = ["job_id", "n_compared", "n_moved", "counted_to"]
    session.execute(insert_for(session, LabelMoves).from_select(columns, rows).on_conflict_do_nothing())


def forget_runs(session: Session, run_ids: Sequence[int]) -> None:
    """These runs are about to be deleted."""
    session.execute(delete(RunGrowth).where(one_of(RunGrowth.run_id, list(run_ids))))


def is_any_uncounted() -> Select[bool]:
    """Whether `count_some` has something to do."""
    runs, jobs = (exists().where(table.counted_at.is_(None)) for table in (RunGrowth, LabelMoves))
    return select(runs | jobs)


def count_some(session: Session) -> bool:
    """Count one slice; False if there is nothing to count, or another scheduler is counting it."""
    run = session.scalar(
        select(RunGrowth)
        .where(RunGrowth.counted_at.is_(None))
        .order_by(RunGrowth.run_id)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    if run is not None:
        _count_documents(session, run)
        return True
    job = session.scalar(
        select(LabelMoves)
        .where(LabelMoves.counted_at.is_(None))
        .order_by(LabelMoves.job_id)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    if job is not None:
        _count_labels(session, job)
    return job is not None


def of_runs(session: Session, run_ids: Sequence[int]) -> dict[int, Growth]:
    """How the store grew in these runs, as far as it is known."""
    query = select(RunGrowth).where(one_of(RunGrowth.run_id, list(run_ids)))
    return {
        row.run_id: Growth(row.store_bytes, row.n_added if row.counted_at is not None else None)
        for row in session.scalars(query)
    }


def moves_of_runs(session: Session, run_ids: Sequence[int]) -> dict[int, Moves]:
    """The labels that moved in these runs; a run without a job that gave labels, or that is not counted, is missing."""
    query = (
        select(
            Job.run_id,
            func.sum(LabelMoves.n_compared),
            func.sum(LabelMoves.n_moved),
            func.sum(case((LabelMoves.counted_at.is_(None), 1), else_=0)),
        )
        .join(LabelMoves, LabelMoves.job_id == Job.id)
        .where(one_of(Job.run_id, list(run_ids)))
        .group_by(Job.run_id)
    )
    return {row[0]: Moves(int(row[1]), int(row[2])) for row in session.execute(query) if not row[3]}


def last_moves_of_versions(session: Session, version_ids: Sequence[int]) -> dict[int, tuple[int, Moves]]:
    """The newest job that used each of these model versions, and the labels that moved in it."""
    newest = (
        select(func.max(Job.id))
        .join(LabelMoves, LabelMoves.job_id == Job.id)
        .where(one_of(Job.model_version_id, list(version_ids)), LabelMoves.counted_at.is_not(None))
        .group_by(Job.model_version_id)
    )
    query = (
        select(Job.model_version_id, Job.id, LabelMoves.n_compared, LabelMoves.n_moved)
        .join(LabelMoves, LabelMoves.job_id == Job.id)
        .where(Job.id.in_(newest))
    )
    return {
        version: (job, Moves(compared, moved))
        for version, job, compared, moved in session.execute(query)
        if version is not None
    }


def _count_documents(session: Session, run: RunGrowth) -> None:
    some = (
        select(Document.id)
        .where(Document.id > run.counted_to, Document.id <= run.newest_document_id)
        .order_by(Document.id)
        .limit(DOCUMENTS)
        .subquery()
    )
    n, last = session.execute(select(func.count(), func.max(some.c.id)).select_from(some)).one()
    values = {"n_added": (run.n_added or 0) + n, "counted_to": last or run.counted_to}
    if n < DOCUMENTS:
        values["counted_at"] = now()
    session.execute(update(RunGrowth).where(RunGrowth.run_id == run.run_id).values(values))


def _count_labels(session: Session, job: LabelMoves) -> None:
    earlier, same = aliased(Classification), aliased(Document)
    before = (
        select(func.coalesce(earlier.label, ""))
        .join(same, same.id == earlier.document_id)
        .where(
            same.collection_id == Document.collection_id,
            same.key == Document.key,
            earlier.rank == 1,
            earlier.job_id < Classification.job_id,
        )
        .order_by(earlier.job_id.desc())
        .limit(1)
        .correlate(Document, Classification)
        .scalar_subquery()
    )
    some = (
        select(
            Classification.document_id,
            func.coalesce(Classification.label, "").label("label"),
            before.label("before"),
        )
        .join(Document, Document.id == Classification.document_id)
        .where(
            Classification.job_id == job.job_id,
            Classification.rank == 1,
            Classification.document_id > job.counted_to,
        )
        .order_by(Classification.document_id)
        .limit(LABELS)
        .subquery()
    )
    is_moved = case((some.c.before != some.c.label, 1), else_=0)
    n, n_compared, n_moved, last = session.execute(
        select(func.count(), func.count(some.c.before), func.sum(is_moved), func.max(some.c.document_id))
    ).one()
    values = {
        "n_compared": job.n_compared + n_compared,
        "n_moved": job.n_moved + int(n_moved or 0),
        "counted_to": last or job.counted_to,
    }
    if n < LABELS:
        values["counted_at"] = now()
    session.execute(update(LabelMoves).where(LabelMoves.job_id == job.job_id).values(values))
