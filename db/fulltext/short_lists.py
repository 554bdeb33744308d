"""tsqueries for the documents in which words weigh most, by the marks in the index."""

from __future__ import annotations

from collections.abc import Sequence

from db.fulltext.term_counts import Statistics
from db.fulltext.vectors import marks, phrase, quoted


def matching(
    known: Statistics, words: Sequence[str], phrases: Sequence[Sequence[str]], most: int
) -> tuple[str | None, bool]:
    """The tsquery that finds candidates, and whether it finds all. None if nothing can be found."""
    if phrases:
        return " & ".join(map(phrase, phrases)), True
    there = sorted((word for word in words if known.counts.get(word)), key=known.counts.__getitem__)
    if not there:
        return None, True
    if sum(map(known.expected, there)) <= most:
        return " | ".join(map(quoted, there)), True
    return of_words(known, there, most), False


def of_words(known: Statistics, words: Sequence[str], most: int) -> str:
    """Of rare words all documents, of frequent ones those in which they weigh most; and those in which two frequent
    words weigh much. The rarest word is first: it counts most, so each may take half of the room that is left."""
    parts, left, frequent = [], 0.8 * most, []
    for word in words:
        room = left / 2 if word != words[-1] else left
        if known.expected(word) <= room:
            parts.append(quoted(word))
            left -= known.expected(word)
            continue
        frequent.append(word)
        heaviest, n = _heaviest(known, word, room)
        parts += map(quoted, heaviest)
        left -= n
    if len(frequent) > 1:
        parts.append(_both(known, frequent[0], frequent[1], 0.2 * most))
    return " | ".join(parts)


def _heaviest(known: Statistics, word: str, room: float) -> tuple[list[str], float]:
    """The marks of the documents in which a word weighs most, as many as there is room for, and how many those are."""
    chosen: list[str] = []
    n = 0.0
    for mark in reversed([mark for mark in marks(word) if known.counts.get(mark)]):
        if chosen and n + known.expected(mark) > room:
            break
        n += known.expected(mark)
        chosen.append(mark)
    return chosen or [word], min(n, room)


def _both(known: Statistics, one: str, other: str, room: float) -> str:
    """The documents in which two words weigh much: as many as there is room for if they are independent."""
    n_all = max(1.0, known.n_documents * known.share)
    pairs = list(zip(marks(one), marks(other), strict=True))
    while len(pairs) > 1:
        first, second = (sum(known.expected(each) for each in side) for side in zip(*pairs, strict=True))
        if first * second / n_all <= room:
            break
        pairs = pairs[1:]
    sides = (" | ".join(map(quoted, side)) for side in zip(*pairs, strict=True))
    return " & ".join(f"({side})" for side in sides)
