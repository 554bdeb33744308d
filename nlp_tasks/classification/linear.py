"""`linear`: hashed word and character n-grams, tf-idf, a linear SVM mixed with naive Bayes. The default.

Nothing in it looks at one word at a time in Python, so it labels short texts by the ten thousand a second on one core.
Long texts need no windows: an n-gram counts wherever it stands. Few documents favour naive Bayes, many favour the SVM
(Ng & Jordan 2002); mixing both as suits texts that neither learned from beats either (Wang & Manning 2012), and costs
nothing later, for the mixture is one linear model again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nlp_tasks.checkpoint import Checkpoint
from nlp_tasks.classification import TrainParameters, cross_fit, features, metrics
from nlp_tasks.classification.architecture import Examples, Fitted
from nlp_tasks.classification.calibration import Calibrated, calibrate
from nlp_tasks.classification.cross_fit import Unseen
from nlp_tasks.classification.linear_model import LinearClassifier, load
from nlp_tasks.classification.ngrams import NgramConfig
from nlp_tasks.classification.solver import Problem
from nlp_tasks.kind import Progress

__all__ = ["fit", "load"]

#: Which n-grams are features; and of many short texts, in which longer ones come again, and for which there is room.
CONFIG, LONGER = NgramConfig(), NgramConfig(chars=(1, 6), words=(1, 3), bits=24)
#: So many texts are many, and of so many characters on average they are short.
MANY, SHORT_CHARS = 20_000, 200
#: C is chosen among these: weak data wants strong regularisation, a small C.
STRENGTHS = (0.3, 1.0, 3.0, 10.0)
#: Passes over the rows for each, at most: usually the solver is done after half of them.
PASSES = 100
#: Added to naive Bayes' sums of tf-idf weights.
SMOOTHING = 0.01
#: Naive Bayes' share of the mixture is chosen among these. Where texts have several labels it has none: it only
#: compares labels with each other.
BAYES_SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True)
class Choice:
    """A mixture, and how it does on texts that it was not learned from."""

    strength: float
    #: Factors of the SVM's and of naive Bayes' scores.
    shares: tuple[float, float]
    unseen: Calibrated
    #: Accuracy plus macro F1; of two labels, and where texts have several, the log loss below zero.
    merit: float


def fit(
    examples: Examples,
    parameters: TrainParameters,
    device: str,
    progress: Progress,
    checkpoint: Checkpoint | None = None,  # noqa: ARG001 (it is done in minutes)
    config: NgramConfig | None = None,
) -> Fitted:
    """Choose C and naive Bayes' share by texts that were left out, then fit on all with them."""
    config = config or _config_for(examples.texts)
    watch = _Watch(progress)
    n_tune = len(examples.tune_texts)
    counts = features.count([*examples.texts, *examples.tune_texts], config, watch.counting)
    labels = np.concatenate([examples.labels, examples.tune_labels])
    vocabulary = features.learn(counts, config)
    problem = Problem(features.weigh(counts, vocabulary), labels, examples.class_weights, device)

    passes = parameters.epochs or PASSES
    fold = cross_fit.folds(labels, n_tune)
    watch.expect((int(fold.max()) + 1) * len(STRENGTHS) + 1, passes)
    unseen = cross_fit.scores(problem, fold, STRENGTHS, SMOOTHING, passes, watch.fitting)
    choice = _choose(unseen, labels[unseen.places])

    svm = problem.fit(choice.strength, passes, watch.fitting)
    mixed = svm.mixed(problem.complement_bayes(SMOOTHING), *choice.shares)
    is_tune = unseen.places >= len(labels) - n_tune
    return Fitted(LinearClassifier(vocabulary, mixed), choice.unseen.uncalibrated[is_tune])


def _config_for(texts: Sequence[str]) -> NgramConfig:
    is_short = sum(map(len, texts)) <= SHORT_CHARS * len(texts)
    return LONGER if len(texts) >= MANY and is_short else CONFIG


def _choose(unseen: Unseen, labels: NDArray[np.int64]) -> Choice:
    bayes = calibrate(unseen.bayes, labels)
    choices = []
    for strength, scores in unseen.svm.items():
        svm = calibrate(scores, labels)
        for share in BAYES_SHARES if labels.ndim == 1 else (0.0,):
            mixed = calibrate((1 - share) * svm.logits + share * bayes.logits, labels)
            shares = ((1 - share) / svm.temperature, share / bayes.temperature)
            choices.append(Choice(strength, shares, mixed, _merit(mixed, labels)))
    return max(choices, key=lambda choice: choice.merit)


def _merit(mixed: Calibrated, labels: NDArray[np.int64]) -> float:
    """Of many labels log loss wants the choice that is surest, not the one that is right most often; of two they are
    the same one, which log loss tells with less chance."""
    if labels.ndim > 1 or mixed.logits.shape[1] == 2:
        return -mixed.loss
    confusion = metrics.confusion_matrix(labels, mixed.logits.argmax(axis=1), mixed.logits.shape[1])
    return metrics.accuracy(confusion) + metrics.macro_f1(confusion)


class _Watch:
    """Turns signs of life into progress."""

    def __init__(self, progress: Progress) -> None:
        self.progress, self.total, self.done = progress, 1, 0

    def expect(self, n_fits: int, passes: int) -> None:
        self.total = n_fits * passes

    def counting(self) -> None:
        self.progress(0, self.total, "counting n-grams")

    def fitting(self, loss: float) -> None:
        self.done = min(self.done + 1, self.total)
        self.progress(self.done, self.total, f"loss {loss:.4f}")
