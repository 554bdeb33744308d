"""A worker's hold on a chunk: ready -> leased, the work under the lease, and leased -> closed or back to ready.

Every step after the claim raises FencedError, and changes nothing, when the chunk is no longer held.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, Row, case, column, select, update
from sqlalchemy import table as sql_table
from sqlalchemy.orm import Session

from db import files, results
from db.chunks.conditions import as_closed, back_to_ready, backoff_seconds, claimable, held_by
from db.chunks.without_removed import without_removed
from db.compare_and_set import changed, n_changed
from db.documents import NewDocument
from db.errors import FencedError, NewerSchemaError
from db.sql import now
from db.states import ChunkState
from db.store import SCHEMA, newer_schema
from db.tables import Chunk, Job

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


@dataclass(frozen=True, slots=True)
class Claim:
    """A worker's hold on a chunk."""

    chunk_id: int
    fence: int
    #: The process that holds it.
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
    """ready -> leased. None if another process has it, it is closed, or its job is paused or has ended. Raises
    NewerSchemaError when the store was upgraded beyond this code."""
    row = session.execute(
        update(Chunk)
        .where(Chunk.id == chunk_id, *claimable(), _schema_is_known())
        .values(
            state=ChunkState.LEASED,
            fence=Chunk.fence + 1,
            lease_until=now(lease_seconds),
            worker=holder.name,
            instance=holder.instance,
            claimed_at=now(),
        )
        .returning(
            Chunk.fence, Chunk.job_id, Chunk.stage, Chunk.document_ids, Chunk.n_crashes, Chunk.n_lost,
            Chunk.n_put_back,
        )
        .execution_options(synchronize_session=False)
    ).one_or_none()  # fmt: skip
    if row is None:
        if problem := newer_schema(session):
            raise NewerSchemaError(problem)
        return None
    return _claim_of(session, chunk_id, holder, row)


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
    written = without_removed(session, written)
    values: dict[str, Any] = {
        "n_ok": Chunk.n_ok + len(written.ok_ids),
        "n_error": Chunk.n_error + len(written.errors),
        "suspect_id": None,
        "n_suspect_crashes": 0,
        "n_suspect_lost": 0,
    }
    values |= as_closed() if close else {"lease_until": now(lease_seconds)}
    _change(session, held, values)
    results.write_ok(session, held.job_id, written.ok_ids)
    results.write_errors(session, held.job_id, written.errors)
    for table, rows in written.rows.items():
        kept = table in results.by_model_version()
        results.write_rows(session, table, held.model_version_id if kept else held.job_id, rows)
    for table, rows in written.about_others.items():
        results.write_rows(session, table, held.job_id, rows)
    if written.made:
        files.add_made(session, held.collection_id, written.made)
    _write_note(session, held, written.note)
    return written


def put_back(session: Session, held: Claim, fault: str) -> None:
    """leased -> ready: the infrastructure failed, and no document is to blame. The chunk waits longer each time, up
    to a minute."""
    before = session.scalar(select(Chunk.n_put_back).where(Chunk.id == held.chunk_id)) or 0
    values = back_to_ready(backoff_seconds(before)) | {"n_put_back": before + 1, "fault": fault}
    _change(session, held, values)


def give_back(session: Session, instance: str) -> int:
    """leased -> ready for every chunk of an instance that is being stopped: a process, or all processes of a worker.
    This is not a crash. Returns how many chunks there were."""
    return n_changed(session, update(Chunk).where(*held_by(instance)).values(back_to_ready(0)))


def _claim_of(session: Session, chunk_id: int, holder: Holder, row: Row[*tuple[Any, ...]]) -> Claim:
    job = session.execute(
        select(Job.kind, Job.parameters, Job.collection_id, Job.model_ref, Job.model_version_id).where(
            Job.id == row.job_id
        )
    ).one()
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
    )


def _schema_is_known() -> ColumnElement[bool]:
    """The condition that no newer docmill has upgraded the store. It is part of the claim itself, so that a worker
    which runs through an upgrade claims nothing after it."""
    version = sql_table("alembic_version", column("version_num")).c.version_num
    return select(version).scalar_subquery() <= SCHEMA


def _change(session: Session, held: Claim, values: dict[str, Any]) -> None:
    """Change the chunk if it is still held under the claim's fence. The instance is compared too: a failover that lost
    the last commits counts fences, and even numbers of chunks, a second time."""
    statement = update(Chunk).where(
        Chunk.id == held.chunk_id,
        Chunk.fence == held.fence,
        Chunk.instance == held.instance,
        Chunk.state == ChunkState.LEASED,
    )
    if not changed(session, statement.values(values)):
        raise FencedError(
            f"chunk {held.chunk_id} of job {held.job_id} is no longer held with fence {held.fence}"
        )


def _write_note(session: Session, held: Claim, note: str | None) -> None:
    if note is not None:
        session.execute(update(Job).where(Job.id == held.job_id).values(note=note))
