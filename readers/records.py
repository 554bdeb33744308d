"""The results of reading: a record that can be stored, a report of one that cannot, a notice; and how to print text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Record:
    """A document as it was read: Unicode in NFC, without NUL and lone surrogates, not blank."""

    #: 1 to 512 characters without control characters; unique in one call of `read`.
    key: str
    text: str
    label: str | None
    #: "file:line", or "file" if the file is the document; safe to print.
    source: str
    #: The other fields, storable as JSON (readers.metadata); None if they were not to be read.
    meta: Mapping[str, Any] | None = None
    #: Whether the text was markup (HTML, XML), of which this is the visible part.
    was_markup: bool = False


@dataclass(frozen=True, slots=True)
class BadRecord:
    """A record that could not be read, and why. Other records are not affected. Every field is safe to print."""

    #: The file, as it was given or found.
    source: str
    #: The line on which the record starts, from 1; None if the report is about the file as a whole.
    line: int | None
    #: The key of the document, if it was found, truncated to 80 characters.
    key: str | None
    #: A short UPPER_SNAKE word to filter by.
    code: str
    #: The problem and the fix, in a sentence; never the text itself.
    detail: str

    def __str__(self) -> str:
        place = self.source if self.line is None else f"{self.source}:{self.line}"
        return f"{place}: {self.code}: {self.detail}" + (f" (key {self.key})" if self.key else "")


@dataclass(frozen=True, slots=True)
class Notice:
    """How a file was read, if that is not obvious from its name. Nothing was lost. Safe to print."""

    source: str
    detail: str

    def __str__(self) -> str:
        return f"{self.source}: {self.detail}"


class RefusedError(Exception):
    """A record, or a file as a whole, is refused. It becomes a BadRecord where its place is known."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail

    def at(self, source: str, line: int | None = None, key: object = None) -> BadRecord:
        """The report. A key that is neither text nor an integer is left out."""
        known = isinstance(key, str | int) and not isinstance(key, bool) and key != ""
        return BadRecord(source, line, shown(str(key), 80) if known else None, self.code, self.detail)


def shown(text: str, max_chars: int = 0) -> str:
    r"""The text made safe for a terminal or a log: unprintable characters are escaped as \n, \x1b, \u2028, \udc80."""
    if max_chars and len(text) > max_chars:
        text = text[:max_chars] + "…"
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text
    )
