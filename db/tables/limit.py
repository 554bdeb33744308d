"""Shares and limits: how much of the workers a part of the jobs may have."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from db.tables.base import Base, CreatedAt

#: The name in a scope that stands for every collection, kind or submitter.
ANY = ""
_ANY = text("''")
_NONE = text("0")


class JobLimit(Base):
    """The share and the limits of the jobs of one scope: of a collection, of a kind, of a submitter, or of several of
    these together. All jobs of the scope share one limit."""

    __tablename__ = "job_limit"
    __table_args__ = (
        CheckConstraint("weight > 0", name="weight"),
        CheckConstraint("chunks_at_once > 0", name="chunks_at_once"),
        CheckConstraint("documents_per_minute > 0", name="documents_per_minute"),
        CheckConstraint("device_seconds_per_night > 0", name="device_seconds_per_night"),
    )

    collection: Mapped[str] = mapped_column(primary_key=True, server_default=_ANY)
    kind: Mapped[str] = mapped_column(primary_key=True, server_default=_ANY)
    submitter: Mapped[str] = mapped_column(primary_key=True, server_default=_ANY)
    #: Of each of its jobs, against 1 for others.
    weight: Mapped[float | None]
    chunks_at_once: Mapped[int | None]
    documents_per_minute: Mapped[int | None]
    #: A night begins at noon in the time zone and ends at the next noon.
    device_seconds_per_night: Mapped[int | None]
    time_zone: Mapped[str] = mapped_column(server_default=text("'UTC'"))
    set_at: Mapped[CreatedAt]
    #: Documents a minute: no chunk is claimed before this time.
    next_at: Mapped[datetime | None]
    #: Device seconds a night: the night that was counted last, and what its chunks took that are no longer held.
    night_from: Mapped[datetime | None]
    seconds_used: Mapped[float] = mapped_column(insert_default=0.0, server_default=_NONE)
    chunks_done: Mapped[int] = mapped_column(insert_default=0, server_default=_NONE)
