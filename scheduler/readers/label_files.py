"""Labels for documents that are in the store already: a CSV or TSV file with the columns key and label."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from scheduler.readers.admission import read_key, read_label
from scheduler.readers.decoding import refuse_cp949_file
from scheduler.readers.files import DocumentFile, find, unreadable
from scheduler.readers.options import ReadOptions
from scheduler.readers.records import BadRecord, RefusedError, shown
from scheduler.readers.rows import Row, csv_rows, tsv_rows
from scheduler.readers.streams import Stream, opened


@dataclass(frozen=True, slots=True)
class LabelRecord:
    """A document's label as it was read; a list where it has several."""

    key: str
    label: str
    #: "file:line"; safe to print.
    source: str


def read_labels(path: Path) -> Iterator[LabelRecord | BadRecord]:
    """The labels of a file, and reports of what is none. Raises nothing for whatever the file holds."""
    for found in find(path):
        if isinstance(found, BadRecord):
            yield found
            continue
        try:
            if found.format not in ("csv", "tsv"):
                raise RefusedError(
                    "UNSUPPORTED_TYPE", "labels are read from .csv and .tsv, each also with .gz"
                )
            with opened(found, ReadOptions().encoding) as stream:
                yield from _read(stream, found)
        except RefusedError as refused:
            yield refused.at(found.shown)
        except OSError as error:
            yield unreadable(error).at(found.shown)


def _read(stream: Stream, file: DocumentFile) -> Iterator[LabelRecord | BadRecord]:
    refuse_cp949_file(stream.head(), stream.encoding, n_header_lines=1)
    rows = (tsv_rows if file.format == "tsv" else csv_rows)(stream, ReadOptions())
    places = _places(next(rows, None))
    for row in rows:
        try:
            if row.refused is not None:
                raise row.refused
            if len(row.fields) <= max(places):
                raise RefusedError(
                    "RAGGED_ROW", f"the row has {len(row.fields)} fields: key or label is missing"
                )
            key, label = read_key(row.fields[places[0]]), read_label(row.fields[places[1]])
            if label is None:
                raise RefusedError("EMPTY_LABEL", "the label is blank; [] says that no label applies")
            yield LabelRecord(key, label, f"{file.shown}:{row.line}")
        except RefusedError as refused:
            yield refused.at(file.shown, row.line)


def _places(header: Row | None) -> tuple[int, int]:
    """Where key and label stand."""
    if header is None:
        raise RefusedError("EMPTY_FILE", "the file is empty")
    names = [name.strip() for name in header.fields]
    if header.refused is not None or not {"key", "label"} <= set(names):
        seen = ", ".join(shown(name, 40) for name in names[:20])
        raise RefusedError("BAD_HEADER", f"the header must name the columns key and label (it has: {seen})")
    return names.index("key"), names.index("label")
