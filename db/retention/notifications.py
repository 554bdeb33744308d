"""Notifications that were sent or given up. Those that wait stay, however old they are."""

from __future__ import annotations

from collections import Counter

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from db.retention.policy import OfAge
from db.retention.steps import Place, Step
from db.sql import now, one_of
from db.states import NotificationState
from db.tables import Notification


def step(session: Session, rule: OfAge, after: Place, limit: int, *, really: bool) -> Step:
    """Some notifications."""
    old = (Notification.state != NotificationState.PENDING, Notification.created_at < now(-rule.older_than))
    query = select(Notification.id).where(Notification.id > after.first, *old)
    ids = list(session.scalars(query.order_by(Notification.id).limit(max(1, limit // 10))))
    if not ids:
        return Step()
    if really:
        # `docmill notifications retry` may have changed one since.
        session.execute(delete(Notification).where(one_of(Notification.id, ids), *old))
    return Step(Counter(notifications=len(ids)), Place(ids[-1]))
