"""The terms that contribute most to a score. Contributions of equal terms are added up; negative sums are left out."""

from __future__ import annotations

from collections.abc import Iterable

from nlp_tasks.classification.architecture import Terms

#: A term needs at least this many letters or digits to be evidence that a reader can judge.
_LETTERS = 2
#: Longer runs of letters are noise, such as encoded pictures.
_LONGEST = 100


def heaviest(weighted: Iterable[tuple[str, float]], most: int) -> Terms:
    """The terms with the largest sums of weights, in descending order; ties in alphabetical order. Single letters and
    signs come after all words."""
    sums: dict[str, float] = {}
    for term, weight in weighted:
        sums[term] = sums.get(term, 0.0) + weight
    found = [(term, weight) for term, weight in sums.items() if weight > 0]
    return sorted(found, key=lambda pair: (not is_word(pair[0]), -pair[1], pair[0]))[:most]


def words(terms: Terms) -> Terms:
    """The terms that are words; a part of a Korean term that comes before it is left out, and the other way round."""
    kept: Terms = []
    for term, weight in terms:
        if is_word(term) and not any(_same(term, other) for other, _ in kept):
            kept.append((term, weight))
    return kept


def is_word(term: str) -> bool:
    """Whether a term says something by itself: not a single letter, not a sign, and not a run of noise."""
    return len(term) <= _LONGEST and sum(map(str.isalnum, term)) >= _LETTERS


def _same(term: str, other: str) -> bool:
    """Whether one of two Korean terms begins the other: 아이 and 아이가."""
    return "가" <= term[0] <= "힣" and (term.startswith(other) or other.startswith(term))
