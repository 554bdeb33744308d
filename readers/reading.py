"""Reads every document under the given paths. Knows which reader reads which format."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import cache
from importlib import import_module
from os import PathLike
from pathlib import Path
from typing import Any

from readers.admission import Admission, Admits, T
from readers.columns import Counts
from readers.files import (
    BINARY_READERS,
    READERS,
    DocumentFile,
    OtherFile,
    Takes,
    folder_facts,
    format_of,
    nobody,
    unreadable,
)
from readers.options import ReadOptions
from readers.places import Reach, find_at
from readers.records import BadRecord, Notice, Record, RefusedError, shown
from readers.streams import of_bytes, opened
from readers.watch import Watch


def read(
    paths: Iterable[str | PathLike[str]],
    options: ReadOptions | None = None,
    notice: Callable[[Notice], None] | None = None,
    takes: Takes = nobody,
    reach: Reach | None = None,
    watch: Watch | None = None,
) -> Iterator[Record | BadRecord]:
    """Documents, and reports of invalid records, in the order of the paths, file names and lines.

    Never raises because of the content of a file. No two documents have the same key: a later one is reported. `notice`
    is called with how a file was read, if that is not obvious from its name. `takes` is
    asked about each file that has none of the formats here, whatever its name. A path may be a pattern; `reach` says
    what else may be read: stdin, URLs. `watch` is told which file is being read.
    """
    options = options or ReadOptions()
    admission = Admission(options)
    yield from records(paths, options, admission, notice, takes, reach, watch)
    for left_out in admission.notices():
        if notice is not None:
            notice(left_out)


def records(
    paths: Iterable[str | PathLike[str]],
    options: ReadOptions,
    admission: Admits[T],
    notice: Callable[[Notice], None] | None = None,
    takes: Takes = nobody,
    reach: Reach | None = None,
    watch: Watch | None = None,
) -> Iterator[T | BadRecord]:
    """The results of `admission` for the records in the files. Every command that takes files reads them here."""

    watch = watch or Watch()

    def takes_with_facts(file: OtherFile) -> bool:
        watch.begin(file.shown)
        return takes(replace(file, facts=folder_facts(file.name, options.folders)))

    for path in paths:
        for found in find_at(path, options, takes_with_facts, reach):
            if isinstance(found, BadRecord):
                yield found
                continue
            facts = folder_facts(found.name, options.folders)
            watch.begin(found.shown)
            for item in _read_file(found, options, admission, takes_with_facts, watch):
                if isinstance(item, Record) and facts:
                    yield replace(item, meta={**(item.meta or {}), **facts})
                elif not isinstance(item, Notice):
                    yield item
                elif notice is not None:
                    notice(item)


def records_in(
    data: bytes,
    name: str,
    format_: str,
    options: ReadOptions,
    admission: Admits[T],
    counts: Counts = lambda n_bytes: None,  # noqa: ARG005
) -> Iterator[T | BadRecord | Notice]:
    """The same of a file in memory, of one of the formats in `files.FORMATS`. The key of a record without one is "#"
    and its number. `counts` is told how large each block of a format is that is no text. RefusedError for the file."""
    file = DocumentFile(Path(), Path(), "", shown(name), format_, is_gzip=False, is_copy=True)
    if format_ in BINARY_READERS:
        yield from _reader(format_)(file, options, admission, data, counts)
    else:
        yield from _reader(format_)(of_bytes(data, options.encoding), file, options, admission)


def _read_file(
    file: DocumentFile, options: ReadOptions, admission: Admits[T], takes: Takes, watch: Watch
) -> Iterator[T | BadRecord | Notice]:
    try:
        if file.format in BINARY_READERS:
            yield from _reader(file.format)(file, options, admission)
            return
        with opened(file, options.encoding, watch) as stream:
            yield from _reader(file.format)(stream, file, options, admission)
    except RefusedError as refused:
        other = OtherFile(file.path, file.root, file.name, file.shown, file.remote)
        if refused.code != "WRONG_FORMAT":
            yield refused.at(file.shown)
        elif (known := format_of(file.path)) and known != file.format:
            yield from _read_file(replace(file, format=known), options, admission, takes, watch)
        elif not takes(other):
            yield refused.at(file.shown)
    except OSError as error:
        yield unreadable(error).at(file.shown)


@cache
def _reader(format_: str) -> Any:
    module, _, function = (READERS | BINARY_READERS)[format_].partition(":")
    return getattr(import_module(module), function)
