"""The statements that every chunk runs, each built once.

To build such a statement from its parts, and to find its compiled form, takes SQLAlchemy longer than the database needs
to run it. They are of the plain tables, since those of mapped classes take longer still. PostgreSQL keeps them prepared
(`db.store`).
"""

from __future__ import annotations

from functools import cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Float,
    ScalarSelect,
    Text,
    Update,
    and_,
    bindparam,
    cast,
    exists,
    func,
    select,
    update,
)

from db import compatibility, drains, limits
from db.chunks.conditions import as_closed, is_of_running, is_ready
from db.sql import member_of, now
from db.states import ChunkState
from db.store import SCHEMA
from db.tables import Chunk, Document, Job, JobLimit

_CHUNK: Any = Chunk.__table__
_JOB: Any = Job.__table__
_DOCUMENT: Any = Document.__table__
_LIMIT: Any = JobLimit.__table__

_SECONDS = now(bindparam("b_seconds", type_=Float()))
#: What a claim is made of: of the chunk, and of its job.
_OF_CHUNK = ("fence", "job_id", "stage", "document_ids", "n_crashes", "n_lost", "n_put_back", "n_documents")
_OF_JOB = ("kind", "parameters", "collection_id", "model_ref", "model_version_id", "epoch", "traceparent")


@cache
def claim(*, with_job: bool) -> Update:
    """ready -> leased, with b_chunk, b_seconds, who claims (b_host, b_worker, b_launched, b_instance), and b_epochs:
    the epochs of the kinds that it knows, as JSON. RETURNS what a claim is made of; SQLite cannot return columns of
    another table, so the job's are left out unless `with_job`. With it, limits have been asked too: `admission` is NULL
    if they have refused the chunk, which is ready again."""
    chunk, job = _CHUNK.c, _JOB.c
    may_run = (*is_of_running(chunk, job), job.epoch <= _known_epoch(job))
    statement = update(_CHUNK).where(
        chunk.id == bindparam("b_chunk"),
        *is_ready(chunk),
        and_(*may_run) if with_job else exists().where(*may_run),
        # Part of the claim itself: a worker that runs through an upgrade or a drain claims nothing after it.
        compatibility.is_known_to(SCHEMA),
        drains.admits(bindparam("b_host"), bindparam("b_worker"), bindparam("b_launched")),
    )
    values = {
        "state": ChunkState.LEASED,
        "fence": chunk.fence + 1,
        "lease_until": _SECONDS,
        "worker": bindparam("b_worker"),
        "instance": bindparam("b_instance"),
        "claimed_at": now(),
    }
    # Asked here, limits need no further statement, or a job without limits needs none.
    n_limits = _n_limits(of_job=with_job)
    more: list[Any] = [n_limits.label("n_limits")]
    if with_job:
        more = [limits.admission(n_limits, chunk), *(job[name] for name in _OF_JOB)]
    returned = statement.values(values).returning(*(chunk[name] for name in _OF_CHUNK), *more)
    return returned.execution_options(docmill_prepare=True)


def _known_epoch(job: Any) -> ColumnElement[int]:
    """In SQL: the newest epoch of the job's kind that the claimer may run; any of a kind that it does not name."""
    known = member_of(bindparam("b_epochs", type_=Text()), job.kind)
    return func.coalesce(cast(known, BigInteger), job.epoch)


def _n_limits(*, of_job: bool) -> ScalarSelect[int]:
    """In SQL: how many limits hold for the chunk's job, or if that is not known, how many the store has."""
    conditions = (limits.is_limiting(), *((limits.holds_for(),) if of_job else ()))
    return select(func.count()).select_from(_LIMIT).where(*conditions).correlate(_JOB).scalar_subquery()


@cache
def job_of_claim() -> Any:
    """What a claim needs of its job, with b_job."""
    return select(*(_JOB.c[name] for name in _OF_JOB)).where(_JOB.c.id == bindparam("b_job"))


@cache
def job_of_chunk() -> Any:
    """The job of b_chunk, if there is one: its id, kind and epoch."""
    job = select(_JOB.c.id, _JOB.c.kind, _JOB.c.epoch).join(_CHUNK, _CHUNK.c.job_id == _JOB.c.id)
    return job.where(_CHUNK.c.id == bindparam("b_chunk"))


@cache
def written(*, close: bool) -> Update:
    """`counted`, which RETURNS whether the store has erased documents."""
    any_erased = exists().where(_DOCUMENT.c.erased_at.is_not(None)).label("any_erased")
    return counted(close=close).returning(any_erased).execution_options(docmill_prepare=True)


def counted(*, close: bool) -> Update:
    """Counts what is written about a chunk's documents, if b_chunk is held with b_fence by b_instance; with `close`,
    leased -> closed, else the lease is extended by b_seconds."""
    chunk = _CHUNK.c
    values: dict[str, Any] = {
        "n_ok": chunk.n_ok + bindparam("b_ok"),
        "n_error": chunk.n_error + bindparam("b_error"),
        "suspect_id": None,
        "n_suspect_crashes": 0,
        "n_suspect_lost": 0,
    }
    values |= as_closed() if close else {"lease_until": _SECONDS}
    return update(_CHUNK).where(*is_held(chunk)).values(values)


def is_held(chunk: Any) -> tuple[ColumnElement[bool], ...]:
    """The condition that b_chunk is held with b_fence by b_instance."""
    return (
        chunk.id == bindparam("b_chunk"),
        chunk.fence == bindparam("b_fence"),
        chunk.instance == bindparam("b_instance"),
        chunk.state == ChunkState.LEASED,
    )
