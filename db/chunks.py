"""Every change of a chunk's state, each one function, each a compare-and-set.

    blocked -> ready -> leased -> closed;   leased -> ready after a fault

A chunk's fence goes up with every claim. Whatever a worker writes carries the fence of its claim, so what a
worker writes that lost its lease matches no row and is dropped. Nothing here knows Redis.

A claim names the process that made it (its instance, which is random), since two workers may have one name. A
crash is the death of a process whose launcher lived to see it; a lease that ran out is a loss, and says nothing
about a document.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import (
    CursorResult,
    Select,
    Update,
    case,
    column,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy import table as sql_table
from sqlalchemy.orm import Session, aliased

from db import files, results
from db.documents import NewDocument
from db.errors import FencedError, NewerSchemaError
from db.sql import now, one_of
from db.store import SCHEMA, newer_schema
from db.tables import Chunk, Job, LostClaim

#: A document is given up as POISON after so many dead workers: one in a batch, the rest alone.
MAX_CRASHES = 4
#: So many workers lost, one after the other, each while it ran this same document alone: it is given up too. One
#: that takes its whole machine down leaves no launcher to see it.
MAX_LOST = 6
#: A chunk that was lost is run whole again, then in halved batches, then in quarters; after so many losses its
#: documents are run one by one.
MAX_LOST_TOGETHER = 3
#: `chunk.suspect_id` of a chunk that is run as a whole (training): every document is the suspect.
WHOLE_CHUNK = 0


@dataclass(frozen=True, slots=True)
class Message:
    """What the broker is told about a chunk: its number, and words for people."""

    chunk_id: int
    job_id: int
    kind: str
    stage: int
    seq: int
    n_chunks: int
    n_documents: int
    priority: int


@dataclass(frozen=True, slots=True)
class Holder:
    """Who claims: a process."""

    #: For people: "cpu-0@host". Two workers may have one name.
    name: str
    #: Random, new for each process: LAUNCHED.OWN, where LAUNCHED is that of the worker it belongs to.
    instance: str


@dataclass(frozen=True, slots=True)
class Claim:
    """A worker's hold on a chunk."""

    chunk_id: int
    fence: int
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
    #: Times it was given back for a fault that was no document's.
    n_put_back: int = 0
    #: How often its batches are halved: workers were lost with it, and nobody knows why.
    n_halvings: int = 0


@dataclass(frozen=True)
class Written:
    """What a worker has to say about some documents of its chunk."""

    ok_ids: Sequence[int] = ()
    #: (document id, code, detail)
    errors: Sequence[tuple[int, str, str]] = ()
    #: Result rows by table.
    rows: dict[str, results.Rows] = field(default_factory=dict)
    #: New documents, each with the id of the document that it was made of.
    made: Sequence[tuple[int, NewDocument]] = ()
    #: A word about the whole job.
    note: str | None = None


# --- feeding: which chunks the broker should know of ------------------------------------------------------


def ready(session: Session, limit: int = 1_000) -> list[tuple[str, int, int]]:
    """(queue, priority, chunks that could be claimed now, counted up to `limit`), most urgent first."""
    running = select(Job.kind, Job.priority).where(Job.state == "running").distinct()
    found = []
    for queue, priority in session.execute(running.order_by(Job.priority.desc(), Job.kind)).all():
        n = 0
        for job_id in _running_jobs(session, queue, priority):
            some = select(Chunk.id).where(Chunk.job_id == job_id, *_claimable()).limit(limit - n)
            n += session.scalar(select(func.count()).select_from(some.subquery())) or 0
            if n >= limit:
                break
        if n:
            found.append((queue, priority, n))
    return found


def _running_jobs(session: Session, queue: str, priority: int) -> Sequence[int]:
    """The running jobs of a queue and priority, oldest first. Chunks are looked for job by job: the ready chunks of
    a paused or cancelled job, of which there may be a million, are then never passed over."""
    jobs = select(Job.id).where(Job.state == "running", Job.kind == queue, Job.priority == priority)
    return session.scalars(jobs.order_by(Job.id)).all()


def take_for_sending(
    session: Session, queue: str, priority: int, limit: int, resend_seconds: float
) -> list[Message]:
    """Choose claimable chunks that the broker does not know of: never sent, or sent `resend_seconds` ago and
    still not claimed. They are marked as sent; a message that is then lost is sent again after that time."""
    jobs = _running_jobs(session, queue, priority)
    ids: list[int] = []
    for is_unknown in (Chunk.sent_at.is_(None), Chunk.sent_at < now(-resend_seconds)):
        for job_id in jobs:
            if len(ids) < limit:
                ids += _first(session, limit - len(ids), is_unknown, Chunk.job_id == job_id, *_claimable())
    if not ids:
        return []
    session.execute(update(Chunk).where(Chunk.id.in_(ids)).values(sent_at=now()))
    sibling = aliased(Chunk)
    n_chunks = (
        select(func.max(sibling.seq))
        .where(sibling.job_id == Chunk.job_id, sibling.stage == Chunk.stage)
        .scalar_subquery()
    )
    rows = session.execute(
        select(
            Chunk.id, Chunk.job_id, Chunk.queue, Chunk.stage, Chunk.seq, n_chunks, Chunk.n_documents, Chunk.priority
        )
        .where(Chunk.id.in_(ids))
        .order_by(Chunk.id)
    )  # fmt: skip
    return [Message(*row) for row in rows]


def _first(session: Session, limit: int, *conditions: Any) -> list[int]:
    """The first chunks of which this is true, locked; those that another scheduler is taking are left to it."""
    query = select(Chunk.id).where(*conditions).order_by(Chunk.id).limit(limit)
    return list(session.scalars(query.with_for_update(skip_locked=True)))


def unsend(session: Session, chunk_ids: Sequence[int]) -> None:
    """The broker refused the messages: they may be sent again at once."""
    session.execute(update(Chunk).where(Chunk.id.in_(chunk_ids), Chunk.state == "ready").values(sent_at=None))


# --- a worker's work on a chunk ---------------------------------------------------------------------------


def claim(session: Session, chunk_id: int, holder: Holder, lease_seconds: float) -> Claim | None:
    """ready -> leased. None: somebody else has it, it is done, or its job is paused or ended. Raises
    NewerSchemaError when the store was upgraded beyond this code."""
    row = session.execute(
        update(Chunk)
        .where(Chunk.id == chunk_id, *_claimable(), _schema_is_known())
        .values(
            state="leased",
            fence=Chunk.fence + 1,
            lease_until=now(lease_seconds),
            worker=holder.name,
            instance=holder.instance,
        )
        .returning(
            Chunk.fence, Chunk.job_id, Chunk.stage, Chunk.document_ids, Chunk.n_crashes, Chunk.n_lost,
            Chunk.n_put_back,
        )
        .execution_options(synchronize_session=False)
    ).one_or_none()  # fmt: skip
    if row is None:
        if words := newer_schema(session):
            raise NewerSchemaError(words)
        return None
    job = session.execute(
        select(Job.kind, Job.parameters, Job.collection_id, Job.model_ref, Job.model_version_id).where(
            Job.id == row.job_id
        )
    ).one()
    return Claim(
        chunk_id=chunk_id,
        fence=row.fence,
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


def renew(session: Session, held: Claim, lease_seconds: float, note: str | None = None) -> None:
    """Prolong the lease, because work went on. Raises FencedError when the chunk is no longer held."""
    _held(session, held, {"lease_until": now(lease_seconds)})
    _note(session, held, note)


def suspect(session: Session, held: Claim, document_id: int, lease_seconds: float) -> None:
    """Say which document is about to be run alone, so that a death is blamed on it and on no other. The
    deaths that it caused before still count; another document starts at none."""
    same = Chunk.suspect_id.is_not_distinct_from(document_id)
    _held(
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


def write(session: Session, held: Claim, written: Written, lease_seconds: float, *, close: bool) -> None:
    """Outcomes and result rows of some documents, all or nothing; `close` ends the chunk. Raises FencedError,
    and writes nothing, when the chunk is no longer held."""
    values: dict[str, Any] = {
        "n_ok": Chunk.n_ok + len(written.ok_ids),
        "n_error": Chunk.n_error + len(written.errors),
        "suspect_id": None,
        "n_suspect_crashes": 0,
        "n_suspect_lost": 0,
    }
    if close:
        values |= {"state": "closed", "lease_until": None, "closed_at": now()}
    else:
        values |= {"lease_until": now(lease_seconds)}
    _held(session, held, values)
    results.write_ok(session, held.job_id, written.ok_ids)
    results.write_errors(session, held.job_id, written.errors)
    for table, rows in written.rows.items():
        kept = table in results.by_model_version()
        results.write_rows(session, table, held.model_version_id if kept else held.job_id, rows)
    if written.made:
        files.add_made(session, held.collection_id, written.made)
    _note(session, held, written.note)


def put_back(session: Session, held: Claim, fault: str) -> None:
    """leased -> ready: the infrastructure failed, no document is to blame. Each time the chunk waits longer, up
    to a minute. Raises FencedError."""
    before = session.scalar(select(Chunk.n_put_back).where(Chunk.id == held.chunk_id)) or 0
    values = _back_to_ready(min(2.0**before, 60)) | {"n_put_back": before + 1, "fault": fault}
    _held(session, held, values)


def give_back(session: Session, instance: str) -> int:
    """leased -> ready for all that an instance holds which is being stopped: a process, or every process of a
    worker. Not a crash. Returns how many."""
    result: CursorResult[Any] = session.execute(  # type: ignore[assignment]
        update(Chunk).where(*_held_by(instance)).values(_back_to_ready(0))
    )
    return int(result.rowcount)


# --- after a worker's death -------------------------------------------------------------------------------


def crashed(session: Session, instance: str, code: str, detail: str) -> list[int]:
    """A process died and its launcher lives: free what it held at once, and count the death. Returns the
    chunks."""
    found = _locked(session, select(Chunk).where(*_held_by(instance)))
    for chunk in found:
        _count_crash(session, chunk, code, detail)
    return [chunk.id for chunk in found]


def crashed_late(session: Session, chunk_id: int, fence: int, code: str, detail: str) -> bool:
    """As `crashed`, for a claim whose lease had run out before the death was reported: what was counted as a
    loss becomes a crash. False if this claim was not lost."""
    lost = session.get(LostClaim, (chunk_id, fence))
    if lost is None:
        return False
    session.execute(delete(LostClaim).where(LostClaim.chunk_id == chunk_id, LostClaim.fence == fence))
    for chunk in _locked(session, select(Chunk).where(Chunk.id == chunk_id, Chunk.state != "closed")):
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
    """A process is known to be dead and nobody saw why (its launcher died too): free what it held at once.
    Returns the chunks."""
    return _count_losses(session, select(Chunk).where(*_held_by(instance)), detail)


def expired() -> tuple[Any, ...]:
    """The condition that a chunk's lease ran out."""
    return (Chunk.state == "leased", Chunk.lease_until < now())


def reap(session: Session, limit: int = 100) -> list[int]:
    """Free the chunks whose lease ran out, and count a loss of each. Returns the chunks."""
    detail = "its worker stopped renewing the lease: the machine was lost, or the work hung"
    return _count_losses(session, select(Chunk).where(*expired()).limit(limit), detail, skip=True)


def _locked(session: Session, query: Select[Chunk], *, skip: bool = False) -> list[Chunk]:
    """The chunks, locked. A report of a death waits for a reaper that has them, and then finds what it left."""
    return list(session.scalars(query.with_for_update(skip_locked=skip)))


def _count_losses(session: Session, leased: Select[Chunk], detail: str, *, skip: bool = False) -> list[int]:
    found = _locked(session, leased, skip=skip)
    for chunk in found:
        _count_loss(session, chunk, detail)
    return [chunk.id for chunk in found]


def _count_loss(session: Session, chunk: Chunk, detail: str) -> None:
    """No evidence: the chunk is run whole again. Only a document that was announced and run alone in every one
    of many losses is given up."""
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
    delay = 0 if chunk.n_lost == 0 else min(2.0 ** (chunk.n_lost - 1), 60)
    values = _back_to_ready(delay) | {
        "n_lost": chunk.n_lost + 1,
        "n_suspect_lost": n_suspect,
        "fault": detail,
    }
    if was_alone and n_suspect >= MAX_LOST:
        _give_up(session, chunk, values, "POISON", n_suspect, f"were lost in a row: {detail}")
    else:
        _set(session, chunk, values)


def _count_crash(session: Session, chunk: Chunk, code: str, detail: str) -> None:
    """The first crash makes the chunk careful; later ones count against the document that was being run."""
    is_evidence = _was_alone(chunk)
    # Nobody is blamed for a death before the first document (a model that cannot be loaded, say), but it
    # must not be tried again in a tight loop.
    delay = 0 if is_evidence or chunk.n_crashes == 0 else min(2.0 ** (chunk.n_crashes - 1), 60)
    values = _back_to_ready(delay) | {"n_crashes": chunk.n_crashes + 1, "fault": detail}
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
    """Store what a crash changed; with the last one that a document may have, it is given up."""
    values["n_suspect_crashes"] = n_suspect
    alone = MAX_CRASHES if chunk.suspect_id == WHOLE_CHUNK else MAX_CRASHES - 1
    if may_end and n_suspect >= alone:
        _give_up(session, chunk, values, code, MAX_CRASHES, f"died: {detail}")
    else:
        _set(session, chunk, values)


def _give_up(
    session: Session, chunk: Chunk, values: dict[str, Any], code: str, n_workers: int, what: str
) -> None:
    """The suspect gets its outcome; a chunk that is run as a whole ends for all its documents."""
    if chunk.suspect_id == WHOLE_CHUNK:
        close_with_error(session, chunk.id, "CRASHED", f"{n_workers} workers that ran this chunk {what}")
        return
    blame = f"{n_workers} workers that ran this document {what}"
    results.write_errors(session, chunk.job_id, [(chunk.suspect_id or 0, code, blame)])
    cleared = {"suspect_id": None, "n_suspect_crashes": 0, "n_suspect_lost": 0, "n_error": chunk.n_error + 1}
    # Somebody may run it by now, after a death that is reported late: what they write of it would be a second outcome.
    _set(session, chunk, _back_to_ready(0) | values | cleared)


def _set(session: Session, chunk: Chunk, values: dict[str, Any]) -> None:
    session.execute(update(Chunk).where(Chunk.id == chunk.id, Chunk.fence == chunk.fence).values(values))


# --- the pieces they share ----------------------------------------------------------------------------------


def _claimable() -> tuple[Any, ...]:
    return (
        Chunk.state == "ready",
        or_(Chunk.not_before.is_(None), Chunk.not_before <= now()),
        job_in("running"),
    )


def _schema_is_known() -> Any:
    """The condition that no newer docmill has upgraded the store: asked in the claim itself, so that a worker
    that runs through an upgrade claims nothing after it."""
    version = sql_table("alembic_version", column("version_num")).c.version_num
    return select(version).scalar_subquery() <= SCHEMA


def _held_by(instance: str) -> tuple[Any, ...]:
    """The condition that a process, or any process of a worker, holds a chunk."""
    of_worker = Chunk.instance.startswith(f"{instance}.", autoescape=True)
    return (Chunk.state == "leased", or_(Chunk.instance == instance, of_worker))


def job_in(state: str) -> Any:
    """The condition that a chunk's job is in this state."""
    return exists().where(Job.id == Chunk.job_id, Job.state == state)


def _back_to_ready(delay_seconds: float) -> dict[str, Any]:
    return {
        "state": "ready",
        "lease_until": None,
        "sent_at": None,
        "not_before": now(delay_seconds) if delay_seconds else None,
    }


def _closed() -> dict[str, Any]:
    return {"state": "closed", "lease_until": None, "closed_at": now(), "suspect_id": None}


def _held(session: Session, held: Claim, values: dict[str, Any]) -> None:
    statement = update(Chunk).where(
        Chunk.id == held.chunk_id, Chunk.fence == held.fence, Chunk.state == "leased"
    )
    if not changed(session, statement.values(values)):
        raise FencedError(
            f"chunk {held.chunk_id} of job {held.job_id} is no longer held with fence {held.fence}"
        )


def _note(session: Session, held: Claim, note: str | None) -> None:
    if note is not None:
        session.execute(update(Job).where(Job.id == held.job_id).values(note=note))


def close_with_error(session: Session, chunk_id: int, code: str, detail: str) -> None:
    """Close a chunk, whoever holds it; its documents without an outcome get this error."""
    close_many_with_error(session, [chunk_id], code, detail)


def close_many_with_error(session: Session, chunk_ids: Sequence[int], code: str, detail: str) -> None:
    """The same for several chunks of one stage of a job, in a few statements."""
    rows = session.execute(
        select(Chunk.id, Chunk.job_id, Chunk.document_ids).where(one_of(Chunk.id, chunk_ids))
    ).all()
    job_id = rows[0].job_id
    done = results.with_outcome(session, job_id, [id_ for row in rows for id_ in row.document_ids])
    missing = {row.id: [id_ for id_ in row.document_ids if id_ not in done] for row in rows}
    by_number: dict[int, list[int]] = {}
    for chunk_id, ids in missing.items():
        by_number.setdefault(len(ids), []).append(chunk_id)
    for n, those in by_number.items():
        values = _closed() | {"fence": Chunk.fence + 1, "n_error": Chunk.n_error + n}
        n_changed(session, update(Chunk).where(one_of(Chunk.id, those)).values(values))
    results.write_error_for(session, job_id, [id_ for ids in missing.values() for id_ in ids], code, detail)


def close_part_with_error(
    session: Session, chunk_id: int, job_id: int, document_ids: Sequence[int], code: str, detail: str
) -> None:
    """Take a chunk from whoever holds it, and give this error to some of its documents: those that have no
    outcome. Without documents, close the chunk: all of them were given theirs."""
    n_error = results.write_error_for(session, job_id, document_ids, code, detail)
    values = _back_to_ready(0) if document_ids else _closed()
    values |= {"fence": Chunk.fence + 1, "n_error": Chunk.n_error + n_error}
    session.execute(update(Chunk).where(Chunk.id == chunk_id).values(values))


def changed(session: Session, statement: Update) -> bool:
    """Whether a compare-and-set found its row as expected."""
    return n_changed(session, statement) == 1


def n_changed(session: Session, statement: Update) -> int:
    """How many rows an UPDATE changed."""
    result: CursorResult[Any] = session.execute(  # type: ignore[assignment]
        statement, execution_options={"synchronize_session": False}
    )
    return int(result.rowcount)
