"""What the sources of a night have that the store has not. Nothing is stored.

The sources are read here as `add` reads them. If two sources have the same key, the first one is taken and the other
is reported: otherwise each night would see both as changed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from db import documents, files
from db.documents import BATCH, NewDocument
from db.errors import NotFoundError
from db.sql import one_of
from db.store import Store
from db.tables import Document
from readers import BadRecord, ReadOptions, Record
from readers.files import OtherFile, Takes
from readers.records import RefusedError
from scheduler import sources
from scheduler.files import file_document
from scheduler.nights.definition import SourceTable, folders_of
from scheduler.nights.reading import NightFile
from scheduler.sources import Source, as_document
from workers.settings import settings

#: The time of the last night, in a source's query.
SINCE = re.compile(r"(?<!:):since\b")
_URL = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)


@dataclass(slots=True)
class Found:
    """What is new or changed of documents, or of files that are to be extracted: (key, content hash, characters)."""

    new: list[tuple[str, str, int]] = field(default_factory=list)
    changed: list[tuple[str, str, int]] = field(default_factory=list)
    #: The versions in the store that the changed ones replace, and those that no source has any more.
    replaced: list[int] = field(default_factory=list)
    removed: list[tuple[str, int]] = field(default_factory=list)
    n_unchanged: int = 0
    #: Only their label is another one.
    n_relabelled: int = 0


@dataclass(slots=True)
class Coming:
    """What `add` will do."""

    documents: Found = field(default_factory=Found)
    files: Found = field(default_factory=Found)
    bad: list[BadRecord] = field(default_factory=list)
    #: Why documents that no source has are kept all the same.
    note: str | None = None

    @property
    def n_to_do(self) -> int:
        found = self.documents, self.files
        n = sum(len(each.new) + len(each.changed) + len(each.removed) for each in found)
        return n + self.documents.n_relabelled


def records(
    night: NightFile, since: datetime | None, takes: Takes, bad: Callable[[BadRecord], None]
) -> Iterator[Record]:
    """The records of every source of a night, each key once. ValueError names the source that cannot be read."""
    seen: set[str] = set()
    for number, table in enumerate(night.definition.source, start=1):
        try:
            found = sources.read(source_of(table, night.folder, since), options_of(table), takes=takes)
            for record in found:
                if isinstance(record, BadRecord):
                    bad(record)
                elif record.key in seen:
                    why = RefusedError(
                        "DUPLICATE_KEY", "an earlier source has the same key: only that one is taken"
                    )
                    bad(why.at(record.source))
                else:
                    seen.add(record.key)
                    yield record
        except ValueError as error:
            raise ValueError(f"source {number}: {error}") from error


def source_of(table: SourceTable, folder: Path, since: datetime | None) -> Source:
    """A source of the file; relative paths start from `folder`."""
    if table.sql is not None:
        values = dict(table.values)
        if SINCE.search(table.sql) and "since" not in values:
            values["since"] = (since or datetime.fromisoformat("1970-01-01T00:00:00+00:00")).strftime(
                "%F %T+00:00"
            )
        return Source(sql=table.sql, database=table.database, values=values)
    given = (table.files,) if isinstance(table.files, str) else table.files or ()
    return Source(files=tuple(one if _URL.match(one) else str(folder / one) for one in given))


def options_of(table: SourceTable) -> ReadOptions:
    """How a source is read."""
    names = ("key_field", "text_field", "label_field", "encoding", "delimiter")
    given: dict[str, Any] = {name: getattr(table, name) for name in names if getattr(table, name) is not None}
    return ReadOptions(**given, folders=folders_of(table.metadata))


def look(store: Store, night: NightFile, since: datetime | None, beat: Callable[[], None]) -> Coming:
    """Read the sources of a night and compare them with the store."""
    found = Coming()
    if not night.definition.source:
        return found
    with store.read() as session:
        target = _collection(session, night.definition.collection)
        of_files = files.collection_of(session, target) if target is not None else None
    compare = _Comparison(store, target, found.documents)
    compare_files = _Comparison(store, of_files, found.files)

    def takes(file: OtherFile) -> bool:
        beat()
        try:
            document = file_document(file, settings().remote)
            if document is None:
                return False
            compare_files.take(document)
        except RefusedError as refused:
            found.bad.append(refused.at(file.shown))
        return True

    for record in records(night, since, takes, found.bad.append):
        compare.take(as_document(record))
        beat()
    compare.end()
    compare_files.end()
    if night.definition.missing == "remove":
        _removed(store, target, of_files, compare, compare_files, found)
    return found


def _collection(session: Session, name: str) -> int | None:
    try:
        return documents.collection_id(session, name)
    except NotFoundError:
        return None


class _Comparison:
    """Compares documents with a collection, batch by batch."""

    def __init__(self, store: Store, collection: int | None, found: Found) -> None:
        self.keys: set[str] = set()
        self._store, self._collection, self._found = store, collection, found
        self._batch: dict[str, NewDocument] = {}

    def take(self, document: NewDocument) -> None:
        if document.key in self.keys:
            raise RefusedError(
                "DUPLICATE_KEY", "an earlier file has the same key: only the first one is taken"
            )
        self.keys.add(document.key)
        self._batch[document.key] = document
        if len(self._batch) == BATCH:
            self.end()

    def end(self) -> None:
        """Compare what was not compared yet."""
        stored = _stored(self._store, self._collection, list(self._batch))
        for document in self._batch.values():
            before = stored.get(document.key)
            n_chars = len(document.text) if document.weight is None else document.weight
            coming = (document.key, document.content_hash.hex(), n_chars)
            if before is None:
                self._found.new.append(coming)
            elif before.content_hash == document.content_hash:
                self._found.n_unchanged += 1
            elif documents.is_only_label(document, before):
                self._found.n_relabelled += 1
            else:
                self._found.changed.append(coming)
                self._found.replaced.append(before.id)
        self._batch = {}


def _stored(store: Store, collection: int | None, keys: Sequence[str]) -> dict[str, Any]:
    if collection is None or not keys:
        return {}
    with store.read() as session:
        rows = session.execute(
            select(Document.key, Document.id, Document.content_hash, Document.label).where(
                Document.collection_id == collection, Document.is_latest, one_of(Document.key, keys)
            )
        )
        return {row.key: row for row in rows}


def _removed(
    store: Store,
    target: int | None,
    of_files: int | None,
    compare: _Comparison,
    compare_files: _Comparison,
    found: Coming,
) -> None:
    """What the store has and no source has. A document is kept if it may be in what cannot be read; and all are kept if
    more than half would be removed: then it is rather the source that is missing."""
    if target is None:
        return
    unread = _Unread.of(found.bad)
    with store.read() as session:
        from_files = files.made_of(session, of_files, compare_files.keys) if of_files is not None else set()
        found.files.removed = list(_missing(session, of_files, compare_files.keys, unread))
        found.documents.removed = list(_missing(session, target, compare.keys | from_files, unread))
        n_stored = documents.count(session, target)
    n_removed = len(found.documents.removed)
    if n_removed * 2 > n_stored:
        missing = f"{n_removed:,} of {n_stored:,} documents are in no source any more"
        found.note = f"{missing}, more than half, so they are kept"
        found.files.removed, found.documents.removed = [], []


#: Reports of one record, beside which the rest of its file can be read.
_OF_A_RECORD = (
    *("DUPLICATE_KEY", "EMPTY_TEXT", "MISSING_TEXT", "TEXT_TOO_LONG", "TEXT_TYPE"),
    *("EMPTY_LABEL", "LABEL_TOO_LONG", "LABEL_TYPE", "TOO_MANY_LABELS"),
)
#: Files that are no source of documents.
_IGNORED = ("UNSUPPORTED_TYPE",)
#: Where a pattern begins: what is before it is a folder.
_PATTERN = re.compile(r"[*?\[{]")


@dataclass(frozen=True)
class _Unread:
    """What a source has, though it cannot be read now."""

    keys: frozenset[str]
    #: Files, and folders, whose content is not known.
    places: tuple[str, ...]

    @classmethod
    def of(cls, bad: Sequence[BadRecord]) -> _Unread:
        places = (
            one for one in bad if one.code not in _IGNORED and not (one.key and one.code in _OF_A_RECORD)
        )
        return cls(
            frozenset(one.key for one in bad if one.key),
            tuple({_PATTERN.split(one.source)[0]: None for one in places}),
        )

    def may_have(self, key: str, source: str) -> bool:
        return key in self.keys or any(source.startswith(place) for place in self.places)


def _missing(
    session: Session, collection: int | None, keys: set[str], unread: _Unread
) -> Iterator[tuple[str, int]]:
    if collection is None:
        return
    query = select(Document.key, Document.id, Document.source).where(
        Document.collection_id == collection, Document.is_latest
    )
    for key, id_, source in session.execute(query.execution_options(yield_per=10_000)):
        if key not in keys and not unread.may_have(key, source):
            yield key, id_
