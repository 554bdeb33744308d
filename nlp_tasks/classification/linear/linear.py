"""`linear`: hashed n-grams of words, characters and morphemes, a linear SVM mixed with naive Bayes. The default.

N-grams are counted a batch at a time, and MeCab analyses only words that are not cached, so one core labels more than
10,000 short texts per second. Long texts need no windows. Naive Bayes is better with few documents, the SVM with many
(Ng & Jordan 2002). A mixture, with weights chosen by cross-validation, is better than either (Wang & Manning 2012), and
costs nothing at prediction, since it is a linear model, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nlp_tasks.classification import architecture, metrics
from nlp_tasks.classification.architecture import Examples, Fitted, Training
from nlp_tasks.classification.calibration import calibrate
from nlp_tasks.classification.linear import cross_validation, features
from nlp_tasks.classification.linear.cross_validation import Unseen
from nlp_tasks.classification.linear.linear_model import LinearClassifier, load
from nlp_tasks.classification.linear.ngrams import NgramConfig
from nlp_tasks.classification.linear.solver import Problem
from nlp_tasks.kind import Progress

__all__ = ["fit", "load"]

#: Which n-grams are features, in general and for many short texts: there, longer n-grams recur and fit into memory.
CONFIG = NgramConfig(morphemes=(1, 3))
LONGER = NgramConfig(chars=(1, 6), words=(1, 3), morphemes=(1, 3), bits=24)
#: LONGER is used for MANY to MOST texts of at most SHORT_CHARS characters on average. With more texts, training would
#: take many gigabytes (120,000 reviews take 2).
MANY, MOST, SHORT_CHARS = 20_000, 250_000, 200
#: Values of C to choose from; a small C is a strong regularisation.
STRENGTHS = (0.3, 1.0, 3.0, 10.0)
#: Maximum passes over the rows for each fit; usually the solver converges after half of them.
PASSES = 100
#: Added to the sums of tf-idf weights in naive Bayes.
SMOOTHING = 0.01
#: Shares of naive Bayes to choose from. It is not used if texts have several labels, since it only compares labels
#: with each other.
BAYES_SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
#: Shares of the log prior to choose from that are subtracted from the scores: one-versus-rest classifiers predict rare
#: labels too seldom if labels overlap.
PRIOR_SHARES = (0.0, 0.25, 0.5, 0.75)
#: The gain in accuracy plus macro F1 that is required per unit of such a share; a smaller one may be chance.
PRIOR_PRICE = 0.02


@dataclass(frozen=True)
class Choice:
    """A mixture, and how well it does on texts that it was not fitted on."""

    strength: float
    #: Factors of the scores of the SVM and of naive Bayes.
    shares: tuple[float, float]
    #: Added to the scores.
    offsets: NDArray[np.float32]  # (K,)
    #: Its scores for those texts.
    unseen: NDArray[np.float32]  # (M, K)
    #: Accuracy plus macro F1, minus the price of the offsets; the negative log loss if texts have several labels.
    merit: float


def fit(examples: Examples, training: Training, config: NgramConfig | None = None) -> Fitted:
    """Choose C, the share of naive Bayes and the offsets by cross-validation, then fit on all texts."""
    config = config or _config_for(examples.texts)
    watch = _Watch(training.progress)
    n_validation = len(examples.validation_texts)
    counts = features.count([*examples.texts, *examples.validation_texts], config, watch.counting)
    labels = np.concatenate([examples.labels, examples.validation_labels])
    vocabulary = features.learn(counts, config)
    problem = Problem(features.weigh(counts, vocabulary), labels, examples.class_weights, training.device)

    passes = training.parameters.epochs or PASSES
    fold = cross_validation.folds(labels, n_validation)
    watch.expect((int(fold.max()) + 1) * len(STRENGTHS) + 1, passes)
    unseen = cross_validation.scores(problem, fold, STRENGTHS, SMOOTHING, passes, watch)
    choice = _choose(unseen, labels[unseen.places], watch.choosing)

    svm = problem.fit(choice.strength, passes, watch.fitting)
    mixed = svm.mixed(problem.complement_bayes(SMOOTHING), *choice.shares).shifted(choice.offsets)
    is_validation = unseen.places >= len(labels) - n_validation
    scored = architecture.Unseen(choice.unseen, labels[unseen.places])
    return Fitted(LinearClassifier(vocabulary, mixed), choice.unseen[is_validation], scored)


def _config_for(texts: Sequence[str]) -> NgramConfig:
    is_short = sum(map(len, texts)) <= SHORT_CHARS * len(texts)
    return LONGER if MANY <= len(texts) <= MOST and is_short else CONFIG


def _choose(unseen: Unseen, labels: NDArray[np.int64], beat: Callable[[], None] = lambda: None) -> Choice:
    """The best combination of mixture and offsets; the first one if several are equal."""
    return max(_choices(unseen, labels, beat), key=lambda choice: choice.merit)


def _choices(unseen: Unseen, labels: NDArray[np.int64], beat: Callable[[], None]) -> Iterator[Choice]:
    bayes = calibrate(unseen.bayes, labels)
    offsets = _offsets(labels, unseen.bayes.shape[1])
    for strength, scores in unseen.svm.items():
        svm = calibrate(scores, labels)
        for share in BAYES_SHARES if labels.ndim == 1 else (0.0,):
            beat()
            mixed = calibrate((1 - share) * svm.logits + share * bayes.logits, labels)
            factors = (1 - share) / svm.temperature, share / bayes.temperature
            shares = (factors[0] / mixed.temperature, factors[1] / mixed.temperature)
            for prior_share, offset in offsets.items():
                shifted = mixed.logits + offset
                merit = _merit(shifted, labels) - PRIOR_PRICE * prior_share
                yield Choice(strength, shares, offset, shifted, merit)


def _offsets(labels: NDArray[np.int64], n_labels: int) -> dict[float, NDArray[np.float32]]:
    """Share of the log prior -> the offsets (K,) that subtract it; the rarer the label, the larger."""
    if labels.ndim > 1:
        return {0.0: np.zeros(n_labels, np.float32)}
    counts = (
        np.bincount(labels, minlength=n_labels) + 1
    )  # add one: all texts of a label may be in the other folds
    rarity = -np.log(counts / counts.sum()).astype(np.float32)
    return {share: np.float32(share) * rarity for share in PRIOR_SHARES}


def _merit(logits: NDArray[np.float32], labels: NDArray[np.int64]) -> float:
    """Not the log loss for single labels: that measures confidence, and gives rare labels little weight."""
    if labels.ndim > 1:
        return -metrics.log_loss(labels, metrics.probabilities_for(labels, logits))
    confusion = metrics.confusion_matrix(labels, logits.argmax(axis=1), logits.shape[1])
    return metrics.accuracy(confusion) + metrics.macro_f1(confusion)


class _Watch:
    """Turns the callbacks of counting and fitting into progress."""

    def __init__(self, progress: Progress) -> None:
        self.progress, self.passes, self.n_fits = progress, 1, 1
        #: Completed fits, and passes of the current one.
        self.ended, self.gone = 0, 0

    def expect(self, n_fits: int, passes: int) -> None:
        self.n_fits, self.passes = n_fits, passes

    def counting(self) -> None:
        self._tell("counting n-grams")

    def fitting(self, loss: float) -> None:
        self.gone = min(self.gone + 1, self.passes)
        self._tell(f"loss {loss:.4f}")

    def fitted(self) -> None:
        """A fit has ended, usually before the maximum number of passes."""
        self.ended, self.gone = self.ended + 1, 0

    def choosing(self) -> None:
        self._tell("choosing the settings")

    def _tell(self, note: str) -> None:
        self.progress(self.ended * self.passes + self.gone, self.n_fits * self.passes, note)
