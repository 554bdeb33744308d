"""XLSX, by XlsxWriter, a row at a time. What Excel cannot hold is said: texts of more than 32,767 characters are cut,
numbers of more than 15 digits are texts, and more than 1,048,575 rows go on in another sheet."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from db.reading import Column, Row, Type
from scheduler.cells import plain_text
from scheduler.exports.writers import Notes, Options, Write, library

#: The limits of a sheet.
SHEET_ROWS, SHEET_COLUMNS, CELL_CHARS = 1_048_576, 16_384, 32_767
#: Numbers up to here are exact in a cell.
MOST = 10**15
#: Excel knows no time before.
FIRST_YEAR = 1900


@contextmanager
def opened(path: Path, columns: Sequence[Column], options: Options, notes: Notes) -> Iterator[Write]:
    """A workbook with these columns."""
    if len(columns) > SHEET_COLUMNS:
        raise ValueError(f"a sheet has {SHEET_COLUMNS:,} columns at most, and the query {len(columns):,}")
    xlsxwriter = library("xlsxwriter", "XLSX")
    # Beside the file, so that nothing stays behind in /tmp.
    with tempfile.TemporaryDirectory(prefix=f"{path.name}.", dir=path.parent) as folder:
        settings = {"constant_memory": True, "tmpdir": folder, "default_date_format": "yyyy-mm-dd hh:mm:ss"}
        book = xlsxwriter.Workbook(path, settings | {"strings_to_urls": False, "use_zip64": True})
        # The same rows give the same file.
        book.set_properties({"created": datetime(2000, 1, 1)})
        sheets = _Sheets(book, columns, options, notes)
        try:
            yield sheets.write
        except BaseException:
            # Not put together: only the files of its rows are closed.
            for sheet in book.worksheets():
                sheet._opt_close()
            raise
        book.close()


class _Sheets:
    """The sheet that is being written, and where in it."""

    def __init__(self, book: Any, columns: Sequence[Column], options: Options, notes: Notes) -> None:
        self._book, self._columns, self._options, self._notes = book, columns, options, notes
        self._bold = book.add_format({"bold": True})
        self._day = book.add_format({"num_format": "yyyy-mm-dd"})
        self._n_sheets = self._n_rows = 0
        self._begin()

    def write(self, rows: Sequence[Row]) -> None:
        for row in rows:
            if self._line == SHEET_ROWS:
                self._notes.add("more sheets, since a sheet has 1,048,576 rows", f"row {self._n_rows + 1:,}")
                self._begin()
            self._n_rows += 1
            for place, value in enumerate(row):
                if value is not None:
                    self._cell(place, value)
            self._line += 1

    def _begin(self) -> None:
        self._n_sheets += 1
        self._sheet = self._book.add_worksheet(f"rows {self._n_sheets}")
        self._sheet.freeze_panes(1, 0)
        for place, column in enumerate(self._columns):
            self._sheet.set_column(place, place, 40 if column.type is Type.TEXT else 18)
        for place, column in enumerate(self._columns):
            self._sheet.write_string(0, place, column.name[:CELL_CHARS], self._bold)
        self._line = 1

    def _cell(self, place: int, value: Any) -> None:
        if isinstance(value, bool):
            self._sheet.write_boolean(self._line, place, value)
        elif isinstance(value, int | float | Decimal):
            self._number(place, value)
        elif isinstance(value, datetime):
            self._time(place, value)
        elif isinstance(value, date) and value.year >= FIRST_YEAR:
            self._sheet.write_datetime(self._line, place, datetime(*value.timetuple()[:3]), self._day)
        else:
            self._text(place, plain_text(value))

    def _number(self, place: int, value: Any) -> None:
        is_too_long = not isinstance(value, float) and abs(value) >= MOST
        if not math.isfinite(value) or is_too_long:
            self._notes.add("numbers are texts, since Excel cannot hold them", self._where(place))
            self._text(place, plain_text(value))
        else:
            self._sheet.write_number(self._line, place, float(value) if isinstance(value, Decimal) else value)

    def _time(self, place: int, value: datetime) -> None:
        local = value.astimezone(self._options.zone).replace(tzinfo=None)
        if local.year < FIRST_YEAR:
            self._text(place, plain_text(value))
        else:
            self._sheet.write_datetime(self._line, place, local)

    def _text(self, place: int, text: str) -> None:
        if _units(text) > CELL_CHARS:
            self._notes.add("texts are cut, since a cell holds 32,767 characters", self._where(place))
            text = _cut(text)
        self._sheet.write_string(self._line, place, text)

    def _where(self, place: int) -> str:
        return f"row {self._n_rows:,}, {self._columns[place].name}"


def _units(text: str) -> int:
    """Excel counts the units of UTF-16."""
    return len(text) if len(text) <= CELL_CHARS // 2 else len(text.encode("utf-16-le", "surrogatepass")) // 2


def _cut(text: str) -> str:
    cut = text.encode("utf-16-le", "surrogatepass")[: 2 * CELL_CHARS]
    return cut.decode("utf-16-le", "ignore")
