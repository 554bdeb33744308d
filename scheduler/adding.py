"""From files to stored documents: what `docmill add` does, and `from scheduler import add`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any

from sqlalchemy.exc import IntegrityError

from db import documents
from db.documents import Added, NewDocument
from readers import BadRecord, Notice, ReadOptions, Record, read
from readers.files import nobody
from readers.markup_notices import MarkupNotices
from scheduler.files import KIND, FileRegister, FilesReport
from scheduler.store import make_store, store
from workers import kinds


@dataclass(frozen=True)
class Report:
    """What became of the files."""

    n_new: int
    n_changed: int
    n_unchanged: int
    #: What could not be read, with file, line and reason; it cost nothing but itself.
    bad: Sequence[BadRecord]
    #: What is to be known of files that were read all the same: the encoding and delimiter that were found, or that
    #: their texts look like markup.
    notices: Sequence[Notice] = ()
    #: The files that a job makes documents of.
    files: FilesReport = field(default_factory=FilesReport)

    @property
    def n_good(self) -> int:
        return self.n_new + self.n_changed + self.n_unchanged + self.files.n_files


def add(
    *paths: str | PathLike[str],
    collection: str,
    options: ReadOptions | None = None,
    tell: Callable[[Added, int], None] = lambda stored, n_bad: None,  # noqa: ARG005
    extract: Mapping[str, Any] | None = None,
    extract_again: bool = False,
    only_records: bool = False,
) -> Report:
    """Add the documents in files and folders to a collection, which is made with the first of them.

    Texts, tables and JSON are read at once. Other files (PDF, HWP, office, web pages, mail, archives) are registered,
    and a job of the kind `extract`, with the parameters `extract`, makes documents of them: `Report.files` says which.
    With `extract_again` it takes those too that failed, or that an older version of the extractor has read. With
    `only_records` such files are refused.

    Unchanged documents are skipped, changed ones become a new version. Each batch is a transaction: an
    interrupted add loses nothing it counted, and running it again goes on where it stopped. `tell` is called
    now and then with what is stored and the number of bad records so far. ValueError for a name that is none.
    A store is made where there is none, once there is something to put in.
    """
    check_collection_name(collection)
    added = Added()
    bad: list[BadRecord] = []
    notices: list[Notice] = []
    markup = MarkupNotices(notices.append)
    others = FileRegister(collection, dict(extract or {}), extract_again, bad.append)
    kinds.parse_parameters(kinds.find(KIND), others.parameters)
    records = read(
        [Path(path) for path in paths], options, notices.append, nobody if only_records else others.takes
    )
    good = _good(records, bad, markup)
    collection_id = None
    for batch in documents.batches(good):
        if collection_id is None:
            make_store()
            with store().write() as session:
                collection_id = documents.collection_id(session, collection, create=True)
        added += _store(collection_id, batch)
        tell(added, len(bad))
    return Report(added.n_new, added.n_changed, added.n_unchanged, bad, notices, others.submit())


def check_collection_name(name: str) -> None:
    """Refuse names that nobody could type again."""
    if not name or name != name.strip() or not name.isprintable() or len(name) > 100:
        raise ValueError(f"{name!r} is no name for a collection: use up to 100 printable characters")


def _good(
    records: Iterable[Record | BadRecord], bad: list[BadRecord], markup: MarkupNotices
) -> Iterator[NewDocument]:
    for record in records:
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
