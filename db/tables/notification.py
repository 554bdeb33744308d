"""Who is notified of what, and with which words: the outbox."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from db.states import Event, NotificationState
from db.tables.base import Base, CreatedAt, Id


class NotificationRule(Base):
    """A destination of some events of one owner: a schedule, a night."""

    __tablename__ = "notification_rule"
    __table_args__ = (UniqueConstraint("owner", "destination"),)

    id: Mapped[Id]
    #: What it is about, in words that people know: "schedule nightly".
    owner: Mapped[str]
    #: Names of db.states.Event.
    events: Mapped[list[Any]]
    #: As --to accepts it: "webhook:env:HOOK". Secrets are in the environment of the schedulers, never here.
    destination: Mapped[str]


class Notification(Base):
    """One message to one destination, written in the transaction of the event that it reports."""

    __tablename__ = "notification"
    __table_args__ = (
        UniqueConstraint("key", "destination"),
        Index(
            "ix_notification_pending",
            "not_before",
            sqlite_where=text(f"state = '{NotificationState.PENDING}'"),
            postgresql_where=text(f"state = '{NotificationState.PENDING}'"),
        ),
        Index(
            "ix_notification_dead",
            "id",
            sqlite_where=text(f"state = '{NotificationState.DEAD}'"),
            postgresql_where=text(f"state = '{NotificationState.DEAD}'"),
        ),
    )

    id: Mapped[Id]
    #: Random: the receiver tells a repetition by it.
    uid: Mapped[str] = mapped_column(unique=True)
    owner: Mapped[str]
    event: Mapped[Event]
    #: The event that it reports, once for each destination: "late run 12".
    key: Mapped[str]
    destination: Mapped[str]
    title: Mapped[str]
    body: Mapped[str]
    #: The same for programs.
    details: Mapped[dict[str, Any]]
    state: Mapped[NotificationState]
    n_attempts: Mapped[int]
    #: It is not tried before this time.
    not_before: Mapped[datetime]
    #: After this time a failed attempt is the last one.
    give_up_at: Mapped[datetime]
    #: Increased by every attempt: the report of an older one matches no row.
    fence: Mapped[int]
    #: A scheduler tries it until then.
    lease_until: Mapped[datetime | None]
    #: Why the last attempt failed.
    fault: Mapped[str | None]
    created_at: Mapped[CreatedAt]
    sent_at: Mapped[datetime | None]
