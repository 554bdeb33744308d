"""ROUGE (Lin 2004): F1 over tokens, without stemming, with one reference. Morphemes for Korean, words for English."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from nlp_tasks.text import morphemes

_WORD = re.compile(r"\w+")
_HANGUL = re.compile(r"[가-힣]")


def rouge_tokens(text: str) -> list[str]:
    """All morphemes of a text with Hangul, including particles and endings; otherwise its lower-cased words."""
    if not _HANGUL.search(text):
        return _WORD.findall(text.lower())
    return [word for start, end, _ in morphemes(text) for word in _WORD.findall(text[start:end].lower())]


def rouge(found: Sequence[str], reference: Sequence[str]) -> tuple[float, float, float]:
    """ROUGE-1, ROUGE-2 and ROUGE-L of two token lists, each from 0 to 100."""
    sizes = len(found), len(reference)
    return (
        _f1(_common(found, reference, 1), *sizes),
        _f1(_common(found, reference, 2), max(sizes[0] - 1, 0), max(sizes[1] - 1, 0)),
        _f1(longest_common_subsequence(found, reference), *sizes),
    )


def longest_common_subsequence(a: Sequence[str], b: Sequence[str]) -> int:
    """Its length, by the bit-parallel algorithm of Hyyrö (2004): one wide integer instead of a row of the table."""
    places: dict[str, int] = {}
    for place, token in enumerate(a):
        places[token] = places.get(token, 0) | 1 << place
    ones = (1 << len(a)) - 1
    row = ones
    for token in b:
        matched = row & places.get(token, 0)
        row = ((row + matched) | (row - matched)) & ones
    return len(a) - row.bit_count()


def _common(a: Sequence[str], b: Sequence[str], n: int) -> int:
    grams = [Counter(zip(*(tokens[i:] for i in range(n)), strict=False)) for tokens in (a, b)]
    return (grams[0] & grams[1]).total()


def _f1(common: int, found: int, wanted: int) -> float:
    return 200 * common / (found + wanted) if common else 0.0
