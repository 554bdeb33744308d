"""CSV and TSV: a header, then a row a document. Knows how to go on after a row that is broken.

In .csv a field may stand in double quotes, hold line ends, and write a quote as two (RFC 4180). In .tsv a
quote is a character like any other (IANA text/tab-separated-values): people's text is full of unpaired ones,
and reading them as CSV would silently join two documents into one.
"""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from scheduler.readers.admission import Admission
from scheduler.readers.decoding import decode, refuse_cp949_file
from scheduler.readers.files import DocumentFile
from scheduler.readers.lines import Line, lines, too_long
from scheduler.readers.normal import nfc
from scheduler.readers.options import DEFAULT_KEY_FIELD, DEFAULT_LABEL_FIELD, ReadOptions
from scheduler.readers.records import BadRecord, Record, RefusedError, shown
from scheduler.readers.streams import Stream

#: A quoted field that runs on for so long has lost its closing quote ...
_MAX_ROW_LINES = 10_000
#: ... and a file in which this happens so often is not worth looking further: each costs `max_line_bytes`.
_MAX_RUNAWAYS = 100


@dataclass(frozen=True, slots=True)
class Row:
    """The fields of a row and the line it starts on, or why there are none (it may have both)."""

    line: int
    fields: list[str]
    refused: RefusedError | None = None


def read_table(
    stream: Stream, file: DocumentFile, options: ReadOptions, admission: Admission
) -> Iterator[Record | BadRecord]:
    """A document or a report for every row. A header that cannot be used is one report for the file."""
    refuse_cp949_file(stream.head(), stream.encoding, n_header_lines=1)
    rows = _tsv_rows(stream, options) if file.format == "tsv" else _Csv(stream, options).rows()
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


def _tsv_rows(stream: Stream, options: ReadOptions) -> Iterator[Row]:
    for line in lines(stream.buffer, options.max_line_bytes):
        text, refused = _decoded(line, stream.encoding, options)
        if text.strip("\r\t") or refused:
            yield Row(line.number, text.removesuffix("\r").split("\t"), refused)


def _decoded(line: Line, encoding: str, options: ReadOptions) -> tuple[str, RefusedError | None]:
    """A line's text; where it cannot be decoded, what can be made of it (for the key), and why."""
    if line.data is None:
        return "", too_long(options.max_line_bytes)
    try:
        return decode(line.data, encoding, "line"), None
    except RefusedError as refused:
        return line.data.decode(encoding, "replace"), refused


class _Csv:
    """The rows of a CSV file. The parser pulls the lines that a row needs; a broken row gives back all but one."""

    def __init__(self, stream: Stream, options: ReadOptions) -> None:
        self._encoding, self._options = stream.encoding, options
        self._lines = lines(stream.buffer, options.max_line_bytes)
        self._given_back: deque[Line] = deque()
        self._pulled: list[Line] = []  # by the row that is being read
        self._pulled_bytes = 0
        self._refused: RefusedError | None = None
        # The parser's own limit is one number for the whole process; ours is max_line_bytes.
        csv.field_size_limit(2**31 - 1)

    def rows(self) -> Iterator[Row]:
        n_runaways = 0
        parser = self._parser()
        while True:
            self._pulled, self._pulled_bytes, self._refused = [], 0, None
            try:
                fields = next(parser)
            except StopIteration:
                return
            except RefusedError as refused:  # out of _pull: too long, or running on
                n_runaways += refused.code == "UNCLOSED_QUOTE"
                yield self._broken(refused)
                parser = self._parser()
            except csv.Error as error:
                unclosed = "end of data" in str(error)
                n_runaways += unclosed
                yield self._broken(_unclosed("the file ends") if unclosed else _malformed(error))
                parser = self._parser()
            else:
                if any(fields) or self._refused:
                    yield Row(self._pulled[0].number, fields, self._refused)
            if n_runaways > _MAX_RUNAWAYS:
                detail = (
                    f"more than {_MAX_RUNAWAYS} quotes are never closed: the rest of the file was not read"
                )
                raise RefusedError("BROKEN_QUOTING", detail)

    def _parser(self) -> Iterator[list[str]]:
        return csv.reader(self._pull(), delimiter=self._options.delimiter or ",", strict=True)

    def _pull(self) -> Iterator[str]:
        while (line := self._next_line()) is not None:
            self._pulled.append(line)
            self._pulled_bytes += len(line.data or b"")
            if len(self._pulled) > _MAX_ROW_LINES or (
                self._pulled_bytes > self._options.max_line_bytes and len(self._pulled) > 1
            ):
                raise _unclosed(f"the row goes on for {len(self._pulled)} lines")
            text, refused = _decoded(line, self._encoding, self._options)
            if line.data is None:
                assert refused is not None
                raise refused
            self._refused = self._refused or refused
            yield text.removesuffix("\r") + "\n"

    def _next_line(self) -> Line | None:
        return self._given_back.popleft() if self._given_back else next(self._lines, None)

    def _broken(self, refused: RefusedError) -> Row:
        first, *rest = self._pulled
        self._given_back.extendleft(reversed(rest))
        return Row(first.number, _fields_before_quote(first, self._encoding, self._options), refused)


def _fields_before_quote(line: Line, encoding: str, options: ReadOptions) -> list[str]:
    """The plain fields with which a broken row begins: the key is often among them."""
    text, _ = _decoded(line, encoding, options)
    fields = text.partition('"')[0].split(options.delimiter or ",")
    return fields[:-1]


def _unclosed(where: str) -> RefusedError:
    detail = f'{where} inside a quoted field: the quote is not closed (a quote in the text is written "")'
    return RefusedError("UNCLOSED_QUOTE", detail)


def _malformed(error: csv.Error) -> RefusedError:
    if "new-line" in str(error):
        return RefusedError(
            "BAD_LINE_END", "a carriage return stands in a field without quotes: put it in quotes"
        )
    return RefusedError("BAD_QUOTE", f'{shown(str(error))} (a quote in the text is written "")')
