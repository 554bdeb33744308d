"""Markdown: the text without its marks; headings are sections, tables are tables."""

from __future__ import annotations

import re

from readers.extraction.context import Context
from readers.extraction.encoded import decode
from readers.extraction.source import Source
from readers.extraction.writer import Writer
from readers.markup import plain

_FRONT_MATTER = re.compile(r"\A---\n(.*?)\n(?:---|\.\.\.)\n", re.DOTALL)
_TITLE = re.compile(r"^title:\s*[\"']?(.+?)[\"']?\s*$", re.MULTILINE)
_HEADING = re.compile(r" {0,3}(#{1,6})[ \t]+(.*?)[ \t]*#*$")
_FENCE = re.compile(r" {0,3}(```+|~~~+)")
_ROW = re.compile(r"\s*\|.*\|\s*$")
_RULE = re.compile(r"\s*\|?(?:\s*:?-{2,}:?\s*\|?)+\s*$")
_UNDERLINE = re.compile(r" {0,3}(=+|-+)\s*$")
_QUOTE = re.compile(r"^(?:\s*>)+ ?")
_IMAGE = re.compile(r"!\[([^\[\]\n]{0,500})\]\([^)\n]{0,500}\)")
_LINK = re.compile(r"\[([^\[\]\n]{1,1000})\](?:\([^)\n]{0,500}\)|\[[^\]\n]{0,200}\])")
_EMPHASIS = (
    re.compile(r"\*\*(?=\S)([^*\n]{1,2000}?)(?<=\S)\*\*"),
    re.compile(r"(?<![\w*])\*(?=\S)([^*\n]{1,2000}?)(?<=\S)\*(?![\w*])"),
    re.compile(r"(?<!\w)__?(?=[^\s_])([^_\n]{1,2000}?)(?<=\S)__?(?!\w)"),
)
_CODE = re.compile(r"`([^`\n]{1,1000})`")


def read(source: Source, out: Writer, context: Context) -> None:
    """Paragraphs are joined from their lines; code stays as it is."""
    text = decode(source.read()).replace("\r\n", "\n").replace("\r", "\n")
    if front := _FRONT_MATTER.match(text):
        title = _TITLE.search(front[1])
        out.title = title[1] if title else None
        text = text[front.end() :]
    reader = _Lines(out)
    for number, line in enumerate(text.split("\n")):
        if number % 5000 == 0:
            context.budget.tick()
        reader.take(line)
    reader.flush()


class _Lines:
    def __init__(self, out: Writer) -> None:
        self._out = out
        self._paragraph: list[str] = []
        self._rows: list[list[str]] = []
        self._fence = ""

    def take(self, line: str) -> None:
        """The next line."""
        if self._fence:
            if line.strip().startswith(self._fence) and not line.strip().strip(self._fence[0]):
                self._fence = ""
            else:
                self._out.verbatim(line)
        elif found := _FENCE.match(line):
            self.flush()
            self._fence = found[1]
        elif found := _HEADING.match(line):
            self.flush()
            self._out.paragraph(_inline(found[2]), len(found[1]))
        elif _ROW.match(line):
            self._flush_paragraph()
            if not _RULE.match(line):
                self._rows.append([_inline(cell.strip()) for cell in line.strip().strip("|").split("|")])
        else:
            self._prose(line)

    def flush(self) -> None:
        """Ends the paragraph or table that is open."""
        self._flush_paragraph()
        if self._rows:
            self._out.rows(self._rows)
            self._rows = []

    def _prose(self, line: str) -> None:
        if self._rows:
            self.flush()
        underline = _UNDERLINE.match(line)
        if underline and self._paragraph:
            title, self._paragraph = " ".join(self._paragraph), []
            self._out.paragraph(_inline(title), 1 if underline[1].startswith("=") else 2)
        elif not line.strip() or underline:
            self.flush()
        else:
            line = _QUOTE.sub("", line)
            if re.match(r"\s*(?:[-*+]|\d{1,9}[.)])\s", line):
                self._flush_paragraph()
            self._paragraph.append(line.strip())

    def _flush_paragraph(self) -> None:
        if self._paragraph:
            self._out.paragraph(_inline(" ".join(self._paragraph)))
            self._paragraph = []


def _inline(text: str) -> str:
    for pattern in (_IMAGE, _LINK, *_EMPHASIS):
        text = pattern.sub(r"\1", text)
    return plain(_CODE.sub(r"\1", text))
