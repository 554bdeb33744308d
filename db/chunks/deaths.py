"""leased -> ready after a worker's death: what it held is requeued, and the death is counted.

A crash is evidence. The first one makes the chunk careful: its documents are run one by one, each announced before
(`claims.suspect`). Later crashes count against the announced document, which is given up after MAX_CRASHES. A loss is
no evidence: only a document that was announced in MAX_LOST losses in a row is given up.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Select, delete, insert, select, update
from sqlalchemy.orm import Session

from db import limits, results, tallies
from db.chunks.closing import close_with_error
from db.chunks.conditions import back_to_ready, backoff_seconds, held_by
from db.sql import now
from db.states import ChunkState, ErrorCode
from db.tables import Chunk, LostClaim
from db.tallies import Counted, Requeue

#: A document is given up as POISON after this many dead workers: one that ran it in a batch, the others alone.
MAX_CRASHES = 4
#: A document is also given up after this many lost workers in a row, each of which ran it alone. A document that takes
#: the whole machine down leaves no launcher to see the crash.
MAX_LOST = 6
#: `chunk.suspect_id` of a chunk that is run as a whole (training): every document is the suspect.
WHOLE_CHUNK = 0

_EXPIRED = "its worker stopped renewing the lease: the machine was lost, or the work hung"


def crashed(session: Session, instance: str, code: str, detail: str) -> list[int]:
    """A process died and its launcher lives: requeue what it held at once, and count the crash. Returns the ids of
    the chunks."""
    found = _locked(session, select(Chunk).where(*held_by(instance)))
    _count_time(session, found)
    for chunk in found:
        tallies.add(session, Counted.REQUEUES, chunk.queue, Requeue.CRASHED)
        _count_crash(session, chunk, code, detail)
    return [chunk.id for chunk in found]


def crashed_late(session: Session, chunk_id: int, fence: int, code: str, detail: str) -> bool:
    """The same for a claim whose lease had run out before the death was reported: the counted loss becomes a crash.
    False if this claim was not counted as lost."""
    lost = session.get(LostClaim, (chunk_id, fence))
    if lost is None:
        return False
    session.execute(delete(LostClaim).where(LostClaim.chunk_id == chunk_id, LostClaim.fence == fence))
    is_open = select(Chunk).where(Chunk.id == chunk_id, Chunk.state != ChunkState.CLOSED)
    for chunk in _locked(session, is_open):
        tallies.add(session, Counted.REQUEUES, chunk.queue, Requeue.CRASHED)
        is_evidence = lost.suspect_id is not None and chunk.suspect_id == lost.suspect_id
        values = {
            "n_lost": chunk.n_lost - 1,
            "n_crashes": chunk.n_crashes + 1,
            "n_suspect_lost": chunk.n_suspect_lost - is_evidence,
            "fault": detail,
        }
        n_suspect = chunk.n_suspect_crashes + is_evidence
        _blame(session, chunk, values, n_suspect, code, detail, may_end=is_evidence)
    return True


def lost(session: Session, instance: str, detail: str) -> list[int]:
    """A process is known to be dead, but nobody saw why, since its launcher died too: requeue what it held at once,
    and count the loss. Returns the ids of the chunks."""
    return _count_losses(session, select(Chunk).where(*held_by(instance)), detail, Requeue.WORKER_LOST)


def expired() -> tuple[ColumnElement[bool], ...]:
    """The condition that a chunk's lease has run out."""
    return (Chunk.state == ChunkState.LEASED, Chunk.lease_until < now())


def reap(session: Session, limit: int = 100) -> list[int]:
    """Requeue chunks whose lease has run out, and count a loss for each. Returns the ids of the chunks."""
    some = select(Chunk).where(*expired()).limit(limit)
    return _count_losses(session, some, _EXPIRED, Requeue.LEASE_EXPIRED, skip=True)


def _locked(session: Session, query: Select[Chunk], *, skip: bool = False) -> list[Chunk]:
    """The chunks, locked. Without `skip`, the report of a death waits for a reaper that has them, and then sees what
    the reaper did."""
    return list(session.scalars(query.with_for_update(skip_locked=skip)))


def _count_time(session: Session, held: list[Chunk]) -> None:
    """The time of the dead counts for limits as any other."""
    if held:
        limits.count_held(session, [chunk.id for chunk in held])


def _count_losses(
    session: Session, leased: Select[Chunk], detail: str, why: Requeue, *, skip: bool = False
) -> list[int]:
    found = _locked(session, leased, skip=skip)
    _count_time(session, found)
    for chunk in found:
        tallies.add(session, Counted.REQUEUES, chunk.queue, why)
        _count_loss(session, chunk, detail)
    return [chunk.id for chunk in found]


def _count_loss(session: Session, chunk: Chunk, detail: str) -> None:
    """No evidence: the chunk is run whole again, unless one document was announced and run alone in each of many
    losses."""
    was_alone = _was_alone(chunk)
    session.execute(
        insert(LostClaim).values(
            chunk_id=chunk.id,
            fence=chunk.fence,
            job_id=chunk.job_id,
            instance=chunk.instance or "",
            worker=chunk.worker,
            suspect_id=chunk.suspect_id if was_alone else None,
            lost_at=now(),
        )
    )
    n_suspect = chunk.n_suspect_lost + was_alone
    delay = 0 if chunk.n_lost == 0 else backoff_seconds(chunk.n_lost - 1)
    values = back_to_ready(delay) | {
        "n_lost": chunk.n_lost + 1,
        "n_suspect_lost": n_suspect,
        "fault": detail,
    }
    if was_alone and n_suspect >= MAX_LOST:
        _give_up(session, chunk, values, ErrorCode.POISON, n_suspect, f"were lost in a row: {detail}")
    else:
        _set(session, chunk, values)


def _count_crash(session: Session, chunk: Chunk, code: str, detail: str) -> None:
    """The first crash makes the chunk careful; later ones count against the document that was being run."""
    is_evidence = _was_alone(chunk)
    # A death before the first document (a model that cannot be loaded, say) is nobody's fault, but the chunk must
    # not be tried again in a tight loop.
    delay = 0 if is_evidence or chunk.n_crashes == 0 else backoff_seconds(chunk.n_crashes - 1)
    values = back_to_ready(delay) | {"n_crashes": chunk.n_crashes + 1, "fault": detail}
    n_suspect = chunk.n_suspect_crashes + is_evidence
    _blame(session, chunk, values, n_suspect, code, detail, may_end=is_evidence)


def _was_alone(chunk: Chunk) -> bool:
    """Whether the claim that ended had announced the document that it was running alone."""
    return chunk.suspect_id is not None and chunk.suspect_fence == chunk.fence


def _blame(
    session: Session,
    chunk: Chunk,
    values: dict[str, Any],
    n_suspect: int,
    code: str,
    detail: str,
    *,
    may_end: bool,
) -> None:
    """Store what a crash changed; after the last crash that a document may cause, it is given up."""
    values["n_suspect_crashes"] = n_suspect
    alone = MAX_CRASHES if chunk.suspect_id == WHOLE_CHUNK else MAX_CRASHES - 1
    if may_end and n_suspect >= alone:
        _give_up(session, chunk, values, code, MAX_CRASHES, f"died: {detail}")
    else:
        _set(session, chunk, values)


def _give_up(
    session: Session, chunk: Chunk, values: dict[str, Any], code: str, n_workers: int, what: str
) -> None:
    """The suspect gets its outcome; a chunk that is run as a whole is closed for all its documents."""
    if chunk.suspect_id == WHOLE_CHUNK:
        detail = f"{n_workers} workers that ran this chunk {what}"
        close_with_error(session, chunk.id, ErrorCode.CRASHED, detail)
        return
    blame = f"{n_workers} workers that ran this document {what}"
    results.write_errors(session, chunk.job_id, chunk.queue, [(chunk.suspect_id or 0, code, blame)])
    cleared = {"suspect_id": None, "n_suspect_crashes": 0, "n_suspect_lost": 0, "n_error": chunk.n_error + 1}
    # Another worker may run the document by now, if the death was reported late. Its result would be a second outcome:
    # so the chunk is taken from it.
    _set(session, chunk, back_to_ready(0) | values | cleared)


def _set(session: Session, chunk: Chunk, values: dict[str, Any]) -> None:
    session.execute(update(Chunk).where(Chunk.id == chunk.id, Chunk.fence == chunk.fence).values(values))
