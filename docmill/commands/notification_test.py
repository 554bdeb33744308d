"""A test message to each destination, and what became of it."""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select

from db import notifications, run_messages
from db.states import Event, NotificationState
from db.store import Store
from db.tables import Notification
from scheduler.notifying import delivering

#: How often the store is asked.
LOOK_SECONDS = 0.2


@dataclass(frozen=True)
class Tested:
    """What became of one test message."""

    destination: str
    state: NotificationState
    n_attempts: int
    fault: str | None

    @property
    def is_sent(self) -> bool:
        return self.state == NotificationState.SENT

    @property
    def words(self) -> str:
        if self.is_sent:
            return "accepted"
        if self.fault:
            return f"not accepted: {self.fault}"
        if self.n_attempts:
            return "a scheduler is still trying"
        return "no scheduler has tried it: start `docmill scheduler` or `docmill up`, or use --here"


def run(store: Store, owner: str, destinations: Sequence[str], *, here: bool, seconds: float) -> list[Tested]:
    """Send to each, by this process or by a running scheduler, and wait for so long at most."""
    key = f"test {secrets.token_hex(8)}"
    with store.write() as session:
        message = run_messages.test_message(owner)
        notifications.send(session, owner, Event.TEST, key, message, destinations)
        claimed = [
            notifications.claim(session, delivering.LEASE_SECONDS, key=key) for _ in destinations if here
        ]
    for one in claimed:
        if one is not None:
            delivering.deliver_one(store, one)
    end = time.monotonic() + seconds
    while True:
        found = _of(store, key)
        if here or time.monotonic() > end or all(one.is_sent or one.fault for one in found):
            return found
        time.sleep(LOOK_SECONDS)


def _of(store: Store, key: str) -> list[Tested]:
    with store.read() as session:
        query = select(Notification).where(Notification.key == key).order_by(Notification.id)
        return [
            Tested(row.destination, row.state, row.n_attempts, row.fault) for row in session.scalars(query)
        ]
