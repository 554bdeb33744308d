"""Terms made of words that stand together, and their scores from the scores of their words. Knows no graph."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from nlp_tasks.keywords.word import Word

#: The names of a term's words.
Term: TypeAlias = tuple[str, ...]

#: Words that stand together less often than this are no term: they met by chance.
_FEWEST = 2
#: A term of which at least this share stands inside a longer one is a part of it, and no keyword of its own.
_PART_OF = 0.5


def ranked(
    text: str, runs: Sequence[Sequence[Word]], scores: Mapping[str, float], top: int, max_words: int
) -> list[tuple[str, float]]:
    """The `top` terms as the text writes them, with their scores, the best first; equals in order of the text.

    A term has of each of its words' scores the share of the word's occurrences that stand in the term.
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
    ] = {}  # MeCab may cut one word in two ways: blanks and case tell no term apart
    longer = _longer(best)
    for term in best:
        if len(kept) == top:
            break
        if not any(counts[other] >= _PART_OF * counts[term] for other in longer[term]):
            kept.setdefault("".join(term), (_as_written(text, places[term]), worth[term]))
    return list(kept.values())


def _places(runs: Sequence[Sequence[Word]], max_words: int) -> dict[Term, list[tuple[int, int]]]:
    """Every term of up to `max_words` words, and the spans where it stands. None begins with a syllable that
    stands alone: it is most often a particle taken for a noun."""
    places: defaultdict[Term, list[tuple[int, int]]] = defaultdict(list)
    for run in runs:
        for first in range(len(run)):
            alone = len(run[first].name) == 1 and run[first].end < run[min(first + 1, len(run) - 1)].start
            for last in range(first, first + 1 if alone else min(first + max_words, len(run))):
                term = tuple(word.name for word in run[first : last + 1])
                places[term].append((run[first].start, run[last].end))
    return places


def _too_short(term: Term) -> bool:
    """One syllable alone says too little in Korean: 말, 때, 법."""
    return len(term) == 1 and len(term[0]) == 1


def _longer(terms: Sequence[Term]) -> Mapping[Term, set[Term]]:
    """For each term the longer ones that hold it."""
    found: defaultdict[Term, set[Term]] = defaultdict(set)
    for term in terms:
        for first in range(len(term)):
            for last in range(first + 1, len(term) + 1):
                if last - first < len(term):
                    found[term[first:last]].add(term)
    return found


def _as_written(text: str, spans: Sequence[tuple[int, int]]) -> str:
    """The most frequent spelling, the first of several; blanks as one."""
    return Counter(" ".join(text[start:end].split()) for start, end in spans).most_common(1)[0][0]
