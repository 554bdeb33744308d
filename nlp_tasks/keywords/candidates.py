"""Candidate terms: sequences of adjacent words, with scores computed from the scores of their words."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from itertools import accumulate, groupby, pairwise
from typing import TypeAlias

from nlp_tasks.keywords import stop_words
from nlp_tasks.keywords.word import Word, singular

#: The names of the words of a term, in the singular.
Term: TypeAlias = tuple[str, ...]
#: Where a term occurs: (start, end), in text order.
Spans: TypeAlias = list[tuple[int, int]]

#: Sequences of words that occur less often than this are not terms: they may be adjacent by chance.
_FEWEST = 2
#: The maximum number of nouns of a compound.
_MOST_NOUNS = 6
#: What a word keeps of its score if it fits any document.
_FILLER = 0.5
#: The score of a term of n words is the sum of its words' scores divided by n to this power: with 0 long terms win,
#: with 1 (the mean) they are hardly ever shown.
_LENGTH_POWER = 0.6
#: The power of the share of a word's occurrences that are in a term: with 1 a term of frequent words is worth only its
#: own occurrences, with 0 all of theirs.
_SHARE_POWER = 0.5
#: A term at the very beginning has up to 1 + _EARLY times its score. How far the beginning reaches: a share of the
#: text, and at least a number of characters, about two sentences.
_EARLY = 2.0
_BEGINNING, _SHORTEST_BEGINNING = 0.05, 200
#: A term is shown as a longer one if at least this share of its occurrences are in it.
_MOSTLY = 0.7
#: A term that is in longer ones in at least this share of its occurrences is shown as one of these: 여자 축구 for 여자.
#: Not a name.
_HARDLY_ALONE = 0.8
#: A term that has more than this share of its words in better terms is left out.
_MOST_SHARED = 0.6
_FILLERS = stop_words.KOREAN_FILLERS | {singular(word) for word in stop_words.ENGLISH_FILLERS}


def ranked(
    text: str, runs: Sequence[Sequence[Word]], scores: Mapping[str, float], top: int, max_words: int
) -> list[tuple[str, float]]:
    """The `top` terms in their most frequent spelling, with their scores, the best first; ties in text order.

    The score of a term is the sum of its words' scores, each reduced by the share of the word's occurrences that are
    elsewhere; a term at the beginning of the text has a higher one. No term that is shown contains another one, or
    has most of its words in better ones.
    """
    places, n_words, compounds = _places(runs, max_words)
    names = _names(runs, max_words)
    is_name = {singular(word.name) for run in runs for word in run if word.is_name}
    counts = {term: len(found) for term, found in places.items()}
    worth = {
        term: _worth(term, n, n_words, scores) * _early(places[term][0][0], len(text))
        for term, n in counts.items()
        if (n >= _FEWEST or len(term) == 1 or term in compounds or term in names) and not _too_short(term)
    }
    best = sorted(worth, key=lambda term: (-round(worth[term], 9), places[term][0]))
    # MeCab may split one word in two ways: blanks and case do not distinguish terms.
    kept: dict[str, tuple[Term, float]] = {}
    longer = _longer(best)
    for term in best:
        if len(kept) == top:
            break
        wholes = [other for other in longer[term] if _replaces(other, term, counts, names)]
        if wholes:
            shown = max(wholes, key=lambda other: (worth[other], other))
        elif is_name.isdisjoint(term) and _is_hardly_alone(term, longer[term], places):
            shown = _first_whole(term, longer[term], places)
        else:
            # Names in English stay as they are: titles and readers use the surname alone.
            shown = term if term[0].isascii() else _first_whole(term, longer[term] & names, places)
        if not _overlaps(shown, [other for other, _ in kept.values()]):
            kept.setdefault("".join(shown), (shown, worth[term]))
    return [(_as_written(text, places[term]), score) for term, score in kept.values()]


def _replaces(longer: Term, term: Term, counts: Mapping[Term, int], names: set[Term]) -> bool:
    """Whether a term occurs mostly in a longer one, or only in a name: a first name before its surname."""
    if longer in names and counts[longer] == counts[term]:
        return True
    return counts[longer] >= max(_MOSTLY * counts[term], _FEWEST)


def _is_hardly_alone(term: Term, longer: set[Term], places: Mapping[Term, Spans]) -> bool:
    """Whether a term is mostly a part of longer ones, though of several."""
    around = sorted(span for other in longer if len(places[other]) >= _FEWEST for span in places[other])
    furthest = list(accumulate((end for _, end in around), max))
    n_inside = 0
    for start, end in places[term]:
        n_before = bisect_right(around, start, key=lambda span: span[0])
        n_inside += n_before > 0 and furthest[n_before - 1] >= end
    return n_inside >= _HARDLY_ALONE * len(places[term])


def _first_whole(term: Term, longer: Collection[Term], places: Mapping[Term, Spans]) -> Term:
    """The longer term in which a term first occurs: 여자 축구 for 여자, 에디 클라크 for 클라크."""
    start, end = places[term][0]
    found = [other for other in longer if places[other][0][0] <= start and end <= places[other][0][1]]
    return max(found, key=lambda other: (len(places[other]), len(other), other), default=term)


def _overlaps(term: Term, others: Collection[Term]) -> bool:
    """Whether a term contains one of the others, is a part of one, or has most of its words in them."""
    if any(_contains(term, other) or _contains(other, term) for other in others):
        return True
    shown = set().union(*others)
    return sum(name in shown for name in term) > _MOST_SHARED * len(term)


def _early(start: int, size: int) -> float:
    """The factor for a term that first occurs at this character of a text of this size."""
    return 1 + _EARLY * math.exp(-start / max(_BEGINNING * size, _SHORTEST_BEGINNING))


def _names(runs: Sequence[Sequence[Word]], max_words: int) -> set[Term]:
    """The names of two words or more: all of the adjacent words that are written as names."""
    found: set[Term] = set()
    for run in runs:
        for is_name, words in groupby(run, key=lambda word: word.is_name):
            term = tuple(singular(word.name) for word in words) if is_name else ()
            if 1 < len(term) <= max_words:
                found.add(term)
    return found


def _worth(term: Term, n: int, n_words: Mapping[str, int], scores: Mapping[str, float]) -> float:
    """The score of a term with n occurrences."""
    parts = [scores[name] * math.pow(n / n_words[name], _SHARE_POWER) for name in term]
    if len(term) == 1:
        return parts[0] * (_FILLER if term[0] in _FILLERS else 1)
    # A compound that occurs once is one word, and not as good as all of its parts.
    return max(parts) if n < _FEWEST else sum(parts) / math.pow(len(term), _LENGTH_POWER)


def _contains(term: Term, other: Term) -> bool:
    """Whether a term has all the words of another one, next to each other."""
    return any(term[at : at + len(other)] == other for at in range(len(term) - len(other) + 1))


def _places(
    runs: Sequence[Sequence[Word]], max_words: int
) -> tuple[dict[Term, Spans], Mapping[str, int], set[Term]]:
    """Every term of up to `max_words` written words, with the spans where it stands by itself; the number of
    occurrences of each noun; and the terms of several nouns that are written as one word. The
    nouns of such a compound are not terms where they are parts of it."""
    places: defaultdict[Term, Spans] = defaultdict(list)
    compounds: set[Term] = set()
    n_words = Counter(singular(word.name) for run in runs for word in run)
    for run in runs:
        gaps = [0, *(int(not _joined(word, following)) for word, following in pairwise(run))]
        for first, word in enumerate(run):
            if not word.opens or (first and not gaps[first]):
                continue
            # A single Korean syllable is usually a particle mistaken for a noun: it begins no term.
            alone = len(word.name) == 1 and (first + 1 == len(run) or gaps[first + 1] == 1)
            limit = first + 1 if alone else min(first + max_words * _MOST_NOUNS, len(run))
            for last in range(first, limit):
                if sum(gaps[first + 1 : last + 1]) >= max_words:
                    break
                if not run[last].closes or (last + 1 < len(run) and not gaps[last + 1]):
                    continue
                term = tuple(singular(word.name) for word in run[first : last + 1])
                if len(set(term)) < len(term):
                    break  # a word that is repeated is no term
                places[term].append((run[first].start, run[last].end))
                if last > first and not any(gaps[first + 1 : last + 1]):
                    compounds.add(term)
    return places, n_words, compounds


def _joined(word: Word, following: Word) -> bool:
    """Whether two nouns are one written word. Chinese and Japanese terms stand next to each other without being one."""
    return word.end == following.start and "가" <= word.name[-1] <= "힣" and "가" <= following.name[0] <= "힣"


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
