"""How a job's documents are cut into chunks: inside the database, so that submitting a million documents moves none
of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import BigInteger, Integer, Select, case, cast, func, insert, literal, select
from sqlalchemy.orm import Session

from db.sql import json_ids, now
from db.states import ChunkState
from db.tables import Chunk, Job

_COLUMNS = ["job_id", "stage", "seq", "queue", "priority", "n_documents", "state", "ready_at", "document_ids"]


@dataclass(frozen=True, slots=True)
class ChunkSize:
    """The size of a chunk: at most this many documents, and about this many characters."""

    documents: int
    chars: int


def cut(
    session: Session,
    job: Job,
    documents: Select[*tuple[Any, ...]],
    size: ChunkSize | None,
    state: ChunkState,
) -> int:
    """Write the job's first-stage chunks over these documents (id, characters), in the order of their ids, or of a
    third column. Without a size, all are in one chunk. Returns how many documents there are."""
    chosen = documents.subquery("chosen")
    order = (*list(chosen.c)[2:], chosen.c.id)
    if size is None:
        slot = literal(0).label("slot")
    else:
        # A running sum of costs, cut at every `chars`: a document costs its characters, and no less than
        # would let more than `documents` of them share a chunk.
        floor = -(-size.chars // size.documents)
        cost = case((chosen.c.body_chars < floor, floor), else_=chosen.c.body_chars)
        # PostgreSQL's sum of bigint is a numeric, which is slow; its sum of integer is a bigint.
        position = cast(func.sum(cast(cost, Integer)).over(order_by=order) - 1, BigInteger)
        slot = position.op("/")(literal(size.chars, Integer)).label("slot")
    placed = select(chosen.c.id, slot).order_by(chosen.c.id).subquery("placed")
    session.execute(
        insert(Chunk.__table__).from_select(  # type: ignore[arg-type]
            _COLUMNS,
            select(
                literal(job.id), literal(0), func.row_number().over(order_by=placed.c.slot), literal(job.kind),
                literal(job.priority), func.count(), literal(state, Chunk.state.type),
                now() if state == ChunkState.READY else literal(None, Chunk.ready_at.type), json_ids(placed.c.id),
            ).group_by(placed.c.slot).order_by(placed.c.slot),
        )
    )  # fmt: skip
    n_documents = session.scalar(select(func.sum(Chunk.n_documents)).where(Chunk.job_id == job.id))
    return int(n_documents or 0)


def add_stage(session: Session, job: Job, stage: int) -> None:
    """Copy the first stage's chunks for a later one, which is blocked at first."""
    blocked = literal(ChunkState.BLOCKED, Chunk.state.type)
    session.execute(
        insert(Chunk.__table__).from_select(  # type: ignore[arg-type]
            _COLUMNS,
            select(
                Chunk.job_id, literal(stage), Chunk.seq, Chunk.queue, Chunk.priority, Chunk.n_documents,
                blocked, literal(None, Chunk.ready_at.type), Chunk.document_ids,
            ).where(Chunk.job_id == job.id, Chunk.stage == 0),
        )
    )  # fmt: skip
