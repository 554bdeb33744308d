"""Jobs, the chunks they are cut into, and the outcome of every document.

Rows of job and chunk are changed by db.jobs alone; rows of outcome are written once and never changed
(triggers refuse it).
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from db.tables.base import Base, CreatedAt, Id

JOB_STATES = ("waiting", "running", "paused", "cancelling", "finished", "cancelled")
CHUNK_STATES = ("blocked", "ready", "leased", "closed")


def _one_of(column: str, values: tuple[str, ...]) -> str:
    return f"{column} IN ({', '.join(repr(value) for value in values)})"


class Job(Base):
    """One request: a kind, parameters, a selection of documents, a model version."""

    __tablename__ = "job"
    __table_args__ = (
        CheckConstraint(_one_of("state", JOB_STATES), name="state"),
        CheckConstraint(
            "state NOT IN ('finished', 'cancelled') OR n_ok + n_error = n_documents",
            name="every_document_counted",
        ),
        CheckConstraint("priority BETWEEN 0 AND 9", name="priority"),
        Index(
            "ix_job_open",
            "state",
            sqlite_where=text("state NOT IN ('finished', 'cancelled')"),
            postgresql_where=text("state NOT IN ('finished', 'cancelled')"),
        ),
    )

    id: Mapped[Id]
    #: Chosen by the submitter: the same key twice is one job.
    key: Mapped[str | None] = mapped_column(unique=True)
    kind: Mapped[str]
    parameters: Mapped[dict[str, Any]]
    collection_id: Mapped[int] = mapped_column(ForeignKey("collection.id"))
    #: As asked for: NAME, NAME@3 or NAME@alias. For a training job: the name of the model to build.
    model_ref: Mapped[str | None]
    #: What it stands for; settled when the job starts to run.
    model_version_id: Mapped[int | None] = mapped_column(ForeignKey("model_version.id", use_alter=True))
    #: 0 (whenever) to 9 (at once).
    priority: Mapped[int]
    #: Runs once that job is finished.
    after_job_id: Mapped[int | None] = mapped_column(ForeignKey("job.id"))
    run_id: Mapped[int | None] = mapped_column(ForeignKey("run.id"))
    state: Mapped[str]
    n_documents: Mapped[int]
    #: Counted once, when the job ends.
    n_ok: Mapped[int | None]
    n_error: Mapped[int | None]
    #: What becomes of the documents that are not done when the job is stopped, and why it was.
    stop_code: Mapped[str | None]
    stop_detail: Mapped[str | None]
    #: What a worker last said of its progress: "epoch 3 of 10, loss 0.41".
    note: Mapped[str | None]
    created_at: Mapped[CreatedAt]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]


class Chunk(Base):
    """A slice of a job's documents: what one Celery message carries the id of."""

    __tablename__ = "chunk"
    __table_args__ = (
        UniqueConstraint("job_id", "stage", "seq"),
        CheckConstraint(_one_of("state", CHUNK_STATES), name="state"),
        CheckConstraint("(state = 'leased') = (lease_until IS NOT NULL)", name="leased_until"),
        Index(
            "ix_chunk_ready",
            "job_id",
            "id",
            sqlite_where=text("state = 'ready'"),
            postgresql_where=text("state = 'ready'"),
        ),
        Index(
            "ix_chunk_blocked",
            "job_id",
            "stage",
            "seq",
            sqlite_where=text("state = 'blocked'"),
            postgresql_where=text("state = 'blocked'"),
        ),
        Index(
            "ix_chunk_open",
            "job_id",
            "stage",
            "seq",
            sqlite_where=text("state <> 'closed'"),
            postgresql_where=text("state <> 'closed'"),
        ),
        Index(
            "ix_chunk_leased",
            "lease_until",
            sqlite_where=text("state = 'leased'"),
            postgresql_where=text("state = 'leased'"),
        ),
    )

    id: Mapped[Id]
    job_id: Mapped[int] = mapped_column(ForeignKey("job.id"))
    stage: Mapped[int]
    #: From 1, within job and stage.
    seq: Mapped[int]
    #: Copied from the job, so that feeding reads one index.
    queue: Mapped[str]
    priority: Mapped[int]
    n_documents: Mapped[int]
    #: Outcomes written by this chunk so far.
    n_ok: Mapped[int] = mapped_column(insert_default=0)
    n_error: Mapped[int] = mapped_column(insert_default=0)
    state: Mapped[str]
    #: Raised by every claim: a write that carries an older fence matches no row.
    fence: Mapped[int] = mapped_column(insert_default=0)
    lease_until: Mapped[datetime | None]
    #: The worker that claimed it last, as "device@host": for people, since two workers may have one name.
    worker: Mapped[str | None]
    #: The process that claimed it last: random, so that nobody else's death frees it.
    instance: Mapped[str | None]
    #: When a message about it was last sent.
    sent_at: Mapped[datetime | None]
    #: Not to be claimed earlier: the backoff after a fault.
    not_before: Mapped[datetime | None]
    #: Times it was given back for a fault of the infrastructure, and the last such fault.
    n_put_back: Mapped[int] = mapped_column(insert_default=0)
    fault: Mapped[str | None]
    #: Times its worker's process died while the worker's launcher lived. Above 0: documents run one by one.
    n_crashes: Mapped[int] = mapped_column(insert_default=0)
    #: Times its lease ran out, or its whole machine was lost: no evidence about a document.
    n_lost: Mapped[int] = mapped_column(insert_default=0, server_default=text("0"))
    #: The document that is being run alone, and the workers that died doing so.
    suspect_id: Mapped[int | None]
    #: The fence of the claim that said so: who dies before saying it again is no evidence.
    suspect_fence: Mapped[int | None]
    n_suspect_crashes: Mapped[int] = mapped_column(insert_default=0)
    #: The workers that were lost while they ran it alone.
    n_suspect_lost: Mapped[int] = mapped_column(insert_default=0, server_default=text("0"))
    closed_at: Mapped[datetime | None]
    #: Last, so that SQLite reads the short columns without it.
    document_ids: Mapped[list[int]] = mapped_column(deferred=True)


class Outcome(Base):
    """What became of one document in one job."""

    __tablename__ = "outcome"
    __table_args__ = (
        CheckConstraint("(state = 'ok') = (error_code IS NULL)", name="error_has_code"),
        CheckConstraint("state IN ('ok', 'error')", name="state"),
        Index("ix_outcome_document_id", "document_id"),
        Index(
            "ix_outcome_error",
            "job_id",
            "error_code",
            sqlite_where=text("state = 'error'"),
            postgresql_where=text("state = 'error'"),
        ),
    )

    job_id: Mapped[int] = mapped_column(ForeignKey("job.id"), primary_key=True)
    document_id: Mapped[int] = mapped_column(ForeignKey("document.id"), primary_key=True)
    state: Mapped[str]
    error_code: Mapped[str | None]
    error_detail: Mapped[str | None]
    written_at: Mapped[CreatedAt]
