"""Nightly schedules and their firings."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from db.tables.base import Base, CreatedAt, Id


class Schedule(Base):
    """A cron expression in a time zone, and the jobs to submit, one after the other."""

    __tablename__ = "schedule"

    id: Mapped[Id]
    name: Mapped[str] = mapped_column(unique=True)
    cron: Mapped[str]
    time_zone: Mapped[str]
    #: A list of job requests (scheduler.requests.JobRequest as JSON).
    requests: Mapped[list[Any]]
    next_at: Mapped[datetime]
    created_at: Mapped[CreatedAt]
    #: Removed schedules stay, since their runs refer to them.
    removed_at: Mapped[datetime | None]


class Run(Base):
    """One firing of a schedule. The unique key makes it one, however many schedulers are there."""

    __tablename__ = "run"
    __table_args__ = (UniqueConstraint("schedule_id", "due_at"),)

    id: Mapped[Id]
    schedule_id: Mapped[int] = mapped_column(ForeignKey("schedule.id"))
    due_at: Mapped[datetime]
    fired_at: Mapped[CreatedAt]
    #: Why no job could be submitted, if so.
    fault: Mapped[str | None]
