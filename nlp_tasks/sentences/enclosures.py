"""Quotes and brackets inside a sentence: a full stop within them does not end it."""

from __future__ import annotations

import re
from collections.abc import Iterator

#: Longer enclosures are considered unbalanced marks; this also limits the effect of such a mark.
_QUOTE_CHARS = 400
_BRACKET_CHARS = 300
_PAIRS = {"“": "”", "‘": "’", "「": "」", "『": "』", "《": "》", "〈": "〉", "(": ")", "[": "]", "（": "）"}
_MARK = re.compile(r"[\"'“”‘’「」『』《》〈〉()\[\]（）]")
_BEFORE_OPENING = re.compile(r"[\s(\[“‘「『《〈:,=-]")


class Enclosures:
    """The enclosed stretches of a block, queried from left to right."""

    def __init__(self, text: str, start: int, end: int) -> None:
        self._spans = _enclosed(text, start, end)
        self._reach = -1
        self._next = next(self._spans, None)

    def cover(self, offset: int) -> bool:
        """Whether `offset` is inside an enclosure. Offsets must not decrease from call to call."""
        while self._next and self._next[0] < offset:
            self._reach = max(self._reach, self._next[1])
            self._next = next(self._spans, None)
        return offset < self._reach


def _enclosed(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """(opening, after the closing) of matching marks, ordered by the closing one; nested ones come first."""
    return iter(sorted(_pairs(text, start, end)))


def _pairs(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    opened: dict[str, int] = {}
    for match in _MARK.finditer(text, start, end):
        mark, at = match[0], match.start()
        if mark in _PAIRS:
            opened.setdefault(_PAIRS[mark], at)
            continue
        if mark in "\"'" and mark not in opened:
            if at == start or _BEFORE_OPENING.match(text, at - 1):
                opened[mark] = at
            continue
        if mark == "'" and not _closes(text, at, end):
            continue
        opening = opened.pop(mark, None)
        if opening is not None and _belongs(text, start, opening, at, end):
            yield opening, at + 1


def _closes(text: str, at: int, end: int) -> bool:
    """Whether an apostrophe closes a quotation and is not part of a word (it's, dogs')."""
    follows = text[at + 1] if at + 1 < end else " "
    return text[at - 1] in ".!?,…" or "가" <= follows <= "힣"


def _belongs(text: str, start: int, opening: int, closing: int, end: int) -> bool:
    """Whether the enclosure is part of a sentence, rather than a quotation of whole sentences."""
    if text[opening] in "([（":
        return closing - opening <= _BRACKET_CHARS
    if closing - opening > _QUOTE_CHARS:
        return False
    before = text[max(start, opening - 2) : opening].rstrip()
    embedded = before != "" and before[-1] not in ".!?…。！？"
    follows = text[closing + 1] if closing + 1 < end else " "
    after = text[closing + 1 : closing + 3].lstrip()[:1]
    return embedded or not follows.isspace() or after.islower() or text[closing - 1] not in ".!?…。！？"
