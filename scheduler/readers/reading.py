"""Every document under the given paths, one after the other. Knows which reader reads which file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TypeAlias

from scheduler.readers.admission import Admission
from scheduler.readers.files import DocumentFile, find, unreadable
from scheduler.readers.jsonl import read_json, read_jsonl
from scheduler.readers.options import ReadOptions
from scheduler.readers.records import BadRecord, Record, RefusedError
from scheduler.readers.streams import Stream, opened
from scheduler.readers.tables import read_table
from scheduler.readers.txt import read_txt

Reader: TypeAlias = Callable[[Stream, DocumentFile, ReadOptions, Admission], Iterator[Record | BadRecord]]

#: A format is one function here and its file name endings in `files.FORMATS`.
READERS: dict[str, Reader] = {
    "txt": read_txt,
    "jsonl": read_jsonl,
    "json": read_json,
    "csv": read_table,
    "tsv": read_table,
}


def read(paths: Iterable[Path], options: ReadOptions | None = None) -> Iterator[Record | BadRecord]:
    """Documents, and reports of what is none, in the order of the paths, file names and lines.

    Raises nothing for whatever the files hold. No two records have the same key: a later one is reported.
    """
    options = options or ReadOptions()
    admission = Admission(options)
    for path in paths:
        for found in find(path):
            if isinstance(found, DocumentFile):
                yield from _read_file(found, options, admission)
            else:
                yield found


def _read_file(
    file: DocumentFile, options: ReadOptions, admission: Admission
) -> Iterator[Record | BadRecord]:
    try:
        with opened(file, options.encoding) as stream:
            yield from READERS[file.format](stream, file, options, admission)
    except RefusedError as refused:
        yield refused.at(file.shown)
    except OSError as error:
        yield unreadable(error).at(file.shown)
