"""Words that are spelled like another one: by the pairs of letters that they share, in Korean by those of jamo."""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Sequence
from itertools import pairwise

#: Only the most frequent words are compared.
MOST_WORDS = 200_000
#: Those that share most pairs are compared letter by letter; a word must be at least this much alike.
CANDIDATES, LEAST_RATIO = 50, 0.6


def alike(word: str, words: Sequence[str], n: int) -> list[str]:
    """At most n of the words, the most alike first; ties keep their order."""
    wanted = _pairs(word)
    shared: list[tuple[float, int]] = []
    for number, other in enumerate(words[:MOST_WORDS]):
        pairs = _pairs(other)
        if common := len(wanted & pairs):
            shared.append((-2 * common / (len(wanted) + len(pairs)), number))
    found = [words[number] for _, number in sorted(shared)[:CANDIDATES]]
    letters = _letters(word)
    ratios = {other: difflib.SequenceMatcher(None, letters, _letters(other)).ratio() for other in found}
    close = [other for other in found if ratios[other] >= LEAST_RATIO]
    return sorted(close, key=lambda other: -ratios[other])[:n]


def _letters(word: str) -> str:
    return unicodedata.normalize("NFD", word.lower())


def _pairs(word: str) -> set[tuple[str, str]]:
    """The pairs of letters, with the begin and the end as letters."""
    return set(pairwise(f"\0{_letters(word)}\0"))
