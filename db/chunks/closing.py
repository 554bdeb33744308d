"""Any state -> closed, whoever holds the chunk: its documents without an outcome get an error.

The fence goes up with it, so that a worker which still holds the chunk can write nothing any more.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import exists, select, update
from sqlalchemy.orm import Session

from db import limits, results
from db.chunks.conditions import as_closed, back_to_ready, is_open
from db.compare_and_set import n_changed
from db.sql import one_of
from db.tables import Chunk


def is_every_chunk_closed(session: Session, job_id: int) -> bool:
    """Whether no chunk of the job is open."""
    return not session.scalar(select(exists().where(*is_open(job_id))))


def close_with_error(session: Session, chunk_id: int, code: str, detail: str) -> None:
    """Close one chunk; its documents without an outcome get this error."""
    close_many_with_error(session, [chunk_id], code, detail)


def close_many_with_error(session: Session, chunk_ids: Sequence[int], code: str, detail: str) -> None:
    """Close several chunks of one stage of one job, in a few statements."""
    rows = session.execute(
        select(Chunk.id, Chunk.job_id, Chunk.queue, Chunk.document_ids).where(one_of(Chunk.id, chunk_ids))
    ).all()
    job_id, kind = rows[0].job_id, rows[0].queue
    limits.count_held(session, list(chunk_ids))
    done = results.with_outcome(session, job_id, [id_ for row in rows for id_ in row.document_ids])
    missing = {row.id: [id_ for id_ in row.document_ids if id_ not in done] for row in rows}
    by_number: dict[int, list[int]] = {}
    for chunk_id, ids in missing.items():
        by_number.setdefault(len(ids), []).append(chunk_id)
    for n, those in by_number.items():
        values = _taken_away(n) | as_closed()
        n_changed(session, update(Chunk).where(one_of(Chunk.id, those)).values(values))
    results.write_error_for(
        session, job_id, kind, [id_ for ids in missing.values() for id_ in ids], code, detail
    )


def close_part_with_error(
    session: Session, chunk_id: int, job_id: int, document_ids: Sequence[int], code: str, detail: str
) -> None:
    """One step of closing a chunk that is too large for one transaction: take it from its holder, and give this error
    to those of these documents that have no outcome. Without documents, close the chunk: all have their outcome."""
    limits.count_held(session, [chunk_id])
    kind = session.scalars(select(Chunk.queue).where(Chunk.id == chunk_id)).one()
    n_error = results.write_error_for(session, job_id, kind, document_ids, code, detail)
    values = _taken_away(n_error)
    values |= back_to_ready(0) if document_ids else as_closed()
    session.execute(update(Chunk).where(Chunk.id == chunk_id).values(values))


def _taken_away(n_error: int) -> dict[str, Any]:
    """What every step sets: the fence that shuts the holder out, and the errors that were written."""
    return {"fence": Chunk.fence + 1, "n_error": Chunk.n_error + n_error}
