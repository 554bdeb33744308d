"""The training loop of the neural architectures and of fine-tuning: epochs, the tune examples, a checkpoint.

Each epoch ends with the loss on the tune examples; the weights of the best epoch are kept. Knows nothing of how a
batch is made or of how a step is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nlp_tasks.classification.calibration import calibrate
from nlp_tasks.classification.metrics import are_right
from nlp_tasks.classification.neural.training_state import Course
from nlp_tasks.kind import Progress


@dataclass(frozen=True)
class Loop:
    """What differs between trainings."""

    n_epochs: int
    n_steps: int
    #: Takes the steps of one epoch, and gives the loss of each. Called with nothing; `Course.steps` counts them.
    epoch: Callable[[], Iterable[float]]
    #: Scores (T, K) of the tune examples; calls the given function often.
    tune_logits: Callable[[Callable[[], None]], NDArray[np.float32]]
    tune_labels: NDArray[np.int64]  # (T,) or (T, K)
    #: Stop when the tune loss has not improved for this many epochs; None to run all.
    patience: int | None = None


def run(loop: Loop, course: Course, progress: Progress) -> None:
    """Train `course.model` in place, from the checkpoint if there is one; the weights of the best epoch win."""

    def tuning() -> None:
        progress(course.steps, loop.n_steps, "tuning")

    course.restore()
    while course.epoch < loop.n_epochs:
        course.model.train()
        for loss in loop.epoch():
            course.steps += 1
            note = f"epoch {course.epoch + 1} of {loop.n_epochs}, loss {loss:.3f}{course.note}"
            progress(course.steps, loop.n_steps, note)
        logits = loop.tune_logits(tuning)
        accuracy = float(are_right(loop.tune_labels, logits).mean()) if len(logits) else 0.0
        course.note = f", tune accuracy {accuracy:.4f}"
        course.epoch += 1
        is_better = course.judge(calibrate(logits, loop.tune_labels).loss if len(logits) else -course.epoch)
        is_spent = loop.patience is not None and course.epoch - course.best_epoch >= loop.patience
        if is_spent and not is_better:
            course.epoch = loop.n_epochs  # a training that resumes from here ends, too
        course.save()
    course.model.load_state_dict(course.best_state)
