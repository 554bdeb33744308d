"""From files to stored documents: what `docmill add` does, and `from scheduler import add`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

from sqlalchemy.exc import IntegrityError

from db import documents
from db.documents import Added, NewDocument
from readers import BadRecord, Notice, ReadOptions, Record, read
from readers.markup_notices import MarkupNotices
from scheduler.store import make_store, store


@dataclass(frozen=True)
class Report:
    """How many documents were added, and what could not be read."""

    n_new: int
    n_changed: int
    n_unchanged: int
    #: Records that could not be read, with file, line and reason. All others were added.
    bad: Sequence[BadRecord]
    #: Notices about files that were read: the encoding and delimiter that were found, or that their texts look like
    #: markup.
    notices: Sequence[Notice] = ()

    @property
    def n_good(self) -> int:
        return self.n_new + self.n_changed + self.n_unchanged


def add(
    *paths: str | PathLike[str],
    collection: str,
    options: ReadOptions | None = None,
    tell: Callable[[Added, int], None] = lambda stored, n_bad: None,  # noqa: ARG005
) -> Report:
    """Add the documents in files and folders to a collection, which is made with the first of them.

    Unchanged documents are skipped, changed ones become a new version. Each batch is a transaction: an
    interrupted add loses nothing it counted, and running it again goes on where it stopped. `tell` is called
    from time to time with what is stored and the number of bad records so far. ValueError for an invalid name. A store
    is made if there is none yet, once there is something to store.
    """
    check_collection_name(collection)
    added = Added()
    bad: list[BadRecord] = []
    notices: list[Notice] = []
    markup = MarkupNotices(notices.append)
    good = _good([Path(path) for path in paths], options or ReadOptions(), bad, notices, markup)
    collection_id = None
    for batch in documents.batches(good):
        if collection_id is None:
            make_store()
            with store().write() as session:
                collection_id = documents.collection_id(session, collection, create=True)
        added += _store(collection_id, batch)
        tell(added, len(bad))
    return Report(added.n_new, added.n_changed, added.n_unchanged, bad, notices)


def check_collection_name(name: str) -> None:
    """Raise ValueError for a name that is hard to type again."""
    if not name or name != name.strip() or not name.isprintable() or len(name) > 100:
        raise ValueError(f"{name!r} is no name for a collection: use up to 100 printable characters")


def _good(
    paths: list[Path],
    options: ReadOptions,
    bad: list[BadRecord],
    notices: list[Notice],
    markup: MarkupNotices,
) -> Iterator[NewDocument]:
    for record in read(paths, options, notices.append):
        if isinstance(record, Record):
            markup.look(record)
            yield NewDocument(record.key, record.text, record.label, record.source)
        else:
            bad.append(record)


def _store(collection_id: int, batch: list[NewDocument]) -> Added:
    """One transaction. When another `add` stored one of these keys in between, look again once."""
    try:
        with store().write() as session:
            return documents.add(session, collection_id, batch)
    except IntegrityError:
        with store().write() as session:
            return documents.add(session, collection_id, batch)
