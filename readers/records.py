"""What reading makes: a record that can be stored, a report of one that cannot, a notice; and how to show odd text."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Record:
    """One document as it was read: Unicode in NFC, without NUL and lone surrogates, not blank."""

    #: 1 to 512 characters, none of them a control character; unique in one call of `read`.
    key: str
    text: str
    label: str | None
    #: "file:line", or "file" where the file is the document; safe to print.
    source: str


@dataclass(frozen=True, slots=True)
class BadRecord:
    """What could not be read, and why. It costs nothing but itself. Every field is safe to print."""

    #: The file, as it was given or found.
    source: str
    #: The line on which the record starts, from 1; None where the file as a whole is meant.
    line: int | None
    #: The document's key where it could be made out, cut to 80 characters.
    key: str | None
    #: A short UPPER_SNAKE word that people filter by.
    code: str
    #: What was seen and what helps, in a sentence; never the text itself.
    detail: str

    def __str__(self) -> str:
        place = self.source if self.line is None else f"{self.source}:{self.line}"
        return f"{place}: {self.code}: {self.detail}" + (f" (key {self.key})" if self.key else "")


@dataclass(frozen=True, slots=True)
class Notice:
    """How a file was read, where that is not plain from its name. Nothing is lost; safe to print."""

    source: str
    detail: str

    def __str__(self) -> str:
        return f"{self.source}: {self.detail}"


class RefusedError(Exception):
    """A record, or the file as a whole, cannot be taken; becomes a BadRecord where its place is known."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail

    def at(self, source: str, line: int | None = None, key: object = None) -> BadRecord:
        """The report. A key that is neither text nor a whole number is left out."""
        known = isinstance(key, str | int) and not isinstance(key, bool) and key != ""
        return BadRecord(source, line, shown(str(key), 80) if known else None, self.code, self.detail)


def shown(text: str, max_chars: int = 0) -> str:
    r"""The text fit for a terminal or a log: what cannot be printed is escaped as \n, \x1b, \u2028, \udc80."""
    if max_chars and len(text) > max_chars:
        text = text[:max_chars] + "…"
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text
    )
