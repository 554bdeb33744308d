"""What DOCX, PPTX and XLSX share (OPC, ISO/IEC 29500-2): relationships and properties."""

from __future__ import annotations

import posixpath

from readers.extraction import dates, xml
from readers.extraction.context import Context
from readers.extraction.package import Package, relative
from readers.extraction.records import ExtractionError
from readers.extraction.writer import Writer, clean


def relations(package: Package, part: str, context: Context) -> dict[str, tuple[str, str]]:
    """Of a part: by id, the last word of the type, and the part that is meant."""
    folder, name = posixpath.split(part)
    rels = posixpath.join(folder, "_rels", f"{name}.rels")
    if rels not in package:
        return {}
    elements = xml.Elements("Relationship")
    xml.parse(package.blocks(rels), elements, context.budget, rels)
    return {
        attributes.get("Id", ""): (
            attributes.get("Type", "").rpartition("/")[2],
            relative(part, attributes.get("Target", "")),
        )
        for _, attributes in elements.found
        if attributes.get("TargetMode") != "External"
    }


def properties(package: Package, out: Writer, context: Context) -> None:
    """The title, and how many characters the program that wrote the file counted."""
    core = _texts(package, "docProps/core.xml", context, "title", "language", "creator", "created")
    out.title = clean(core.get("title", "")) or None
    out.author = clean(core.get("creator", "")) or None
    out.created = dates.of_iso(core.get("created", ""))
    counted = _texts(package, "docProps/app.xml", context, "Characters").get("Characters", "").strip()
    if counted.isdigit():
        out.promised = int(counted), "the file's own count (docProps/app.xml)"


def _texts(package: Package, name: str, context: Context, *elements: str) -> dict[str, str]:
    if name not in package:
        return {}
    handler = xml.Elements(*elements)
    try:
        xml.parse(package.blocks(name), handler, context.budget, name)
    except ExtractionError as error:
        if error.code != "CORRUPT":
            raise
    return handler.texts
