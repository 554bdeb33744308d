"""Candidate terms: sequences of adjacent words, with scores computed from the scores of their words."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from nlp_tasks.keywords.word import Word

#: The names of the words of a term.
Term: TypeAlias = tuple[str, ...]

#: Sequences of words that occur less often than this are not terms: they may be adjacent by chance.
_FEWEST = 2
#: A term is dropped if at least this share of its occurrences is inside one longer term.
_PART_OF = 0.5


def ranked(
    text: str, runs: Sequence[Sequence[Word]], scores: Mapping[str, float], top: int, max_words: int
) -> list[tuple[str, float]]:
    """The `top` terms in their most frequent spelling, with their scores, the best first; ties in text order.

    The score of a term is the sum of its words' scores, each times the share of the word's occurrences in the term.
    """
    places = _places(runs, max_words)
    counts = {term: len(found) for term, found in places.items()}
    worth = {
        term: sum(scores[name] * n / counts[(name,)] for name in term)
        for term, n in counts.items()
        if (n >= _FEWEST or len(term) == 1) and not _too_short(term)
    }
    best = sorted(worth, key=lambda term: (-round(worth[term], 9), places[term][0]))
    kept: dict[
        str, tuple[str, float]
    ] = {}  # MeCab may split one word in two ways: blanks and case do not distinguish terms
    longer = _longer(best)
    for term in best:
        if len(kept) == top:
            break
        if not any(counts[other] >= _PART_OF * counts[term] for other in longer[term]):
            kept.setdefault("".join(term), (_as_written(text, places[term]), worth[term]))
    return list(kept.values())


def _places(runs: Sequence[Sequence[Word]], max_words: int) -> dict[Term, list[tuple[int, int]]]:
    """Every term of up to `max_words` words, with the spans where it occurs. No term begins with a word of a single
    Korean syllable, which is usually a particle mistaken for a noun."""
    places: defaultdict[Term, list[tuple[int, int]]] = defaultdict(list)
    for run in runs:
        for first in range(len(run)):
            alone = len(run[first].name) == 1 and run[first].end < run[min(first + 1, len(run) - 1)].start
            for last in range(first, first + 1 if alone else min(first + max_words, len(run))):
                term = tuple(word.name for word in run[first : last + 1])
                places[term].append((run[first].start, run[last].end))
    return places


def _too_short(term: Term) -> bool:
    """Whether a term is a single Korean syllable, which says too little: 말, 때, 법."""
    return len(term) == 1 and len(term[0]) == 1


def _longer(terms: Sequence[Term]) -> Mapping[Term, set[Term]]:
    """For each term, the longer terms that contain it."""
    found: defaultdict[Term, set[Term]] = defaultdict(set)
    for term in terms:
        for first in range(len(term)):
            for last in range(first + 1, len(term) + 1):
                if last - first < len(term):
                    found[term[first:last]].add(term)
    return found


def _as_written(text: str, spans: Sequence[tuple[int, int]]) -> str:
    """The most frequent spelling, the first one if there are several; runs of blanks become one."""
    return Counter(" ".join(text[start:end].split()) for start, end in spans).most_common(1)[0][0]
