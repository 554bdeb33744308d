"""`nbsvm`: a linear SVM on n-grams of letters, scaled by naive Bayes' log count ratios (Wang & Manning 2012).

About as exact as `linear` alone, slower, and wrong about other documents: a member of the ensemble. Korean is read by
its letters, so that endings which are fused to a syllable are seen.
"""

from __future__ import annotations

import numpy as np

from nlp_tasks.checkpoint import Checkpoint
from nlp_tasks.classification import TrainParameters, features
from nlp_tasks.classification.architecture import Examples, Fitted
from nlp_tasks.classification.calibration import calibrate
from nlp_tasks.classification.linear_model import LinearClassifier, load
from nlp_tasks.classification.ngrams import NgramConfig, concatenate
from nlp_tasks.classification.solver import Problem
from nlp_tasks.kind import Progress

__all__ = ["fit", "load"]

CONFIG = NgramConfig(chars=(2, 8), words=(1, 2), bits=24, longest_run=4, letters=True)
#: C is chosen among these.
STRENGTHS = (0.1, 0.3)
STEPS = 40


def fit(
    examples: Examples,
    parameters: TrainParameters,
    device: str,
    progress: Progress,
    checkpoint: Checkpoint | None = None,  # noqa: ARG001 (it is done in minutes)
) -> Fitted:
    """Choose C by the tune examples, then fit on all examples with it."""
    steps = parameters.epochs or STEPS
    done = 0

    def beat(loss: float = 0.0) -> None:
        nonlocal done
        done = min(done + (loss > 0), (len(STRENGTHS) + 1) * steps)
        progress(done, (len(STRENGTHS) + 1) * steps, f"loss {loss:.4f}" if loss else "counting n-grams")

    counts = features.count(examples.texts, CONFIG, beat)
    tune_counts = features.count(examples.tune_texts, CONFIG, beat)
    vocabulary = features.learn(counts, CONFIG)
    tune_rows = features.weigh(tune_counts, vocabulary)
    rows = features.weigh(counts, vocabulary)
    problem = Problem(rows, examples.labels, examples.class_weights, device, by_ratio=True)
    tuned = {
        strength: calibrate(problem.fit(strength, steps, beat).scores(tune_rows), examples.tune_labels)
        for strength in STRENGTHS
    }
    best = min(STRENGTHS, key=lambda strength: tuned[strength].loss)

    counts = concatenate([counts, tune_counts])
    labels = np.concatenate([examples.labels, examples.tune_labels])
    vocabulary = features.learn(counts, CONFIG)
    rows = features.weigh(counts, vocabulary)
    problem = Problem(rows, labels, examples.class_weights, device, by_ratio=True)
    weights = problem.fit(best, steps, beat)
    return Fitted(LinearClassifier(vocabulary, weights), tuned[best].uncalibrated)
