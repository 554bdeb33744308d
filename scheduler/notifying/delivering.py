"""The scheduler's turn over the outbox: each message is claimed, delivered outside any transaction, and marked.

A scheduler that dies between delivery and mark leaves a lease; when it has run out, another one delivers the message
again with the same id. That is the one way in which a message can arrive twice.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from db import notifications
from db.notifications import Claimed
from db.states import NotificationState
from db.store import Store, is_infrastructure_error
from scheduler.notifying import command, smtp, webhook
from scheduler.notifying.deadline import DELIVERY_SECONDS
from scheduler.notifying.destinations import Channel, Destination, parse
from scheduler.notifying.secret import DeliveryError

log = logging.getLogger("docmill.scheduler")

#: Longer than any delivery: connecting may take its time before `DELIVERY_SECONDS` are cut off.
LEASE_SECONDS = 4 * DELIVERY_SECONDS
#: Messages of one turn.
TURN_MESSAGES = 20
MARK_AGAIN_SECONDS = 0.2

DELIVER: dict[Channel, Callable[[Destination, Claimed], None]] = {
    Channel.SMTP: smtp.deliver,
    Channel.WEBHOOK: webhook.deliver,
    Channel.COMMAND: command.deliver,
}


def deliver_some(store: Store, stopping: threading.Event | None = None) -> bool:
    """Deliver what is due, some messages at most; whether there were any."""
    for n in range(TURN_MESSAGES):
        if stopping is not None and stopping.is_set():
            return n > 0
        claimed = _claim(store)
        if claimed is None:
            return n > 0
        deliver_one(store, claimed, stopping)
    return True


def deliver_one(store: Store, claimed: Claimed, stopping: threading.Event | None = None) -> str | None:
    """Deliver a claimed message, and note what came of it; returns why it failed, if so."""
    try:
        destination = parse(claimed.destination)
        DELIVER[destination.channel](destination, claimed)
    except (DeliveryError, ValueError) as error:
        _note_fault(store, claimed, str(error))
        return str(error)
    except Exception as error:
        # Not its words: they may hold the URL.
        log.warning("notification %d: %s", claimed.id, type(error).__name__)
        _note_fault(store, claimed, f"unexpected {type(error).__name__}")
        return f"unexpected {type(error).__name__}"
    _mark_sent(store, claimed, stopping or threading.Event())
    log.info("notification %d (%s of %s) was delivered to %s", claimed.id, claimed.event, claimed.owner,
             claimed.destination)  # fmt: skip
    return None


def _claim(store: Store) -> Claimed | None:
    # Looking costs no lock: SQLite has one writer.
    with store.read() as session:
        if not notifications.is_any_due(session):
            return None
    with store.write() as session:
        return notifications.claim(session, LEASE_SECONDS)


def _mark_sent(store: Store, claimed: Claimed, stopping: threading.Event) -> None:
    """Mark it while its lease lasts, also if the database restarts just now: else it would be delivered again."""
    end = time.monotonic() + LEASE_SECONDS / 2
    while True:
        try:
            with store.write() as session:
                notifications.sent(session, claimed)
        except Exception as error:
            if not is_infrastructure_error(error) or time.monotonic() > end or stopping.is_set():
                raise
            stopping.wait(MARK_AGAIN_SECONDS)
        else:
            return


def _note_fault(store: Store, claimed: Claimed, fault: str) -> None:
    with store.write() as session:
        state = notifications.failed(session, claimed, fault)
    words = "is given up" if state == NotificationState.DEAD else "is tried again later"
    log.warning("notification %d to %s %s: %s", claimed.id, claimed.destination, words, fault)
