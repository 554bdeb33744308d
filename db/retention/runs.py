"""Runs of schedules. The jobs and nights that a run started stay, and no longer say which run that was."""

from __future__ import annotations

from collections import Counter

from sqlalchemy import delete, exists, func, select
from sqlalchemy.orm import Session, aliased

from db import growth, jobs
from db.nights import running
from db.retention.policy import OfRuns
from db.retention.steps import Place, Step
from db.sql import now, one_of
from db.states import ENDED, NIGHT_ENDED, RunState
from db.tables import Job, Night, Run


def step(session: Session, rule: OfRuns, after: Place, limit: int, *, really: bool) -> Step:
    """Some runs that have ended with all their jobs; the newest of each schedule stay."""
    newer = aliased(Run)
    n_newer = (
        select(func.count())
        .where(newer.schedule_id == Run.schedule_id, newer.due_at > Run.due_at)
        .scalar_subquery()
    )
    night = exists().where(Night.run_id == Run.id, Night.state.not_in(NIGHT_ENDED))
    goes_on = exists().where(Job.run_id == Run.id, Job.state.not_in(ENDED))
    query = select(Run.id).where(
        Run.id > after.first,
        Run.due_at < now(-rule.older_than),
        n_newer >= rule.keep_last,
        ~goes_on,
        ~night,
        Run.state.not_in([RunState.QUEUED, RunState.RUNNING]),
    )
    most = max(1, limit // 20)
    ids = list(session.scalars(query.order_by(Run.id).limit(most)))
    if not ids:
        return Step()
    if really:
        jobs.forget_runs(session, ids)
        running.forget_runs(session, ids)
        growth.forget_runs(session, ids)
        session.execute(delete(Run).where(one_of(Run.id, ids)))
    return Step(Counter(runs=len(ids)), Place(ids[-1]))
