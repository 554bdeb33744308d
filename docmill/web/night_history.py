"""The last runs of a schedule: the newest beside what is usual, for the overview."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from statistics import median

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from db import growth, job_lists
from db.growth import Growth, Moves
from db.sql import clock
from db.tables import Job, Night, NightPlanStep, Run, Schedule

#: Runs that are shown, and those that tell what is usual.
SHOWN, USUAL = 14, 7
#: Schedules that are shown, those with the newest runs.
SCHEDULES = 3
#: The newest runs, among which these schedules are looked for.
_NEWEST_RUNS = 200


@dataclass(frozen=True, slots=True)
class OneRun:
    """A run with the sums of its jobs."""

    id: int
    due_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    deadline_at: datetime | None
    state: str
    is_late: bool
    note: str | None
    n_jobs: int
    n_documents: int
    n_failed: int
    #: The labels that moved; None if no job gave labels, or they are not counted yet.
    moves: Moves | None = None
    #: How the store grew; None for a run of an older docmill.
    growth: Growth | None = None

    @property
    def seconds(self) -> float | None:
        """From its start to its end; None while it runs."""
        if self.started_at is None or self.ended_at is None:
            return None
        return (self.ended_at - self.started_at).total_seconds()

    @property
    def minutes(self) -> float:
        return (self.seconds or 0.0) / 60

    @property
    def failed_share(self) -> float:
        return self.n_failed / self.n_documents if self.n_documents else 0.0


@dataclass(frozen=True, slots=True)
class History:
    """The last runs of a schedule, the oldest first, and what is usual: medians of the runs before the last."""

    schedule: str
    time_zone: str
    next_at: datetime
    runs: tuple[OneRun, ...]
    usual_seconds: float | None
    usual_documents: float | None
    usual_failed: float | None
    #: Of the last run's plan: documents whose results stand; None if it was not planned.
    n_unchanged: int | None
    #: The last run has passed its deadline and has not ended.
    is_overdue: bool

    @property
    def last(self) -> OneRun:
        return self.runs[-1]


def of(session: Session) -> list[History]:
    """The schedules that ran last, the newest first."""
    newest = select(Run.id, Run.schedule_id).order_by(Run.id.desc()).limit(_NEWEST_RUNS).subquery()
    query = (
        select(Schedule)
        .join(newest, newest.c.schedule_id == Schedule.id)
        .where(Schedule.removed_at.is_(None))
        .group_by(Schedule.id)
        .order_by(func.max(newest.c.id).desc())
        .limit(SCHEDULES)
    )
    schedules = session.scalars(query).all()
    moment = clock(session) if schedules else datetime.min
    return [_history(session, schedule, moment) for schedule in schedules]


def _history(session: Session, schedule: Schedule, moment: datetime) -> History:
    runs = tuple(_runs(session, schedule.id))
    last, before = runs[-1], [run for run in runs[:-1] if run.seconds is not None and run.n_jobs][-USUAL:]
    return History(
        schedule=schedule.name,
        time_zone=schedule.time_zone,
        next_at=schedule.next_at,
        runs=runs,
        usual_seconds=median(run.seconds or 0.0 for run in before) if before else None,
        usual_documents=median(run.n_documents for run in before) if before else None,
        usual_failed=median(run.n_failed for run in before) if before else None,
        n_unchanged=_unchanged(session, last.id),
        is_overdue=last.ended_at is None and last.deadline_at is not None and last.deadline_at < moment,
    )


def _runs(session: Session, schedule_id: int) -> list[OneRun]:
    newest = select(Run).where(Run.schedule_id == schedule_id).order_by(Run.due_at.desc()).limit(SHOWN)
    runs = session.scalars(newest).all()
    sums = (
        select(
            Job.run_id,
            func.count(),
            func.sum(Job.n_documents),
            func.coalesce(func.sum(job_lists.n_failed()), 0),
        )
        .where(Job.run_id.in_([run.id for run in runs]))
        .group_by(Job.run_id)
    )
    ids = [run.id for run in runs]
    moves, grown = growth.moves_of_runs(session, ids), growth.of_runs(session, ids)
    by_run = {row[0]: (row[1], int(row[2] or 0), int(row[3] or 0)) for row in session.execute(sums)}
    return [
        OneRun(
            run.id, run.due_at, run.started_at, run.ended_at, run.deadline_at, str(run.state), bool(run.is_late),
            run.fault or run.note, *by_run.get(run.id, (0, 0, 0)), moves.get(run.id), grown.get(run.id),
        )
        for run in reversed(runs)
    ]  # fmt: skip


def _unchanged(session: Session, run_id: int) -> int | None:
    query = (
        select(func.sum(NightPlanStep.n_unchanged))
        .join(Night, Night.plan_id == NightPlanStep.plan_id)
        .where(Night.run_id == run_id)
    )
    found = session.scalar(query)
    return int(found) if found is not None else None
