"""Nights and their plans, with the lists of documents in them. Their jobs and results stay.

Of each name the newest nights stay, and the last one that was done: it says how long ago that was. A plan stays with
its night; a plan that no night has used goes by its own age.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, exists, func, not_, select
from sqlalchemy.orm import Session, aliased

from db.retention.policy import OfNights
from db.retention.steps import Place, Step
from db.sql import now, one_of
from db.states import NIGHT_ENDED, NightState
from db.tables import Night, NightPlan, NightPlanPart, NightPlanStep, NightStep


def step(session: Session, rule: OfNights, after: Place, limit: int, *, really: bool) -> Step:
    """Some nights that have ended; the plans of those that went are looked at by `plans_step`."""
    query = select(Night.id).where(Night.id > after.first, *_may_go(Night, rule))
    ids = list(session.scalars(query.order_by(Night.id).limit(max(1, limit // 100))))
    if not ids:
        return Step()
    if really:
        session.execute(delete(NightStep).where(one_of(NightStep.night_id, ids)))
        session.execute(delete(Night).where(one_of(Night.id, ids)))
    return Step(Counter(nights=len(ids)), Place(ids[-1]))


def _may_go(night: Any, rule: OfNights) -> tuple[ColumnElement[bool], ...]:
    newer, done = aliased(Night), aliased(Night)
    n_newer = select(func.count()).where(newer.name == night.name, newer.id > night.id).scalar_subquery()
    last_done = (
        select(func.max(done.id))
        .where(done.name == night.name, done.state == NightState.DONE)
        .scalar_subquery()
    )
    return (
        night.state.in_(NIGHT_ENDED),
        night.finished_at < now(-rule.older_than),
        n_newer >= rule.keep_last,
        night.id.is_distinct_from(last_done),
    )


def plans_step(session: Session, rule: OfNights, after: Place, limit: int, *, really: bool) -> Step:  # noqa: ARG001
    """The next plan that no night has, with its lists of documents."""
    newer, night = aliased(NightPlan), aliased(Night)
    # A dry run finds the nights still there that `step` would have pruned before.
    would_go = () if really else (not_(and_(*_may_go(night, rule))),)
    n_newer = (
        select(func.count()).where(newer.name == NightPlan.name, newer.id > NightPlan.id).scalar_subquery()
    )
    query = select(NightPlan.id).where(
        NightPlan.id > after.first,
        NightPlan.created_at < now(-rule.older_than),
        n_newer >= rule.keep_last,
        ~exists().where(night.plan_id == NightPlan.id, *would_go),
    )
    # A night that begins with this plan refers to the row, and waits for it or makes this step pass over it.
    locked = query.order_by(NightPlan.id).limit(1)
    plan = session.scalar(locked.with_for_update(skip_locked=True) if really else locked)
    if plan is None:
        return Step()
    if really:
        for table in (NightPlanPart, NightPlanStep):
            session.execute(delete(table).where(table.plan_id == plan))
        session.execute(delete(NightPlan).where(NightPlan.id == plan))
    return Step(Counter({"plans of nights": 1}), Place(plan))
