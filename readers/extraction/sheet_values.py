"""Values of spreadsheet cells: which are dates, and how they are written. Does not read files."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

#: Numbers of the built-in formats that show dates or times.
_BUILT_IN = frozenset((*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)))
_NOT_LETTERS = re.compile(r"\[[^\]]*\]|\"[^\"]*\"|\\.|_.|\*.")
_DATE = re.compile("[ymdhs]", re.IGNORECASE)
_CELL = re.compile("([A-Z]{1,3})[0-9]*")
_LAST_DAY = 2_958_466  # the end of 9999


def is_date(number: int, code: str | None) -> bool:
    """Whether a format of this number and code shows a date or a time."""
    if code is None:
        return number in _BUILT_IN
    return _DATE.search(_NOT_LETTERS.sub("", code)) is not None and "general" not in code.lower()


def column(cell: str) -> int | None:
    """The column of a cell as "AB12", counted from 0; None for what names none."""
    found = _CELL.match(cell)
    if found is None:
        return None
    place = 0
    for letter in found[1]:
        place = place * 26 + ord(letter) - 64
    return place - 1


def shown(value: str, *, uses_1904: bool) -> str:
    """A number of days as a date, a time or both; the value itself where it is none."""
    try:
        days = float(value)
    except ValueError:
        return value
    if not 0 <= days < _LAST_DAY:
        return value
    # Excel takes 1900 for a leap year: days before March 1900 are one too many.
    start = datetime(1904, 1, 1) if uses_1904 else datetime(1899, 12, 31 if days < 60 else 30)
    moment = start + timedelta(seconds=round(days * 86_400))
    if days < 1 and not uses_1904:
        return moment.strftime("%H:%M:%S")
    return moment.strftime("%Y-%m-%d" if days == int(days) else "%Y-%m-%d %H:%M:%S")
