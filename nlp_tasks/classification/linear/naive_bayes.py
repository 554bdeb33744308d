"""`naive-bayes`: multinomial naive Bayes on tf-idf n-grams (Rennie et al. 2003), trained in one pass.

A strong baseline with a few hundred documents, and by far the fastest to train.
"""

from __future__ import annotations

import numpy as np

from nlp_tasks.classification.architecture import Examples, Fitted, Training
from nlp_tasks.classification.calibration import calibrate
from nlp_tasks.classification.linear import features
from nlp_tasks.classification.linear.linear_model import LinearClassifier, load
from nlp_tasks.classification.linear.ngrams import NgramConfig, concatenate
from nlp_tasks.classification.linear.solver import Problem

__all__ = ["fit", "load"]

#: Values of the smoothing to choose from, by the validation examples.
SMOOTHINGS = (0.01, 0.1, 1.0)


def fit(examples: Examples, training: Training) -> Fitted:
    """Choose the smoothing by the validation examples, then fit on all examples."""
    config, device = NgramConfig(), training.device

    def beat() -> None:
        training.progress(0, 1, "counting n-grams")

    counts = features.count(examples.texts, config, beat)
    validation_counts = features.count(examples.validation_texts, config, beat)
    vocabulary = features.learn(counts, config)
    problem = Problem(features.weigh(counts, vocabulary), examples.labels, examples.class_weights, device)
    validation_rows = features.weigh(validation_counts, vocabulary)
    tuned = {
        smoothing: calibrate(
            problem.naive_bayes(smoothing).scores(validation_rows), examples.validation_labels
        )
        for smoothing in SMOOTHINGS
    }
    best = min(SMOOTHINGS, key=lambda smoothing: tuned[smoothing].loss)

    counts = concatenate([counts, validation_counts])
    labels = np.concatenate([examples.labels, examples.validation_labels])
    vocabulary = features.learn(counts, config)
    problem = Problem(features.weigh(counts, vocabulary), labels, examples.class_weights, device)
    return Fitted(LinearClassifier(vocabulary, problem.naive_bayes(best)), tuned[best].uncalibrated)
