"""HWPX (OWPML, KS X 6101): a ZIP archive of XML, read in a stream."""

from __future__ import annotations

import re

from readers.extraction import dates, xml
from readers.extraction.context import Context
from readers.extraction.formats.hwp import check_preview
from readers.extraction.package import Package
from readers.extraction.records import ExtractionError
from readers.extraction.source import Source
from readers.extraction.writer import Writer, clean

_SECTION = re.compile(r"Contents/section(\d+)\.xml$", re.IGNORECASE)
_PREVIEW = "Preview/PrvText.txt"
#: Elements whose text is no part of what a reader reads in order.
_LEFT_OUT = frozenset(("header", "footer", "hiddenComment", "fieldBegin"))

#: Text, and what has a reading beside it.
_TEXTS = ("t", "mainText")
_NOTES = frozenset(("footNote", "endNote"))


def read(source: Source, out: Writer, context: Context) -> None:
    """The text of all sections. ENCRYPTED with a password."""
    with Package(source, context.budget) as package:
        _refuse_encrypted(package)
        numbered = sorted((int(found[1]), name) for name in package.names if (found := _SECTION.search(name)))
        if not numbered:
            raise ExtractionError("CORRUPT", "the HWPX has no Contents/section0.xml")
        levels = _outline_levels(package, context)
        _properties(package, out, context)
        for _, name in numbered:
            xml.parse(package.blocks(name), _Section(out, levels), context.budget, name)
        if _PREVIEW in package:
            check_preview(package.read(_PREVIEW).decode("utf-8", "replace"), out)


def _refuse_encrypted(package: Package) -> None:
    name = "META-INF/manifest.xml"
    if name in package and b"encryption-data" in package.read(name):
        raise ExtractionError("ENCRYPTED", "the HWPX asks for a password: save it without one")


def _properties(package: Package, out: Writer, context: Context) -> None:
    name = "Contents/content.hpf"
    if name not in package:
        return
    elements = xml.Elements("title", "meta")
    xml.parse(package.blocks(name), elements, context.budget, name)
    told = elements.named("meta")
    out.title = clean(elements.texts.get("title", "")) or None
    out.author = clean(told.get("creator", "")) or None
    out.created = dates.of_iso(told.get("createddate", ""))


def _outline_levels(package: Package, context: Context) -> dict[str, int]:
    """By the id of a paragraph's properties: its level, from 1, where it is a heading."""
    name = "Contents/header.xml"
    if name not in package:
        return {}
    handler = _Header()
    xml.parse(package.blocks(name), handler, context.budget, name)
    return handler.levels


class _Header(xml.Ignore):
    def __init__(self) -> None:
        self.levels: dict[str, int] = {}
        self._id = ""

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "paraPr":
            self._id = attributes.get("id", "")
        elif name == "heading" and attributes.get("type") == "OUTLINE":
            level = attributes.get("level", "0")
            self.levels[self._id] = int(level) + 1 if level.isdigit() else 1


class _Section(xml.Ignore):
    """Paragraphs hold runs; runs hold text and objects, which hold paragraphs again."""

    def __init__(self, out: Writer, levels: dict[str, int]) -> None:
        self._out = out
        self._levels = levels
        #: The text and the level of each open paragraph.
        self._paragraphs: list[tuple[list[str], int]] = []
        self._in_text = 0
        self._left_out = 0
        self._n_tables = 0
        #: Notes stand after the paragraph that they belong to.
        self._in_note = 0
        self._notes: list[str] = []

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name in _LEFT_OUT:
            self._left_out += 1
        elif name in _NOTES:
            self._in_note += 1
        elif name == "p":
            level = self._levels.get(attributes.get("paraPrIDRef", ""), 0)
            self._paragraphs.append(([], 0 if self._n_tables else level))
        elif name in _TEXTS:
            self._in_text += 1
        elif name == "tbl":
            self._flush()
            self._n_tables += 1
            self._out.begin_table()
        elif name == "tr":
            self._out.row()
        elif name == "tc":
            self._out.cell()
        elif name == "subList" and not self._in_note:
            self._flush()
        elif self._in_text:
            self._character(name)

    def _character(self, name: str) -> None:
        shown = {"tab": "\t", "lineBreak": "\n", "nbSpace": " ", "fwSpace": " ", "hyphen": "-"}.get(name)
        if shown and self._paragraphs and not self._left_out:
            self._paragraphs[-1][0].append(shown)

    def end(self, name: str) -> None:
        if name in _LEFT_OUT:
            self._left_out -= 1
        elif name in _NOTES:
            self._in_note -= 1
        elif name == "p":
            self._flush()
            if self._paragraphs:
                self._paragraphs.pop()
            if not self._in_note:
                self._write_notes()
        elif name in _TEXTS:
            self._in_text -= 1
        elif name == "tbl":
            self._n_tables -= 1
            self._out.end_table()

    def text(self, text: str) -> None:
        if self._in_text and self._paragraphs and not self._left_out:
            self._paragraphs[-1][0].append(text)

    def _write_notes(self) -> None:
        notes, self._notes = self._notes, []
        for note in notes:
            self._out.paragraph(note)

    def _flush(self) -> None:
        """What the innermost paragraph holds so far stands before the object that starts."""
        if self._paragraphs:
            collected, level = self._paragraphs[-1]
            if self._in_note:
                self._notes.append("".join(collected))
                collected.clear()
                return
            self._out.paragraph("".join(collected), level)
            collected.clear()
