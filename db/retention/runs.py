"""Runs of schedules. The jobs that a run submitted stay, and no longer say which run that was."""

from __future__ import annotations

from collections import Counter

from sqlalchemy import delete, exists, func, select
from sqlalchemy.orm import Session, aliased

from db import jobs
from db.retention.policy import OfRuns
from db.retention.steps import Place, Step
from db.sql import now, one_of
from db.states import ENDED
from db.tables import Job, Run


def step(session: Session, rule: OfRuns, after: Place, limit: int, *, really: bool) -> Step:
    """Some runs whose jobs have all ended; the newest of each schedule stay."""
    newer = aliased(Run)
    n_newer = (
        select(func.count())
        .where(newer.schedule_id == Run.schedule_id, newer.due_at > Run.due_at)
        .scalar_subquery()
    )
    goes_on = exists().where(Job.run_id == Run.id, Job.state.not_in(ENDED))
    query = select(Run.id).where(
        Run.id > after.first, Run.due_at < now(-rule.older_than), n_newer >= rule.keep_last, ~goes_on
    )
    most = max(1, limit // 20)
    ids = list(session.scalars(query.order_by(Run.id).limit(most)))
    if not ids:
        return Step()
    if really:
        jobs.forget_runs(session, ids)
        session.execute(delete(Run).where(one_of(Run.id, ids)))
    return Step(Counter(runs=len(ids)), Place(ids[-1]))
