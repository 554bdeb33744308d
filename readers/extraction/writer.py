"""Takes paragraphs, headings, pages and tables in reading order, and counts offsets. Independent of file formats."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field

from readers.extraction.limits import Budget
from readers.extraction.records import Member, Page, Parts, Section, Table, Warned
from readers.normalization import nfc
from readers.records import Record

#: Control characters, halves of surrogate pairs and non-characters: they cannot be stored or are not text.
_NO_TEXT = re.compile("[\0-\x08\x0b-\x1f\x7f-\x84\x86-\x9f\ufeff\ufffe\uffff]")
_SURROGATES = re.compile("[\ud800-\udfff]")
#: A cell with more than this is prose that was put into a table for its looks.
_PROSE_CELL_CHARS = 400
#: Tables inside one another. What is deeper is not told apart; time would grow with the square.
_MAX_TABLES = 32
#: A first cell of at most this many characters is the bullet or number of the next cell.
_BULLET_CHARS = 5


@dataclass(frozen=True, slots=True)
class _Paragraph:
    text: str
    level: int = 0


_Item = _Paragraph | tuple[tuple[str, ...], ...]


@dataclass(slots=True)
class _OpenTable:
    """A table that is being read: cells by row, each a list of what stands in it."""

    rows: list[dict[int, list[_Item]]] = field(default_factory=list)
    #: None between a row's start and its first cell.
    cell: list[_Item] | None = None


class Writer:
    """Collects what one file holds. Paragraphs between `begin_table` and `end_table` belong to the open cell."""

    def __init__(self, budget: Budget) -> None:
        self.title: str | None = None
        self.language: str | None = None
        self.author: str | None = None
        #: In ISO 8601.
        self.created: str | None = None
        self.parser = ""
        #: Where the format is known only once the file is open.
        self.media_type: str | None = None
        self.chars_left_out = 0
        #: The minimum number of characters that the file promises, and which part of it promises them.
        self.promised: tuple[int, str] | None = None
        self.members: list[Member] = []
        self.records: list[Record] = []
        #: The one member stands for the file (a .gz).
        self.passes_through = False
        self.warnings: list[Warned] = []
        self._budget = budget
        self._lines: list[str] = []
        self._starts: list[int] = []
        self._length = 0
        self._sections: list[Section] = []
        self._pages: list[tuple[int, int]] = []  # (start, tables before it)
        self._tables: list[Table] = []
        self._open: list[_OpenTable] = []
        self._n_too_deep = 0

    def warn(self, code: str, detail: str) -> None:
        """Notes a loss; the same one is noted once."""
        warned = Warned(code, detail)
        if warned not in self.warnings:
            self.warnings.append(warned)

    def page(self) -> None:
        """A page starts here."""
        self._budget.page(len(self._pages) + 1)
        self._pages.append((self._length, len(self._tables)))

    @property
    def n_chars(self) -> int:
        """Characters of text so far."""
        return self._length

    def paragraph(self, text: str, level: int = 0) -> None:
        """A paragraph, or a heading of a level from 1. Its line feeds stay; blanks are joined."""
        cleaned = clean(text)
        if not cleaned:
            return
        self._budget.chars(len(cleaned) + 1)
        self._put(_Paragraph(cleaned, level))

    def verbatim(self, text: str) -> None:
        """Lines as they are, blanks included (code, plain text)."""
        cleaned = nfc(_SURROGATES.sub("\ufffd", _NO_TEXT.sub("", text))).strip("\n")
        if cleaned.strip():
            self._budget.chars(len(cleaned) + 1)
            self._put(_Paragraph(cleaned))

    def section_at(self, title: str, level: int, start_char: int) -> None:
        """A heading that stands in the text already (from an outline)."""
        self._sections.append(Section(title, level, start_char))

    def find(self, title: str, start: int, end: int) -> int:
        """Where a title first stands as or in a paragraph between two offsets; the start if nowhere."""
        for index in range(max(0, bisect_right(self._starts, start) - 1), len(self._lines)):
            if self._starts[index] >= end:
                break
            if title in self._lines[index]:
                return self._starts[index] + self._lines[index].index(title)
        return start

    def everything(self) -> str:
        """The text and the cells of all tables so far, a line each: to check words in, not to read."""
        cells = [cell for table in self._tables for row in table.rows for cell in row]
        return "\n".join([*self._lines, *cells])

    def begin_table(self) -> None:
        """A table starts, inside the open cell if there is one. Beyond a depth its text belongs to that cell."""
        if len(self._open) >= _MAX_TABLES or self._n_too_deep:
            self._n_too_deep += 1
            return
        self._open.append(_OpenTable())

    def row(self) -> None:
        """The next row of the open table."""
        if self._open and not self._n_too_deep:
            self._open[-1].rows.append({})
            self._open[-1].cell = None

    def cell(self, row: int | None = None, column: int | None = None) -> None:
        """The next cell, or the one at a place counted from 0."""
        if not self._open or self._n_too_deep:
            return
        self._budget.chars(1)
        table = self._open[-1]
        while row is not None and len(table.rows) <= row and row < 100_000:
            table.rows.append({})
            self._budget.chars(1)
        if not table.rows:
            table.rows.append({})
        cells = table.rows[-1 if row is None else min(row, len(table.rows) - 1)]
        place = (max(cells, default=-1) + 1) if column is None else min(column, 16_384)
        table.cell = cells.setdefault(place, [])

    def close_cell(self) -> None:
        """The open cell, or an empty one, is complete: what comes next is in another."""
        if self._open and not self._n_too_deep:
            if self._open[-1].cell is None:
                self.cell()
            self._open[-1].cell = None

    def end_table(self) -> None:
        """Closes the open table: as rows, or as prose if it was a table for its looks only."""
        if self._n_too_deep:
            self._n_too_deep -= 1
            return
        if not self._open:
            return
        table = self._open.pop()
        rows = [[cells[place] for place in sorted(cells)] for cells in table.rows]
        rows = [row for row in rows if any(row)]
        if _is_layout(rows):
            for row in rows:
                self._put_layout_row(row)
            return
        shown = [tuple(_shown(cells.get(place, [])) for place in range(max(cells, default=-1) + 1))
                 for cells in table.rows]  # fmt: skip
        self._put(tuple(row for row in shown if any(row)))

    def rows(self, rows: list[list[str]]) -> None:
        """A whole table of plain cells."""
        self.begin_table()
        for row in rows:
            self.row()
            for text in row:
                self.cell()
                self.paragraph(text)
        self.end_table()

    def table_in_text(self, rows: Sequence[tuple[str, ...]]) -> None:
        """A table that is the text itself (a sheet): its rows are lines, its cells are separated by tabs."""
        self._tables.append(Table(self._length, tuple(rows), in_text=True))
        for row in rows:
            self._line("\t".join(row))

    def finish(self) -> tuple[str, Parts]:
        """The text and its structure. Tables become the text of a file that has no other."""
        while self._open or self._n_too_deep:
            self.end_table()
        if not self._length and self._tables:
            self._tables_as_text()
        pages = tuple(Page(*each) for each in self._pages)
        parts = Parts(tuple(self._sections), pages, tuple(self._tables))
        return "\n".join(self._lines), parts

    def _put(self, item: _Item) -> None:
        if self._open:
            if self._open[-1].cell is None:
                self.cell()
            cell = self._open[-1].cell
            assert cell is not None
            cell.append(item)
        elif isinstance(item, _Paragraph):
            if item.level:
                self._sections.append(Section(item.text, item.level, self._length))
            self._line(item.text)
        else:
            self._tables.append(Table(self._length, item))

    def _line(self, text: str) -> None:
        self._lines.append(text)
        self._starts.append(self._length)
        self._length += len(text) + 1

    def _put_layout_row(self, row: list[list[_Item]]) -> None:
        """The cells one after another; a bullet stays with its text."""
        filled = [cell for cell in row if cell]
        if len(filled) > 1 and all(len(cell) == 1 and isinstance(cell[0], _Paragraph) for cell in filled):
            texts = [cell[0].text for cell in filled if isinstance(cell[0], _Paragraph)]
            if len(texts[0]) <= _BULLET_CHARS:
                self._put(_Paragraph(" ".join(texts)))
                return
        for cell in filled:
            for item in cell:
                self._put(item)

    def _tables_as_text(self) -> None:
        tables, self._tables = self._tables, []
        marks = [n_tables for _, n_tables in self._pages]
        starts: list[int] = []
        for table in tables:
            starts.append(self._length)
            self.table_in_text(table.rows)
        starts.append(self._length)
        self._pages = [(starts[min(mark, len(tables))], mark) for mark in marks]
        self.warn("TABLES_ONLY", f"all text stands in {len(tables)} tables: their rows are the text")


def clean(text: str) -> str:
    """A paragraph in NFC, without control characters, with single blanks."""
    text = _NO_TEXT.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    text = "\n".join(filter(None, (" ".join(line.split()) for line in text.split("\n"))))
    return nfc(text) if text.isascii() else nfc(_SURROGATES.sub("\ufffd", text))


def _shown(cell: list[_Item]) -> str:
    return " ".join(item.text.replace("\n", " ") for item in cell if isinstance(item, _Paragraph))


def _is_layout(rows: list[list[list[_Item]]]) -> bool:
    """Whether a table holds prose or other tables, not data."""
    filled = [[cell for cell in row if cell] for row in rows]
    if len(filled) < 2 or max(map(len, filled)) < 2:
        return True
    cells = [cell for row in filled for cell in row]
    if any(isinstance(item, tuple) for cell in cells for item in cell):
        return True
    return any(len(cell) > 1 and len(_shown(cell)) > _PROSE_CELL_CHARS for cell in cells)
