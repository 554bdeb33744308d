"""PPTX (PresentationML), read in a stream: a page for each slide, its title as a section, its notes after it."""

from __future__ import annotations

from readers.extraction import office, xml
from readers.extraction.context import Context
from readers.extraction.package import Package
from readers.extraction.source import Source
from readers.extraction.writer import Writer

_MAIN = "ppt/presentation.xml"


def read(source: Source, out: Writer, context: Context) -> None:
    """The slides in the order of the presentation."""
    with Package(source, context.budget) as package:
        office.properties(package, out, context)
        out.promised = None  # PowerPoint counts words, not characters
        for name in _slides(package, context):
            out.page()
            xml.parse(package.blocks(name), _Slide(out), context.budget, name)
            for kind, target in office.relations(package, name, context).values():
                if kind in ("notesSlide", "diagramData") and target in package:
                    is_notes = kind == "notesSlide"
                    xml.parse(package.blocks(target), _Slide(out, is_notes), context.budget, target)


def _slides(package: Package, context: Context) -> list[str]:
    elements = xml.Elements("sldId")
    xml.parse(package.blocks(_MAIN), elements, context.budget, _MAIN)
    targets = office.relations(package, _MAIN, context)
    ids = [attributes.get("rel:id", "") for _, attributes in elements.found]
    return [targets[each][1] for each in ids if each in targets]


class _Slide(xml.Ignore):
    """Shapes hold paragraphs of runs. Of notes, only the body is read: the rest repeats the slide's number."""

    def __init__(self, out: Writer, is_notes: bool = False) -> None:
        self._out = out
        self._is_notes = is_notes
        self._kind = ""
        self._text: list[str] = []
        self._in_text = False

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name in ("sp", "graphicFrame"):
            self._kind = ""
        elif name == "ph":
            self._kind = attributes.get("type", "body")
        elif name == "t":
            self._in_text = True
        elif name == "br":
            self._text.append("\n")
        elif name == "tbl":
            self._out.begin_table()
        elif name == "tr":
            self._out.row()
        elif name == "tc":
            self._out.cell()

    def end(self, name: str) -> None:
        if name == "t":
            self._in_text = False
        elif name == "p":
            text, self._text = "".join(self._text), []
            is_left_out = self._is_notes and self._kind != "body"
            if self._kind not in ("sldNum", "dt", "ftr", "hdr") and not is_left_out:
                self._out.paragraph(text, 1 if self._kind in ("title", "ctrTitle") else 0)
        elif name == "tbl":
            self._out.end_table()

    def text(self, text: str) -> None:
        if self._in_text:
            self._text.append(text)
