"""A linear-chain conditional random field over units, trained by L-BFGS with L1 and L2 (python-crfsuite, Okazaki 2007).

The model is one file of its own format. It is read only after its sha256 was compared with the manifest.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pycrfsuite

from nlp_tasks import heartbeat
from nlp_tasks.entities.features import features_of
from nlp_tasks.entities.spans import Entity, Unit, entities, tags
from nlp_tasks.entities.units import sentences_of, units_of

FILE = "model.crfsuite"


@dataclass(frozen=True, slots=True)
class Settings:
    """How a model is fitted."""

    iterations: int
    l1: float
    l2: float
    min_count: int


@dataclass(frozen=True, slots=True)
class Found:
    """An entity with the probability of its least certain unit."""

    entity: Entity
    score: float


class _Trainer(pycrfsuite.BaseTrainer):  # type: ignore[misc] # no types
    """Reports every line that the library writes: one for each iteration, and for each tenth of the preparation."""

    def __init__(self, tell: Callable[[int], None]) -> None:
        super().__init__()
        self._tell = tell
        self._n = 0

    def message(self, message: str) -> None:
        """Called by the library."""
        self._n += message.startswith("***** Iteration")
        self._tell(self._n)


def fit(
    texts: Sequence[str],
    marked: Sequence[Sequence[Entity]],
    settings: Settings,
    path: Path,
    tell: Callable[[int], None],
) -> None:
    """Train on texts with their entities, and write the model to `path`. `tell` gets the number of iterations."""
    trainer = _Trainer(tell)
    trainer.select("lbfgs")
    trainer.set_params(
        {
            "c1": settings.l1,
            "c2": settings.l2,
            "max_iterations": settings.iterations,
            "feature.minfreq": settings.min_count,
            "feature.possible_transitions": True,
        }
    )
    for text, found in zip(texts, marked, strict=True):
        for start, units, features in _sentences(text):
            inside = _moved(found, start, start + units[-1][1])
            trainer.append(features, tags(units, inside))
        tell(0)
    trainer.train(str(path))


def _moved(found: Sequence[Entity], start: int, end: int) -> list[Entity]:
    """The entities of a sentence, with offsets from its start. All are in the order of the text, without overlaps."""
    first = bisect_right(found, start, key=lambda each: each.end)
    last = bisect_left(found, end, key=lambda each: each.start)
    return [Entity(each.start - start, each.end - start, each.label) for each in found[first:last]]


class Tagger:
    """A trained model."""

    def __init__(self, path: Path) -> None:
        self._tagger = pycrfsuite.Tagger()
        self._tagger.open(str(path))

    def find(self, text: str) -> list[Found]:
        """The entities of a text, in its order."""
        found: list[Found] = []
        for start, units, features in _sentences(text):
            tagged = self._tagger.tag(features)
            for entity, places in entities(units, tagged):
                sure = min(self._tagger.marginal(tagged[place], place) for place in places)
                moved = Entity(entity.start + start, entity.end + start, entity.label)
                found.append(Found(moved, min(1.0, sure) if math.isfinite(sure) else 0.0))
        return found


def _sentences(text: str) -> Iterator[tuple[int, list[Unit], list[list[str]]]]:
    """The start of each sentence with its units and their features; offsets count from that start."""
    for start, end in heartbeat.beating(sentences_of(text)):
        sentence = text[start:end]
        if units := units_of(sentence):
            yield start, units, features_of(sentence, units)
