"""The metrics of the store and of Redis, asked at each scrape. Every query reads a bounded number of rows from an
index (db.monitoring), however many documents and ended jobs there are."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

from kombu.exceptions import KombuError
from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from db import monitoring, tallies
from db.database_errors import words
from db.monitoring import Repeated
from db.states import OutcomeState
from db.store import Store
from db.tallies import Counted
from scheduler.broker import Broker
from workers.kinds import all_kinds
from workers.metrics.recorder import Counts

log = logging.getLogger("docmill.metrics")

#: PostgreSQL ends a statement of a scrape after this time.
QUERY_SECONDS = 5.0
#: Error codes of one kind that have a series of their own; kinds choose their codes freely.
MOST_CODES = 100
#: The label of the codes above that number.
OTHER = "OTHER"


class StoreMetrics:
    """Asks the store and Redis. What does not answer is reported as down, and its other metrics are left out."""

    def __init__(self, store: Store, broker: Broker, version: str) -> None:
        self._store = store
        self._broker = broker
        self._version = version
        self._down: set[str] = set()

    def counts(self) -> Counts:
        """The metrics at this moment."""
        found = Counts()
        found.gauges["docmill_build_info", (self._version,)] = 1
        found.add(self._asked("store", self._of_store))
        found.add(self._asked("redis", self._of_redis))
        return found

    def _asked(self, part: str, ask: Callable[[Counts], None]) -> Counts:
        """What a part says, and whether it answered. A fault is logged when it begins, and when it is over."""
        found, began = Counts(), time.monotonic()
        try:
            ask(found)
        except Exception as error:
            found = Counts()
            if part not in self._down:
                is_known = isinstance(error, SQLAlchemyError | KombuError | RedisError | OSError)
                log.warning(
                    "%s: %s; trying again at the next scrape", part, words(error), exc_info=not is_known
                )
            self._down.add(part)
            if part == "redis":
                self._broker.close()
        else:
            self._down.discard(part)
        found.gauges[f"docmill_{part}_up", ()] = float(part not in self._down)
        found.gauges["docmill_scrape_duration_seconds", (part,)] = time.monotonic() - began
        return found

    def _of_store(self, found: Counts) -> None:
        schema = self._store.schema()
        with self._store.read() as session:
            monitoring.limit_time(session, QUERY_SECONDS)
            _counters(session, found)
            _work(session, found)
            _stored(session, found)
            for owner, each in (
                ("schedule", monitoring.scheduled(session)),
                ("night", monitoring.nights(session)),
            ):
                for repeated in each:
                    _repeated(found, owner, repeated)
        if schema is not None and schema.isdecimal():
            found.gauges["docmill_store_schema_version", ()] = float(schema)

    def _of_redis(self, found: Counts) -> None:
        for (kind, priority), n in self._broker.depths(all_kinds()).items():
            found.gauges["docmill_redis_messages", (kind, str(priority))] = n
        found.gauges["docmill_redis_memory_bytes", ()] = self._broker.memory_bytes()


def _counters(session: Session, found: Counts) -> None:
    names = {
        Counted.ROWS: "docmill_result_rows_total",
        Counted.REQUEUES: "docmill_chunk_requeues_total",
        Counted.JOBS: "docmill_jobs_ended_total",
        Counted.NOTIFICATIONS: "docmill_notifications_total",
    }
    totals = sorted(tallies.totals(session).items())
    codes: dict[str, set[str]] = {}
    for (counted, kind, label), n in totals:
        if counted != Counted.DOCUMENTS:
            found.counters[names[Counted(counted)], (kind, label)] = n
            continue
        own = codes.setdefault(kind, set())
        if len(own) < MOST_CODES:
            own.add(label)
        outcome, code = _outcome(label if label in own else OTHER)
        key = ("docmill_documents_total", (kind, outcome, code))
        found.counters[key] = found.counters.get(key, 0) + n


def _outcome(label: str) -> tuple[str, str]:
    return (label, "") if label == OutcomeState.OK else (str(OutcomeState.ERROR), label)


def _work(session: Session, found: Counts) -> None:
    gauges = found.gauges
    for queue in monitoring.queues(session):
        place = (queue.kind, str(queue.priority))
        gauges["docmill_ready_chunks", place] = queue.n_ready
        gauges["docmill_oldest_ready_chunk_age_seconds", place] = queue.oldest_seconds
    for kind, state, n in monitoring.jobs(session):
        gauges["docmill_open_jobs", (kind, str(state))] = n
    for held in monitoring.leases(session):
        gauges["docmill_leases", (held.kind,)] = held.n
        gauges["docmill_expired_leases", (held.kind,)] = held.n_expired
    for role, condition, n in monitoring.members(session):
        gauges["docmill_members", (role, condition)] = n


def _stored(session: Session, found: Counts) -> None:
    gauges = found.gauges
    unsent = monitoring.unsent(session)
    gauges["docmill_outstanding_notifications", ("pending",)] = unsent.n_pending
    gauges["docmill_outstanding_notifications", ("dead",)] = unsent.n_dead
    gauges["docmill_oldest_pending_notification_age_seconds", ()] = unsent.oldest_seconds
    gauges["docmill_quarantined_documents", ()] = monitoring.quarantined(session)
    gauges["docmill_store_size_bytes", ()] = monitoring.store_bytes(session)


def _repeated(found: Counts, owner: str, repeated: Repeated) -> None:
    values: dict[str, Any] = {
        "last_success_timestamp_seconds": repeated.last_success and repeated.last_success.timestamp(),
        "last_duration_seconds": repeated.last_seconds,
        "running": repeated.is_running,
    }
    if owner == "schedule":
        due = None if repeated.is_paused or repeated.next_at is None else repeated.next_at.timestamp()
        values |= {"next_timestamp_seconds": due, "paused": repeated.is_paused}
        values["consecutive_failures"] = repeated.n_failures
    for name, value in values.items():
        if value is not None:
            found.gauges[f"docmill_{owner}_{name}", (repeated.name,)] = float(value)
