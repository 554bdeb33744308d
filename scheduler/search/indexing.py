"""The step of the loop that brings the full text index up to date, a few documents at a time.

Texts are analysed outside of any transaction, by the analyser of Korean, which `add` therefore need not wait for.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Sequence

from db import fulltext
from db.database_errors import is_infrastructure_error, words
from db.fulltext import Indexed
from db.retention.steps import some_job_runs
from db.store import Store, is_lock_timeout

log = logging.getLogger("docmill.scheduler")

#: Documents of one transaction, and characters unless one alone is longer.
BATCH_DOCUMENTS, BATCH_CHARS = 200, 200_000
#: A turn of the step ends after this time.
TURN_SECONDS = 0.5
LOCK_SECONDS = 2.0


class Indexer:
    """The step of one scheduler."""

    def __init__(self, store: Store, stopping: threading.Event) -> None:
        self._store, self._stopping = store, stopping

    def turn(self) -> bool:
        """Index some of the documents that wait; whether there were any. While jobs run, half of the time is left to
        them. The thread's own priority stays as it is: it holds Python's lock and the store's, and everybody would wait
        for it on a busy machine."""
        with self._store.look() as session:
            is_busy = some_job_runs(session)
        until, n = time.monotonic() + TURN_SECONDS, 0
        while not self._stopping.is_set() and time.monotonic() < until:
            began = time.monotonic()
            did = index_some(self._store, stopping=self._stopping) + maintain_lists(self._store)
            if not did:
                break
            n += did
            if is_busy:
                self._stopping.wait(time.monotonic() - began)
        return n > 0


def index_some(
    store: Store, *, stopping: threading.Event | None = None, n_documents: int = BATCH_DOCUMENTS
) -> int:
    """Index one batch of the documents that wait; returns how many are done. Two processes that do this at once
    begin at either end, as chance has it; what both have analysed is written once."""
    from nlp_tasks import search_words

    with store.read() as session:
        waiting = fulltext.next_texts(session, n_documents, BATCH_CHARS, newest_first=random.random() < 0.5)
    analysed: list[Indexed] = []
    for each in waiting:
        if stopping is not None and stopping.is_set():
            break
        analysed.append(Indexed(each.id, search_words.words(each.text) if each.text is not None else ()))
    if not analysed:
        return 0
    return _write(store, analysed)


def _write(store: Store, analysed: Sequence[Indexed]) -> int:
    try:
        with store.write(lock_seconds=LOCK_SECONDS) as session:
            return fulltext.write(session, analysed)
    except Exception as error:
        if is_lock_timeout(error):
            log.info("the full text index is locked by another transaction; trying again later")
            return 0
        if is_infrastructure_error(error):
            raise
        if len(analysed) > 1:
            return sum(_write(store, [each]) for each in analysed)
        (one,) = analysed
        if not one.words:
            raise
        log.warning("document %d cannot be indexed and is not found by words: %s", one.id, words(error))
        return _write(store, [Indexed(one.id, ())])


def maintain_lists(store: Store) -> int:
    """Bring some of the lists of frequent words up to date; returns how many, 0 if none is due."""
    if store.is_sqlite:
        return 0
    try:
        with store.write(lock_seconds=LOCK_SECONDS) as session:
            return fulltext.maintain(session)
    except Exception as error:
        if not is_lock_timeout(error):
            raise
        return 0


def index_all(store: Store, tell: Callable[[int], None] = lambda _n: None) -> int:
    """Index everything that waits; returns how many documents. `tell` is called after each batch with the number so
    far. Ctrl-C is safe: what was written stays, the rest waits."""
    n = 0
    while did := index_some(store):
        maintain_lists(store)
        n += did
        tell(n)
    while maintain_lists(store):
        pass
    return n
