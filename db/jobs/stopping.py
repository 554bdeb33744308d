"""Closing the chunks of a stopped job in small steps, so that nobody waits long for the locks."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy import select
from sqlalchemy.orm import Session

from db import chunks
from db.chunks.conditions import first_open_stage, is_open
from db.states import ErrorCode, JobState
from db.tables import Chunk, Job

#: What one step touches at most: documents that get an outcome, and chunks.
STEP_DOCUMENTS, STEP_CHUNKS = 5_000, 1_000


@dataclass(frozen=True, slots=True)
class Part:
    """How far `stop_some` is in a chunk that is too large for one step. Its document ids are read once: reading a
    million of them takes longer than a step may take."""

    chunk_id: int
    document_ids: array[int]
    n_done: int


@dataclass(frozen=True, slots=True)
class Stopped:
    """One step of `stop_some`: how many chunks it closed or went on with, and the part to pass to the next step once
    this one is committed."""

    n_chunks: int
    part: Part | None = None


def stop_some(
    session: Session,
    job_id: int,
    part: Part | None = None,
    *,
    limit: int = STEP_CHUNKS,
    documents: int = STEP_DOCUMENTS,
) -> Stopped:
    """Close some open chunks of a cancelling job, whoever holds them; their documents without an outcome get the
    job's stop code. At most `limit` chunks with `documents` documents together, or a part of one that has more. Call
    until no chunk is left. A chunk that a worker is writing to is left for the next call."""
    job = session.execute(
        select(Job.stop_code, Job.stop_detail).where(Job.id == job_id, Job.state == JobState.CANCELLING)
    ).one_or_none()
    if job is None:
        return Stopped(0)
    error = (job.stop_code or ErrorCode.CANCELLED, job.stop_detail or "")
    some = _open_chunks(session, job_id, limit, documents)
    if len(some) == 1 and some[0][1] > documents:
        return Stopped(1, _stop_part(session, job_id, some[0][0], part, documents, error))
    if some:
        chunks.close_many_with_error(session, [chunk_id for chunk_id, _ in some], *error)
    return Stopped(len(some))


def _stop_part(
    session: Session, job_id: int, chunk_id: int, part: Part | None, documents: int, error: tuple[str, str]
) -> Part | None:
    if part is None or part.chunk_id != chunk_id:
        ids = session.scalars(select(Chunk.document_ids).where(Chunk.id == chunk_id)).one()
        part = Part(chunk_id, array("q", ids), 0)
    n_done = part.n_done + documents
    chunks.close_part_with_error(session, chunk_id, job_id, part.document_ids[part.n_done : n_done], *error)
    return replace(part, n_done=n_done) if part.n_done < len(part.document_ids) else None


def _open_chunks(session: Session, job_id: int, limit: int, documents: int) -> Sequence[tuple[int, int]]:
    """(id, number of documents) of some open chunks of one stage, locked: at least one, and no more than have
    `documents` documents together."""
    rows = session.execute(
        select(Chunk.id, Chunk.n_documents)
        .where(*is_open(job_id), Chunk.stage == first_open_stage(job_id))
        .order_by(Chunk.seq)
        .limit(min(limit, documents))
        .with_for_update(skip_locked=True)
    ).all()
    chosen: list[tuple[int, int]] = []
    n = 0
    for chunk_id, n_documents in rows:
        n += n_documents
        if chosen and n > documents:
            break
        chosen.append((chunk_id, n_documents))
    return chosen
