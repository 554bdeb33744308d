"""The terms that contribute most to a score. Contributions of equal terms are added up; negative sums are left out."""

from __future__ import annotations

import re
from collections.abc import Iterable

from nlp_tasks.classification.architecture import Terms
from nlp_tasks.keywords import stop_words
from nlp_tasks.keywords.word import singular
from nlp_tasks.text import has_hangul, tokens

#: A term needs at least this many letters or digits to be evidence that a reader can judge.
_LETTERS = 2
#: Single jamo are signs, as punctuation is: ㅋㅋ, ㅠㅠ.
_JAMO = re.compile("[\u3130-\u318f]+")
_NEGATIONS = frozenset(
    {"no", "not", "never", "none", "nothing", "nobody", "neither", "nor", "cannot", "without"}
)
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


def words(terms: Terms, most: int) -> Terms:
    """At most this many of the terms, those that are words, in their order. Left out are a part of a Korean term that
    comes before it, and the other way round, and an English plural beside its singular. Function words are taken only
    if there are too few others."""
    kept: Terms = []
    for term, weight in terms:
        if is_word(term) and not any(_same(term, other) for other, _ in kept):
            kept.append((term, weight))
    taken = sorted(kept, key=lambda pair: is_function_word(pair[0]))[:most]
    return [pair for pair in kept if pair in taken]


def is_function_word(term: str) -> bool:
    """Whether a word has no content: 있는, 되어, 몇, the, would. A negation has."""
    if has_hangul(term):
        return not tokens(term)
    return term.lower() in stop_words.ENGLISH and term.lower() not in _NEGATIONS


def is_word(term: str) -> bool:
    """Whether a term says something by itself: not a single letter, not a sign, and not a run of noise."""
    return len(term) <= _LONGEST and sum(map(str.isalnum, _JAMO.sub("", term))) >= _LETTERS


def _same(term: str, other: str) -> bool:
    """Whether one of two Korean terms begins the other (아이 and 아이가), or both are forms of one English noun."""
    if singular(term.lower()) == singular(other.lower()):
        return True
    return "가" <= term[0] <= "힣" and (term.startswith(other) or other.startswith(term))
