"""Every document under the given paths, one after the other. Knows which reader reads which file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from readers.admission import Admission, Admits, T
from readers.files import DocumentFile, OtherFile, Takes, find, nobody, unreadable
from readers.jsonl import read_jsonl
from readers.options import ReadOptions
from readers.records import BadRecord, Notice, Record, RefusedError
from readers.streams import opened
from readers.tables import read_table
from readers.txt import read_txt

#: A format is one function here and its file name endings in `files.FORMATS`.
READERS = {
    "txt": read_txt,
    "jsonl": read_jsonl,
    "csv": read_table,
    "tsv": read_table,
}


def read(
    paths: Iterable[Path],
    options: ReadOptions | None = None,
    notice: Callable[[Notice], None] | None = None,
    takes: Takes = nobody,
) -> Iterator[Record | BadRecord]:
    """Documents, and reports of what is none, in the order of the paths, file names and lines.

    Raises nothing for whatever the files hold. No two records have the same key: a later one is reported.
    `notice` is told how a file was read where its name does not say it. `takes` is asked about each file that is none
    of the formats here, whatever its name says.
    """
    options = options or ReadOptions()
    return records(paths, options, Admission(options), notice, takes)


def records(
    paths: Iterable[Path],
    options: ReadOptions,
    admission: Admits[T],
    notice: Callable[[Notice], None] | None = None,
    takes: Takes = nobody,
) -> Iterator[T | BadRecord]:
    """What `admission` makes of the records in the files; every command that takes a file reads it here."""
    for path in paths:
        for found in find(path, takes):
            if isinstance(found, BadRecord):
                yield found
                continue
            for item in _read_file(found, options, admission, takes):
                if not isinstance(item, Notice):
                    yield item
                elif notice is not None:
                    notice(item)


def _read_file(
    file: DocumentFile, options: ReadOptions, admission: Admits[T], takes: Takes
) -> Iterator[T | BadRecord | Notice]:
    try:
        with opened(file, options.encoding) as stream:
            yield from READERS[file.format](stream, file, options, admission)
    except RefusedError as refused:
        is_other = refused.code == "WRONG_FORMAT"
        if not (is_other and takes(OtherFile(file.path, file.root, file.name, file.shown))):
            yield refused.at(file.shown)
    except OSError as error:
        yield unreadable(error).at(file.shown)
