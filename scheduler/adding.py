"""From files or records to stored documents: what `docmill add` and `Client.add` do."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from os import PathLike
from typing import Any

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from db import documents
from db.documents import Added, NewDocument
from db.store import Store
from readers import BadRecord, Notice, ReadOptions, Record
from readers.files import nobody
from readers.frames import Records
from readers.mappings import read_mappings
from readers.markup_notices import MarkupNotices
from readers.watch import Watch
from scheduler import sources
from scheduler.files import KIND, FileRegister, FilesReport, choice_inside, of_records
from scheduler.sources import Source, as_document
from workers import kinds
from workers.settings import settings


@dataclass(frozen=True)
class Report:
    """What became of the files or records."""

    n_new: int
    n_changed: int
    n_unchanged: int
    #: Records that could not be read, each with its place and the reason. The others are stored.
    bad: Sequence[BadRecord]
    #: Remarks about files that were read: the encoding and delimiter that were detected, or texts that look like
    #: markup.
    notices: Sequence[Notice] = ()
    #: The files that a job makes documents of.
    files: FilesReport = field(default_factory=FilesReport)
    #: Documents whose metadata changed, and nothing else: their results stand.
    n_meta_changed: int = 0

    @property
    def n_good(self) -> int:
        return self.n_new + self.n_changed + self.n_unchanged + self.n_meta_changed + self.files.n_files


#: Called after each batch with what is stored and the number of bad records so far.
Tell = Callable[[Added, int], None]


def add(
    make: Callable[[], Store],
    *paths: str | PathLike[str],
    collection: str,
    source: Source | None = None,
    options: ReadOptions | None = None,
    tell: Tell | None = None,
    extract: Mapping[str, Any] | None = None,
    extract_again: bool = False,
    only_records: bool = False,
    watch: Watch | None = None,
) -> Report:
    """Add the documents in files and folders, or those of a source, to a collection, which is created if it does not
    exist.

    Texts, tables and JSON are read at once. Other files (PDF, HWP, office, web pages, mail, archives) are registered,
    and a job of the kind `extract`, with the parameters `extract`, makes documents of them (`Report.files`). The
    `options` hold for records in archives, too.
    With `extract_again`, it also takes those that failed or that an older extractor read. With `only_records`, such
    files are refused.

    Unchanged documents are skipped; changed ones become a new version. Each batch is a transaction: an interrupted
    add loses nothing that it counted, and running it again continues. `tell` is called after each batch, and `watch` is
    told which file is being read. `make` opens the store, creating it if needed;
    it is called with the first document. ValueError for an invalid collection name.
    """
    notices: list[Notice] = []
    bad: list[BadRecord] = []
    options = options or ReadOptions()
    source = source or Source(paths)
    others = FileRegister(
        make,
        collection,
        {**of_records(options), **(extract or {})},
        extract_again,
        bad.append,
        choice_inside(options),
        settings().remote,
    )
    kinds.parse_parameters(kinds.find(KIND), others.parameters)
    takes = nobody if only_records else others.takes
    found = sources.read(source, options, notices.append, takes, watch)
    report = store_records(make, found, collection, notices, tell, bad)
    return replace(report, files=others.submit())


def add_records(
    make: Callable[[], Store],
    records: Records,
    *,
    collection: str,
    options: ReadOptions | None = None,
    tell: Tell | None = None,
) -> Report:
    """As `add`, for records from Python. Their fields are checked like those of a file."""
    notices: list[Notice] = []
    found = read_mappings(records, options or ReadOptions(), notices.append)
    return store_records(make, found, collection, notices, tell, [])


def check_collection_name(name: str) -> None:
    """Raise ValueError for a name that is hard to type again."""
    if not name or name != name.strip() or not name.isprintable() or len(name) > 100:
        raise ValueError(f"{name!r} is not a valid collection name: use up to 100 printable characters")


def store_records(
    make: Callable[[], Store],
    found: Iterable[Record | BadRecord],
    collection: str,
    notices: list[Notice],
    tell: Tell | None,
    bad: list[BadRecord],
) -> Report:
    """Store records as they come. Those that cannot be read are appended to `bad`, remarks to `notices`."""
    check_collection_name(collection)
    added = Added()
    store: Store | None = None
    for batch in documents.batches(_good(found, bad, MarkupNotices(notices.append))):
        if store is None:
            store = make()
            with store.write() as session:
                collection_id = documents.collection_id(session, collection, create=True)
        added += _store(store, collection_id, batch)
        if tell is not None:
            tell(added, len(bad))
    return Report(
        added.n_new, added.n_changed, added.n_unchanged, bad, notices, n_meta_changed=added.n_meta_changed
    )


def store_in(
    session: Session, found: Iterable[Record | BadRecord], collection: str, notices: list[Notice]
) -> Report:
    """The same in the transaction of a session, all or nothing: for a few documents."""
    check_collection_name(collection)
    added, bad = Added(), list[BadRecord]()
    collection_id: int | None = None
    for batch in documents.batches(_good(found, bad, MarkupNotices(notices.append))):
        if collection_id is None:
            collection_id = documents.collection_id(session, collection, create=True)
        added += documents.add(session, collection_id, batch)
    return Report(
        added.n_new, added.n_changed, added.n_unchanged, bad, notices, n_meta_changed=added.n_meta_changed
    )


def _good(
    found: Iterable[Record | BadRecord], bad: list[BadRecord], markup: MarkupNotices
) -> Iterator[NewDocument]:
    for record in found:
        if isinstance(record, Record):
            markup.look(record)
            yield as_document(record)
        else:
            bad.append(record)


def _store(store: Store, collection_id: int, batch: list[NewDocument]) -> Added:
    """One transaction. If another `add` stored one of these keys in between, it is tried once more."""
    try:
        with store.write() as session:
            return documents.add(session, collection_id, batch)
    except IntegrityError:
        with store.write() as session:
            return documents.add(session, collection_id, batch)
