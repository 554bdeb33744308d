"""`linear`: hashed n-grams of words, characters and morphemes, a linear SVM mixed with naive Bayes. The default.

N-grams are counted a batch at a time, and MeCab cuts only the words that were not met before, so it labels short texts
by the ten thousand a second on one core. Long texts need no windows: an n-gram counts wherever it stands. Few documents
favour naive Bayes, many favour the SVM (Ng & Jordan 2002); mixing both as suits texts that neither learned from beats
either (Wang & Manning 2012), and costs nothing later, for the mixture is one linear model again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nlp_tasks.classification import metrics
from nlp_tasks.classification.architecture import Examples, Fitted, Training
from nlp_tasks.classification.calibration import calibrate
from nlp_tasks.classification.linear import cross_validation, features
from nlp_tasks.classification.linear.cross_validation import Unseen
from nlp_tasks.classification.linear.linear_model import LinearClassifier, load
from nlp_tasks.classification.linear.ngrams import NgramConfig
from nlp_tasks.classification.linear.solver import Problem
from nlp_tasks.kind import Progress

__all__ = ["fit", "load"]

#: Which n-grams are features; and of many short texts, in which longer ones come again, and for which there is room.
CONFIG = NgramConfig(morphemes=(1, 3))
LONGER = NgramConfig(chars=(1, 6), words=(1, 3), morphemes=(1, 3), bits=24)
#: So many texts are many, and of so many characters on average they are short. Of more than MOST the longer n-grams
#: would take many gigabytes to train on (120,000 reviews take 2).
MANY, MOST, SHORT_CHARS = 20_000, 250_000, 200
#: C is chosen among these: weak data wants strong regularisation, a small C.
STRENGTHS = (0.3, 1.0, 3.0, 10.0)
#: Passes over the rows for each, at most: usually the solver is done after half of them.
PASSES = 100
#: Added to naive Bayes' sums of tf-idf weights.
SMOOTHING = 0.01
#: Naive Bayes' share of the mixture is chosen among these. Where texts have several labels it has none: it only
#: compares labels with each other.
BAYES_SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
#: How much of the labels' prior is taken out of the scores is chosen among these: each label against the rest makes
#: rare ones too shy where labels overlap.
PRIOR_SHARES = (0.0, 0.25, 0.5, 0.75)
#: What such a share has to add to accuracy plus macro F1, times the share: less may be chance.
PRIOR_PRICE = 0.02


@dataclass(frozen=True)
class Choice:
    """A mixture, and how it does on texts that it was not learned from."""

    strength: float
    #: Factors of the SVM's and of naive Bayes' scores.
    shares: tuple[float, float]
    #: Added to the scores.
    offsets: NDArray[np.float32]  # (K,)
    #: Its scores of those texts.
    unseen: NDArray[np.float32]  # (M, K)
    #: Accuracy plus macro F1, less the price of the offsets; where texts have several labels, the log loss below zero.
    merit: float


def fit(examples: Examples, training: Training, config: NgramConfig | None = None) -> Fitted:
    """Choose C, naive Bayes' share and the offsets by texts that were left out, then fit on all with them."""
    config = config or _config_for(examples.texts)
    watch = _Watch(training.progress)
    n_tune = len(examples.tune_texts)
    counts = features.count([*examples.texts, *examples.tune_texts], config, watch.counting)
    labels = np.concatenate([examples.labels, examples.tune_labels])
    vocabulary = features.learn(counts, config)
    problem = Problem(features.weigh(counts, vocabulary), labels, examples.class_weights, training.device)

    passes = training.parameters.epochs or PASSES
    fold = cross_validation.folds(labels, n_tune)
    watch.expect((int(fold.max()) + 1) * len(STRENGTHS) + 1, passes)
    unseen = cross_validation.scores(problem, fold, STRENGTHS, SMOOTHING, passes, watch)
    choice = _choose(unseen, labels[unseen.places], watch.choosing)

    svm = problem.fit(choice.strength, passes, watch.fitting)
    mixed = svm.mixed(problem.complement_bayes(SMOOTHING), *choice.shares).shifted(choice.offsets)
    is_tune = unseen.places >= len(labels) - n_tune
    return Fitted(LinearClassifier(vocabulary, mixed), choice.unseen[is_tune])


def _config_for(texts: Sequence[str]) -> NgramConfig:
    is_short = sum(map(len, texts)) <= SHORT_CHARS * len(texts)
    return LONGER if MANY <= len(texts) <= MOST and is_short else CONFIG


def _choose(unseen: Unseen, labels: NDArray[np.int64], beat: Callable[[], None] = lambda: None) -> Choice:
    """The best of all mixtures with all offsets. What is tried first wins a draw."""
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
    """Share of the prior -> the offsets (K,) that take it out: the more, the rarer the label."""
    if labels.ndim > 1:
        return {0.0: np.zeros(n_labels, np.float32)}
    counts = np.bincount(labels, minlength=n_labels) + 1  # one more: a label may have all its texts elsewhere
    rarity = -np.log(counts / counts.sum()).astype(np.float32)
    return {share: np.float32(share) * rarity for share in PRIOR_SHARES}


def _merit(logits: NDArray[np.float32], labels: NDArray[np.int64]) -> float:
    """Log loss would not do: it asks how sure the scores are, and macro F1 is what a rare label counts in."""
    if labels.ndim > 1:
        return -metrics.log_loss(labels, metrics.probabilities_for(labels, logits))
    confusion = metrics.confusion_matrix(labels, logits.argmax(axis=1), logits.shape[1])
    return metrics.accuracy(confusion) + metrics.macro_f1(confusion)


class _Watch:
    """Turns signs of life into progress."""

    def __init__(self, progress: Progress) -> None:
        self.progress, self.passes, self.n_fits = progress, 1, 1
        #: Fits that have ended, and passes of the one that goes on.
        self.ended, self.gone = 0, 0

    def expect(self, n_fits: int, passes: int) -> None:
        self.n_fits, self.passes = n_fits, passes

    def counting(self) -> None:
        self._tell("counting n-grams")

    def fitting(self, loss: float) -> None:
        self.gone = min(self.gone + 1, self.passes)
        self._tell(f"loss {loss:.4f}")

    def fitted(self) -> None:
        """A fit ends where it is exact enough, mostly before its passes are spent."""
        self.ended, self.gone = self.ended + 1, 0

    def choosing(self) -> None:
        self._tell("choosing the settings")

    def _tell(self, note: str) -> None:
        self.progress(self.ended * self.passes + self.gone, self.n_fits * self.passes, note)
