"""XLSX (SpreadsheetML), read in a stream: a page and a table for each sheet; its rows are the text."""

from __future__ import annotations

from readers.extraction import office, xml
from readers.extraction.context import Context
from readers.extraction.limits import Budget
from readers.extraction.package import Package
from readers.extraction.sheet_values import column, is_date, shown
from readers.extraction.source import Source
from readers.extraction.writer import Writer, clean

_MAIN = "xl/workbook.xml"
#: Columns that a sheet can have; a number beyond it is damage.
_MAX_COLUMNS = 16_384


def read(source: Source, out: Writer, context: Context) -> None:
    """The sheets that the workbook shows, in its order. Hidden ones are left out and counted; where the others
    hold no text, they are the text. Dates are written as 2026-01-31."""
    with Package(source, context.budget) as package:
        office.properties(package, out, context)
        out.promised = None
        strings = _strings(package, context)
        dates, uses_1904 = _date_styles(package, context), _uses_1904(package, context)
        hidden: list[tuple[str, list[tuple[str, ...]]]] = []
        for title, name, is_hidden in _sheets(package, context):
            sheet = _Sheet(strings, dates, uses_1904, context.budget)
            xml.parse(package.blocks(name), sheet, context.budget, name)
            if sheet.rows and is_hidden:
                hidden.append((title, sheet.rows))
            elif sheet.rows:
                _write(title, sheet.rows, out)
        _write_hidden(hidden, out)


def _write(title: str, rows: list[tuple[str, ...]], out: Writer) -> None:
    out.page()
    out.paragraph(title, 1)
    out.table_in_text(rows)


def _write_hidden(hidden: list[tuple[str, list[tuple[str, ...]]]], out: Writer) -> None:
    if not hidden:
        return
    names = ", ".join(clean(title) for title, _ in hidden[:10])
    if not out.n_chars:
        out.warn("HIDDEN_SHEETS", f"all sheets with text are hidden ({names}): they are the text")
        for title, rows in hidden:
            _write(title, rows, out)
        return
    n_chars = sum(len(cell) for _, rows in hidden for row in rows for cell in row)
    out.chars_left_out += n_chars
    n = f"{len(hidden)} hidden sheets were" if len(hidden) > 1 else "a hidden sheet was"
    out.warn("HIDDEN_SHEETS", f"{n} left out ({names}): {n_chars:,} characters")


def _sheets(package: Package, context: Context) -> list[tuple[str, str, bool]]:
    """Title, part, and whether it is hidden."""
    elements = xml.Elements("sheet")
    xml.parse(package.blocks(_MAIN), elements, context.budget, _MAIN)
    targets = office.relations(package, _MAIN, context)
    named = [
        (attributes.get("name", ""), targets.get(attributes.get("rel:id", "")), attributes.get("state", ""))
        for _, attributes in elements.found
    ]
    return [
        (name, target[1], state in ("hidden", "veryHidden"))
        for name, target, state in named
        if target and target[0] == "worksheet"
    ]


def _strings(package: Package, context: Context) -> list[str]:
    name = "xl/sharedStrings.xml"
    if name not in package:
        return []
    handler = _Strings(context.budget)
    xml.parse(package.blocks(name), handler, context.budget, name)
    return handler.found


def _date_styles(package: Package, context: Context) -> frozenset[int]:
    """The cell styles that show a number as a date or a time."""
    name = "xl/styles.xml"
    if name not in package:
        return frozenset()
    handler = _Styles()
    xml.parse(package.blocks(name), handler, context.budget, name)
    return frozenset(
        index for index, number in enumerate(handler.styles) if is_date(number, handler.formats.get(number))
    )


def _uses_1904(package: Package, context: Context) -> bool:
    elements = xml.Elements("workbookPr")
    xml.parse(package.blocks(_MAIN), elements, context.budget, _MAIN)
    return any(attributes.get("date1904") in ("1", "true") for _, attributes in elements.found)


class _Strings(xml.Ignore):
    """The strings that cells name by number. Readings beside Hanja and kana (rPh) are left out."""

    def __init__(self, budget: Budget) -> None:
        self.found: list[str] = []
        self._budget = budget
        self._parts: list[str] = []
        self._in_text = False
        self._n_readings = 0

    def start(self, name: str, _attributes: dict[str, str]) -> None:
        self._in_text = name == "t" and not self._n_readings
        self._n_readings += name == "rPh"

    def end(self, name: str) -> None:
        self._in_text = False
        self._n_readings -= name == "rPh"
        if name == "si":
            text, self._parts = "".join(self._parts), []
            self._budget.chars(len(text) + 1)
            self.found.append(text)

    def text(self, text: str) -> None:
        if self._in_text:
            self._parts.append(text)


class _Styles(xml.Ignore):
    def __init__(self) -> None:
        self.formats: dict[int, str] = {}
        self.styles: list[int] = []
        self._in_cells = False

    def start(self, name: str, attributes: dict[str, str]) -> None:
        number = attributes.get("numFmtId", "0")
        if name == "numFmt" and number.isdigit():
            self.formats[int(number)] = attributes.get("formatCode", "")
        elif name == "cellXfs":
            self._in_cells = True
        elif name == "xf" and self._in_cells:
            self.styles.append(int(number) if number.isdigit() else 0)

    def end(self, name: str) -> None:
        if name == "cellXfs":
            self._in_cells = False


class _Sheet(xml.Ignore):
    def __init__(self, strings: list[str], dates: frozenset[int], uses_1904: bool, budget: Budget) -> None:
        self.rows: list[tuple[str, ...]] = []
        self._strings = strings
        self._dates = dates
        self._uses_1904 = uses_1904
        self._budget = budget
        self._row: dict[int, str] = {}
        self._place = 0
        self._kind = ""
        self._is_date = False
        self._value: list[str] = []
        self._in_value = False

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "row":
            self._row = {}
        elif name == "c":
            place = column(attributes.get("r", ""))
            self._place = place if place is not None else max(self._row, default=-1) + 1
            self._kind = attributes.get("t", "n")
            style = attributes.get("s", "0")
            self._is_date = style.isdigit() and int(style) in self._dates
            self._value = []
        elif name in ("v", "t"):
            self._in_value = True

    def end(self, name: str) -> None:
        if name in ("v", "t"):
            self._in_value = False
        elif name == "c":
            text = self._shown("".join(self._value))
            if text and self._place < _MAX_COLUMNS:
                self._row[self._place] = text
        elif name == "row" and self._row:
            width = max(self._row) + 1
            self._budget.chars(width + sum(map(len, self._row.values())))
            self.rows.append(tuple(self._row.get(place, "") for place in range(width)))

    def text(self, text: str) -> None:
        if self._in_value:
            self._value.append(text)

    def _shown(self, value: str) -> str:
        if self._kind == "s":
            known = value.strip().isdigit() and int(value) < len(self._strings)
            return clean(self._strings[int(value)]).replace("\n", " ") if known else ""
        if self._kind == "b":
            return "TRUE" if value.strip() == "1" else "FALSE"
        if self._kind == "n" and self._is_date:
            return shown(value, uses_1904=self._uses_1904)
        return clean(value).replace("\n", " ")
