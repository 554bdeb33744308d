"""Nightly plans: what a plan found, a night that applies one, and its steps.

The rows of night and night_step are changed by db.nights alone. A plan is never changed once it is stored.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from db.states import NIGHT_ENDED, NightState, StepState
from db.tables.base import Base, CreatedAt, Id


def _among(values: tuple[StrEnum, ...] | type[StrEnum]) -> str:
    return ", ".join(f"'{value}'" for value in values)


_NIGHT_IS_OPEN = f"state NOT IN ({_among(NIGHT_ENDED)})"


class NightPlan(Base):
    """What a night will do, found before anything runs."""

    __tablename__ = "night_plan"

    id: Mapped[Id]
    #: The name in the file.
    name: Mapped[str] = mapped_column(index=True)
    #: The file as it was read, and the folder that its relative paths start from.
    file: Mapped[str]
    folder: Mapped[str]
    #: Of what the file means: a comment or another order of keys leaves it as it is.
    file_digest: Mapped[str]
    created_at: Mapped[CreatedAt]
    #: Workers that were alive, and the seconds that the whole night takes with them; NULL without measurements.
    n_workers: Mapped[int]
    seconds: Mapped[float | None]
    #: Half of the range in which the time is expected.
    seconds_spread: Mapped[float | None]


class NightPlanStep(Base):
    """One step of a plan: how many documents, and why."""

    __tablename__ = "night_plan_step"

    plan_id: Mapped[int] = mapped_column(ForeignKey("night_plan.id"), primary_key=True)
    #: From 1, in the order of the file.
    step: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    #: What it does: a kind of jobs, or `add`, `export`, `digest`.
    action: Mapped[str]
    #: Of a kind: with every default.
    parameters: Mapped[dict[str, Any]]
    #: The version that it will use; NULL if it needs none, or an earlier step of the night makes it.
    model_version_id: Mapped[int | None] = mapped_column(ForeignKey("model_version.id"))
    #: Their result stands.
    n_unchanged: Mapped[int]
    #: They failed, and would fail again.
    n_failed: Mapped[int]
    n_quarantined: Mapped[int]
    #: A job like it that has not ended has to do them.
    n_elsewhere: Mapped[int]
    #: What it does: the sum of the counts by reason in night_plan_part.
    n_to_do: Mapped[int]
    #: Documents that it also does if an earlier step of the night makes a model that is taken into use.
    n_if_promoted: Mapped[int]
    chars: Mapped[int]
    seconds: Mapped[float | None]
    seconds_spread: Mapped[float | None]
    #: Why there is nothing to do, or what is not known yet.
    note: Mapped[str | None]


class NightPlanPart(Base):
    """Some documents of a step that have the same reason."""

    __tablename__ = "night_plan_part"

    plan_id: Mapped[int] = mapped_column(ForeignKey("night_plan.id"), primary_key=True)
    step: Mapped[int] = mapped_column(primary_key=True)
    part: Mapped[int] = mapped_column(primary_key=True)
    reason: Mapped[str]
    #: The job that did them before, with another model or other parameters.
    last_job_id: Mapped[int | None]
    n_documents: Mapped[int]
    #: Documents of the store.
    document_ids: Mapped[list[int]] = mapped_column(deferred=True)
    #: Those that `add` will store first: a list of [key, content hash in hex].
    coming: Mapped[list[Any]] = mapped_column(deferred=True)


class Night(Base):
    """A plan being applied, or to be made and applied."""

    __tablename__ = "night"
    __table_args__ = (
        CheckConstraint(f"state IN ({_among(NightState)})", name="state"),
        Index(
            "uq_night_open",
            "name",
            unique=True,
            sqlite_where=text(_NIGHT_IS_OPEN),
            postgresql_where=text(_NIGHT_IS_OPEN),
        ),
        Index("ix_night_name", "name", "id"),
    )

    id: Mapped[Id]
    name: Mapped[str]
    file: Mapped[str]
    folder: Mapped[str]
    #: NULL while the night has no plan yet.
    plan_id: Mapped[int | None] = mapped_column(ForeignKey("night_plan.id"))
    #: The firing of a schedule that started it.
    run_id: Mapped[int | None] = mapped_column(ForeignKey("run.id"), index=True)
    state: Mapped[NightState]
    created_at: Mapped[CreatedAt]
    #: When it stops, done or not.
    finish_by: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    #: Why it failed, or what it carried over.
    note: Mapped[str | None]
    #: The scheduler that works on it, and until when the others leave it alone.
    holder: Mapped[str | None]
    held_until: Mapped[datetime | None]


class NightStep(Base):
    """One step of a night."""

    __tablename__ = "night_step"
    __table_args__ = (
        CheckConstraint(f"state IN ({_among(StepState)})", name="state"),
        UniqueConstraint("night_id", "name"),
    )

    night_id: Mapped[int] = mapped_column(ForeignKey("night.id"), primary_key=True)
    step: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    action: Mapped[str]
    state: Mapped[StepState]
    job_id: Mapped[int | None] = mapped_column(ForeignKey("job.id"), index=True)
    #: Of the plan, how many it did not take since their text changed meanwhile.
    n_moved: Mapped[int | None]
    #: Documents that were left for the next night, since the time was over.
    n_carried_over: Mapped[int | None]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    note: Mapped[str | None]
