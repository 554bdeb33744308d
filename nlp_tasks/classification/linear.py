"""`linear`: hashed word and character n-grams, tf-idf, a linear SVM mixed with naive Bayes. The default.

Nothing in it looks at one word at a time in Python, so it labels short texts by the ten thousand a second
on one core. Long texts need no windows: an n-gram counts wherever it stands. Few documents favour naive
Bayes, many favour the SVM (Ng & Jordan 2002); mixing both by held-back documents beats either (Wang & Manning
2012), and costs nothing later, for the mixture is one linear model again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nlp_tasks.checkpoint import Checkpoint
from nlp_tasks.classification import TrainParameters, features
from nlp_tasks.classification.architecture import Examples, Fitted
from nlp_tasks.classification.calibration import Calibrated, calibrate
from nlp_tasks.classification.features import Rows
from nlp_tasks.classification.linear_model import LinearClassifier, load
from nlp_tasks.classification.ngrams import NgramConfig, concatenate
from nlp_tasks.classification.solver import Problem
from nlp_tasks.kind import Progress

__all__ = ["fit", "load"]

CONFIG = NgramConfig()
#: C is chosen among these: weak data wants strong regularisation, a small C.
STRENGTHS = (0.3, 1.0, 3.0)
#: L-BFGS steps for each.
STEPS = 50
#: Added to naive Bayes' sums of tf-idf weights.
SMOOTHING = 0.01
#: Naive Bayes' share of the mixture is chosen among these. Where texts have several labels it has none: it only
#: compares labels with each other.
BAYES_SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True)
class Choice:
    """A mixture, and how it does on the tune examples."""

    strength: float
    #: Factors of the SVM's and of naive Bayes' scores.
    shares: tuple[float, float]
    tuned: Calibrated


def fit(
    examples: Examples,
    parameters: TrainParameters,
    device: str,
    progress: Progress,
    checkpoint: Checkpoint | None = None,  # noqa: ARG001 (it is done in minutes)
    config: NgramConfig = CONFIG,
) -> Fitted:
    """Choose C and naive Bayes' share by the tune examples, then fit on all examples with them."""
    steps = parameters.epochs or STEPS
    watch = _Watch(progress, (len(STRENGTHS) + 1) * steps)
    counts = features.count(examples.texts, config, watch.counting)
    tune_counts = features.count(examples.tune_texts, config, watch.counting)

    vocabulary = features.learn(counts, config)
    problem = Problem(features.weigh(counts, vocabulary), examples.labels, examples.class_weights, device)
    choice = _choose(problem, features.weigh(tune_counts, vocabulary), examples.tune_labels, steps, watch)

    counts = concatenate([counts, tune_counts])
    labels = np.concatenate([examples.labels, examples.tune_labels])
    vocabulary = features.learn(counts, config)
    problem = Problem(features.weigh(counts, vocabulary), labels, examples.class_weights, device)
    svm = problem.fit(choice.strength, steps, watch.fitting(choice.strength))
    mixed = svm.mixed(problem.complement_bayes(SMOOTHING), *choice.shares)
    return Fitted(LinearClassifier(vocabulary, mixed), choice.tuned.uncalibrated)


def _choose(
    problem: Problem, tune_rows: Rows, tune_labels: NDArray[np.int64], steps: int, watch: _Watch
) -> Choice:
    bayes = calibrate(problem.complement_bayes(SMOOTHING).scores(tune_rows), tune_labels)
    choices = []
    for strength in STRENGTHS:
        weights = problem.fit(strength, steps, watch.fitting(strength))
        svm = calibrate(weights.scores(tune_rows), tune_labels)
        for share in BAYES_SHARES if tune_labels.ndim == 1 else (0.0,):
            mixed = calibrate((1 - share) * svm.logits + share * bayes.logits, tune_labels)
            shares = ((1 - share) / svm.temperature, share / bayes.temperature)
            choices.append(Choice(strength, shares, mixed))
    return min(choices, key=lambda choice: choice.tuned.loss)


class _Watch:
    """Turns signs of life into progress."""

    def __init__(self, progress: Progress, total: int) -> None:
        self.progress, self.total, self.done = progress, total, 0

    def counting(self) -> None:
        self.progress(self.done, self.total, "counting n-grams")

    def fitting(self, strength: float) -> Callable[[float], None]:
        def beat(loss: float) -> None:
            self.done = min(self.done + 1, self.total)
            self.progress(self.done, self.total, f"C = {strength:g}, loss {loss:.4f}")

        return beat
