"""CSV and TSV: a header, then a row a document. Knows which column holds what."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from scheduler.readers.admission import Admission
from scheduler.readers.decoding import refuse_cp949_file
from scheduler.readers.files import DocumentFile
from scheduler.readers.normal import nfc
from scheduler.readers.options import DEFAULT_KEY_FIELD, DEFAULT_LABEL_FIELD, ReadOptions
from scheduler.readers.records import BadRecord, Record, RefusedError, shown
from scheduler.readers.rows import Row, csv_rows, tsv_rows
from scheduler.readers.streams import Stream


def read_table(
    stream: Stream, file: DocumentFile, options: ReadOptions, admission: Admission
) -> Iterator[Record | BadRecord]:
    """A document or a report for every row. A header that cannot be used is one report for the file."""
    refuse_cp949_file(stream.head(), stream.encoding, n_header_lines=1)
    rows = (tsv_rows if file.format == "tsv" else csv_rows)(stream, options)
    header = next(rows, None)
    if header is None:
        raise RefusedError("EMPTY_FILE", "the file is empty")
    columns = _Columns.of(header, options, "\t" if file.format == "tsv" else options.delimiter or ",")
    n_rows = 0
    for row in rows:
        n_rows += 1
        key = columns.key_of(row, file)
        try:
            columns.check(row)
            label = None if columns.label is None else row.fields[columns.label]
            yield admission.record(key, row.fields[columns.text], label, f"{file.shown}:{row.line}")
        except RefusedError as refused:
            yield refused.at(file.shown, row.line, key)
    if n_rows == 0:
        yield RefusedError("EMPTY_FILE", "the file has a header and no rows").at(file.shown)


@dataclass(frozen=True)
class _Columns:
    """Where the fields stand."""

    n: int
    key: int | None
    text: int
    label: int | None

    @classmethod
    def of(cls, header: Row, options: ReadOptions, delimiter: str) -> _Columns:
        if header.refused is not None:
            raise RefusedError("BAD_HEADER", f"the header cannot be read: {header.refused.detail}")
        names = [nfc(name.strip()) for name in header.fields]
        for name in names:
            if name and names.count(name) > 1:
                raise RefusedError(
                    "BAD_HEADER", f"the header names the field {shown(name, 80)} more than once"
                )

        def place(name: str, option: str, *, needed: bool) -> int | None:
            if nfc(name) in names:
                return names.index(nfc(name))
            if needed:
                raise RefusedError("BAD_HEADER", _no_field(name, option, names, delimiter))
            return None

        text = place(options.text_field, "text", needed=True)
        assert text is not None
        key = place(options.key_field, "key", needed=options.key_field != DEFAULT_KEY_FIELD)
        label = place(options.label_field, "label", needed=options.label_field != DEFAULT_LABEL_FIELD)
        return cls(len(names), key, text, label)

    def key_of(self, row: Row, file: DocumentFile) -> str | None:
        if self.key is None:
            return f"{file.name}#{row.line}"
        return row.fields[self.key] if self.key < len(row.fields) else None

    def check(self, row: Row) -> None:
        if row.refused is not None:
            raise row.refused
        if len(row.fields) != self.n:
            raise RefusedError("RAGGED_ROW", f"the row has {len(row.fields)} fields, the header has {self.n}")


def _no_field(name: str, option: str, names: list[str], delimiter: str) -> str:
    seen = ", ".join(shown(name, 40) for name in names[:20])
    other = next(
        (mark for mark in ";\t|," if mark != delimiter and any(mark in name for name in names)), None
    )
    if len(names) == 1 and other:
        return f"the header is one field ({seen}): add --delimiter {shown(repr(other))}"
    return f"the header has no field {shown(name, 80)} (it has: {seen}): name it with --{option}-field"
