"""Nightly schedules and their firings."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from db.states import Catchup, Overlap, RunCause, RunState
from db.tables.base import Base, CreatedAt, Id


class Schedule(Base):
    """A cron expression in a time zone, what to do at its times, and what to do when something is in the way."""

    __tablename__ = "schedule"

    id: Mapped[Id]
    name: Mapped[str] = mapped_column(unique=True)
    cron: Mapped[str]
    time_zone: Mapped[str]
    #: A list of job requests (scheduler.requests.JobRequest as JSON), or of what scheduler.starting knows beside.
    requests: Mapped[list[Any]]
    next_at: Mapped[datetime]
    created_at: Mapped[CreatedAt]
    #: Removed schedules stay, since their runs refer to them.
    removed_at: Mapped[datetime | None]
    catchup: Mapped[Catchup] = mapped_column(server_default=text(f"'{Catchup.LATEST}'"))
    #: A missed time that is older than this is not caught up; None: however old.
    catchup_within_seconds: Mapped[int | None]
    overlap: Mapped[Overlap] = mapped_column(server_default=text(f"'{Overlap.SKIP}'"))
    #: Local time, as "07:00": a run that is not done by the first one after it is due is late.
    deadline: Mapped[str | None]
    #: Local time at which the work of a night stops; what is left is carried over.
    finish_by: Mapped[str | None]
    #: From 0 to 1: people are notified of a job with a larger share of errors.
    max_error_share: Mapped[float | None]
    #: After this many failed runs in a row the schedule is paused.
    pause_on_failure: Mapped[int | None]
    #: How many runs have failed since the last one that succeeded.
    n_failures: Mapped[int] = mapped_column(insert_default=0, server_default=text("0"))
    #: It does not fire while this is set; and why.
    paused_at: Mapped[datetime | None]
    paused_why: Mapped[str | None]


class Run(Base):
    """One firing of a schedule. The unique key makes it one, however many schedulers are there."""

    __tablename__ = "run"
    __table_args__ = (
        UniqueConstraint("schedule_id", "due_at"),
        Index(
            "ix_run_open",
            "schedule_id",
            "due_at",
            sqlite_where=text("ended_at IS NULL"),
            postgresql_where=text("ended_at IS NULL"),
        ),
        Index(
            "ix_run_deadline_at",
            "deadline_at",
            sqlite_where=text("is_late IS NULL AND deadline_at IS NOT NULL"),
            postgresql_where=text("is_late IS NULL AND deadline_at IS NOT NULL"),
        ),
    )

    id: Mapped[Id]
    schedule_id: Mapped[int] = mapped_column(ForeignKey("schedule.id"))
    due_at: Mapped[datetime]
    fired_at: Mapped[CreatedAt]
    #: Why no job could be submitted, if so.
    fault: Mapped[str | None]
    cause: Mapped[RunCause] = mapped_column(server_default=text(f"'{RunCause.TIME}'"))
    state: Mapped[RunState] = mapped_column(server_default=text(f"'{RunState.SUCCEEDED}'"))
    #: In words: why it was skipped, missed or replaced, or what failed.
    note: Mapped[str | None]
    #: More jobs may still be submitted to it, so it has not ended when those that are there have.
    awaits_more: Mapped[bool] = mapped_column(insert_default=False, server_default=text("false"))
    started_at: Mapped[datetime | None]
    #: When it was told to stop, because a later run replaces it.
    stopped_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    #: When it has to be done.
    deadline_at: Mapped[datetime | None]
    #: Decided once, when the deadline has passed.
    is_late: Mapped[bool | None]
