"""Documents that harm the workers that run them: their last outcome in a kind of jobs was a crash, a hang, or a lack
of memory.

A document stays in quarantine for a kind until its text changes, a later job of that kind succeeds with it, or
somebody releases it. Jobs with only_new leave it out; every other job takes it. Outcomes never change: a release is a
separate row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, exists, func, literal_column, select
from sqlalchemy.orm import Session, aliased

from db import erased
from db.errors import NotFoundError
from db.sql import clock, each_id, insert_for, one_of
from db.states import HARMFUL, OutcomeState
from db.tables import Chunk, Collection, Document, Job, Outcome, Release

#: The outcomes that put a document into quarantine.
CODES = HARMFUL


@dataclass(frozen=True, slots=True)
class Entry:
    """One document in quarantine, and the job that put it there."""

    job: int
    kind: str
    collection: str
    document_key: str
    code: str
    detail: str
    source: str
    document_version: int
    document_id: int
    body_chars: int
    at: datetime


def held(kind: Any, document_id: Any) -> ColumnElement[bool]:
    """The condition that this document is in quarantine for this kind."""
    harmful, job = aliased(Outcome), aliased(Job)
    return exists().where(
        harmful.document_id == document_id,
        _is_harmful(harmful),
        harmful.job_id == job.id,
        job.kind == kind,
        *_not_over(harmful, job),
    )


def held_ids(kind: str) -> Select[int]:
    """The documents in quarantine for this kind."""
    return (
        select(Outcome.document_id)
        .join(Job, Job.id == Outcome.job_id)
        .where(_is_harmful(Outcome), Job.kind == kind, *_not_over(Outcome, Job))
        .distinct()
    )


def entries(
    session: Session,
    *,
    job_id: int | None = None,
    collection: str | None = None,
    keys: Sequence[str] = (),
    limit: int | None = None,
) -> list[Entry]:
    """The documents in quarantine, newest first."""
    target = aliased(Collection)
    query = (
        select(
            Outcome.job_id, Job.kind, func.coalesce(target.name, Collection.name), Document.key,
            Outcome.error_code, Outcome.error_detail,
            Document.source, Document.version, Document.id, Document.body_chars, Outcome.written_at,
        )
        .join(Job, Job.id == Outcome.job_id)
        .join(Document, Document.id == Outcome.document_id)
        .join(Collection, Collection.id == Document.collection_id)
        .outerjoin(target, target.id == Collection.files_of_id)
        .where(_is_harmful(Outcome), Document.is_latest, *_not_over(Outcome, Job))
        .order_by(Outcome.job_id.desc(), Outcome.document_id.desc())
        .limit(limit)
    )  # fmt: skip
    if job_id is not None:
        query = query.where(Outcome.job_id == job_id)
    if collection is not None:
        query = query.where(func.coalesce(target.name, Collection.name) == collection)
    if keys:
        query = query.where(one_of(Document.key, list(keys)))
    rows: Any = session.execute(query)
    return [Entry(*row) for row in rows]


def of_job(session: Session, job_id: int, keys: Sequence[str] = ()) -> list[Entry]:
    """A job's documents in quarantine, all or those with these keys. NotFoundError names one that is not in it."""
    found = entries(session, job_id=job_id, keys=keys)
    missing = set(keys) - {entry.document_key for entry in found}
    if missing or not found:
        what = f"document {sorted(missing)[0]!r}" if missing else "document"
        raise NotFoundError(
            f"no {what} of job {job_id} is in quarantine: `docmill quarantine list` shows what is, "
            f"`docmill results {job_id} --errors` whatever else failed"
        )
    return found


def release(session: Session, found: Sequence[Entry]) -> None:
    """Release these documents: jobs with only_new take them again. Releasing twice is one release."""
    moment = clock(session)
    erased.together(session)
    gone = erased.among(session, [entry.document_id for entry in found])
    for entry in found:
        if entry.document_id in gone:
            continue
        statement = insert_for(session, Release).values(
            document_id=entry.document_id, kind=entry.kind, released_at=moment
        )
        session.execute(
            statement.on_conflict_do_update(
                index_elements=["document_id", "kind"], set_={"released_at": moment}
            )
        )


def chunk_facts(session: Session, entry: Entry) -> dict[str, Any]:
    """What is known about the chunk that had the document."""
    table, id_ = each_id(Chunk.document_ids)
    query = (
        select(
            Chunk.stage,
            Chunk.seq,
            Chunk.n_documents,
            Chunk.n_crashes,
            Chunk.n_lost,
            Chunk.worker,
            Chunk.fault,
        )
        .join(table, id_ == entry.document_id)
        .where(Chunk.job_id == entry.job)
        .order_by((Chunk.n_crashes + Chunk.n_lost).desc())
        .limit(1)
    )
    row = session.execute(query).mappings().one_or_none()
    return {f"chunk_{name}": value for name, value in row.items()} if row else {}


def failed_in(job_id: int, document_ids: Sequence[int]) -> Select[int, int]:
    """The given documents of a job, to be run again."""
    return select(Document.id, Document.body_chars).where(
        one_of(Document.id, list(document_ids)),
        exists().where(Outcome.job_id == job_id, Outcome.document_id == Document.id),
    )


def count(session: Session, most: int) -> int:
    """How many documents are in quarantine, counted up to `most`."""
    some = (
        select(Outcome.document_id)
        .join(Job, Job.id == Outcome.job_id)
        .join(Document, Document.id == Outcome.document_id)
        .where(_is_harmful(Outcome), Document.is_latest, *_not_over(Outcome, Job))
        # As `entries` has them, so that the same index gives the first ones.
        .order_by(Outcome.job_id.desc(), Outcome.document_id.desc())
        .limit(most)
    )
    return session.scalar(select(func.count()).select_from(some.subquery())) or 0


def _is_harmful(outcome: Any) -> ColumnElement[bool]:
    """The condition of the partial index. Its codes are part of the statement: of parameters, SQLite does not know
    that the index has all rows that they ask for."""
    codes: list[ColumnElement[str]] = [literal_column(f"'{code}'") for code in CODES]
    condition: ColumnElement[bool] = outcome.error_code.in_(codes)
    return condition


def _not_over(harmful: Any, job: Any) -> tuple[ColumnElement[bool], ...]:
    """The conditions that no later job of the kind succeeded, and that nobody has released the document since."""
    later, its_job = aliased(Outcome), aliased(Job)
    succeeded = exists().where(
        later.document_id == harmful.document_id,
        later.written_at > harmful.written_at,
        later.state == OutcomeState.OK,
        its_job.id == later.job_id,
        its_job.kind == job.kind,
    )
    released = exists().where(
        and_(
            Release.document_id == harmful.document_id,
            Release.kind == job.kind,
            Release.released_at >= harmful.written_at,
        )
    )
    return ~succeeded, ~released
