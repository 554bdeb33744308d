"""The registry: a row for each running worker and scheduler, refreshed by its heartbeat; which of them are drained; and
the claims that were lost with a worker."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from db.states import DrainLevel, WorkerPhase
from db.tables.base import Base, CreatedAt

ROLES = ("worker", "scheduler")


class Worker(Base):
    """One instance: a worker of one device, or a scheduler, from its start to its end. It is removed when the
    process stops as it should. A row that is no longer refreshed belongs to a lost process."""

    __tablename__ = "worker"
    __table_args__ = (
        CheckConstraint("role IN ('worker', 'scheduler')", name="role"),
        Index("ix_worker_last_seen_at", "last_seen_at"),
    )

    #: Random, new at every start: no two share it. Claims name it.
    instance: Mapped[str] = mapped_column(primary_key=True)
    role: Mapped[str]
    #: For people: "cpu-0@host". Two hosts may have the same.
    name: Mapped[str]
    host: Mapped[str]
    pid: Mapped[int]
    #: None for a scheduler.
    device: Mapped[str | None]
    #: Separated by commas; empty for a scheduler.
    kinds: Mapped[str]
    docmill_version: Mapped[str]
    #: The newest migration that its code knows.
    schema_revision: Mapped[str]
    #: NULL in rows of a docmill that did not write it.
    python_version: Mapped[str | None]
    #: NULL where torch is not installed.
    torch_version: Mapped[str | None]
    #: As its launcher has it. It decides nothing: what a worker holds is told by its leases.
    phase: Mapped[WorkerPhase] = mapped_column(server_default=text(f"'{WorkerPhase.RUNNING}'"))
    started_at: Mapped[CreatedAt]
    last_seen_at: Mapped[CreatedAt]


class Drain(Base):
    """Workers that are not to claim anything. A claim reads it, so that it holds from its commit on."""

    __tablename__ = "drain"
    __table_args__ = (CheckConstraint("level IN ('host', 'name', 'instance')", name="level"),)

    level: Mapped[DrainLevel] = mapped_column(primary_key=True)
    #: The host, the worker's name, or its instance.
    target: Mapped[str] = mapped_column(primary_key=True)
    #: Workers that ran when it began end once they are drained; others stay up.
    exits: Mapped[bool]
    drained_at: Mapped[CreatedAt]
    #: "user@host" of the command, for people.
    drained_by: Mapped[str | None]


class LostClaim(Base):
    """A claim whose lease ran out, or whose worker was killed as a whole. This is no evidence about a document. If the
    process is reported dead later, its claim is found here, and the loss becomes a crash."""

    __tablename__ = "lost_claim"
    __table_args__ = (Index("ix_lost_claim_lost_at", "lost_at"),)

    #: Not a foreign key: rows live for days, and never need their chunk.
    chunk_id: Mapped[int] = mapped_column(primary_key=True)
    fence: Mapped[int] = mapped_column(primary_key=True)
    job_id: Mapped[int]
    instance: Mapped[str]
    #: The worker's name, for people.
    worker: Mapped[str | None]
    #: The document that this claim was running alone.
    suspect_id: Mapped[int | None]
    lost_at: Mapped[datetime]
