"""Fine-tunes a transformers model on windows of documents: AdamW, linear warm-up and decay; keeps the best epoch."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
from numpy.typing import NDArray

from nlp_tasks.classification.architecture import Examples, Training
from nlp_tasks.classification.neural import epochs
from nlp_tasks.classification.neural.losses import measure_for
from nlp_tasks.classification.neural.training_state import Course
from nlp_tasks.classification.transformers.pretrained import PretrainedClassifier, Windows, cut, forward

#: Devlin et al. (2019), section A.3, and the values that the authors of KoELECTRA use.
EPOCHS, BATCH_WINDOWS, LEARNING_RATE, WARM_UP = 3, 32, 5e-5, 0.1
#: Training reads at most this many windows of a document, each with the document's label. Labelling reads all.
TRAINED_WINDOWS = 4


def run(classifier: PretrainedClassifier, examples: Examples, training: Training) -> None:
    """Train `classifier.model` in place. Uses torch's random state, which the caller seeds."""
    training.progress(0, 1, "splitting texts into tokens")
    windows = cut(classifier.tokenizer, classifier.model.config, examples.texts)
    usable = _first_of_each(windows)
    n_epochs = training.parameters.epochs or EPOCHS
    n_steps = n_epochs * -(-len(usable) // BATCH_WINDOWS)
    step = _Step(classifier, windows, examples, n_steps)
    random = np.random.default_rng(training.parameters.seed)
    course = Course(classifier.model, [step.optimizer], random, classifier.device, training.checkpoint)

    def epoch() -> Iterator[float]:
        order = random.permutation(usable)
        for chosen in np.split(order, range(BATCH_WINDOWS, len(order), BATCH_WINDOWS)):
            yield step.take(chosen, course.steps)

    def validation_logits(beat: Callable[[], None]) -> NDArray[np.float32]:
        return classifier.logits(examples.validation_texts, beat)

    loop = epochs.Loop(n_epochs, n_steps, epoch, validation_logits, examples.validation_labels)
    epochs.run(loop, course, training.progress)


def _first_of_each(windows: Windows) -> NDArray[np.int64]:
    """Indexes of the first TRAINED_WINDOWS windows of each text."""
    first = np.searchsorted(windows.owner, windows.owner)
    return np.flatnonzero(np.arange(len(windows.owner)) - first < TRAINED_WINDOWS)


class _Step:
    """The optimizer with its schedule, and the data that a step needs."""

    def __init__(
        self, classifier: PretrainedClassifier, windows: Windows, examples: Examples, total: int
    ) -> None:
        self.classifier, self.windows, self.total = classifier, windows, total
        device = classifier.device
        self.labels = torch.from_numpy(examples.labels[windows.owner]).to(device)
        self.measure = measure_for(examples, device)
        self.optimizer = torch.optim.AdamW(classifier.model.parameters(), lr=LEARNING_RATE, weight_decay=0.01)

    def take(self, chosen: NDArray[np.int64], done: int) -> float:
        """Learn from the chosen windows, after `done` other steps; returns their loss."""
        scores = forward(self.classifier, [self.windows.inputs[place] for place in chosen])
        loss = self.measure(scores.float(), self.labels[chosen])
        for group in self.optimizer.param_groups:
            warm = (done + 1) / max(1.0, WARM_UP * self.total)
            group["lr"] = LEARNING_RATE * min(warm, (self.total - done) / self.total)
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.classifier.model.parameters(), 1.0)
        self.optimizer.step()
        return float(loss.detach())
