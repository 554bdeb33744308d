"""Jobs, their chunks, and the outcome of every document.

The rows of job and chunk are changed by db.jobs and db.chunks (a training's model is noted by db.model_versions).
Rows of outcome are written once, by db.results, and never changed: triggers refuse it.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from db.states import ENDED, HARMFUL, ChunkState, JobState, OutcomeState
from db.tables.base import Base, CreatedAt, Id


def _is_in(column: str, values: Iterable[StrEnum]) -> str:
    return f"{column} IN ({_quoted(values)})"


def _quoted(values: Iterable[StrEnum]) -> str:
    return ", ".join(f"'{value}'" for value in values)


_HAS_NOT_ENDED = f"state NOT IN ({_quoted(ENDED)})"


class Job(Base):
    """One request: a kind, parameters, a selection of documents, a model version."""

    __tablename__ = "job"
    __table_args__ = (
        CheckConstraint(_is_in("state", JobState), name="state"),
        CheckConstraint(
            f"{_HAS_NOT_ENDED} OR n_ok + n_error = n_documents",
            name="every_document_counted",
        ),
        CheckConstraint("priority BETWEEN 0 AND 9", name="priority"),
        Index(
            "ix_job_open",
            "state",
            sqlite_where=text(_HAS_NOT_ENDED),
            postgresql_where=text(_HAS_NOT_ENDED),
        ),
        Index(
            "ix_job_run_id",
            "run_id",
            sqlite_where=text("run_id IS NOT NULL"),
            postgresql_where=text("run_id IS NOT NULL"),
        ),
        Index(
            "ix_job_finished_at",
            "finished_at",
            sqlite_where=text("finished_at IS NOT NULL"),
            postgresql_where=text("finished_at IS NOT NULL"),
        ),
        # Lists of jobs of one kind or collection, newest first.
        Index("ix_job_kind", "kind", "id"),
        Index("ix_job_collection_id", "collection_id", "id"),
    )

    id: Mapped[Id]
    #: Chosen by the submitter: the same key twice is one job.
    key: Mapped[str | None] = mapped_column(unique=True)
    kind: Mapped[str]
    parameters: Mapped[dict[str, Any]]
    #: Of the kind's code: results of an older epoch do not stand (nlp_tasks.kind.Kind.epoch).
    epoch: Mapped[int] = mapped_column(insert_default=1, server_default=text("1"))
    collection_id: Mapped[int] = mapped_column(ForeignKey("collection.id"))
    #: What a training learns from beside that collection (db.corrections.Sources); NULL for nothing else.
    sources: Mapped[dict[str, Any] | None]
    #: As asked for: NAME, NAME@3 or NAME@alias. For a training job: the name of the model to build.
    model_ref: Mapped[str | None]
    #: The version that it stands for, decided when the job starts to run.
    model_version_id: Mapped[int | None] = mapped_column(ForeignKey("model_version.id", use_alter=True))
    #: From 0 (lowest) to 9 (highest).
    priority: Mapped[int]
    #: Runs once that job is finished.
    after_job_id: Mapped[int | None] = mapped_column(ForeignKey("job.id"))
    run_id: Mapped[int | None] = mapped_column(ForeignKey("run.id"))
    #: The documents that it was asked to take (db.where), as it was written; None for all.
    where_clause: Mapped[str | None]
    #: Who asked for it: a name that limits refer to (db.limits); NULL in jobs of older versions.
    submitter: Mapped[str | None]
    #: No other job of its collection and kind runs beside it.
    is_exclusive: Mapped[bool] = mapped_column(insert_default=False, server_default=text("false"))
    state: Mapped[JobState]
    n_documents: Mapped[int]
    #: Counted once, when the job ends.
    n_ok: Mapped[int | None]
    n_error: Mapped[int | None]
    #: The error of the documents that were not done when the job was stopped, and why it was stopped.
    stop_code: Mapped[str | None]
    stop_detail: Mapped[str | None]
    #: The last report of progress by a worker: "45 %: epoch 3 of 6".
    note: Mapped[str | None]
    #: The trace that its submission belongs to, as W3C's header; NULL if it was not traced.
    traceparent: Mapped[str | None]
    created_at: Mapped[CreatedAt]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]


class Chunk(Base):
    """A slice of a job's documents. One Celery message carries the id of one chunk."""

    __tablename__ = "chunk"
    __table_args__ = (
        UniqueConstraint("job_id", "stage", "seq"),
        CheckConstraint(_is_in("state", ChunkState), name="state"),
        CheckConstraint(f"(state = '{ChunkState.LEASED}') = (lease_until IS NOT NULL)", name="leased_until"),
        Index(
            "ix_chunk_ready",
            "job_id",
            "id",
            sqlite_where=text(f"state = '{ChunkState.READY}'"),
            postgresql_where=text(f"state = '{ChunkState.READY}'"),
        ),
        # The messages that wait in the broker.
        Index(
            "ix_chunk_sent",
            "job_id",
            sqlite_where=text(f"state = '{ChunkState.READY}' AND sent_at IS NOT NULL"),
            postgresql_where=text(f"state = '{ChunkState.READY}' AND sent_at IS NOT NULL"),
        ),
        Index(
            "ix_chunk_blocked",
            "job_id",
            "stage",
            "seq",
            sqlite_where=text(f"state = '{ChunkState.BLOCKED}'"),
            postgresql_where=text(f"state = '{ChunkState.BLOCKED}'"),
        ),
        Index(
            "ix_chunk_open",
            "job_id",
            "stage",
            "seq",
            sqlite_where=text(f"state <> '{ChunkState.CLOSED}'"),
            postgresql_where=text(f"state <> '{ChunkState.CLOSED}'"),
        ),
        Index(
            "ix_chunk_leased",
            "lease_until",
            sqlite_where=text(f"state = '{ChunkState.LEASED}'"),
            postgresql_where=text(f"state = '{ChunkState.LEASED}'"),
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
    state: Mapped[ChunkState]
    #: Increased by every claim: a write that carries an older fence matches no row.
    fence: Mapped[int] = mapped_column(insert_default=0)
    lease_until: Mapped[datetime | None]
    #: The worker that claimed it last, as "device@host". For people: two workers may have the same name.
    worker: Mapped[str | None]
    #: The process that claimed it last. Random, so that no other process's death frees the chunk.
    instance: Mapped[str | None]
    #: When it was claimed last.
    claimed_at: Mapped[datetime | None]
    #: When a message about it was last sent.
    sent_at: Mapped[datetime | None]
    #: It cannot be claimed before this time: the backoff after a fault.
    not_before: Mapped[datetime | None]
    #: How often it was requeued because the infrastructure failed, and the last such fault.
    n_put_back: Mapped[int] = mapped_column(insert_default=0)
    fault: Mapped[str | None]
    #: How often a process died over it while the process's launcher lived on. Above 0, documents run one by one.
    n_crashes: Mapped[int] = mapped_column(insert_default=0)
    #: How often its lease ran out, or its whole machine was lost. This is no evidence about a document.
    n_lost: Mapped[int] = mapped_column(insert_default=0, server_default=text("0"))
    #: The document that is being run alone.
    suspect_id: Mapped[int | None]
    #: The fence of the claim that announced it. A process that dies before it announces a document is no evidence.
    suspect_fence: Mapped[int | None]
    #: How many processes died while they ran the suspect alone.
    n_suspect_crashes: Mapped[int] = mapped_column(insert_default=0)
    #: How many processes were lost while they ran it alone.
    n_suspect_lost: Mapped[int] = mapped_column(insert_default=0, server_default=text("0"))
    closed_at: Mapped[datetime | None]
    #: Since when it can be claimed, or can again. NULL of a chunk that became ready under an older docmill.
    ready_at: Mapped[datetime | None]
    #: The last column, so that SQLite reads the short ones without it.
    document_ids: Mapped[list[int]] = mapped_column(deferred=True)


class Outcome(Base):
    """The outcome of one document in one job."""

    __tablename__ = "outcome"
    __table_args__ = (
        CheckConstraint(f"(state = '{OutcomeState.OK}') = (error_code IS NULL)", name="error_has_code"),
        CheckConstraint(_is_in("state", OutcomeState), name="state"),
        # With the job: the newest outcomes of a document are read without the others.
        Index("ix_outcome_document_id", "document_id", "job_id"),
        # Documents in quarantine, newest job first.
        Index(
            "ix_outcome_harmful_job",
            "job_id",
            "document_id",
            sqlite_where=text(f"error_code IN ({_quoted(HARMFUL)})"),
            postgresql_where=text(f"error_code IN ({_quoted(HARMFUL)})"),
        ),
        Index(
            "ix_outcome_harmful",
            "document_id",
            sqlite_where=text(f"error_code IN ({_quoted(HARMFUL)})"),
            postgresql_where=text(f"error_code IN ({_quoted(HARMFUL)})"),
        ),
        Index(
            "ix_outcome_error",
            "job_id",
            "error_code",
            sqlite_where=text(f"state = '{OutcomeState.ERROR}'"),
            postgresql_where=text(f"state = '{OutcomeState.ERROR}'"),
        ),
        # The failures of a job page by page, among any number of results.
        Index(
            "ix_outcome_failed",
            "job_id",
            "document_id",
            sqlite_where=text(f"state = '{OutcomeState.ERROR}'"),
            postgresql_where=text(f"state = '{OutcomeState.ERROR}'"),
        ),
    )

    job_id: Mapped[int] = mapped_column(ForeignKey("job.id"), primary_key=True)
    document_id: Mapped[int] = mapped_column(ForeignKey("document.id"), primary_key=True)
    state: Mapped[OutcomeState]
    error_code: Mapped[str | None]
    error_detail: Mapped[str | None]
    written_at: Mapped[CreatedAt]
