"""Removing documents and collections: what `docmill documents remove`, `docmill collections remove` and
`Client.remove` do. Small batches, each a transaction: an interrupted removal goes on where it was."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from sqlalchemy import select
from sqlalchemy.orm import Session

from db import documents, fulltext, removal, where
from db.files import collection_of
from db.removal import Chosen, Found, Place
from db.states import ENDED
from db.store import Store, is_lock_timeout
from db.tables import Job

#: Keys of one batch: it begins small, and follows the machine's speed.
_FIRST_BATCH, _LEAST, _MOST = 100, 20, 1_000
#: Keys that are looked for at once in tables that have to be read whole.
_AHEAD = 20_000
#: A batch should not take longer: others wait for it.
_BATCH_SECONDS = 0.25
#: The wait for writers that are in the middle of a transaction; after that they get a turn.
_LOCK_SECONDS = 0.5

#: Called after each batch with what was found so far.
Tell = Callable[[Found], None]


@dataclass(frozen=True)
class OpenJob:
    """A job that has not ended, and may still have some of the documents."""

    id: int
    kind: str
    state: str


@dataclass(frozen=True)
class Removed:
    """What a removal removed, or, if it is only planned, would remove."""

    found: Found = field(default_factory=Found)
    #: Jobs over the collection that have not ended: documents that they have not done get the outcome REMOVED.
    jobs: Sequence[OpenJob] = ()
    #: Keys that were asked for, and that neither a document nor a file has.
    unknown: Sequence[str] = ()
    #: Schedules that name the collection; only where the whole collection is removed.
    schedules: Sequence[str] = ()
    #: False for a plan.
    done: bool = False


def chosen(session: Session, collection: str, keys: Sequence[str], selection: str | None = None) -> Chosen:
    """The documents of these keys, or those whose metadata a selection means (db.where). ValueError for a selection
    that cannot be understood, and for neither or both."""
    number = documents.collection_id(session, collection)
    if keys and selection is not None:
        raise ValueError("say which documents by their keys or by a selection, not by both")
    if selection is not None:
        return Chosen(number, where=(where.where(session, selection, number),))
    if not keys:
        raise ValueError(
            "say which documents to remove: keys, or a selection; "
            f"`docmill collections remove {collection}` removes all of them"
        )
    return Chosen(number, keys=list(dict.fromkeys(keys)))


def plan(store: Store, chosen: Chosen, tell: Tell | None = None) -> Removed:
    """What would be removed. Changes nothing."""
    found, start = Found(), 0
    seen: set[int] = set()
    with store.read() as session:
        while batch := removal.next_keys(session, chosen, start, _MOST):
            found += removal.count(session, chosen.collection_id, batch.keys, seen)
            start = batch.next
            if tell is not None:
                tell(found)
        jobs = _open_jobs(session, chosen.collection_id)
        return Removed(found, jobs, _unknown(session, chosen))


def remove(store: Store, chosen: Chosen, tell: Tell | None = None) -> Removed:
    """Remove documents. After an interruption, the same call removes the rest."""
    with store.read() as session:
        jobs = _open_jobs(session, chosen.collection_id)
        unknown = _unknown(session, chosen)
    try:
        found = _Batches(store, chosen, tell).run()
        sweep(store, at_least=found.n_versions > 0)
    finally:
        _empty_log(store)
    return Removed(found, jobs, unknown, done=True)


def remove_collection(store: Store, name: str, tell: Tell | None = None, *, really: bool) -> Removed:
    """Remove a collection with its documents and files, or say what would be removed."""
    with store.read() as session:
        chosen = Chosen(documents.collection_id(session, name))
        schedules = tuple(schedule.name for schedule in removal.naming(session, name))
    if not really:
        return replace(plan(store, chosen, tell), schedules=schedules)
    removed = remove(store, chosen, tell)
    while True:
        with store.write() as session:
            if removal.retire(session, chosen.collection_id):
                return replace(removed, schedules=schedules)
        # Documents were added since.
        more = remove(store, chosen, tell)
        removed = replace(removed, found=removed.found + more.found)


def sweep(store: Store, *, at_least: bool = False, older_than: float = 0) -> None:
    """Delete neighbours that name a removed document, and end the removals that wait for it: those that began this many
    seconds ago. With `at_least`, even if none waits."""
    with store.read() as session:
        waiting = removal.unfinished(session, older_than)
    if not waiting and not at_least:
        return
    place: Place | None = Place()
    while place is not None:
        with store.write() as session:
            removal.zero(session)
            place = removal.sweep_some(session, place)
    _clean_index(store)
    with store.write() as session:
        removal.zero(session)
        for removal_id in waiting:
            removal.end(session, removal_id)


def _clean_index(store: Store) -> None:
    """Nothing of what was removed stays in SQLite's index."""
    begin, is_more = True, True
    while is_more:
        with store.write() as session:
            removal.zero(session)
            is_more = fulltext.clean(session, begin=begin)
        begin = False


class _Batches:
    """The batches of one removal."""

    def __init__(self, store: Store, chosen: Chosen, tell: Tell | None) -> None:
        self._store = store
        self._chosen = chosen
        self._tell = tell
        self._removal: int | None = None
        self._size = _FIRST_BATCH
        #: Keys that are to be erased next, and are named nowhere else any more.
        self._ahead: set[str] = set()
        #: All that were unnamed: they are looked for once more at the end, since a plan may have been made meanwhile.
        self._names: list[str] = []

    def run(self) -> Found:
        found = Found()
        start = 0
        while True:
            with self._store.read() as session:
                batch = removal.next_keys(session, self._chosen, start, self._size)
            if batch is None:
                self._unname(self._names)
                return found
            if not self._ahead.issuperset(batch.keys):
                self._look_ahead(start)
            one = self._erased(batch.keys)
            found += one
            start = start if one.is_partial else batch.next
            if self._tell is not None:
                self._tell(found)

    def _look_ahead(self, start: int) -> None:
        """Unname the next documents before they are erased: after an interruption nobody would know their keys."""
        with self._store.read() as session:
            batch = removal.next_keys(session, self._chosen, start, _AHEAD)
            if batch is None:
                return
            self._ahead = set(batch.keys)
            names = removal.names(session, self._chosen.collection_id, batch.keys)
        self._unname(names)
        self._names += names

    def _unname(self, names: Sequence[str]) -> None:
        for begin in range(0, len(names), _AHEAD):
            with self._store.write() as session:
                removal.zero(session)
                removal.unname(session, names[begin : begin + _AHEAD])

    def _erased(self, keys: Sequence[str]) -> Found:
        """Erase a batch. Workers that are storing results go first."""
        while True:
            began = time.monotonic()
            try:
                with self._store.write(lock_seconds=_LOCK_SECONDS) as session:
                    number = self._removal or removal.start(session, self._chosen.collection_id)
                    found = removal.erase(session, self._chosen.collection_id, keys, number)
            except Exception as error:
                if not is_lock_timeout(error):
                    raise
                time.sleep(_LOCK_SECONDS)
                continue
            self._removal = number
            self._give_way(time.monotonic() - began)
            return found

    def _give_way(self, seconds: float) -> None:
        """The time that a batch took decides how large the next one is, and how long others have before it."""
        if seconds > _BATCH_SECONDS:
            self._size = max(_LEAST, self._size // 2)
        elif seconds < _BATCH_SECONDS / 2:
            self._size = min(_MOST, self._size * 2)
        time.sleep(min(seconds / 2, _BATCH_SECONDS))


def _unknown(session: Session, chosen: Chosen) -> list[str]:
    keys = chosen.keys or ()
    batches = (keys[start : start + _MOST] for start in range(0, len(keys), _MOST))
    return [key for batch in batches for key in removal.unknown(session, chosen.collection_id, batch)]


def _open_jobs(session: Session, collection: int) -> tuple[OpenJob, ...]:
    both = (collection, collection_of(session, collection) or collection)
    query = (
        select(Job.id, Job.kind, Job.state)
        .where(Job.collection_id.in_(both), Job.state.not_in(ENDED))
        .order_by(Job.id)
    )
    return tuple(OpenJob(row.id, row.kind, str(row.state)) for row in session.execute(query))


def _empty_log(store: Store) -> None:
    """SQLite's write-ahead log holds pages as they were: empty it, unless somebody reads from it at this moment."""
    if store.is_sqlite:
        connection = store.engine.raw_connection()
        try:
            connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")
        finally:
            connection.close()
