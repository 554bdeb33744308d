"""Retention: the policy, what it has pruned, and the outcomes that were counted before they went."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from db.sql import now
from db.tables.base import Base, CreatedAt, Id


class RetentionPolicy(Base):
    """At most one row: the policy that schedulers apply."""

    __tablename__ = "retention_policy"

    id: Mapped[Id]
    #: The file, as it was set.
    policy: Mapped[str]
    set_at: Mapped[datetime] = mapped_column(insert_default=now())
    #: A scheduler begins the next pass at this time.
    next_at: Mapped[datetime]
    #: The scheduler that works on a pass renews this; when it has passed, another one may begin.
    busy_until: Mapped[datetime | None]


class RetentionPass(Base):
    """One application of a policy, by a scheduler or by hand, and what it pruned."""

    __tablename__ = "retention_pass"

    id: Mapped[Id]
    #: Rows, texts and models that were pruned, by sort.
    counts: Mapped[dict[str, Any]]
    started_at: Mapped[CreatedAt]
    ended_at: Mapped[datetime | None]


class Pruned(Base):
    """How many outcomes of a job were pruned by a policy. The database itself counts them, as it deletes them."""

    __tablename__ = "pruned"
    __table_args__ = (
        Index(
            "uq_pruned_open",
            "job_id",
            unique=True,
            sqlite_where=text("is_open"),
            postgresql_where=text("is_open"),
        ),
    )

    job_id: Mapped[int] = mapped_column(ForeignKey("job.id"), primary_key=True)
    #: Which, in words: "outcomes older than 90 d".
    policy: Mapped[str] = mapped_column(primary_key=True)
    n_ok: Mapped[int] = mapped_column(insert_default=0)
    n_error: Mapped[int] = mapped_column(insert_default=0)
    #: Outcomes of this job can be deleted in this transaction, and are counted here.
    is_open: Mapped[bool]
    first_at: Mapped[datetime] = mapped_column(insert_default=now())
    last_at: Mapped[datetime] = mapped_column(insert_default=now())
