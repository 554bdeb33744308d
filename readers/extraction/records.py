"""What comes of a file: its text with its structure, figures that show what was lost, or an error.

Independent of file formats.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import accumulate
from typing import Literal, get_args

from readers.records import Record

Code = Literal[
    "ENCRYPTED",
    "SCANNED_NO_TEXT",
    "CORRUPT",
    "TOO_LARGE",
    "UNSUPPORTED",
    "TIMEOUT",
    "MEMORY",
    "EMPTY",
    "GARBLED",
    "POISON",
    "NO_RECORDS",
]
CODES: tuple[Code, ...] = get_args(Code)


class ExtractionError(Exception):
    """The text of a file cannot be had."""

    def __init__(self, code: Code, detail: str) -> None:
        super().__init__(code, detail)
        self.code: Code = code
        #: What was found, and what to do.
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.code}: {self.detail}"


@dataclass(frozen=True, slots=True)
class Section:
    """A heading: level 1 is the highest. `text[start_char:]` starts with the title, or with the page it names (PDF)."""

    title: str
    level: int
    start_char: int


@dataclass(frozen=True, slots=True)
class Page:
    """A page, slide or sheet: its text starts at `start_char` and ends where the next one starts."""

    start_char: int
    #: Tables that stand before it.
    n_tables: int = 0


@dataclass(frozen=True, slots=True)
class Table:
    """A table: it stands before `text[start_char]`. `in_text` says that its rows are lines of the text as well."""

    start_char: int
    rows: tuple[tuple[str, ...], ...]
    in_text: bool = False

    def as_text(self) -> str:
        """A line for each row, cells separated by tabs."""
        return "\n".join(map("\t".join, self.rows))


@dataclass(frozen=True, slots=True)
class Parts:
    """The structure of a text. Each list is in the order of the text."""

    sections: tuple[Section, ...] = ()
    pages: tuple[Page, ...] = ()
    tables: tuple[Table, ...] = ()


@dataclass(frozen=True, slots=True)
class Warned:
    """Something in a file that did not become text as it should have."""

    code: str
    detail: str

    def __str__(self) -> str:
        return f"{self.code}: {self.detail}"


@dataclass(frozen=True, slots=True)
class Figures:
    """Measures of one extraction. Shares are of the characters that are not blanks."""

    media_type: str
    #: Name and version of what read it, as in "pypdfium2 5.15.2".
    parser: str
    n_bytes: int
    n_chars: int
    n_pages: int
    #: Empty for a file without pages.
    chars_by_page: tuple[int, ...]
    share_non_letters: float
    #: U+FFFD and characters of the private use areas.
    n_replaced: int
    #: Tables that are apart from the text, and what they hold.
    n_tables_left_out: int
    chars_in_tables: int
    #: Text of a page that is not its main content (navigation, footers).
    chars_left_out: int = 0
    seconds: float = 0.0
    #: What the file says of itself: who wrote it, and when, in ISO 8601.
    author: str | None = None
    created: str | None = None


@dataclass(frozen=True, slots=True)
class Member:
    """A document inside a container: its text or why there is none."""

    name: str
    extraction: Extraction | None = None
    error: ExtractionError | None = None


@dataclass(frozen=True, slots=True)
class Extraction:
    """The text of a file: paragraphs separated by line feeds, in NFC. Tables stand apart, see `parts`.

    A container (ZIP, TAR, MBOX, WARC) has members and no text; a mail and a PDF may have both. A file of records in an
    archive (JSON, CSV, Parquet) has records and no text.
    """

    text: str
    title: str | None
    #: ISO 639-1, or None where nothing tells it.
    language: str | None
    parts: Parts
    figures: Figures
    warnings: tuple[Warned, ...] = ()
    members: tuple[Member, ...] = field(default=())
    #: Each is a document. The key is one inside this file: "#7" for the seventh one, where it has no other.
    records: tuple[Record, ...] = ()

    def whole(self) -> str:
        """The text with the tables where they stand: a line for each row, cells separated by tabs."""
        pieces: list[str] = []
        after = 0
        for table in self.parts.tables:
            if table.in_text:
                continue
            pieces.append(self.text[after : table.start_char].strip("\n"))
            pieces.append(table.as_text())
            after = table.start_char
        pieces.append(self.text[after:].strip("\n"))
        return "\n".join(filter(None, pieces))

    def with_tables(self) -> Extraction:
        """The same with `whole()` as its text: all offsets are in that, and all tables are in the text."""
        tables = self.parts.tables
        inserted = [
            0 if table.in_text or not table.as_text() else len(table.as_text()) + 1 for table in tables
        ]
        before = [0, *accumulate(inserted)]
        starts = [table.start_char for table in tables]
        parts = Parts(
            tuple(
                replace(each, start_char=each.start_char + before[bisect_right(starts, each.start_char)])
                for each in self.parts.sections
            ),
            tuple(
                replace(page, start_char=page.start_char + before[page.n_tables]) for page in self.parts.pages
            ),
            tuple(
                replace(table, start_char=table.start_char + before[rank], in_text=True)
                for rank, table in enumerate(tables)
            ),
        )
        whole = self.whole()
        figures = replace(self.figures, n_chars=len(whole), n_tables_left_out=0, chars_in_tables=0)
        return replace(self, text=whole, parts=parts, figures=figures)

    def not_prose(self) -> list[tuple[int, int]]:
        """Where headings and rows of tables stand in the text, as (start, end) in its order: no sentences of it."""
        spans = [
            (each.start_char, each.start_char + len(each.title))
            for each in self.parts.sections
            if self._is_line(each.start_char, each.title)
        ]
        spans += [
            (table.start_char, table.start_char + len(table.as_text()))
            for table in self.parts.tables
            if table.in_text
        ]
        merged: list[tuple[int, int]] = []
        for start, end in sorted(spans):
            if merged and start <= merged[-1][1] + 1:
                merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
            else:
                merged.append((start, end))
        return merged

    def _is_line(self, start: int, words: str) -> bool:
        """Whether the words are whole lines of the text there: an outline may name only a place near its title."""
        end = start + len(words)
        ends = end == len(self.text) or self.text[end : end + 1] == "\n"
        return self.text.startswith(words, start) and ends and self.text[start - 1 : start] in ("", "\n")

    def documents(self, name: str = "") -> Iterator[tuple[str, Extraction]]:
        """This text and those of the members, at any depth, with a path such as "mails.zip/1.eml"."""
        if self.text:
            yield name, self
        for record in self.records:
            yield f"{name}{fragment(record.key)}", self.of_record(record)
        for member in self.members:
            if member.extraction is not None:
                yield from member.extraction.documents(f"{name}/{member.name}" if name else member.name)

    def of_record(self, record: Record) -> Extraction:
        """One of the records as a text of its own."""
        figures = replace(self.figures, n_chars=len(record.text))
        return Extraction(record.text, None, None, Parts(), figures)


def fragment(key: str) -> str:
    """How a record of a file is named, after the file's name."""
    return key if key.startswith("#") else f"#{key}"
