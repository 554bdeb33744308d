"""Which documents a job takes, and how they are cut into chunks: inside the database, so that submitting a
million documents moves none of them."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Integer,
    Select,
    case,
    cast,
    exists,
    func,
    insert,
    literal,
    or_,
    select,
)
from sqlalchemy.orm import Session, aliased

from db.models import Chunk, Document, GivenLabel, Job, Outcome
from db.quarantine import held
from db.sql import json_ids


@dataclass(frozen=True, slots=True)
class ChunkSize:
    """At most so many documents, and about so many characters, in a chunk. None: everything in one chunk."""

    documents: int
    chars: int


def latest(collection: int, *, labelled_only: bool = False) -> Select[int, int]:
    """Every latest document of a collection."""
    query = select(Document.id, Document.body_chars).where(
        Document.collection_id == collection, Document.is_latest
    )
    return query.where(or_(Document.label.is_not(None), _is_given_one())) if labelled_only else query


def _is_given_one() -> ColumnElement[bool]:
    return exists().where(
        GivenLabel.collection_id == Document.collection_id, GivenLabel.document_key == Document.key
    )


def without_result(query: Select[int, int], job: Job) -> Select[int, int]:
    """Of those, the ones that no earlier job like this one gave a result, and that are not in
    quarantine: those would kill workers every night."""
    earlier = aliased(Job)
    alike = (
        select(earlier.id)
        .where(
            earlier.kind == job.kind,
            earlier.id != job.id,
            earlier.parameters == literal(job.parameters, Job.parameters.type),
            earlier.model_version_id.is_not_distinct_from(job.model_version_id),
        )
        .scalar_subquery()
    )
    done = exists().where(
        Outcome.document_id == Document.id, Outcome.state == "ok", Outcome.job_id.in_(alike)
    )
    return query.where(~done, ~held(job.kind, Document.id))


def failed_in(job_id: int) -> Select[int, int]:
    """The latest versions of the documents that ended in an error in a job."""
    before = aliased(Document)
    return (
        select(Document.id, Document.body_chars)
        .join(before, (before.collection_id == Document.collection_id) & (before.key == Document.key))
        .join(Outcome, Outcome.document_id == before.id)
        .where(Outcome.job_id == job_id, Outcome.state == "error", Document.is_latest)
    )


def cut(session: Session, job: Job, documents: Select[int, int], size: ChunkSize | None, state: str) -> int:
    """Write the job's first-stage chunks over these documents, in the order of their ids; returns how many
    documents they hold."""
    chosen = documents.subquery("chosen")
    if size is None:
        slot = literal(0).label("slot")
    else:
        # A running sum of costs, cut at every `chars`: a document costs its characters, and no less than
        # would let more than `documents` of them share a chunk.
        floor = -(-size.chars // size.documents)
        cost = case((chosen.c.body_chars < floor, floor), else_=chosen.c.body_chars)
        # PostgreSQL's sum of bigint is a numeric, which is slow; its sum of integer is a bigint.
        position = cast(func.sum(cast(cost, Integer)).over(order_by=chosen.c.id) - 1, BigInteger)
        slot = position.op("/")(literal(size.chars, Integer)).label("slot")
    placed = select(chosen.c.id, slot).order_by(chosen.c.id).subquery("placed")
    session.execute(
        insert(Chunk.__table__).from_select(  # type: ignore[arg-type]
            ["job_id", "stage", "seq", "queue", "priority", "n_documents", "state", "document_ids"],
            select(
                literal(job.id), literal(0), func.row_number().over(order_by=placed.c.slot), literal(job.kind),
                literal(job.priority), func.count(), literal(state), json_ids(placed.c.id),
            ).group_by(placed.c.slot),
        )
    )  # fmt: skip
    n_documents = session.scalar(select(func.sum(Chunk.n_documents)).where(Chunk.job_id == job.id))
    return int(n_documents or 0)


def add_stage(session: Session, job: Job, stage: int) -> None:
    """Copy the first stage's chunks for a later one."""
    session.execute(
        insert(Chunk.__table__).from_select(  # type: ignore[arg-type]
            ["job_id", "stage", "seq", "queue", "priority", "n_documents", "state", "document_ids"],
            select(
                Chunk.job_id, literal(stage), Chunk.seq, Chunk.queue, Chunk.priority, Chunk.n_documents,
                literal("blocked"), Chunk.document_ids,
            ).where(Chunk.job_id == job.id, Chunk.stage == 0),
        )
    )  # fmt: skip
