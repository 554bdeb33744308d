"""Reads every document under the given paths. Knows which reader reads which format."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from readers.admission import Admission, Admits, T
from readers.files import READERS, DocumentFile, OtherFile, Takes, find, nobody, unreadable
from readers.options import ReadOptions
from readers.records import BadRecord, Notice, Record, RefusedError
from readers.streams import opened


def read(
    paths: Iterable[Path],
    options: ReadOptions | None = None,
    notice: Callable[[Notice], None] | None = None,
    takes: Takes = nobody,
) -> Iterator[Record | BadRecord]:
    """Documents, and reports of invalid records, in the order of the paths, file names and lines.

    Never raises because of the content of a file. No two documents have the same key: a later one is reported. `notice`
    is called with how a file was read, if that is not obvious from its name. `takes` is
    asked about each file that has none of the formats here, whatever its name.
    """
    options = options or ReadOptions()
    admission = Admission(options)
    yield from records(paths, options, admission, notice, takes)
    for left_out in admission.notices():
        if notice is not None:
            notice(left_out)


def records(
    paths: Iterable[Path],
    options: ReadOptions,
    admission: Admits[T],
    notice: Callable[[Notice], None] | None = None,
    takes: Takes = nobody,
) -> Iterator[T | BadRecord]:
    """The results of `admission` for the records in the files. Every command that takes files reads them here."""
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
            yield from _reader(file.format)(stream, file, options, admission)
    except RefusedError as refused:
        is_other = refused.code == "WRONG_FORMAT"
        if not (is_other and takes(OtherFile(file.path, file.root, file.name, file.shown))):
            yield refused.at(file.shown)
    except OSError as error:
        yield unreadable(error).at(file.shown)


@cache
def _reader(format_: str) -> Any:
    module, _, function = READERS[format_].partition(":")
    return getattr(import_module(module), function)
