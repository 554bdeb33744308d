"""Fine-tunes a transformers model on windows of documents: AdamW, linear warm-up and decay, the best epoch wins."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from nlp_tasks.checkpoint import Checkpoint
from nlp_tasks.classification import TrainParameters
from nlp_tasks.classification.architecture import Examples
from nlp_tasks.classification.calibration import calibrate
from nlp_tasks.classification.metrics import are_right
from nlp_tasks.classification.neural.losses import measure_for
from nlp_tasks.classification.neural.training_state import Course
from nlp_tasks.classification.transformers.pretrained import PretrainedClassifier, Windows, cut, forward
from nlp_tasks.kind import Progress

#: Devlin et al. (2019), section A.3, and what KoELECTRA's authors use.
EPOCHS, BATCH_WINDOWS, LEARNING_RATE, WARM_UP = 3, 32, 5e-5, 0.1
#: Training reads at most so many windows of a document, each with the document's label. Labelling reads all.
TRAINED_WINDOWS = 4


def run(
    classifier: PretrainedClassifier,
    examples: Examples,
    parameters: TrainParameters,
    progress: Progress,
    checkpoint: Checkpoint | None,
) -> None:
    """Train `classifier.model` in place. Draws on torch's random state, which the caller seeds."""
    progress(0, 1, "cutting texts into tokens")
    windows = cut(classifier.tokenizer, classifier.model.config, examples.texts)
    usable = _first_of_each(windows)
    epochs, per_epoch = parameters.epochs or EPOCHS, -(-len(usable) // BATCH_WINDOWS)
    step = _Step(classifier, windows, examples, epochs * per_epoch)
    random = np.random.default_rng(parameters.seed)
    course = Course(classifier.model, [step.optimizer], random, classifier.device, checkpoint)
    course.restore()
    step.done = course.steps

    def tuning() -> None:
        progress(step.done, step.total, "tuning")

    while course.epoch < epochs:
        classifier.model.train()
        order = random.permutation(usable)
        for chosen in np.split(order, range(BATCH_WINDOWS, len(order), BATCH_WINDOWS)):
            loss = step.take(chosen)
            words = f"epoch {course.epoch + 1} of {epochs}, loss {loss:.3f}{course.note}"
            progress(step.done, step.total, words)
        logits = classifier.logits(examples.tune_texts, tuning)
        accuracy = float(are_right(examples.tune_labels, logits).mean()) if len(logits) else 0.0
        course.note = f", tune accuracy {accuracy:.4f}"
        course.epoch, course.steps = course.epoch + 1, step.done
        course.judge(calibrate(logits, examples.tune_labels).loss if len(logits) else -course.epoch)
        course.save()
    classifier.model.load_state_dict(course.best_state)


def _first_of_each(windows: Windows) -> NDArray[np.int64]:
    """Indexes of the first TRAINED_WINDOWS windows of each text."""
    first = np.searchsorted(windows.owner, windows.owner)
    return np.flatnonzero(np.arange(len(windows.owner)) - first < TRAINED_WINDOWS)


class _Step:
    """The optimizer with its schedule, and what a step needs of the data."""

    def __init__(
        self, classifier: PretrainedClassifier, windows: Windows, examples: Examples, total: int
    ) -> None:
        self.classifier, self.windows, self.done, self.total = classifier, windows, 0, total
        device = classifier.device
        self.labels = torch.from_numpy(examples.labels[windows.owner]).to(device)
        self.measure = measure_for(examples, device)
        self.optimizer = torch.optim.AdamW(classifier.model.parameters(), lr=LEARNING_RATE, weight_decay=0.01)

    def take(self, chosen: NDArray[np.int64]) -> float:
        """Learn from the chosen windows; returns their loss."""
        scores = forward(self.classifier, [self.windows.inputs[place] for place in chosen])
        loss = self.measure(scores.float(), self.labels[chosen])
        for group in self.optimizer.param_groups:
            warm = (self.done + 1) / max(1.0, WARM_UP * self.total)
            group["lr"] = LEARNING_RATE * min(warm, (self.total - self.done) / self.total)
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.classifier.model.parameters(), 1.0)
        self.optimizer.step()
        self.done += 1
        return float(loss.detach())
