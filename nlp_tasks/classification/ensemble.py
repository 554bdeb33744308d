"""`ensemble`: the weighted mean of `linear`, `morphemes` and `cnn`, which make different errors.

The most accurate architecture that needs no download. It takes as long as its members together.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nlp_tasks import heartbeat
from nlp_tasks.classification import architecture
from nlp_tasks.classification.architecture import Classifier, Examples, Fitted, State, Terms, Training
from nlp_tasks.classification.attribution import heaviest
from nlp_tasks.classification.calibration import calibrate
from nlp_tasks.errors import ModelFileError
from nlp_tasks.onnx_graphs.slot import Slot

MEMBERS = ("linear", "morphemes", "cnn")
#: Each member is asked for this many times the number of terms wanted, since other terms may rank first in the sum.
ASKED = 4
#: Shares are tried in steps of 1 / STEPS.
STEPS = 10


@dataclass
class EnsembleClassifier:
    """Trained members, and the factor of each member's scores."""

    members: Sequence[Classifier]
    factors: Sequence[float]

    def __post_init__(self) -> None:
        self.batch_documents = min(member.batch_documents for member in self.members)
        self.batch_chars = min(member.batch_chars for member in self.members)

    def logits(self, texts: Sequence[str], beat: Callable[[], None]) -> NDArray[np.float32]:
        """Scores (N, K): the weighted sum of the members' scores."""
        scores = [member.logits(texts, beat) for member in self.members]
        return _mixed(scores, self.factors)

    #: The largest score is that of the label.
    decides = True

    def slots(self) -> list[Slot]:
        """Those of the members that have networks."""
        return [slot for member in self.members if hasattr(member, "slots") for slot in member.slots()]

    def outputs(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Scores (N, K)."""
        return self.logits(texts, heartbeat.beat)

    def explain(
        self, texts: Sequence[str], labels: Sequence[int], most: int, beat: Callable[[], None]
    ) -> list[Terms]:
        """The terms of all members, weighted by each member's factor."""
        together: list[Terms] = [[] for _ in texts]
        for member, factor in zip(self.members, self.factors, strict=True):
            if factor > 0:
                for place, terms in enumerate(member.explain(texts, labels, ASKED * most, beat)):
                    together[place] += [(term, factor * weight) for term, weight in terms]
        return [heaviest(terms, most) for terms in together]

    def state(self) -> State:
        """The members' states under their names."""
        config: dict[str, Any] = {"factors": list(self.factors), "members": {}}
        tensors: dict[str, NDArray[Any]] = {}
        for name, member in zip(MEMBERS, self.members, strict=True):
            config["members"][name], its_tensors = member.state()
            tensors |= {f"{name}/{key}": tensor for key, tensor in its_tensors.items()}
        return config, tensors


def load(config: dict[str, Any], tensors: dict[str, NDArray[Any]], device: str) -> EnsembleClassifier:
    """The classifier that `state` described."""
    if set(config["members"]) != set(MEMBERS):
        raise ModelFileError(
            "the model was trained by another version of docmill "
            f"(an ensemble of {', '.join(config['members'])}): train it again"
        )
    members = []
    for name in MEMBERS:
        prefix = f"{name}/"
        own = {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
        members.append(architecture.get(name).load(config["members"][name], own, device))
    return EnsembleClassifier(members, config["factors"])


def fit(examples: Examples, training: Training) -> Fitted:
    """Fit the members one after the other, then choose their shares by the validation examples."""
    fitted = [
        architecture.get(name).fit(examples, _of_member(training, place))
        for place, name in enumerate(MEMBERS)
    ]
    tuned = [calibrate(member.validation_logits, examples.validation_labels) for member in fitted]
    calibrated = [each.logits for each in tuned]

    def loss(shares: Sequence[float]) -> float:
        return calibrate(_mixed(calibrated, shares), examples.validation_labels).loss

    shares = min(_shares(len(MEMBERS)), key=loss)
    factors = [share / each.temperature for share, each in zip(shares, tuned, strict=True)]
    classifier = EnsembleClassifier([member.classifier for member in fitted], factors)
    return Fitted(classifier, _mixed(calibrated, shares))


def _shares(n: int) -> list[tuple[float, ...]]:
    """All combinations of n shares that sum to 1."""
    ways = itertools.product(range(STEPS + 1), repeat=n)
    return [tuple(part / STEPS for part in way) for way in ways if sum(way) == STEPS]


def _mixed(scores: Sequence[NDArray[np.float32]], factors: Sequence[float]) -> NDArray[np.float32]:
    mixed = sum(factor * score for factor, score in zip(factors, scores, strict=True))
    return np.asarray(mixed, np.float32)


def _of_member(training: Training, place: int) -> Training:
    """The training of one member: its progress is a part of the whole. `epochs` is for the cnn only, since the passes
    of a linear member are something else."""
    name, parameters, checkpoint = MEMBERS[place], training.parameters, training.checkpoint

    def progress(done: int, total: int, note: str) -> None:
        training.progress(place * total + done, total * len(MEMBERS), f"{name}: {note}")

    return Training(
        parameters if name == "cnn" else replace(parameters, epochs=0),
        training.device,
        progress,
        None if checkpoint is None else checkpoint.part(name),
    )
