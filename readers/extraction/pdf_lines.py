"""From the lines of a PDF page to paragraphs: a line that is full goes on in the next one. Knows no parser."""

from __future__ import annotations

import re
from collections.abc import Iterator

#: A line of at least this share of the page's long lines is full.
_FULL = 0.75
_ENDS = re.compile(r"[.!?:;。…”\"’)\]]\s*$")
_STARTS = re.compile(r"^\s*(?:[-–—•·●○■□▪◦※*]|\(?\d{1,3}[.)]\s|\(?[가-하a-zA-Z][.)]\s|제\s?\d+\s?[조장절항])")
_HANGUL_END = re.compile(r"[가-힣]$")
_HANGUL_START = re.compile(r"^[가-힣]")
#: pdfium's mark of a hyphen that was put in at a line's end.
_HYPHENS = ("\x02", "\ufffe")


def paragraphs(page: str) -> Iterator[str]:
    """The paragraphs of a page's text. Text is joined, never dropped."""
    lines = page.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    lengths = sorted(len(line.rstrip()) for line in lines if line.strip())
    if not lengths:
        return
    full = _FULL * lengths[int(0.9 * (len(lengths) - 1))]
    has_trailing_blanks = sum(line.endswith(" ") for line in lines) >= 0.2 * len(lengths)
    collected = ""
    previous = ""
    for line in lines:
        if not line.strip():
            continue
        if collected and not _goes_on(previous, line, full):
            yield collected
            collected = ""
        collected = _joined(collected, line, has_trailing_blanks)
        previous = line
    if collected:
        yield collected


def _goes_on(previous: str, line: str, full: float) -> bool:
    """Whether a line belongs to the one before."""
    stripped = previous.rstrip()
    if stripped.endswith(_HYPHENS):
        return True
    if _STARTS.match(line) or len(stripped) < 20:
        return False
    if len(stripped) < full:
        return False
    return not _ENDS.search(stripped) or len(stripped) >= 1.1 * full or line[:1].islower()


def _joined(collected: str, line: str, has_trailing_blanks: bool) -> str:
    if not collected:
        return line
    if collected.endswith(_HYPHENS):
        return collected[:-1] + line.lstrip()
    if collected.endswith((" ", "\u3000")):
        return collected + line
    # Where lines keep their last blank, its lack means that a Korean word goes on.
    if has_trailing_blanks and _HANGUL_END.search(collected) and _HANGUL_START.search(line):
        return collected + line
    return f"{collected} {line}"
