"""How well entities were found: precision, recall and F1 over exact matches of place and label."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from nlp_tasks.entities.spans import Entity


@dataclass(frozen=True, slots=True)
class OfLabel:
    """The figures of one label."""

    label: str
    precision: float
    recall: float
    f1: float
    #: Marked entities, and found ones.
    support: int
    n_predicted: int


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures of a model."""

    labels: tuple[OfLabel, ...]
    micro_f1: float

    @property
    def macro_f1(self) -> float:
        """The mean over the labels that were marked or found."""
        return sum(each.f1 for each in self.labels) / len(self.labels) if self.labels else 0.0


def measure(truth: Sequence[Sequence[Entity]], found: Sequence[Sequence[Entity]]) -> Figures:
    """Compare what was marked in each document with what was found in it."""
    hits, marked, given = Counter[str](), Counter[str](), Counter[str]()
    for right, ours in zip(truth, found, strict=True):
        hits.update(each.label for each in set(right) & set(ours))
        marked.update(each.label for each in set(right))
        given.update(each.label for each in set(ours))
    labels = tuple(
        _of_label(label, hits[label], marked[label], given[label]) for label in sorted(marked | given)
    )
    return Figures(labels, _f1(hits.total(), marked.total(), given.total()))


def _of_label(label: str, hits: int, support: int, n_predicted: int) -> OfLabel:
    precision, recall = hits / max(n_predicted, 1), hits / max(support, 1)
    return OfLabel(label, precision, recall, _f1(hits, support, n_predicted), support, n_predicted)


def _f1(hits: int, support: int, n_predicted: int) -> float:
    return 2 * hits / max(support + n_predicted, 1)
