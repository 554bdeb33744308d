"""The outbox: who is notified of what, and each message, from its event to its delivery.

configure, rules_of     the destinations of an owner ("schedule nightly"), and the events that are sent to each
notify                  write a message for each of them; call it in the transaction of the event that it reports
claim, sent, failed     one delivery: what is delivered twice (a crash between delivery and `sent`) has the same uid
retry, listing, stuck, unsent   for people
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, delete, func, literal_column, or_, select, update
from sqlalchemy.orm import Session

from db import tallies
from db.compare_and_set import changed, n_changed
from db.errors import NotFoundError
from db.sql import clock, insert_for, now, one_of
from db.states import Event, NotificationState
from db.tables import Notification, NotificationRule
from db.tallies import Counted

#: The pause after the first failed attempt; it doubles after each, up to the last one.
FIRST_PAUSE_SECONDS = 10.0
LAST_PAUSE_SECONDS = 7_200.0
#: A notification that cannot be delivered for so long is dead.
GIVE_UP_SECONDS = 86_400.0
#: A fault is kept up to this length.
MAX_FAULT_CHARS = 500


@dataclass(frozen=True, slots=True)
class Rule:
    """A destination, as `--to` accepts it, and the events that are sent to it."""

    destination: str
    events: tuple[Event, ...]


@dataclass(frozen=True)
class Message:
    """What is told: a line, some lines with the command that shows more, and the same for programs."""

    title: str
    body: str
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Claimed:
    """A notification that this scheduler delivers now."""

    id: int
    fence: int
    uid: str
    owner: str
    event: Event
    destination: str
    message: Message
    written_at: datetime
    give_up_at: datetime
    n_attempts: int


def configure(session: Session, owner: str, rules: Iterable[Rule]) -> None:
    """Replace the rules of an owner; none: nobody is told. Messages that were written before are still delivered."""
    session.execute(delete(NotificationRule).where(NotificationRule.owner == owner))
    by_destination: dict[str, dict[Event, None]] = {}
    for rule in rules:
        by_destination.setdefault(rule.destination, {}).update(dict.fromkeys(rule.events))
    for destination, events in by_destination.items():
        session.add(NotificationRule(owner=owner, destination=destination, events=[str(e) for e in events]))
    session.flush()


def rules_of(session: Session, owner: str) -> list[Rule]:
    """The rules of an owner, in the order in which they were given."""
    query = select(NotificationRule).where(NotificationRule.owner == owner).order_by(NotificationRule.id)
    return [Rule(row.destination, tuple(map(Event, row.events))) for row in session.scalars(query)]


def owners(session: Session) -> list[str]:
    """Everything that has rules."""
    return list(session.scalars(select(NotificationRule.owner).distinct().order_by(NotificationRule.owner)))


def notify(session: Session, owner: str, event: Event, key: str, message: Message) -> int:
    """Write the message for each destination of this event of this owner; returns how many. The same key
    (the event that it reports: "late run 12") goes to a destination once, however often this is called."""
    wanted = [rule.destination for rule in rules_of(session, owner) if event in rule.events]
    return send(session, owner, event, key, message, wanted)


def send(
    session: Session, owner: str, event: Event, key: str, message: Message, destinations: Sequence[str]
) -> int:
    """Write the message for these destinations; returns how many are new."""
    return sum(_write(session, owner, event, key, message, destination) for destination in destinations)


def _write(session: Session, owner: str, event: Event, key: str, message: Message, destination: str) -> bool:
    values = {
        "uid": secrets.token_hex(16), "owner": owner, "event": event, "key": key, "destination": destination,
        "title": message.title, "body": message.body, "details": message.details,
        "state": NotificationState.PENDING, "n_attempts": 0, "fence": 0,
        "not_before": now(), "give_up_at": now(GIVE_UP_SECONDS), "created_at": now(),
    }  # fmt: skip
    statement = insert_for(session, Notification).values(values).on_conflict_do_nothing()
    return session.execute(statement.returning(Notification.id)).first() is not None


# --- delivery ----------------------------------------------------------------------------------------------------


def is_any_due(session: Session) -> bool:
    """Whether a notification is to be tried now."""
    return session.scalar(select(Notification.id).where(*_is_due()).limit(1)) is not None


def claim(session: Session, lease_seconds: float, *, key: str | None = None) -> Claimed | None:
    """The oldest notification that is to be tried now, for this scheduler alone; None if there is none. An attempt
    that neither succeeds nor fails within the lease counts as one that was interrupted: it is made again."""
    of_key = () if key is None else (Notification.key == key,)
    row = session.scalar(
        select(Notification)
        .where(*_is_due(), *of_key)
        .order_by(Notification.not_before, Notification.id)
        .limit(1)
    )
    if row is None:
        return None
    values = {
        "fence": row.fence + 1,
        "n_attempts": row.n_attempts + 1,
        "lease_until": now(lease_seconds),
    }
    mine = update(Notification).where(
        Notification.id == row.id, Notification.fence == row.fence, Notification.state == row.state
    )
    if not changed(session, mine.values(values)):
        return None
    message = Message(row.title, row.body, row.details)
    return Claimed(
        row.id, row.fence + 1, row.uid, row.owner, row.event, row.destination, message, row.created_at,
        row.give_up_at,
        row.n_attempts + 1,
    )  # fmt: skip


def sent(session: Session, claimed: Claimed) -> bool:
    """It was delivered. False if another scheduler has taken it over meanwhile."""
    values = {
        "state": NotificationState.SENT,
        "sent_at": now(),
        "lease_until": None,
        "fault": None,
    }
    if not changed(session, _held(claimed).values(values)):
        return False
    tallies.add(session, Counted.NOTIFICATIONS, claimed.event, NotificationState.SENT)
    return True


def failed(session: Session, claimed: Claimed, fault: str) -> NotificationState:
    """It was not delivered: it is tried again later, or it is dead after a day. What waits for the same destination
    waits as long, so that one that hangs does not keep the others back."""
    is_over = clock(session) >= claimed.give_up_at
    state = NotificationState.DEAD if is_over else NotificationState.PENDING
    later = now(pause_seconds(claimed.n_attempts))
    values = {"state": state, "not_before": later, "lease_until": None, "fault": fault[:MAX_FAULT_CHARS]}
    if not changed(session, _held(claimed).values(values)):
        return state
    if is_over:
        tallies.add(session, Counted.NOTIFICATIONS, claimed.event, NotificationState.DEAD)
    else:
        others = update(Notification).where(
            Notification.destination == claimed.destination,
            Notification.state == NotificationState.PENDING,
            Notification.not_before < later,
            Notification.id > claimed.id,
        )
        n_changed(session, others.values(not_before=later))
    return state


def pause_seconds(n_attempts: int) -> float:
    """How long to wait after this many attempts."""
    return float(min(LAST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2.0 ** min(n_attempts - 1, 30)))


def _is_due() -> tuple[ColumnElement[bool], ...]:
    is_free = or_(Notification.lease_until.is_(None), Notification.lease_until < now())
    return (Notification.state == NotificationState.PENDING, Notification.not_before <= now(), is_free)


def _held(claimed: Claimed) -> Any:
    return update(Notification).where(
        Notification.id == claimed.id,
        Notification.fence == claimed.fence,
        Notification.state == NotificationState.PENDING,
    )


# --- for people --------------------------------------------------------------------------------------------------


def retry(session: Session, ids: Sequence[int] | None = None) -> int:
    """Try again now what is dead or waits: these, or all, for another day; returns how many. NotFoundError for one that
    was sent or does not exist."""
    unsent = Notification.state != NotificationState.SENT
    if ids is not None:
        found = set(session.scalars(select(Notification.id).where(unsent, one_of(Notification.id, ids))))
        if missing := sorted(set(ids) - found):
            raise NotFoundError(
                f"there is no unsent notification {missing[0]}: `docmill notifications list` shows them"
            )
    chosen = update(Notification).where(unsent)
    if ids is not None:
        chosen = chosen.where(one_of(Notification.id, ids))
    values = {
        "state": NotificationState.PENDING,
        "not_before": now(),
        "give_up_at": now(GIVE_UP_SECONDS),
        "n_attempts": 0,
    }
    return n_changed(session, chosen.values(values))


def by_id(session: Session, notification_id: int) -> Notification:
    """One notification, or NotFoundError."""
    row = session.get(Notification, notification_id)
    if row is None:
        raise NotFoundError(f"there is no notification {notification_id}: `docmill notifications list`")
    return row


def listing(session: Session, *, unsent: bool = False, limit: int | None = None) -> list[Notification]:
    """The newest first."""
    query = select(Notification).order_by(Notification.id.desc())
    if unsent:
        query = query.where(Notification.state != NotificationState.SENT)
    return list(session.scalars(query.limit(limit) if limit is not None else query))


def unsent(session: Session, most: int) -> tuple[int, int, datetime | None]:
    """(how many wait, how many are dead, each counted up to `most`; since when the one waits that is next)."""
    pending = select(Notification.id).where(Notification.state == _literal(NotificationState.PENDING))
    dead = select(Notification.id).where(Notification.state == _literal(NotificationState.DEAD))
    n_pending, n_dead = (
        session.scalar(select(func.count()).select_from(some.limit(most).subquery())) or 0
        for some in (pending, dead)
    )
    oldest = pending.with_only_columns(Notification.created_at).order_by(Notification.not_before).limit(most)
    since = session.scalar(select(func.min(oldest.subquery().c.created_at)))
    return n_pending, n_dead, since


def _literal(state: NotificationState) -> ColumnElement[Any]:
    """Part of the statement, so that SQLite knows that the partial index has all that is asked for."""
    return literal_column(f"'{state}'")


@dataclass(frozen=True, slots=True)
class Stuck:
    """A destination that takes no messages."""

    destination: str
    n_pending: int
    n_dead: int
    since: datetime
    fault: str | None


def stuck(session: Session, seconds: float) -> list[Stuck]:
    """Destinations with dead messages, or with one that has waited for longer than this."""
    old = (Notification.state == NotificationState.PENDING) & (Notification.created_at < now(-seconds))
    dead = Notification.state == NotificationState.DEAD
    counts = select(
        Notification.destination,
        func.count().filter(old),
        func.count().filter(dead),
        func.min(Notification.created_at),
        func.max(Notification.fault),
    )
    query = counts.where(or_(old, dead)).group_by(Notification.destination).order_by(Notification.destination)
    return [Stuck(*row) for row in session.execute(query)]
