"""ODT (OpenDocument text), read in a stream."""

from __future__ import annotations

from readers.extraction import dates, xml
from readers.extraction.context import Context
from readers.extraction.package import Package
from readers.extraction.records import ExtractionError
from readers.extraction.source import Source
from readers.extraction.writer import Writer, clean

#: Readings beside characters (ruby-text) stand in the middle of words.
_LEFT_OUT = frozenset(
    ("tracked-changes", "annotation", "note-citation", "sequence-decls", "desc", "title", "ruby-text")
)
_MANIFEST = "META-INF/manifest.xml"


def read(source: Source, out: Writer, context: Context) -> None:
    """The body with its tables. ENCRYPTED with a password."""
    with Package(source, context.budget) as package:
        if _MANIFEST in package and b"encryption-data" in package.read(_MANIFEST):
            raise ExtractionError("ENCRYPTED", "the document asks for a password: save it without one")
        meta = xml.Elements("title", "initial-creator", "creator", "creation-date")
        if "meta.xml" in package:
            xml.parse(package.blocks("meta.xml"), meta, context.budget, "meta.xml")
        xml.parse(package.blocks("content.xml"), _Body(out), context.budget, "content.xml")
        told = meta.texts
        out.title = clean(told.get("title", "")) or None
        out.author = clean(told.get("initial-creator") or told.get("creator", "")) or None
        out.created = dates.of_iso(told.get("creation-date", ""))


class _Body(xml.Ignore):
    def __init__(self, out: Writer) -> None:
        self._out = out
        self._open: list[tuple[list[str], int]] = []
        self._left_out = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if self._left_out or name in _LEFT_OUT:
            self._left_out += 1
        elif name in ("p", "h"):
            self._flush()
            level = attributes.get("outline-level", "1")
            self._open.append(([], 0 if name == "p" else int(level) if level.isdigit() else 1))
        elif name in ("tab", "line-break", "s") and self._open:
            self._open[-1][0].append("\n" if name == "line-break" else " ")
        elif name == "table":
            self._flush()
            self._out.begin_table()
        elif name == "table-row":
            self._out.row()
        elif name == "table-cell":
            self._out.cell()

    def end(self, name: str) -> None:
        if self._left_out:
            self._left_out -= 1
        elif name in ("p", "h"):
            self._flush()
            if self._open:
                self._open.pop()
        elif name == "table":
            self._out.end_table()

    def text(self, text: str) -> None:
        if self._open and not self._left_out:
            self._open[-1][0].append(text)

    def _flush(self) -> None:
        if self._open:
            collected, level = self._open[-1]
            self._out.paragraph("".join(collected), level)
            collected.clear()
