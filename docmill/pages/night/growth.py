"""Whether something is in more documents of a night than is usual.

Fisher's exact test: if nothing has changed, the documents with a word are spread over the night and the nights before
at random. Many words are tested at once, so the rate of false discoveries is held at 10 % (Benjamini and Hochberg,
1995). Documents are counted, not occurrences, so that one long document cannot make a word grow.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

#: Of what is shown, at most this share is expected to be chance.
FALSE_SHARE = 0.1
#: In fewer documents than this, nothing has grown.
FEWEST = 3


@dataclass(frozen=True, slots=True)
class Grown:
    """Something that is in more documents than is usual."""

    name: str
    #: Documents of the night with it, and its share of them.
    n: int
    share: float
    #: Its share of the documents of the nights before.
    usual: float
    #: The probability of this many documents or more, if nothing has changed.
    chance: float


def grown(now: Mapping[str, int], n_now: int, before: Mapping[str, int], n_before: int) -> list[Grown]:
    """What has grown, the least likely first. The mappings have the number of documents with each name."""
    if not n_now or not n_before:
        return []
    found = []
    for name, n in now.items():
        usual = before.get(name, 0)
        if n >= FEWEST and n * n_before > usual * n_now:
            chance = chance_of(n, n_now, usual, n_before)
            found.append(Grown(name, n, n / n_now, usual / n_before, chance))
    found.sort(key=lambda one: (one.chance, -one.n, one.name))
    return found[: _n_true([one.chance for one in found], len(now))]


def chance_of(n: int, n_now: int, usual: int, n_before: int) -> float:
    """The probability that at least `n` of the documents with a word fall among `n_now`, if all of them are spread
    over `n_now + n_before` at random (the tail of the hypergeometric distribution)."""
    n_with, n_all = n + usual, n_now + n_before
    total = _log_choose(n_all, n_with)
    terms = (
        math.exp(_log_choose(n_now, k) + _log_choose(n_before, n_with - k) - total)
        for k in range(n, min(n_now, n_with) + 1)
        if n_with - k <= n_before
    )
    return min(1.0, math.fsum(terms))


def _n_true(chances: Iterable[float], n_tests: int) -> int:
    """How many of these, in ascending order, to believe."""
    believed = [
        rank for rank, chance in enumerate(chances, start=1) if chance <= FALSE_SHARE * rank / n_tests
    ]
    return max(believed, default=0)


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
