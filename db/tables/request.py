"""Files that programs upload, and their batches of requests (docmill.web.openai_api): the lines of a file become
documents, and jobs over them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from db.states import BatchPhase, RequestState
from db.tables.base import Base, CreatedAt, Id

_IS_OPEN = f"phase <> '{BatchPhase.DONE}'"


class ApiFile(Base):
    """A file that was uploaded, or that a batch has written."""

    __tablename__ = "api_file"
    __table_args__ = (
        Index(
            "ix_api_file_expires_at",
            "expires_at",
            sqlite_where=text("expires_at IS NOT NULL"),
            postgresql_where=text("expires_at IS NOT NULL"),
        ),
    )

    id: Mapped[Id]
    #: The name by which programs know it: "file-" and random characters.
    public_id: Mapped[str] = mapped_column(unique=True)
    filename: Mapped[str]
    #: As the client said: "batch", "user_data"; "batch_output" of what a batch wrote.
    purpose: Mapped[str]
    n_bytes: Mapped[int]
    #: SHA-256 of an uploaded file, as hexadecimal digits.
    sha256: Mapped[str | None]
    #: The name of the key that it belongs to.
    owner: Mapped[str]
    #: False while it is being written. Nobody is shown a part of a file.
    is_whole: Mapped[bool]
    created_at: Mapped[CreatedAt]
    #: The scheduler deletes it then, unless a batch still needs it.
    expires_at: Mapped[datetime | None]


class ApiFileBlock(Base):
    """A part of a file. All but the last of an uploaded file have the same size (db.api_files.BLOCK_BYTES)."""

    __tablename__ = "api_file_block"

    file_id: Mapped[int] = mapped_column(ForeignKey("api_file.id"), primary_key=True)
    #: From 0.
    seq: Mapped[int] = mapped_column(primary_key=True)
    data: Mapped[bytes] = mapped_column(LargeBinary)


class RequestBatch(Base):
    """A batch of requests, as a program created it."""

    __tablename__ = "request_batch"
    __table_args__ = (
        CheckConstraint(f"state IN ({', '.join(repr(str(state)) for state in RequestState)})", name="state"),
        Index(
            "ix_request_batch_open",
            "phase",
            "expires_at",
            sqlite_where=text(_IS_OPEN),
            postgresql_where=text(_IS_OPEN),
        ),
        Index("ix_request_batch_input_file", "input_file"),
    )

    id: Mapped[Id]
    #: The name by which programs know it: "batch_" and random characters.
    public_id: Mapped[str] = mapped_column(unique=True)
    #: The public ids of its files. The rows of these may be gone once it has ended.
    input_file: Mapped[str]
    output_file: Mapped[str | None]
    error_file: Mapped[str | None]
    #: The path that every line names, and the kind of job that stands for it.
    endpoint: Mapped[str]
    kind: Mapped[str]
    #: As asked for: "24h".
    completion_window: Mapped[str]
    #: What the client attached to it.
    details: Mapped[dict[str, Any]]
    #: The collection that its documents go to.
    collection: Mapped[str]
    #: The name of the key that made it.
    owner: Mapped[str]
    #: Seconds after which its output files expire; NULL for never.
    output_seconds: Mapped[int | None]
    state: Mapped[RequestState]
    #: What the scheduler does next for it.
    phase: Mapped[BatchPhase]
    #: Raised by every change: a step that was made for an older number changes nothing.
    step: Mapped[int] = mapped_column(insert_default=0)
    #: How far this phase is in the input file (bytes), and the number of the last line that it has dealt with.
    position: Mapped[int] = mapped_column(insert_default=0)
    line: Mapped[int] = mapped_column(insert_default=0)
    #: The state that it gets once its files are written; NULL for "completed".
    ending: Mapped[RequestState | None]
    #: Requests, and the documents that they became.
    n_lines: Mapped[int] = mapped_column(insert_default=0)
    n_documents: Mapped[int] = mapped_column(insert_default=0)
    #: Written to the output file and to the error file.
    n_completed: Mapped[int] = mapped_column(insert_default=0)
    n_failed: Mapped[int] = mapped_column(insert_default=0)
    #: Why it failed: objects with code, message, param and line.
    errors: Mapped[list[Any]]
    created_at: Mapped[CreatedAt]
    expires_at: Mapped[datetime]
    in_progress_at: Mapped[datetime | None]
    finalizing_at: Mapped[datetime | None]
    cancelling_at: Mapped[datetime | None]
    #: When it got the state in which it stays.
    ended_at: Mapped[datetime | None]


class RequestGroup(Base):
    """Requests of a batch with the same model and parameters: one job."""

    __tablename__ = "request_group"

    batch_id: Mapped[int] = mapped_column(ForeignKey("request_batch.id"), primary_key=True)
    #: From 1.
    number: Mapped[int] = mapped_column(primary_key=True)
    #: As the requests name it.
    model: Mapped[str | None]
    parameters: Mapped[dict[str, Any]]
    #: What changes only the form of the answers.
    form: Mapped[dict[str, Any]]
    job_id: Mapped[int | None] = mapped_column(ForeignKey("job.id"), index=True)
    #: Why there is no job: an object with status, code, message and param.
    error: Mapped[dict[str, Any] | None]


class RequestLine(Base):
    """A request: a line of the batch's input file."""

    __tablename__ = "request_line"
    __table_args__ = (UniqueConstraint("batch_id", "key"),)

    batch_id: Mapped[int] = mapped_column(ForeignKey("request_batch.id"), primary_key=True)
    #: Its number in the file, from 1.
    line: Mapped[int] = mapped_column(primary_key=True)
    #: As it was written, and as the key of its document.
    custom_id: Mapped[str]
    key: Mapped[str]
    group_number: Mapped[int | None]
    #: The documents that its inputs became, in their order.
    document_ids: Mapped[list[int] | None]
    #: Why it became none: an object with status, code, message and param.
    error: Mapped[dict[str, Any] | None]
