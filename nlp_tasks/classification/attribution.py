"""The terms that contribute most to a score. Contributions of equal terms are added up; negative sums are left out."""

from __future__ import annotations

from collections.abc import Iterable

from nlp_tasks.classification.architecture import Terms


def heaviest(weighted: Iterable[tuple[str, float]], most: int) -> Terms:
    """The terms with the largest sums of weights, in descending order; ties in alphabetical order."""
    sums: dict[str, float] = {}
    for term, weight in weighted:
        sums[term] = sums.get(term, 0.0) + weight
    found = [(term, weight) for term, weight in sums.items() if weight > 0]
    return sorted(found, key=lambda pair: (-pair[1], pair[0]))[:most]
