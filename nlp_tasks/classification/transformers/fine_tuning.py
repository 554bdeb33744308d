"""Fine-tunes a transformers model on windows of documents, so that few labels do not spoil what it knows.

The linear layer starts as the logistic regression on the vectors of the model as it is (Kumar et al. 2022): training
starts from what `encoder` would be. Then all layers learn, the lower the more slowly (Howard and Ruder 2018), for a
number of steps with a linear warm-up and decay (Mosbach et al. 2021). The best validation counts, unless the
regression was better by more than chance. With few documents the training is then repeated on all of them, up to that
step.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nlp_tasks import heartbeat
from nlp_tasks.classification import TrainParameters, metrics
from nlp_tasks.classification.architecture import Examples, Fitted, Training
from nlp_tasks.classification.calibration import calibrate
from nlp_tasks.classification.linear import cross_validation
from nlp_tasks.classification.transformers import logistic, pooled
from nlp_tasks.classification.transformers.descent import BATCH_WINDOWS, Descent, Schedule, usable
from nlp_tasks.classification.transformers.logistic import Logistic
from nlp_tasks.classification.transformers.pooled import PooledClassifier
from nlp_tasks.torch_device import seeded

#: Passes over the documents if neither steps nor epochs were asked for, in at least and at most so many steps; but for
#: many documents at least LEAST_PASSES.
PASSES, LEAST_STEPS, MOST_STEPS, LEAST_PASSES = 6, 100, 600, 2
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
    tuned, logits, best_step = _chosen(opened, examples, started, schedule, training)
    if best_step and len(started.rows) >= FEW:
        return Fitted(tuned, logits)
    whole = replace(
        examples,
        texts=[*examples.texts, *examples.validation_texts],
        labels=np.concatenate([examples.labels, examples.validation_labels]),
        validation_texts=[],
        validation_labels=examples.validation_labels[:0],
    )
    repeated = schedule.repeated(best_step, len(whole.texts) / len(examples.texts))
    final = _open(examples, training)
    final.model.start_from(_head(whole, started))
    _descend(final, whole, repeated, training)
    return Fitted(final, logits)


def _chosen(
    classifier: PooledClassifier, examples: Examples, started: _Start, schedule: Schedule, training: Training
) -> tuple[PooledClassifier, NDArray[np.float32], int]:
    """The classifier after its best step, its scores of the validation texts, and that step: 0, and the scores of the
    frozen head, if that is better by more than chance."""
    head = _head(examples, started)
    frozen = head.scores(started.rows[len(examples.texts) :])
    classifier.model.start_from(head)
    best_step = _descend(classifier, examples, schedule, training)
    if not best_step:
        return classifier, frozen, 0
    tuned = classifier.logits(examples.validation_texts, lambda: training.progress(1, 1, "comparing"))
    is_worse = _is_worse(tuned, frozen, examples.validation_labels)
    return (classifier, frozen, 0) if is_worse else (classifier, tuned, best_step)


def _is_worse(tuned: NDArray[np.float32], frozen: NDArray[np.float32], labels: NDArray[np.int64]) -> bool:
    """Whether the mean loss of calibrated scores is higher by more than its standard error, document by document."""
    ours, theirs = (
        metrics.log_losses(labels, metrics.probabilities_for(labels, calibrate(each, labels).logits))
        for each in (tuned, frozen)
    )
    differences = ours - theirs
    return bool(differences.mean() > differences.std() / np.sqrt(len(differences)))


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


def _head(examples: Examples, started: _Start) -> Logistic:
    """The regression on the first vectors, those of these texts."""
    rows = started.rows[: len(examples.texts)]
    return logistic.fit(rows, examples.labels, examples.class_weights, started.strength, heartbeat.beat)


def _descend(classifier: PooledClassifier, examples: Examples, schedule: Schedule, training: Training) -> int:
    """Train the classifier, and return the best step."""
    descent = Descent(classifier, examples, schedule, training)
    with seeded(training.parameters.seed, training.device):
        descent.run()
    return descent.best_step
