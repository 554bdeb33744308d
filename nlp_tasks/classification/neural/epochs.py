"""The training loop of the neural architectures and of fine-tuning: epochs, validation, early stopping, checkpoints.

Each epoch ends with the loss on the validation set; the weights of the best epoch are kept. Knows nothing of how a
batch is made or a step is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import nan

import numpy as np
from numpy.typing import NDArray

from nlp_tasks import training_curve
from nlp_tasks.classification.calibration import calibrate
from nlp_tasks.classification.metrics import are_right
from nlp_tasks.classification.neural.training_state import Course
from nlp_tasks.kind import Progress


@dataclass(frozen=True)
class Loop:
    """The parts of the loop that differ between trainings."""

    n_epochs: int
    n_steps: int
    #: Takes the steps of one epoch, and yields the loss of each.
    epoch: Callable[[], Iterable[float]]
    #: Scores (T, K) of the validation set; calls the given function often.
    validation_logits: Callable[[Callable[[], None]], NDArray[np.float32]]
    validation_labels: NDArray[np.int64]  # (T,) or (T, K)
    #: Stop when the validation loss has not improved for this many epochs; None to run all epochs.
    patience: int | None = None


def run(loop: Loop, course: Course, progress: Progress) -> None:
    """Train `course.model` in place, resuming from the checkpoint if there is one; keeps the best epoch's weights."""

    def validating() -> None:
        progress(course.steps, loop.n_steps, "validating")

    course.restore()
    while course.epoch < loop.n_epochs:
        course.model.train()
        losses = []
        for loss in loop.epoch():
            losses.append(loss)
            course.steps += 1
            note = f"epoch {course.epoch + 1} of {loop.n_epochs}, loss {loss:.3f}{course.note}"
            progress(course.steps, loop.n_steps, note)
        logits = loop.validation_logits(validating)
        accuracy = float(are_right(loop.validation_labels, logits).mean()) if len(logits) else 0.0
        course.note = f", validation accuracy {accuracy:.4f}"
        course.epoch += 1
        validation_loss = calibrate(logits, loop.validation_labels).loss if len(logits) else nan
        training_curve.record(
            course.epoch,
            loss=float(np.mean(losses)),
            validation_loss=validation_loss,
            validation_accuracy=accuracy if len(logits) else nan,
        )
        is_better = course.judge(validation_loss if len(logits) else -course.epoch)
        is_spent = loop.patience is not None and course.epoch - course.best_epoch >= loop.patience
        if is_spent and not is_better:
            course.epoch = loop.n_epochs  # a training that resumes from here ends, too
        course.save()
    course.model.load_state_dict(course.best_state)
