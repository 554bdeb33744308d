"""Where documents come from: files at places, or the rows of a query on another database. `docmill add`, the Python
client, watched folders and nightly plans all read them here. Knows no store.

    for record in read(Source(files=("/srv/filings/**/*.pdf",)), options, takes=register.takes): ...
    for found in look(Source(sql="SELECT id, text FROM news", database="env:NEWS_URL")): ...
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from os import PathLike
from typing import Any, BinaryIO

from db.documents import NewDocument
from readers import BadRecord, Notice, ReadOptions, Record
from readers.files import Accepts, OtherFile, Takes, nobody
from readers.mappings import read_mappings
from readers.places import Reach
from readers.reading import read as read_files
from readers.records import RefusedError
from readers.stdin import FORMATS
from readers.watch import Watch
from scheduler import source_rows
from scheduler.files import file_document
from workers.settings import settings


@dataclass(frozen=True)
class Source:
    """Files, or a query. ValueError for both, for neither, and for what belongs to the other one."""

    #: Paths, folders, patterns (`/srv/**/*.{pdf,hwpx}`), URLs that DOCMILL_REMOTE_FILES allows, or "-" for `stdin`.
    files: tuple[str | PathLike[str], ...] = ()
    #: Of the files of folders, which are meant; None for all.
    accepts: Accepts | None = field(default=None, compare=False)
    #: What "-" stands for; None where it is an ordinary name. Its format is detected if none is given.
    stdin: BinaryIO | None = field(default=None, compare=False)
    format: str | None = None
    #: One SELECT, and the values of the `:names` in it.
    sql: str | None = None
    values: Mapping[str, Any] = field(default_factory=dict)
    #: A URL such as postgresql://host/database or sqlite:////path, or env:NAME for the variable that holds it.
    database: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if bool(self.files) == (self.sql is not None):
            raise ValueError("give files or a query (sql), one of them")
        if (self.sql is None) != (self.database is None):
            missing = "database: postgresql://..., or env:NAME" if self.sql is not None else "sql: a SELECT"
            raise ValueError(f"a query needs a database and a database a query; missing is {missing}")
        if self.format is not None and self.format not in FORMATS:
            raise ValueError(f"format must be one of {', '.join(FORMATS)}, not {self.format!r}")
        if self.format is not None and "-" not in self.files:
            raise ValueError(
                "format is about stdin (-): the format of a file follows from its name and content"
            )

    @property
    def name(self) -> str:
        """For people; without a password."""
        if self.sql is not None:
            return f"a query on {source_rows.name_of(self.database or '')}"
        return ", ".join(map(str, self.files))


def read(
    source: Source,
    options: ReadOptions | None = None,
    notice: Callable[[Notice], None] | None = None,
    takes: Takes = nobody,
    watch: Watch | None = None,
) -> Iterator[Record | BadRecord]:
    """The records of a source, and reports of those that cannot be read. `takes` is asked about each file that has to
    be extracted, and `watch` is told which file is being read. ValueError for a query that the database refuses."""
    options = options or ReadOptions()
    if source.sql is not None:
        rows = source_rows.rows(source.database or "", source.sql, source.values)
        return read_mappings(rows, options, notice, source_rows.PLACE)
    reach = Reach(source.stdin, source.format, settings().remote, source.accepts)
    return read_files(source.files, options, notice, takes, reach, watch)


def as_document(record: Record) -> NewDocument:
    """A record as it is stored."""
    return NewDocument(record.key, record.text, record.label, record.source, meta=record.meta)


@dataclass(frozen=True, slots=True)
class Seen:
    """A document or a file of a source, as `look` finds it."""

    key: str
    #: Equal to that of the stored document, or of the registered file, if it is unchanged.
    content_hash: bytes
    #: Whether a job has to read it: then it is compared with the files of the collection (db.files), not its documents.
    is_file: bool


def look(
    source: Source, options: ReadOptions | None = None, notice: Callable[[Notice], None] | None = None
) -> Iterator[Seen | BadRecord]:
    """What `docmill add` would store, without storing anything. Reads everything that `read` reads."""
    found: list[Seen | BadRecord] = []
    seen: set[str] = set()

    def takes(file: OtherFile) -> bool:
        try:
            document = file_document(file, settings().remote)
            if document is None:
                return False
            if document.key in seen:
                raise RefusedError(
                    "DUPLICATE_KEY", "an earlier file has the same key: only the first one is taken"
                )
            seen.add(document.key)
            found.append(Seen(document.key, document.content_hash, True))
        except RefusedError as refused:
            found.append(refused.at(file.shown))
        return True

    for record in read(source, options, notice, takes):
        yield from found
        found.clear()
        if isinstance(record, BadRecord):
            yield record
        else:
            document = as_document(record)
            yield Seen(document.key, document.content_hash, False)
    yield from found
