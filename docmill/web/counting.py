"""How many documents collections have, counted beside the requests: no page waits for a count of a million."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from db.store import Store
from db.tables import Document

log = logging.getLogger("docmill.web")

#: Documents that one query counts.
SLICE = 5_000
#: A count older than this is made anew when somebody asks.
SECONDS = 30.0
#: A page waits this long for a first count, and this long for a newer one.
WAIT_SECONDS, WAIT_FOR_NEWER_SECONDS = 0.5, 0.05


@dataclass(frozen=True, slots=True)
class Count:
    """Documents of a collection."""

    n: int
    #: It is still being counted: there are at least `n`.
    is_more: bool


class DocumentCounts:
    """The last counts. Safe to share between threads."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._counts: dict[int, Count] = {}
        self._counted_at = -SECONDS
        self._newest = 0
        self._done = threading.Event()
        self._thread: threading.Thread | None = None

    def of(self, collections: list[int]) -> dict[int, Count]:
        """The counts of these collections. They are waited for, but not for long."""
        with self._store.look() as session:
            newest = session.scalar(select(func.max(Document.id))) or 0
        with self._lock:
            is_new = not set(collections) <= set(self._counts)
            is_old = is_new or newest != self._newest or time.monotonic() - self._counted_at > SECONDS
            self._newest = newest
            is_begun = is_old and (self._thread is None or not self._thread.is_alive())
            if is_begun:
                self._done.clear()
                self._thread = threading.Thread(target=self._count, args=(collections,), daemon=True)
                self._thread.start()
        if is_begun:
            self._done.wait(WAIT_SECONDS if is_new else WAIT_FOR_NEWER_SECONDS)
        with self._lock:
            return {one: self._counts.get(one, Count(0, is_more=True)) for one in collections}

    def _count(self, collections: list[int]) -> None:
        try:
            for one in collections:
                self._count_one(one)
            self._counted_at = time.monotonic()
        except SQLAlchemyError:
            log.warning("documents could not be counted", exc_info=True)
        finally:
            self._done.set()

    def _count_one(self, collection: int) -> None:
        n, after = 0, 0
        while True:
            some = (
                select(Document.id)
                .where(Document.collection_id == collection, Document.is_latest, Document.id > after)
                .order_by(Document.id)
                .limit(SLICE)
                .subquery()
            )
            with self._store.look() as session:
                n_more, last = session.execute(
                    select(func.count(), func.max(some.c.id)).select_from(some)
                ).one()
            n += n_more
            is_more = n_more == SLICE
            with self._lock:
                before = self._counts.get(collection)
                # A whole count stands until the next one is whole.
                if not is_more or before is None or before.is_more:
                    self._counts[collection] = Count(n, is_more)
            if not is_more:
                return
            after = last
