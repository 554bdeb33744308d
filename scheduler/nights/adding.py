"""The step `add`: the sources of a night are read into its collection."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from db import documents, files
from db.documents import BATCH
from db.errors import NotFoundError
from db.nights import running
from db.sql import one_of
from db.tables import Document
from readers import BadRecord, Record
from scheduler.adding import store_records
from scheduler.files import FileRegister
from scheduler.nights import actions, coming, reading
from scheduler.nights.actions import Action, Setting
from scheduler.nights.steps import ADD
from workers.settings import settings


def add(setting: Setting) -> str:
    """Read every source, and remove what the plan removes. Doing it twice changes nothing. ValueError, once the others
    are read, if a source is missing."""
    store = setting.store
    with store.read() as session:
        night = running.by_id(session, setting.night_id)
        file = reading.parse(night.file, Path(night.folder))
        since = running.last_done(session, night.name)
        removed = set(running.removed_keys(session, setting.plan_id, setting.step))
    bad: list[BadRecord] = []
    register = FileRegister(lambda: store, setting.collection, refuse=bad.append, remote=settings().remote)
    seen: set[str] = set()

    def records() -> Iterator[Record]:
        for record in coming.records(file, since, register.takes, bad.append):
            setting.beat()
            if record.key in removed:
                seen.add(record.key)
            yield record

    report = store_records(lambda: store, records(), setting.collection, [], None, [])
    of_files = register.register()
    n_removed = 0
    with store.write() as session:
        n_removed = _remove(session, setting.collection, removed - seen)
    words = [
        f"{report.n_new + of_files.n_new:,} new",
        f"{report.n_changed + of_files.n_changed:,} changed",
        f"{report.n_unchanged + of_files.n_unchanged:,} unchanged",
    ]
    words += [f"{n_removed:,} removed"] if n_removed else []
    words += [f"{len(bad):,} bad (the first: {bad[0]})"] if bad else []
    # Rather a disk that is not mounted than a night without news: people have to know.
    if missing := [one for one in bad if one.code == "NOT_FOUND" and one.line is None]:
        raise ValueError(f"a source is missing: {missing[0]}; of the others: {', '.join(words)}")
    return ", ".join(words)


def _remove(session: Session, name: str, keys: set[str]) -> int:
    if not keys:
        return 0
    try:
        target = documents.collection_id(session, name)
    except NotFoundError:
        return 0
    ordered, n_removed = sorted(keys), 0
    for collection in (target, files.collection_of(session, target)):
        if collection is None:
            continue
        for start in range(0, len(ordered), BATCH):
            ids = session.scalars(
                select(Document.id).where(
                    Document.collection_id == collection,
                    Document.is_latest,
                    one_of(Document.key, ordered[start : start + BATCH]),
                )
            ).all()
            n_removed += documents.remove(session, collection, ids) if ids else 0
    return n_removed


actions.register(Action(ADD, "read the sources into the collection", add))
