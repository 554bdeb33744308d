"""Values as text files have them, and texts that a spreadsheet must not run."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from typing import Any

#: Spreadsheets run a cell that begins with one of these as a formula; some also with the full-width forms.
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
#: A number is no formula, although it may begin with a sign.
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)


def safe(text: str) -> str:
    """The text with a leading apostrophe, if a spreadsheet would run it as a formula. Numbers stay as they are."""
    if text.startswith(FORMULA_STARTS) and _NUMBER.fullmatch(text) is None:
        return "'" + text
    return text


def csv_line(values: Iterable[Any], *, raw: bool) -> str:
    """A line of CSV. Texts are quoted and numbers are not; NULL is empty and the empty text is `""`. Unless `raw`,
    texts are safe."""
    return ",".join(_csv_cell(value, raw) for value in values) + "\r\n"


def _csv_cell(value: Any, raw: bool) -> str:
    if isinstance(value, str):
        text = value if raw else safe(value)
        return '"' + text.replace('"', '""') + '"'
    return plain_text(value)


def plain_text(value: Any) -> str:
    """A value as text: true and false, times as ISO 8601, bytes in hex, NULL as the empty text."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Decimal):
        return decimal_text(value)
    return value.isoformat() if isinstance(value, date) else str(value)


def decimal_text(value: Decimal) -> str:
    """All its digits, without an exponent and without zeros at the end."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
