"""A document as PostgreSQL indexes it: its words with their places, and marks for those that weigh much in it."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

#: BM25: how soon more occurrences of a word stop to count, and how much the length of a text does. FTS5 has the same.
K1, B = 1.2, 0.75
#: A word weighs this much or more in a document (it is 1 if it occurs once in a text of mean length, at most 2.2).
TIERS = (1.2, 1.4, 1.6, 1.75, 1.88, 1.97, 2.04, 2.1)
#: Limits of PostgreSQL: the last place of a word, places of one word, bytes of a vector (with some room).
_LAST_PLACE, _MOST_PLACES, _MOST_BYTES = 16_383, 255, 900_000
#: Of a word that occurs n times, ts_rank is the sum of 1 / i^2 for i up to n, divided by this.
_RANK_LIMIT = 1.64493406685
_RANKS = [total / _RANK_LIMIT for total in accumulate(1 / n**2 for n in range(1, _MOST_PLACES + 1))]


@dataclass(frozen=True, slots=True)
class Vector:
    """A document's tsvector."""

    literal: str
    terms: Sequence[str]
    #: How much each word weighs in the document.
    weights: Mapping[str, float]


def vector(words: Sequence[str], collection: int, mean: float) -> Vector:
    """A tsvector as PostgreSQL reads it: words with places, then the marks."""
    places: dict[str, list[int]] = {}
    for place, word in enumerate(words, 1):
        places.setdefault(word, []).append(place)
    parts, terms, n_bytes = [], [], 0
    weights: dict[str, float] = {}
    for word, found in places.items():
        shown = sorted({min(place, _LAST_PLACE) for place in found[:_MOST_PLACES]})
        n_bytes += 2 * len(word.encode()) + 2 * len(shown) + 16
        if n_bytes > _MOST_BYTES:
            break
        parts.append(f"{quoted(word)}:{','.join(map(str, shown))}")
        terms.append(word)
        weights[word] = saturated(len(found), len(words), mean)
        if tier := sum(weights[word] >= each for each in TIERS):
            mark = tier_mark(tier, word)
            parts.append(quoted(mark))
            terms.append(mark)
    of_collection = collection_mark(collection)
    return Vector(" ".join([*parts, quoted(of_collection)]), [*terms, of_collection], weights)


def saturated(n: int, n_words: int, mean: float) -> float:
    """How much a word weighs in a document of so many words in which it occurs n times."""
    return n * (K1 + 1) / (n + K1 * (1 - B + B * n_words / mean))


def tier_mark(tier: int, word: str) -> str:
    """What a document has in which the word weighs so much. No word has this character."""
    return f"{tier}^{word}"


def collection_mark(collection: int) -> str:
    """What every document of a collection has."""
    return f"c^{collection}"


def quoted(term: str) -> str:
    """A term as it is written in a tsvector or tsquery, whatever characters it has."""
    doubled = term.replace("\\", "\\\\").replace("'", "''")
    return f"'{doubled}'"


def phrase(words: Sequence[str]) -> str:
    """The tsquery of words side by side."""
    return "(" + " <-> ".join(map(quoted, words)) + ")"


def marks(word: str) -> list[str]:
    """All marks of a word, the lowest first."""
    return [tier_mark(tier, word) for tier in range(1, len(TIERS) + 1)]


def weight(n_words: int, rank_: float, mean: float) -> float:
    """How much a word with this rank weighs in a document of so many words."""
    return saturated(bisect_left(_RANKS, rank_ - 1e-6) + 1, n_words, mean) if rank_ > 0 else 0.0
