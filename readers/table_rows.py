"""Splits CSV and TSV into rows of fields. Knows how to continue after a broken row; does not depend on columns.

In .csv a field may be in double quotes, may contain line ends, and quotes in it are doubled (RFC 4180). In .tsv a quote
is an ordinary character (IANA text/tab-separated-values): texts contain many unpaired quotes, and reading them as CSV
would silently join documents. A field that Excel wrote as ="001", to keep it a text, is read as that text.
"""

from __future__ import annotations

import csv
import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from readers.decoding import decode
from readers.dialects import Dialect
from readers.lines import Line, lines, too_long
from readers.options import ReadOptions
from readers.records import RefusedError, shown
from readers.streams import Stream

#: A quoted field of more lines has lost its closing quote ...
_MAX_ROW_LINES = 100_000
#: ... and a file is given up if this happens more often: each time costs `max_line_bytes`.
_MAX_RUNAWAYS = 100

_EXCEL_TEXT = re.compile('="((?:[^"]|"")*)"')


@dataclass(frozen=True, slots=True)
class Row:
    """The fields of a row and the line on which it starts, or the reason for a refusal, or both."""

    line: int
    fields: list[str]
    refused: RefusedError | None = None


def rows(stream: Stream, dialect: Dialect, options: ReadOptions) -> Iterator[Row]:
    """The rows of a table, without blank ones. The first one is the header.

    Raises RefusedError BROKEN_QUOTING if too many quotes are never closed.
    """
    found = lines(stream.buffer, options.max_line_bytes)
    if dialect.has_sep_line:
        next(found)
    if dialect.quoted:
        return _Csv(found, stream, dialect, options).rows()
    return _unquoted(found, stream, dialect, options)


def _unquoted(found: Iterator[Line], stream: Stream, dialect: Dialect, options: ReadOptions) -> Iterator[Row]:
    mark = dialect.delimiter
    for line in found:
        text, refused = _decoded(line, stream, options)
        if text.strip("\r" + mark) or refused:
            yield Row(line.number, _cells(text.removesuffix("\r").split(mark)), refused)


def _decoded(line: Line, stream: Stream, options: ReadOptions) -> tuple[str, RefusedError | None]:
    """The text of a line. If it cannot be decoded: as much as possible (for the key), and the reason."""
    if line.data is None:
        return "", too_long(options.max_line_bytes)
    try:
        return decode(line.data, stream, "line"), None
    except RefusedError as refused:
        return line.data.decode(stream.encoding, "replace"), refused


def _cells(fields: list[str]) -> list[str]:
    return [_text(field) if field.startswith('="') else field for field in fields]


def _text(field: str) -> str:
    found = _EXCEL_TEXT.fullmatch(field.strip())
    return found[1].replace('""', '"') if found else field


class _Csv:
    """The rows of a CSV file. The parser pulls the lines that a row needs; a broken row returns all but the first."""

    def __init__(self, found: Iterator[Line], stream: Stream, dialect: Dialect, options: ReadOptions) -> None:
        self._lines, self._stream, self._dialect, self._options = found, stream, dialect, options
        self._given_back: deque[Line] = deque()
        self._pulled: list[Line] = []  # by the row that is being read
        self._pulled_bytes = 0
        self._refused: RefusedError | None = None
        # The limit of the parser is global to the process; ours is max_line_bytes.
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
            except RefusedError as refused:  # raised by _pull: too long, or never closed
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
                    yield Row(self._pulled[0].number, _cells(fields), self._refused)
            if n_runaways > _MAX_RUNAWAYS:
                detail = (
                    f"more than {_MAX_RUNAWAYS} quotes are never closed: the rest of the file was not read"
                )
                raise RefusedError("BROKEN_QUOTING", detail)

    def _parser(self) -> Iterator[list[str]]:
        return csv.reader(self._pull(), delimiter=self._dialect.delimiter, strict=True)

    def _pull(self) -> Iterator[str]:
        while (line := self._next_line()) is not None:
            self._pulled.append(line)
            self._pulled_bytes += len(line.data or b"")
            if len(self._pulled) > _MAX_ROW_LINES or (
                self._pulled_bytes > self._options.max_line_bytes and len(self._pulled) > 1
            ):
                raise _unclosed(f"the row goes on for {len(self._pulled)} lines")
            text, refused = _decoded(line, self._stream, self._options)
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
        return Row(first.number, self._fields_before_quote(first), refused)

    def _fields_before_quote(self, line: Line) -> list[str]:
        """The unquoted fields at the beginning of a broken row: the key is often one of them."""
        text, _ = _decoded(line, self._stream, self._options)
        return _cells(text.partition('"')[0].split(self._dialect.delimiter)[:-1])


def _unclosed(where: str) -> RefusedError:
    detail = f'{where} inside a quoted field: the quote is not closed (a quote in the text is written "")'
    return RefusedError("UNCLOSED_QUOTE", detail)


def _malformed(error: csv.Error) -> RefusedError:
    if "new-line" in str(error):
        return RefusedError(
            "BAD_LINE_END", "a field without quotes contains a carriage return: put the field in quotes"
        )
    return RefusedError("BAD_QUOTE", f'{shown(str(error))} (a quote in the text is written "")')
