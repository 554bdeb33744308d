"""A linear-chain conditional random field over units, trained by L-BFGS with L1 and L2 (python-crfsuite, Okazaki 2007).

The model is one file of its own format. It is read only after its sha256 was compared with the manifest.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pycrfsuite

from nlp_tasks import heartbeat
from nlp_tasks.entities.architecture import Fitted, Found, Lesson
from nlp_tasks.entities.features import Known, features_of, known_to
from nlp_tasks.entities.spans import Entity, Unit, entities, inside, tags
from nlp_tasks.entities.units import sentences_of, units_of

FILE = "model.crfsuite"


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


def fit(lesson: Lesson) -> Fitted:
    """Train on texts with their entities, and write the model into the folder."""
    lesson.known.save(lesson.model_dir)
    asked = lesson.parameters

    def tell(done: int) -> None:
        note = f"iteration {done}" if done else "reading the documents"
        lesson.progress(done, asked.iterations, note)

    trainer = _Trainer(tell)
    trainer.select("lbfgs")
    trainer.set_params(
        {
            "c1": asked.l1,
            "c2": asked.l2,
            "max_iterations": asked.iterations,
            "feature.minfreq": asked.min_count,
            "feature.possible_transitions": True,
        }
    )
    for example in (*lesson.examples, *lesson.validation):
        for start, units, features in _sentences(example.text, lesson.known):
            marked = inside(example.entities, start, start + units[-1][1])
            trainer.append(features, tags(units, marked))
        tell(0)
    trainer.train(str(lesson.model_dir / FILE))
    return Fitted({}, {})


def load(model_dir: Path, device: str) -> Tagger:  # noqa: ARG001 (it computes on the processor)
    """The model in a checked folder."""
    return Tagger(model_dir)


class Tagger:
    """A trained model."""

    def __init__(self, model_dir: Path) -> None:
        self._known = known_to(model_dir)
        self._tagger = pycrfsuite.Tagger()
        self._tagger.open(str(model_dir / FILE))

    def find(self, texts: Sequence[str]) -> list[list[Found]]:
        """See architecture.Finder."""
        return [self._find(text) for text in texts]

    def _find(self, text: str) -> list[Found]:
        found: list[Found] = []
        for start, units, features in _sentences(text, self._known):
            tagged = self._tagger.tag(features)
            for entity, places in entities(units, tagged):
                sure = min(self._tagger.marginal(tagged[place], place) for place in places)
                moved = Entity(entity.start + start, entity.end + start, entity.label)
                found.append(Found(moved, min(1.0, sure) if math.isfinite(sure) else 0.0))
        return found


def _sentences(text: str, known: Known) -> Iterator[tuple[int, list[Unit], list[list[str]]]]:
    """The start of each sentence with its units and their features; offsets count from that start."""
    for start, end in heartbeat.beating(sentences_of(text)):
        sentence = text[start:end]
        if units := units_of(sentence):
            yield start, units, features_of(sentence, units, known)
