"""The elements of HTML and of DART's XML, told to a Writer: paragraphs, headings, tables, and what is hidden."""

from __future__ import annotations

import re
from typing import ClassVar

from readers.extraction import dates
from readers.extraction.writer import Writer, clean

_BLOCKS = frozenset(
    [
        "address",
        "article",
        "aside",
        "blockquote",
        "body",
        "button",
        "caption",
        "center",
        "dd",
        "details",
        "dialog",
        "dir",
        "div",
        "dl",
        "dt",
        "fieldset",
        "figcaption",
        "figure",
        "footer",
        "form",
        "frame",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "head",
        "header",
        "hr",
        "html",
        "legend",
        "li",
        "main",
        "menu",
        "nav",
        "ol",
        "option",
        "optgroup",
        "p",
        "page",
        "pre",
        "section",
        "select",
        "summary",
        "ul",
        "p-group",
        "cover-title",
        "title",
        "section-1",
        "section-2",
        "section-3",
        "cover",
        "library",
        "img-caption",
        "image",
        "pgbrk",
        "document-name",
        "company-name",
        "formula-version",
        "correction",
        "insertion",
        "part",
        "table-group",
        "warning",
        "document",
        "type",
        "sequence",
        "filename",
        "description",
        "text",
    ]
)
_CELLS = frozenset(("td", "th", "te", "tu"))
#: Readings beside characters, with their brackets: they stand in the middle of words.
_READINGS = ("rt", "rp")
_HIDDEN = frozenset(
    (*_READINGS, "script", "style", "template", "svg", "head", "ix:header", "summary-xbrl", "math-annotation")
)
#: Names of `meta` elements, the best first.
_AUTHORS = ("author", "article:author", "parsely-author", "dc.creator", "dcterms.creator", "citation_author")
_DATES = (
    "article:published_time", "datepublished", "dc.date", "dcterms.created", "dc.date.created", "created", "pubdate",
    "publish_date", "parsely-pub-date", "citation_publication_date", "date",
)  # fmt: skip
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_NOT_SHOWN = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)
_VOID = frozenset(
    [
        "area",
        "base",
        "br",
        "col",
        "embed",
        "hr",
        "img",
        "input",
        "link",
        "meta",
        "param",
        "source",
        "track",
        "wbr",
    ]
)


class MarkupHandler:
    """Events of tags to paragraphs. `finish` must be called at the end."""

    #: Elements that are headings, with their levels.
    headings: ClassVar = _HEADINGS
    hidden = _HIDDEN

    def __init__(self, out: Writer) -> None:
        self.out = out
        self._text: list[str] = []
        self._level = 0
        self._n_tables = 0
        self._pre = 0
        #: The element that hides, and how many of the same name are open in it.
        self._hidden: str | None = None
        self._hidden_depth = 0
        self._title: list[str] | None = None
        #: What the page says of itself.
        self._told: dict[str, str] = {}

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "html":
            self.out.language = (attributes.get("lang") or attributes.get("xml:lang") or "")[
                :2
            ].lower() or None
        if name == "body" and self._hidden == "head":
            self._hidden = None
        if self._hidden in _READINGS and (name in (*_READINGS, "rb") or name in _BLOCKS or name in _CELLS):
            self._hidden = None  # its end may be left out
        if self._hidden is not None:
            self._hidden_depth += name == self._hidden
            if name == "title" and self._hidden == "head" and self.out.title is None:
                self._title = []
            elif name == "meta":
                self._told.setdefault(_meta_name(attributes), attributes.get("content", ""))
            return
        if name in self.hidden or (name not in _VOID and _NOT_SHOWN.search(attributes.get("style", ""))):
            self._hidden, self._hidden_depth = name, 1
            return
        self._open(name)

    def _open(self, name: str) -> None:
        if name == "br":
            self._text.append("\n")
        elif name in _BLOCKS:
            self.flush()
            self._level = self.headings.get(name, self._level if name == "span" else 0)
            self._pre += name == "pre"
        elif name in _CELLS:
            self.flush()
            self.out.cell()
        elif name == "tr":
            self.flush()
            self.out.row()
        elif name == "table":
            self.flush()
            self._n_tables += 1
            self.out.begin_table()

    def end(self, name: str) -> None:
        if name == "title" and self._title is not None:
            self.out.title = clean("".join(self._title).replace("\n", " ")) or None
            self._title = None
        if self._hidden in _READINGS and (name == "ruby" or name in _BLOCKS or name in _CELLS):
            self._hidden = None
        if self._hidden is not None:
            self._hidden_depth -= name == self._hidden
            if self._hidden_depth <= 0:
                self._hidden = None
            return
        if name in _BLOCKS or name in _CELLS or name == "tr":
            self.flush()
            self._pre -= name == "pre" and self._pre > 0
        elif name == "table" and self._n_tables:
            self.flush()
            self._n_tables -= 1
            self.out.end_table()

    def text(self, text: str) -> None:
        if self._title is not None:
            self._title.append(text)
        if self._hidden is None:
            self._text.append(text if self._pre else text.replace("\r", " ").replace("\n", " "))

    def flush(self) -> None:
        """What stands between the last two blocks is a paragraph; its line breaks are its own."""
        if self._text:
            text, self._text = "".join(self._text), []
            if self._level:
                text = text.replace("\n", " ")
            self.out.paragraph(text, self._level)
        self._level = 0

    def finish(self) -> None:
        """Tells what is left, and closes tables that the page left open."""
        if self._title:
            self.out.title = clean("".join(self._title))[:300] or None
        self.flush()
        while self._n_tables:
            self._n_tables -= 1
            self.out.end_table()
        self._properties()

    def _properties(self) -> None:
        """Who wrote the page, and when. Some name the author by the address of a page."""
        out, told = self.out, self._told
        authors = (clean(told.get(name, "")).replace("\n", " ")[:300] for name in _AUTHORS)
        moments = (dates.of_page(told[name]) for name in _DATES if name in told)
        out.author = out.author or next((each for each in authors if each and "://" not in each), None)
        out.created = out.created or next(filter(None, moments), None)
        out.title = out.title or clean(told.get("og:title", "")).replace("\n", " ")[:300] or None


def _meta_name(attributes: dict[str, str]) -> str:
    named = (attributes.get(each, "").strip().lower() for each in ("name", "property", "itemprop"))
    return next(filter(None, named), "")
