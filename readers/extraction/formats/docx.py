"""DOCX (WordprocessingML), read in a stream: paragraphs, headings, tables, text boxes, notes."""

from __future__ import annotations

import re

from readers.extraction import office, xml
from readers.extraction.context import Context
from readers.extraction.package import Package
from readers.extraction.source import Source
from readers.extraction.writer import Writer

_MAIN = "word/document.xml"
_NOTES = ("word/footnotes.xml", "word/endnotes.xml")
_HEADING = re.compile(r"(?:heading|제목|überschrift|titre)\s*(\d)", re.IGNORECASE)
#: What is no text of the document: deleted text, codes of fields, the second form of what was told once, and readings
#: beside characters (rt), which stand in the middle of words.
_LEFT_OUT = frozenset(("del", "moveFrom", "instrText", "delText", "Fallback", "rPr", "sectPr", "rt"))


def read(source: Source, out: Writer, context: Context) -> None:
    """The body, then foot- and endnotes. Headers, footers and comments are left out."""
    with Package(source, context.budget) as package:
        office.properties(package, out, context)
        levels = _styles(package, context)
        xml.parse(package.blocks(_MAIN), _Body(out, levels), context.budget, _MAIN)
        for name in _NOTES:
            if name in package:
                xml.parse(package.blocks(name), _Body(out, {}), context.budget, name)
        folder = "word/embeddings/"
        for name in package.names:
            if name.startswith(folder):
                out.members.append(context.member(Source(package.read(name), name[len(folder) :])))


def _styles(package: Package, context: Context) -> dict[str, int]:
    """By the id of a paragraph style: its level, from 1, where it is a heading."""
    name = "word/styles.xml"
    if name not in package:
        return {}
    handler = _Styles()
    xml.parse(package.blocks(name), handler, context.budget, name)
    return handler.levels


class _Styles(xml.Ignore):
    def __init__(self) -> None:
        self.levels: dict[str, int] = {}
        self._id = ""

    def start(self, name: str, attributes: dict[str, str]) -> None:
        value = attributes.get("val", "")
        if name == "style":
            self._id = attributes.get("styleId", "")
        elif name == "name" and (value.lower() == "title" or _HEADING.fullmatch(value)):
            found = _HEADING.fullmatch(value)
            self.levels[self._id] = int(found[1]) if found else 1
        elif name == "outlineLvl" and value.isdigit() and int(value) < 9:
            self.levels[self._id] = int(value) + 1


class _Body(xml.Ignore):
    """A paragraph can hold a text box, which holds paragraphs again."""

    def __init__(self, out: Writer, levels: dict[str, int]) -> None:
        self._out = out
        self._levels = levels
        self._paragraphs: list[list[str]] = []
        self._level: list[int] = []
        self._in_text = False
        self._left_out = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if self._left_out or name in _LEFT_OUT:
            self._left_out += 1
        elif name == "p":
            self._flush()
            self._paragraphs.append([])
            self._level.append(0)
        elif name == "t":
            self._in_text = True
        elif name in ("pStyle", "outlineLvl"):
            self._style(name, attributes.get("val", ""))
        elif name in ("tab", "br", "cr", "noBreakHyphen") and self._paragraphs:
            shown = {"tab": "\t", "noBreakHyphen": "-"}.get(name, "\n")
            self._paragraphs[-1].append(shown)
        elif name == "tbl":
            self._flush()
            self._out.begin_table()
        elif name == "tr":
            self._out.row()
        elif name == "tc":
            self._out.cell()

    def _style(self, name: str, value: str) -> None:
        if not self._level:
            return
        if name == "pStyle":
            self._level[-1] = self._levels.get(value, 0)
        elif value.isdigit() and int(value) < 9:
            self._level[-1] = int(value) + 1

    def end(self, name: str) -> None:
        if self._left_out:
            self._left_out -= 1
        elif name == "p":
            self._flush()
            if self._paragraphs:
                self._paragraphs.pop()
                self._level.pop()
        elif name == "t":
            self._in_text = False
        elif name == "tbl":
            self._out.end_table()

    def text(self, text: str) -> None:
        if self._in_text and not self._left_out and self._paragraphs:
            self._paragraphs[-1].append(text)

    def _flush(self) -> None:
        if self._paragraphs:
            self._out.paragraph("".join(self._paragraphs[-1]), self._level[-1])
            self._paragraphs[-1].clear()
