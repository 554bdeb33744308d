"""How a table separates its fields: detected from its first rows, among , ; tab and |. Knows no encodings.

The delimiter of the format is kept if the header has the requested fields with it. Another one is chosen if the header
has the requested fields with that, or if nearly all rows have as many fields as the header.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from readers.normalization import nfc

MARKS = (",", ";", "\t", "|")
#: The names of delimiters in messages.
NAMES = {",": "a comma", ";": "a semicolon", "\t": "a tab", "|": "a vertical bar"}

#: The number of rows that are examined ...
_MAX_ROWS = 100
#: ... and the share of them that must have as many fields as the header.
_ENOUGH = 0.9

_SEP_LINE = re.compile(r'\A\s*"?sep=(.)"?\r?\n', re.IGNORECASE)


@dataclass(frozen=True)
class Dialect:
    """How to split lines into fields."""

    delimiter: str
    #: Quotes surround fields, as in CSV; otherwise they are ordinary characters.
    quoted: bool
    #: The first line is `sep=;` of Excel, not the header.
    has_sep_line: bool = False
    #: The first row has the requested fields.
    has_fields: bool = False


def find(sample: str, own_mark: str, wanted: Sequence[str], given: str | None = None) -> Dialect:
    """The dialect of a table that starts with this text, which ends with a line end. `own_mark` is the delimiter of the
    format.

    `given` is the delimiter that the user asked for; it takes precedence.
    """
    sep = _SEP_LINE.match(sample)
    if sep:
        sample = sample[sep.end() :]
    marks = [given] if given else _in_order(sep[1] if sep and sep[1] in MARKS else own_mark)
    found = [_with_quoting(mark, own_mark) for mark in marks]
    mark, quoted = next(
        (each for each in found if _has_fields(sample, *each, wanted)),
        found[0] if sep else next((each for each in found if _is_even(sample, *each)), found[0]),
    )
    return Dialect(mark, quoted, sep is not None, _has_fields(sample, mark, quoted, wanted))


def header(sample: str, dialect: Dialect) -> list[str]:
    """The names of the fields."""
    return next(iter(_rows(sample, dialect.delimiter, dialect.quoted)), [])


def is_even(sample: str, dialect: Dialect, at_least: int) -> bool:
    """Whether there are enough rows, all with as many fields as the first one, and with more than one field."""
    rows = _rows(sample, dialect.delimiter, dialect.quoted)
    return len(rows) >= at_least and len(rows[0]) > 1 and len({len(row) for row in rows}) == 1


def _in_order(first: str) -> list[str]:
    return [first, *(mark for mark in MARKS if mark != first)]


def _with_quoting(mark: str, own_mark: str) -> tuple[str, bool]:
    """In a .tsv with tabs a quote is an ordinary character: texts contain many unpaired ones."""
    return mark, not (mark == own_mark == "\t")


def _has_fields(sample: str, mark: str, quoted: bool, wanted: Sequence[str]) -> bool:
    rows = _rows(sample, mark, quoted, 1)
    return bool(rows) and set(map(nfc, wanted)) <= {nfc(name.strip()) for name in rows[0]}


def _is_even(sample: str, mark: str, quoted: bool) -> bool:
    rows = _rows(sample, mark, quoted)
    n = len(rows[0]) if rows else 0
    return n > 1 and sum(len(row) == n for row in rows) >= _ENOUGH * len(rows)


def _rows(sample: str, mark: str, quoted: bool, most: int = _MAX_ROWS) -> list[list[str]]:
    quoting: Literal[0, 3] = csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE
    found: list[list[str]] = []
    try:
        for row in csv.reader(io.StringIO(sample, newline=""), delimiter=mark, quoting=quoting):
            if any(row):
                found.append([cell.removesuffix("\r") for cell in row])
            if len(found) == most:
                break
    except csv.Error:  # the reader names the row
        pass
    return found
