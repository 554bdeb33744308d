"""A report filed with DART: XML that says utf-8, is CP949, and is not well-formed."""

from __future__ import annotations

import re
from typing import ClassVar

from readers.extraction import tags
from readers.extraction.context import Context
from readers.extraction.encoded import decode
from readers.extraction.markup_handler import MarkupHandler
from readers.extraction.records import ExtractionError
from readers.extraction.source import Source
from readers.extraction.writer import Writer, clean

_NAME = re.compile(r"<DOCUMENT-NAME[^>]*>([^<]*)")
_COMPANY = re.compile(r"<COMPANY-NAME[^>]*>([^<]*)")
_ELEMENTS = re.compile("[A-Z][A-Z0-9-]*")


class _DartHandler(MarkupHandler):
    """DART's elements are in capitals; anything else in angle brackets is text. Titles have their section's level."""

    headings: ClassVar = {"cover-title": 1}
    hidden = frozenset(("summary", "document-name", "company-name", "formula-version"))

    def __init__(self, out: Writer) -> None:
        super().__init__(out)
        self._section = 1

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if not _ELEMENTS.fullmatch(name):
            self.text(f"<{name}>")
            return
        if name.startswith("SECTION-"):
            self._section = int(name[8:]) if name[8:].isdigit() else self._section
        if name == "PGBRK":
            self.flush()
            self.out.page()
            return
        super().start(name.lower(), attributes)
        if name == "TITLE":
            self._level = self._section

    def end(self, name: str) -> None:
        if not _ELEMENTS.fullmatch(name):
            self.text(f"</{name}>")
            return
        super().end(name.lower())


def read(source: Source, out: Writer, context: Context) -> None:
    """The report. Its pages are those that its page breaks make."""
    text = decode(source.read())
    if "</DOCUMENT>" not in text[-2000:]:
        out.warn("TRUNCATED", "the document has no end: a part of it may be missing")
    out.language = "ko"
    out.page()
    handler = _DartHandler(out)
    tags.parse(text, handler, context.budget, keep_case=True)
    handler.finish()
    out.title = " ".join(filter(None, (_first(_COMPANY, text), _first(_NAME, text)))) or out.title


def document_name(text: str) -> str:
    """What kind of document it is, as "사업보고서" or "감사보고서"."""
    name = _first(_NAME, text)
    if name is None:
        raise ExtractionError("CORRUPT", "the document has no DOCUMENT-NAME")
    return name


def _first(pattern: re.Pattern[str], text: str) -> str | None:
    found = pattern.search(text)
    return clean(found[1]) if found else None
