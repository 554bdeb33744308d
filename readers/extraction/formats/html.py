"""Web pages and other XML: the whole by tags, or the main content by trafilatura."""

from __future__ import annotations

import re

from readers.extraction import tags, xml
from readers.extraction.context import Context
from readers.extraction.encoded import decode
from readers.extraction.limits import Budget
from readers.extraction.markup_handler import MarkupHandler
from readers.extraction.registry import missing
from readers.extraction.source import Source
from readers.extraction.writer import Writer

#: Signs of a page whose text is surrounded by navigation.
_NAVIGATION = re.compile(
    r"<(?:nav|header|footer|aside)\b|role\s*=\s*[\"']?(?:navigation|banner|contentinfo)|"
    r"(?:class|id)\s*=\s*[\"'][^\"'>]{0,80}\b(?:nav|navbar|menu|sidebar|footer|breadcrumbs?|cookie)\b",
    re.IGNORECASE,
)
#: Readings beside characters, which stand in the middle of words.
_READING = re.compile(r"<(rt|rp)\b[^<>]{0,200}>[^<]{0,500}</\1\s*>", re.IGNORECASE)
_HEAD_END, _END = re.compile("</head>", re.IGNORECASE), re.compile("</(?:body|html)>", re.IGNORECASE)
#: trafilatura builds a tree, and its time grows with the square of the elements: larger pages are read whole.
_MAIN_CHARS, _MAIN_TAGS = 5_000_000, 100_000
#: With more than this, it does not compare its result with that of justext, which takes minutes then.
_COMPARED_TAGS = 10_000
#: A main content with less of the text than this is none.
_MAIN_SHARE = 0.05
_MAIN_MIN_CHARS = 200
#: More of the text than this left out is a warning.
_WARNED_SHARE = 0.5


def read(source: Source, out: Writer, context: Context) -> None:
    """The whole page, or its main content; the figures say how much was left out."""
    read_text(decode(source.read()), out, context)


def read_text(text: str, out: Writer, context: Context) -> None:
    """The same of a page that is decoded."""
    if _is_cut(text):
        out.warn("TRUNCATED", "the page has no end: a part may be missing")
    wants_main = context.html == "main" or (context.html == "auto" and _has_navigation(text))
    if not wants_main:
        whole(text, out, context.budget)
        return
    scratch = Writer(Budget(context.budget.limits))
    whole(text, scratch, context.budget)
    is_small = len(text) <= _MAIN_CHARS and text.count("<") <= _MAIN_TAGS
    main = _main(text, out, required=context.html == "main") if is_small else None
    if main is None or len(main) < max(_MAIN_MIN_CHARS, _MAIN_SHARE * scratch.n_chars):
        out.warn("WHOLE_PAGE", "no main content was found in the page: its text is whole")
        whole(text, out, context.budget)
        return
    xml.parse([main.encode()], _Main(out), context.budget, "the main content")
    out.title, out.language = scratch.title, scratch.language
    out.author, out.created = scratch.author, scratch.created
    n_whole, n_main = len(scratch.everything()), len(out.everything())
    out.chars_left_out = max(0, n_whole - n_main)
    if out.chars_left_out > _WARNED_SHARE * n_whole:
        out.warn(
            "MOSTLY_LEFT_OUT", f"{out.chars_left_out} of {n_whole} characters of the page are no main content"
        )


def _has_navigation(text: str) -> bool:
    """Whether parts of the page are there for every page. A report in inline XBRL is all content."""
    return _NAVIGATION.search(text) is not None and "xmlns:ix" not in text[:20_000]


def _is_cut(text: str) -> bool:
    """Whether a page that closes its head does not close its body. (A page may leave out the end of both.)"""
    return _HEAD_END.search(text) is not None and _END.search(text) is None


def whole(text: str, out: Writer, budget: Budget) -> None:
    """Everything that a reader of the page would see."""
    handler = MarkupHandler(out)
    tags.parse(text, handler, budget)
    handler.finish()


def _main(text: str, out: Writer, *, required: bool) -> str | None:
    """trafilatura's XML of the main content; None without the library or without a content."""
    try:
        import trafilatura
    except ImportError:
        if required:
            raise missing("trafilatura") from None
        out.warn("WHOLE_PAGE", f"the page has navigation: {missing('trafilatura').detail} to leave it out")
        return None
    out.parser = f"trafilatura {trafilatura.__version__}"
    try:
        return trafilatura.extract(
            _READING.sub("", text),
            output_format="xml",
            include_comments=False,
            include_tables=True,
            favor_recall=True,
            fast=text.count("<") > _COMPARED_TAGS,
        )
    except Exception as error:
        out.warn("WHOLE_PAGE", f"trafilatura failed ({type(error).__name__}): the text of the page is whole")
        return None


class _Main(xml.Ignore):
    """trafilatura's few elements: head, p, item, quote, code, table, row, cell."""

    _BLOCKS = frozenset(("head", "p", "item", "quote", "code", "cell", "lb", "list"))

    def __init__(self, out: Writer) -> None:
        self._out = out
        self._text: list[str] = []
        self._level = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name in self._BLOCKS or name in ("table", "row"):
            self._flush()
        if name == "head":
            rend = attributes.get("rend", "h2")
            self._level = int(rend[1:]) if rend[1:].isdigit() else 2
        if name == "table":
            self._out.begin_table()
        elif name == "row":
            self._out.row()
        elif name == "cell":
            self._out.cell()

    def end(self, name: str) -> None:
        if name in self._BLOCKS:
            self._flush()
        if name == "table":
            self._flush()
            self._out.end_table()

    def text(self, text: str) -> None:
        self._text.append(text)

    def _flush(self) -> None:
        text, self._text = " ".join("".join(self._text).split()), []
        if text:
            self._out.paragraph(text, self._level)
        self._level = 0
