"""A worker's hold on a chunk: ready -> leased, the work under the lease, and leased -> closed or back to ready.

Every step after the claim raises FencedError, and changes nothing, when the chunk is no longer held.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import Row, case, select, update
from sqlalchemy.orm import Session

from db import drains, erased, files, limits, results, tallies
from db.chunks import hot, one_message
from db.chunks.conditions import back_to_ready, backoff_seconds, held_by
from db.chunks.without_removed import without_removed
from db.compare_and_set import changed, n_changed
from db.documents import NewDocument
from db.errors import DrainedError, FencedError, NewerCodeError, NewerSchemaError
from db.sql import now, one_of
from db.states import ChunkState
from db.store import Store, newer_schema
from db.tables import Chunk, Job
from db.tallies import Counted, Requeue

#: A chunk that was lost is run whole again, then in halved batches, then in quarters. After this many losses its
#: documents are run one by one.
MAX_LOST_TOGETHER = 3


@dataclass(frozen=True, slots=True)
class Holder:
    """The process that claims."""

    #: For people: "cpu-0@host". Two workers may have the same name.
    name: str
    #: Random, new for each process: LAUNCHED.OWN, where LAUNCHED is the instance of the worker it belongs to.
    instance: str
    #: The machine, as drains name it.
    host: str = ""
    #: The epoch of each kind that its code has, as JSON. It claims nothing of a job that asks for a newer one.
    known_epochs: str = "{}"

    @property
    def launched(self) -> str:
        """The instance of the worker that this process belongs to."""
        return self.instance.partition(".")[0]


@dataclass(frozen=True, slots=True)
class Claim:
    """A worker's hold on a chunk."""

    chunk_id: int
    fence: int
    #: The process that holds it. Random, so that no claim of a store's past matches one of a restored store.
    instance: str
    job_id: int
    kind: str
    parameters: dict[str, Any]
    collection_id: int
    model_ref: str | None
    model_version_id: int | None
    stage: int
    document_ids: list[int]
    #: A worker died over this chunk, or many were lost: run its documents one by one.
    careful: bool
    #: How often it was requeued for a fault that no document caused.
    n_put_back: int = 0
    #: How often its batches are halved: workers were lost with it, for an unknown reason.
    n_halvings: int = 0
    #: Of the code of the kind that the job asks for.
    epoch: int = 1
    #: Limits that the time for which it is held counts for.
    meters: tuple[limits.Meter, ...] = ()
    #: The trace that its job belongs to.
    traceparent: str | None = None


@dataclass(frozen=True)
class Written:
    """What a worker writes about some documents of its chunk."""

    ok_ids: Sequence[int] = ()
    #: (document id, code, detail)
    errors: Sequence[tuple[int, str, str]] = ()
    #: Result rows by table.
    rows: dict[str, results.Rows] = field(default_factory=dict)
    #: Rows about documents that the job does not run, by table.
    about_others: dict[str, results.Rows] = field(default_factory=dict)
    #: New documents, each with the id of the document that it was made of.
    made: Sequence[tuple[int, NewDocument]] = ()
    #: A note about the whole job.
    note: str | None = None


def claim(session: Session, chunk_id: int, holder: Holder, lease_seconds: float) -> Claim | None:
    """ready -> leased. None if another process has it, it is closed, its job is paused or has ended, or a limit has no
    room for it. Raises NewerSchemaError when the store was upgraded beyond this code, NewerCodeError when the job asks
    for newer code of its kind, and DrainedError when this worker is drained. All of them are part of the claim itself:
    what commits before it holds, and a claim that is refused uses up nothing of a limit."""
    connection = session.connection()
    with_job = connection.dialect.name == "postgresql"
    values = _values(chunk_id, holder, lease_seconds)
    row = connection.execute(hot.claim(with_job=with_job), values).one_or_none()
    if row is None:
        _insist_that_it_may(session, chunk_id, holder)
        return None
    if with_job:
        # Refused, it is ready again.
        return None if row.admission is None else _claim_of(chunk_id, holder, row, row)
    return _admitted(session, chunk_id, holder, row)


def claim_at_once(store: Store, chunk_id: int, holder: Holder, lease_seconds: float) -> Claim | None:
    """`claim`, committed. On PostgreSQL, it is one statement outside any transaction: one message to the database
    instead of three."""
    with store.write() if store.is_sqlite else store.look() as session:
        return claim(session, chunk_id, holder, lease_seconds)


def _admitted(session: Session, chunk_id: int, holder: Holder, row: Row[Any]) -> Claim | None:
    """On SQLite, the claim if the limits of its job allow it; else the chunk is ready again."""
    admission = limits.admit(session, row.job_id, row.n_documents) if row.n_limits else None
    if admission is not None and not admission.is_admitted:
        # It is sent again as soon as there is room.
        n_changed(session, update(Chunk).where(Chunk.id == chunk_id).values(back_to_ready(0)))
        return None
    job = session.connection().execute(hot.job_of_claim(), {"b_job": row.job_id}).one()
    claim = _claim_of(chunk_id, holder, row, job)
    return claim if admission is None else replace(claim, meters=admission.meters)


def renew(session: Session, held: Claim, lease_seconds: float, note: str | None = None) -> None:
    """Extend the lease, because the work goes on."""
    _change(session, held, {"lease_until": now(lease_seconds)})
    _write_note(session, held, note)


def suspect(session: Session, held: Claim, document_id: int, lease_seconds: float) -> None:
    """Announce the document that is about to be run alone, so that a death is blamed on it and on no other. Its
    earlier deaths still count; for another document the count starts at 0."""
    same = Chunk.suspect_id.is_not_distinct_from(document_id)
    _change(
        session,
        held,
        {
            "lease_until": now(lease_seconds),
            "n_suspect_crashes": case((same, Chunk.n_suspect_crashes), else_=0),
            "n_suspect_lost": case((same, Chunk.n_suspect_lost), else_=0),
            "suspect_id": document_id,
            "suspect_fence": held.fence,
        },
    )


def write(session: Session, held: Claim, written: Written, lease_seconds: float, *, close: bool) -> Written:
    """Store outcomes and result rows of some documents, all or nothing. With `close`, leased -> closed; without it,
    the lease is extended. Returns what was stored: of documents that were removed meanwhile, only that they were."""
    erased.together(session)
    n_ok, n_error = len(written.ok_ids), len(written.errors)
    if _count(session, held, n_ok, n_error, lease_seconds, close=close):
        written = without_removed(session, written)
        if (len(written.ok_ids), len(written.errors)) != (n_ok, n_error):
            fewer, more = n_ok - len(written.ok_ids), len(written.errors) - n_error
            corrected = {"n_ok": Chunk.n_ok - fewer, "n_error": Chunk.n_error + more}
            session.execute(update(Chunk).where(Chunk.id == held.chunk_id).values(corrected))
    if close:
        limits.count_at_end(session, held.chunk_id, held.meters)
    results.write_ok(session, held.job_id, held.kind, written.ok_ids)
    results.write_errors(session, held.job_id, held.kind, written.errors)
    for table, rows in written.rows.items():
        kept = results.is_by_model_version(table)
        results.write_rows(session, table, held.model_version_id if kept else held.job_id, rows)
        tallies.add(session, Counted.ROWS, held.kind, table, len(rows.values))
    for table, rows in written.about_others.items():
        results.write_rows(session, table, held.job_id, rows)
    if written.made:
        files.add_made(session, held.collection_id, written.made, held.job_id)
    _write_note(session, held, written.note)
    return written


def write_at_once(
    store: Store, held: Claim, written: Written, lease_seconds: float, *, close: bool
) -> Written:
    """`write`, committed; on PostgreSQL in one message, if it may be (`one_message`)."""
    is_one = not store.is_sqlite and one_message.fits(written)
    if is_one and one_message.write(store, held, written, lease_seconds, close=close):
        return written
    with store.write_results() as session:
        return write(session, held, written, lease_seconds, close=close)


def put_back(session: Session, held: Claim, fault: str) -> None:
    """leased -> ready: the infrastructure failed, and no document is to blame. The chunk waits longer each time, up
    to a minute."""
    before = session.scalar(select(Chunk.n_put_back).where(Chunk.id == held.chunk_id)) or 0
    values = back_to_ready(backoff_seconds(before)) | {"n_put_back": before + 1, "fault": fault}
    _change(session, held, values)
    limits.count(session, held.chunk_id, held.meters)
    tallies.add(session, Counted.REQUEUES, held.kind, Requeue.PUT_BACK)


def give_back(session: Session, instance: str) -> int:
    """leased -> ready for every chunk of an instance that is being stopped: a process, or all processes of a worker.
    This is not a crash. Returns how many chunks there were."""
    mine = session.execute(select(Chunk.id, Chunk.queue).where(*held_by(instance)).with_for_update()).all()
    if mine:
        limits.count_held(session, [row.id for row in mine])
    for row in mine:
        tallies.add(session, Counted.REQUEUES, row.queue, Requeue.GIVEN_BACK)
    ids = [row.id for row in mine] or [0]
    return n_changed(session, update(Chunk).where(one_of(Chunk.id, ids)).values(back_to_ready(0)))


def _values(chunk_id: int, holder: Holder, lease_seconds: float) -> dict[str, Any]:
    """Of the parameters of `hot.claim`."""
    return {
        "b_chunk": chunk_id,
        "b_seconds": lease_seconds,
        "b_host": holder.host,
        "b_worker": holder.name,
        "b_launched": holder.launched,
        "b_instance": holder.instance,
        "b_epochs": holder.known_epochs,
    }


def _insist_that_it_may(session: Session, chunk_id: int, holder: Holder) -> None:
    """Say why this worker may not claim the chunk, if so."""
    if problem := newer_schema(session):
        raise NewerSchemaError(problem)
    if found := drains.of(session, holder.host, holder.name, holder.launched):
        raise DrainedError(f"{drains.target_of(found)} is drained: `docmill workers undrain` ends that")
    job = session.connection().execute(hot.job_of_chunk(), {"b_chunk": chunk_id}).one_or_none()
    known = None if job is None else json.loads(holder.known_epochs).get(job.kind)
    if job is not None and known is not None and job.epoch > known:
        raise NewerCodeError(
            f"job {job.id} asks for {job.kind} of epoch {job.epoch}, and this docmill has {known}: "
            "install the version that submitted it here too"
        )


def _claim_of(chunk_id: int, holder: Holder, row: Row[Any], job: Row[Any]) -> Claim:
    return Claim(
        chunk_id=chunk_id,
        fence=row.fence,
        instance=holder.instance,
        job_id=row.job_id,
        kind=job.kind,
        parameters=job.parameters,
        collection_id=job.collection_id,
        model_ref=job.model_ref,
        model_version_id=job.model_version_id,
        stage=row.stage,
        document_ids=row.document_ids,
        careful=row.n_crashes > 0 or row.n_lost > MAX_LOST_TOGETHER,
        n_put_back=row.n_put_back,
        n_halvings=max(0, row.n_lost - 1),
        epoch=job.epoch,
        meters=limits.meters_of(row.admission) if "admission" in row._fields else (),
        traceparent=job.traceparent,
    )


def _count(
    session: Session, held: Claim, n_ok: int, n_error: int, lease_seconds: float, *, close: bool
) -> bool:
    """Count what is about to be written, and close the chunk or extend its lease. Returns whether the store has erased
    documents."""
    values = _held(held) | {"b_ok": n_ok, "b_error": n_error}
    if not close:
        values["b_seconds"] = lease_seconds
    row = session.connection().execute(hot.written(close=close), values).one_or_none()
    if row is None:
        raise _fenced(held)
    return bool(row.any_erased)


def _held(held: Claim) -> dict[str, Any]:
    return {"b_chunk": held.chunk_id, "b_fence": held.fence, "b_instance": held.instance}


def _fenced(held: Claim) -> FencedError:
    return FencedError(
        f"chunk {held.chunk_id} of job {held.job_id} is no longer held with fence {held.fence}"
    )


def _change(session: Session, held: Claim, values: dict[str, Any]) -> None:
    """Change the chunk if it is still held under the claim's fence. The instance is compared too: a failover that lost
    the last commits, or a restored backup, counts fences, and even numbers of chunks, a second time."""
    statement = update(Chunk).where(
        Chunk.id == held.chunk_id,
        Chunk.fence == held.fence,
        Chunk.instance == held.instance,
        Chunk.state == ChunkState.LEASED,
    )
    if not changed(session, statement.values(values)):
        raise _fenced(held)


def _write_note(session: Session, held: Claim, note: str | None) -> None:
    if note is not None:
        session.execute(update(Job).where(Job.id == held.job_id).values(note=note))
