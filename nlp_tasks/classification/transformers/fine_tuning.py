"""Fine-tunes a transformers model on windows of documents, so that few labels do not spoil what it knows.

The linear layer starts as the logistic regression on the vectors of the model as it is (Kumar et al. 2022): training
starts from what `encoder` would be. Then all layers learn, the lower the more slowly (Howard and Ruder 2018), for a
number of steps with a linear warm-up and decay (Mosbach et al. 2021). The best of the validations counts, the one
before the first step among them. With few documents the training is then repeated on all of them, up to that step.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nlp_tasks import heartbeat
from nlp_tasks.classification import TrainParameters
from nlp_tasks.classification.architecture import Examples, Fitted, Training
from nlp_tasks.classification.linear import cross_validation
from nlp_tasks.classification.transformers import logistic, pooled
from nlp_tasks.classification.transformers.descent import BATCH_WINDOWS, Descent, Schedule, usable
from nlp_tasks.classification.transformers.pooled import PooledClassifier
from nlp_tasks.torch_device import seeded

#: Passes over the documents if neither steps nor epochs were asked for, in at least and at most so many steps; but for
#: many documents at least LEAST_PASSES.
PASSES, LEAST_STEPS, MOST_STEPS, LEAST_PASSES = 10, 100, 800, 2
#: With fewer documents, training is repeated on all of them: those of the validation set are a fifth.
FEW = 2_000


@dataclass(frozen=True)
class _Start:
    """What is known before the first step."""

    #: Vectors of the training texts, then of the validation texts, by the model as it is.
    rows: NDArray[np.float32]  # (N + T, D)
    #: Of the logistic regression.
    strength: float


def fit(examples: Examples, training: Training) -> Fitted:
    """See architecture.Architecture."""
    opened = _open(examples, training)
    started = _start(opened, examples, training)
    schedule = _schedule(opened, examples, training.parameters)
    choosing = _train(opened, examples, started.rows[: len(examples.texts)], started, schedule, training)
    logits = choosing.classifier.logits(
        examples.validation_texts, lambda: training.progress(1, 1, "calibrating")
    )
    if len(started.rows) >= FEW and choosing.best_step:
        return Fitted(choosing.classifier, logits)
    whole = replace(
        examples,
        texts=[*examples.texts, *examples.validation_texts],
        labels=np.concatenate([examples.labels, examples.validation_labels]),
        validation_texts=[],
        validation_labels=examples.validation_labels[:0],
    )
    repeated = schedule.repeated(choosing.best_step, len(whole.texts) / len(examples.texts))
    final = _train(_open(examples, training), whole, started.rows, started, repeated, training)
    return Fitted(final.classifier, logits)


def _open(examples: Examples, training: Training) -> PooledClassifier:
    # Weights that the folder lacks, none of which are used, are drawn at random.
    with seeded(training.parameters.seed, training.device):
        return pooled.open_folder(Path(training.parameters.pretrained), examples.n_labels, training.device)


def _start(classifier: PooledClassifier, examples: Examples, training: Training) -> _Start:
    texts = [*examples.texts, *examples.validation_texts]
    labels = np.concatenate([examples.labels, examples.validation_labels])

    def beat() -> None:
        training.progress(0, 1, "embedding")

    rows = classifier.vectors(classifier.windows(texts), beat)
    fold = cross_validation.folds(labels, len(examples.validation_texts))
    strength, _ = logistic.choose(rows, labels, examples.class_weights, fold, beat)
    return _Start(rows, strength)


def _schedule(classifier: PooledClassifier, examples: Examples, parameters: TrainParameters) -> Schedule:
    """As many steps as were asked for, or as these documents need."""
    n_windows = len(usable(classifier.windows(examples.texts)))
    of_pass = -(-n_windows // BATCH_WINDOWS)
    asked = [parameters.steps, parameters.epochs * of_pass]
    if any(asked):
        n_steps = min(each for each in asked if each)
    else:
        n_steps = max(min(max(PASSES * of_pass, LEAST_STEPS), MOST_STEPS), LEAST_PASSES * of_pass)
    # Nothing can show that a step was good without validation texts.
    taken = n_steps if len(examples.validation_texts) else 0
    return Schedule(taken, n_steps, "choosing the number of steps")


def _train(
    classifier: PooledClassifier,
    examples: Examples,
    rows: NDArray[np.float32],
    started: _Start,
    schedule: Schedule,
    training: Training,
) -> Descent:
    """The classifier after its last step, or after its best one if there are validation texts."""
    head = logistic.fit(rows, examples.labels, examples.class_weights, started.strength, heartbeat.beat)
    classifier.model.start_from(head)
    descent = Descent(classifier, examples, schedule, training)
    with seeded(training.parameters.seed, training.device):
        descent.run(head.scores(started.rows[len(examples.texts) :]))
    return descent
