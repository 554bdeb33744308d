"""Whether a text is text: figures of what was lost, and errors for what is empty or garbled.

Independent of file formats.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from readers.extraction.records import ExtractionError, Page
from readers.extraction.writer import Writer
from readers.records import Record

#: Glyph numbers that a parser printed instead of characters.
_CID = re.compile(r"\(cid:\d+\)")
_REPLACED = re.compile("[\ufffd\ue000-\uf8ff\U000f0000-\U0010fffd]")
#: UTF-8 read as Windows-1252: the first byte of Korean, accented letters and punctuation, and one that follows.
_UTF8_AS_1252 = re.compile(
    "[\u00c2-\u00c5\u00e2-\u00ed][\u0080-\u00bf\u20ac\u201a\u0192\u201e\u2026\u2020\u2021\u02c6\u2030\u0160\u2039"
    "\u0152\u017d\u2018\u2019\u201c\u201d\u2022\u2013\u2014\u02dc\u2122\u0161\u203a\u0153\u017e\u0178]"
)
#: CP949 read as Latin-1: letters and signs that never stand together in any language.
_CP949_AS_1252 = re.compile("(?:[\u00a1-\u00c8\u00ca-\u00fe]{2}){2,}")
_NOT_BLANK = re.compile(r"\S")
_WORD_CHARS = re.compile(r"[^\W\d_]")
_SAMPLE_CHARS = 200_000
#: Shares of garbled characters from which a text is refused, or warned of.
_REFUSED = 0.3
_WARNED = 0.01
#: Less than this share of what the file promises is a warning.
_PROMISE_KEPT = 0.7


def n_replaced(text: str) -> int:
    """Characters that stand for lost ones."""
    return len(_REPLACED.findall(text))


def share_non_letters(text: str) -> float:
    """The share of digits, signs and punctuation in what is not blank."""
    sample = text[:_SAMPLE_CHARS]
    n = len(_NOT_BLANK.findall(sample))
    return round(1 - len(_WORD_CHARS.findall(sample)) / n, 4) if n else 0.0


def sample(records: Sequence[Record]) -> str:
    """The first records as one text."""
    found, n_chars = [], 0
    for record in records:
        if n_chars >= _SAMPLE_CHARS:
            break
        found.append(record.text)
        n_chars += len(record.text)
    return "\n".join(found)


def chars_by_page(pages: Sequence[Page], n_chars: int) -> tuple[int, ...]:
    """How long each page is."""
    ends = [page.start_char for page in pages[1:]] + [n_chars + 1]
    return tuple(max(0, end - page.start_char - 1) for page, end in zip(pages, ends, strict=False))


def check(text: str, out: Writer) -> None:
    """GARBLED for a text that is mostly junk; warnings for less, and for one shorter than promised."""
    share, what = garbled(text)
    if share >= _REFUSED:
        raise ExtractionError("GARBLED", f"{share:.0%} of the text is {what}: nothing can be read from it")
    if share >= _WARNED:
        out.warn("GARBLED_IN_PART", f"{share:.1%} of the text is {what}")
    if out.promised is not None:
        promised, by = out.promised
        found = len(text)
        if found < _PROMISE_KEPT * promised and promised - found > 20:
            out.warn("SHORTER_THAN_PROMISED", f"{found} characters were found; {by} has {promised}")


def garbled(text: str) -> tuple[float, str]:
    """The share of the text that is junk, and the kind of junk that is most of it."""
    sample = text[:_SAMPLE_CHARS]
    n = len(_NOT_BLANK.findall(sample))
    if not n:
        return 0.0, ""
    kinds = {
        "glyph numbers (the fonts do not say which characters they show)": _length(_CID, sample),
        "replacement or private characters": len(_REPLACED.findall(sample)),
        "UTF-8 read as Windows-1252": _length(_UTF8_AS_1252, sample),
        "CP949 read as Windows-1252": _length(_CP949_AS_1252, sample),
    }
    worst = max(kinds, key=lambda kind: kinds[kind])
    return min(1.0, kinds[worst] / n), worst


def _length(pattern: re.Pattern[str], sample: str) -> int:
    return sum(len(match[0]) for match in pattern.finditer(sample))
