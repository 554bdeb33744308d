"""The steps of fine-tuning: AdamW with a rate for each layer, validated from time to time, resumed after a kill.

Which windows a step learns from depends on the seed and on the number of the step alone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from nlp_tasks import training_curve
from nlp_tasks.batching import by_length, shuffled
from nlp_tasks.classification.architecture import Examples, Training
from nlp_tasks.classification.calibration import calibrate
from nlp_tasks.classification.metrics import are_right
from nlp_tasks.classification.neural.losses import measure_for
from nlp_tasks.classification.neural.training_state import Course
from nlp_tasks.classification.transformers.pooled import PooledClassifier, PooledModel
from nlp_tasks.classification.transformers.pretrained import Windows, forward

#: Windows of a step; they go through the model in parts of so many tokens with padding, whose gradients are added.
BATCH_WINDOWS, PART_TOKENS, PART_TOKENS_ON_CPU = 16, 16_384, 2_048
#: The rate of the linear layer and of the topmost layer, and the factor from each layer to the one below it.
LEARNING_RATE, DECAY_BY_LAYER = 3e-5, 0.85
WEIGHT_DECAY, WARM_UP, LARGEST_GRADIENT = 0.01, 0.1, 1.0
#: How often a training is validated, and validations without a lower loss after which it ends.
VALIDATIONS, PATIENCE = 16, 4
#: Training reads at most this many windows of a document, each with the document's label. Labelling reads all.
TRAINED_WINDOWS = 4
#: Batches of which the windows are sorted by length together.
SORTED_TOGETHER = 8


@dataclass(frozen=True)
class Schedule:
    """How many steps are taken."""

    n_steps: int
    #: The steps over which the rate would fall to 0.
    planned: int
    #: For people.
    name: str

    @property
    def between(self) -> int:
        """Steps between two validations."""
        return max(1, self.planned // VALIDATIONS)

    def repeated(self, n_steps: int, times_as_many: float) -> Schedule:
        """The schedule up to a step, on more documents: as many passes over them."""
        scaled = round(self.planned * times_as_many)
        return Schedule(round(n_steps * times_as_many), scaled, "training on all documents")

    def factor(self, done: int) -> float:
        """Of the rates, after `done` steps."""
        return min((done + 1) / max(1.0, WARM_UP * self.planned), 1 - done / self.planned)


def usable(windows: Windows) -> NDArray[np.int64]:
    """Indexes of the first TRAINED_WINDOWS windows of each text."""
    first = np.searchsorted(windows.owner, windows.owner)
    return np.flatnonzero(np.arange(len(windows.owner)) - first < TRAINED_WINDOWS)


def rates(model: PooledModel) -> list[dict[str, Any]]:
    """The weights that learn, in groups with their rates. Embeddings do not: few documents have few of the words, and
    the others would be left behind."""
    embeddings = {id(weight) for weight in model.get_input_embeddings().parameters()}
    depths: dict[int, list[torch.nn.Parameter]] = {}
    named = [(name, weight) for name, weight in model.named_parameters() if id(weight) not in embeddings]
    numbers = {name: _layer(name) for name, _ in named}
    top = max((number for number in numbers.values() if number is not None), default=0)
    for name, weight in named:
        number = numbers[name]
        if number is None and "embed" in name:
            continue
        depths.setdefault(0 if number is None else top - number, []).append(weight)
    return [
        {"params": weights, "rate": LEARNING_RATE * DECAY_BY_LAYER**depth}
        for depth, weights in sorted(depths.items())
    ]


def _layer(name: str) -> int | None:
    """The number of the layer that a weight belongs to; None if it is of none."""
    found = re.search(r"\.(\d+)\.", name)
    return int(found[1]) if found else None


class Descent:
    """The training of one classifier, in place."""

    def __init__(
        self, classifier: PooledClassifier, examples: Examples, schedule: Schedule, training: Training
    ) -> None:
        self.classifier = classifier
        self._examples, self._schedule, self._training = examples, schedule, training
        self._windows = classifier.windows(examples.texts)
        self._usable = usable(self._windows)
        device = classifier.device
        self._labels = torch.from_numpy(examples.labels[self._windows.owner]).to(device)
        self._measure = measure_for(examples, device)
        groups = rates(classifier.model)
        self._learned = [weight for group in groups for weight in group["params"]]
        for weight in classifier.model.parameters():
            weight.requires_grad_(False)
        for weight in self._learned:
            weight.requires_grad_(True)
        self._optimizer = torch.optim.AdamW(groups, weight_decay=WEIGHT_DECAY)
        #: The batches of one pass, and its number.
        self._batches: list[NDArray[np.int64]] = []
        self._pass = -1
        #: The step with the lowest loss on the validation texts; 0 if there was none.
        self.best_step = 0

    def run(self) -> None:
        """Take the steps, going on from the checkpoint if there is one. With validation texts, the weights of the best
        validation are kept."""
        course = self._course()
        course.restore()
        while course.steps < self._schedule.n_steps:
            self._learn(course, min(self._schedule.between, self._schedule.n_steps - course.steps))
            course.epoch += 1
            self._validate(course)
            if course.epoch - course.best_epoch >= PATIENCE and len(self._examples.validation_texts):
                course.steps = self._schedule.n_steps  # a training that resumes from here ends, too
            course.save()
        if course.best_state:
            course.model.load_state_dict(course.best_state)
            self.best_step = min(course.best_epoch * self._schedule.between, self._schedule.n_steps)
        self.classifier.model.eval()

    def _course(self) -> Course:
        checkpoint = self._training.checkpoint
        part = None if checkpoint is None else checkpoint.part(self._schedule.name.replace(" ", "-"))
        learned = torch.nn.ParameterList(self._learned)
        return Course(learned, [self._optimizer], np.random.default_rng(), self.classifier.device, part)

    def _learn(self, course: Course, n_steps: int) -> None:
        self.classifier.model.train()
        losses = []
        for _ in range(n_steps):
            losses.append(self._step(course))
            course.steps += 1
        if len(self._examples.validation_texts):
            training_curve.record(course.epoch + 1, loss=float(np.mean(losses)))

    def _step(self, course: Course) -> float:
        for group in self._optimizer.param_groups:
            group["lr"] = group["rate"] * self._schedule.factor(course.steps)
        chosen = self._drawn(course.steps)
        self._optimizer.zero_grad()
        total = 0.0
        lengths = self._windows.lengths[chosen]
        for part in by_length(
            lengths, PART_TOKENS_ON_CPU if self.classifier.device == "cpu" else PART_TOKENS
        ):
            scores = forward(self.classifier, [self._windows.inputs[place] for place in chosen[part]])
            loss = self._measure(scores.float(), self._labels[chosen[part]]) * len(part) / len(chosen)
            loss.backward()  # type: ignore[no-untyped-call]
            total += float(loss.detach())
            self._training.progress(
                course.steps, self._schedule.n_steps, f"{self._schedule.name}{course.note}"
            )
        torch.nn.utils.clip_grad_norm_(self._learned, LARGEST_GRADIENT)
        self._optimizer.step()
        return total

    def _drawn(self, step: int) -> NDArray[np.int64]:
        """The windows of a step. A pass over all of them has an order of its own."""
        number, place = divmod(step, -(-len(self._usable) // BATCH_WINDOWS))
        if number != self._pass:
            random = np.random.default_rng([self._training.parameters.seed, number])
            lengths = self._windows.lengths[self._usable]
            self._batches = list(shuffled(lengths, BATCH_WINDOWS, random, SORTED_TOGETHER))
            self._pass = number
        return self._usable[self._batches[place]]

    def _validate(self, course: Course) -> None:
        if not len(self._examples.validation_texts):
            return

        def beat() -> None:
            self._training.progress(course.steps, self._schedule.n_steps, "validating")

        logits = self.classifier.logits(self._examples.validation_texts, beat)
        # Of scaled scores, as they are scaled for labelling: what counts is not how large they are.
        loss = calibrate(logits, self._examples.validation_labels).loss
        accuracy = float(are_right(self._examples.validation_labels, logits).mean())
        course.note = f", validation loss {loss:.3f}, accuracy {accuracy:.4f}"
        course.judge(loss)
        training_curve.record(course.epoch, validation_loss=loss, validation_accuracy=accuracy)
