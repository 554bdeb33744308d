"""From the lines of a PDF page to paragraphs: a line that is full goes on in the next one.

Independent of the parser.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

#: A line of at least this share of the page's long lines is full; one that ends a sentence must be fuller.
_FULL, _FULL_SENTENCE = 0.75, 0.93
_WIDE = re.compile("[\u1100-\u11ff\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\uff00-\uff60]")
#: A line narrower than this is a paragraph of its own.
_SHORT = 20
_ENDS = re.compile(r"[.!?:;。…][”’\"')\]]*\s*$")
_STARTS = re.compile(r"^\s*(?:[-–—•·●○■□▪◦※*]|\(?\d{1,3}[.)]\s|\(?[가-하a-zA-Z][.)]\s|제\s?\d+\s?[조장절항])")
_COMPOUND = re.compile(r"\b(\w{1,60})-(?=\w)")
#: A word that is broken at a line's end, with pdfium's mark in the place of its hyphen and mostly of the line's end.
_BROKEN = re.compile(r"(\w{0,60})[\x02\ufffe]\n?")


def paragraphs(page: str, compounds: set[str]) -> Iterator[str]:
    """The paragraphs of a page's text. Text is joined, never dropped.

    `compounds` collects, over the pages of a document, what stands before a hyphen inside a line ("non", "forward"):
    at the end of a line it keeps its hyphen, and any other word is joined.
    """
    compounds.update(match[1].lower() for match in _COMPOUND.finditer(page))
    page = page.replace("\r\n", "\n").replace("\r", "\n")
    page = _BROKEN.sub(lambda match: _mended(match[1], compounds), page)
    lines = page.split("\n")
    widths = sorted(_width(line) for line in lines if line.strip())
    if not widths:
        return
    longest = widths[int(0.9 * (len(widths) - 1))]
    keeps_blanks = sum(line.endswith(" ") for line in lines) >= 0.2 * len(widths)
    collected = ""
    previous = ""
    for line in lines:
        if not line.strip():
            continue
        if collected and not _goes_on(previous, line, longest, keeps_blanks):
            yield collected
            collected = ""
        collected = _joined(collected, line)
        previous = line
    if collected:
        yield collected


def _width(line: str) -> int:
    """How wide a line is: a syllable or an ideograph is as wide as two letters."""
    line = line.rstrip()
    return len(line) + (0 if line.isascii() else len(_WIDE.findall(line)))


def _goes_on(previous: str, line: str, longest: int, keeps_blanks: bool) -> bool:
    """Whether a line belongs to the one before."""
    stripped = previous.rstrip()
    width = _width(previous)
    if _STARTS.match(line) or width < _SHORT or width < _FULL * longest:
        return False
    if not _ENDS.search(stripped) or line[:1].islower():
        return True
    if keeps_blanks:  # a line that goes on ends in a blank, the last one of a paragraph does not
        return previous != stripped
    return width >= _FULL_SENTENCE * longest


def _joined(collected: str, line: str) -> str:
    if not collected:
        return line
    if collected.endswith((" ", "\u3000")):
        return collected + line
    return f"{collected} {line}"


def _mended(word: str, compounds: set[str]) -> str:
    """The first part of a broken word, with its hyphen if that belongs to it: of compounds, capitals and numbers."""
    is_name = any(char.isdigit() for char in word) or (word.isupper() and len(word) > 1)
    return f"{word}-" if is_name or word.lower() in compounds else word
