"""`pretrained`: fine-tunes a transformers model from a local folder to give each of its tokens a tag.

As for classifiers, nothing is downloaded, only safetensors weights are read, and code that comes with a model is never
run. A long text is read in windows that overlap by a quarter; of a token in two windows, the one counts that is further
from the window's edge. Offsets come from the tokenizer, which has to be a fast one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from nlp_tasks import heartbeat, model_files
from nlp_tasks.batching import shuffled
from nlp_tasks.classification.neural.training_state import Course
from nlp_tasks.classification.transformers.pretrained import (
    CUT_TOGETHER,
    PretrainedModel,
    Windows,
    batches,
    forward,
    longest,
    read_folder,
    restore,
)
from nlp_tasks.entities.architecture import Example, Fitted, Found, Lesson
from nlp_tasks.entities.spans import OUTSIDE, Entity, Unit, entities, tags
from nlp_tasks.errors import TrainingError
from nlp_tasks.onnx_graphs.slot import Slot
from nlp_tasks.torch_device import seeded

#: The class of transformers that loads a model of tags.
AUTO = "AutoModelForTokenClassification"
#: Devlin et al. (2019), section A.3.
LEARNING_RATE, WEIGHT_DECAY, WARM_UP, LARGEST_GRADIENT = 5e-5, 0.01, 0.1, 1.0
BATCH_WINDOWS = 16
#: Passes over the documents if no number of steps was asked for, and the fewest and most steps then.
PASSES, LEAST_STEPS, MOST_STEPS = 5, 200, 3_000
#: How often a training is validated, and validations without a lower loss after which it ends.
VALIDATIONS, PATIENCE = 10, 3
#: Tokens without a tag of their own: [CLS], [SEP], and those that the tokenizer adds.
IGNORED = -100


@dataclass(frozen=True)
class Cut:
    """The windows of some texts, with the place of each token in its text; (0, 0) for an added token."""

    windows: Windows
    places: list[list[Unit]]  # (W,) lists as long as the window


@dataclass
class PretrainedTagger:
    """A fine-tuned model."""

    inner: PretrainedModel
    names: list[str]
    decides = True

    def slots(self) -> list[Slot]:
        """The whole model."""
        return [self.inner.slot("logits")]

    def outputs(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """The scores of all tokens in windows (M, K), in the order of the texts."""

        def compute(windows: Sequence[dict[str, list[int]]]) -> NDArray[np.float32]:
            with torch.inference_mode():
                found: NDArray[np.float32] = forward(self.inner, windows).float().numpy()
            return found

        return flat(self.inner, texts, compute)

    def find(self, texts: Sequence[str]) -> list[list[Found]]:
        """See architecture.Finder."""
        read = cut(self.inner, texts)
        self.inner.model.eval()
        scored: list[NDArray[np.float32]] = [np.zeros((0, 0), np.float32)] * len(read.places)
        with torch.inference_mode():
            for chosen in heartbeat.beating(batches(read.windows, self.inner.device)):
                some = [read.windows.inputs[place] for place in chosen.tolist()]
                scores = torch.softmax(forward(self.inner, some).float(), dim=2).cpu().numpy()
                for place, row in zip(chosen.tolist(), scores, strict=True):
                    scored[place] = row[: len(read.places[place])]
        of_text: list[list[int]] = [[] for _ in texts]
        for window, owner in enumerate(read.windows.owner.tolist()):
            of_text[owner].append(window)
        return [self._of(text, windows, read, scored) for text, windows in zip(texts, of_text, strict=True)]

    def _of(self, text: str, windows: list[int], read: Cut, scored: list[NDArray[np.float32]]) -> list[Found]:
        best: dict[Unit, tuple[int, NDArray[np.float32]]] = {}
        for window in windows:
            places = read.places[window]
            for at, place in enumerate(places):
                from_edge = min(at, len(places) - at)
                if place[0] < place[1] and from_edge > best.get(place, (-1,))[0]:
                    best[place] = (from_edge, scored[window][at])
        units = sorted(best)
        numbers = [int(best[unit][1].argmax()) for unit in units]
        sure = [float(best[unit][1].max()) for unit in units]
        named = [self.names[number] for number in numbers]
        return [
            Found(_trimmed(text, entity), min(sure[place] for place in places))
            for entity, places in entities(units, named)
            # A blank may be a token of its own.
            if text[entity.start : entity.end].strip()
        ]


def _trimmed(text: str, entity: Entity) -> Entity:
    """Without the blanks that some tokenizers count to a token."""
    said = text[entity.start : entity.end]
    start = entity.start + len(said) - len(said.lstrip())
    return Entity(start, start + len(said.strip()), entity.label)


def fit(lesson: Lesson) -> Fitted:
    """See architecture.fit."""
    names = [OUTSIDE, *(f"{part}-{label}" for label in lesson.labels for part in "BI")]
    with seeded(lesson.parameters.seed, lesson.device):  # the layer of tags starts at random
        folder = Path(lesson.parameters.pretrained)
        model, tokenizer = read_folder(folder, AUTO, lesson.device, num_labels=len(names))
        if not tokenizer.is_fast:
            raise TrainingError(f"the tokenizer in {folder} gives no offsets: it needs a tokenizer.json")
        inner = PretrainedModel(model, tokenizer, lesson.device)
        _Training(inner, names, lesson).run()
    config, tensors = inner.state()
    return Fitted({"tags": names, "pretrained": config}, tensors)


def load(model_dir: Path, device: str) -> PretrainedTagger:
    """The model in a checked folder."""
    config, tensors = model_files.load(model_dir)
    model, tokenizer = restore(config["pretrained"], tensors, AUTO, device)
    return PretrainedTagger(PretrainedModel(model, tokenizer, device), config["tags"])


def cut(inner: PretrainedModel, texts: Sequence[str]) -> Cut:
    """All windows of the texts, which overlap by a quarter of their length."""
    inputs: list[dict[str, list[int]]] = []
    owner: list[int] = []
    places: list[list[Unit]] = []
    most = longest(inner.tokenizer, inner.model.config)
    for first in heartbeat.beating(range(0, len(texts), CUT_TOGETHER)):
        encoded = inner.tokenizer(
            list(texts[first : first + CUT_TOGETHER]),
            truncation=True,
            max_length=most,
            stride=most // 4,
            return_overflowing_tokens=True,
            return_offsets_mapping=True,
        )
        owner += [first + place for place in encoded.pop("overflow_to_sample_mapping")]
        places += [[tuple(each) for each in row] for row in encoded.pop("offset_mapping")]
        names = [name for name in encoded if name in inner.tokenizer.model_input_names]
        inputs += [{name: encoded[name][at] for name in names} for at in range(len(encoded["input_ids"]))]
    lengths = np.array([len(window["input_ids"]) for window in inputs], np.int64)
    return Cut(Windows(inputs, np.array(owner, np.int64), lengths, len(texts)), places)


def flat(
    inner: PretrainedModel,
    texts: Sequence[str],
    compute: Callable[[Sequence[dict[str, list[int]]]], NDArray[np.float32]],
    together: int = 32,
) -> NDArray[np.float32]:
    """What `compute` makes (B, S, K) of the windows of texts, for all tokens one after the other (M, K)."""
    windows = cut(inner, texts).windows
    at_the_end = inner.tokenizer.padding_side == "right"
    rows = []
    for start in heartbeat.beating(range(0, len(windows.inputs), together)):
        found = compute(windows.inputs[start : start + together])
        for row, length in zip(found, windows.lengths[start : start + together].tolist(), strict=True):
            rows.append(row[:length] if at_the_end else row[len(row) - length :])
    return np.concatenate(rows)


class _Training:
    """AdamW with a linear warm-up and decay over a number of steps; keeps the weights of the best validation."""

    def __init__(self, inner: PretrainedModel, names: list[str], lesson: Lesson) -> None:
        self._inner, self._lesson = inner, lesson
        self._number = {name: number for number, name in enumerate(names)}
        self._examples = self._tagged(lesson.examples)
        self._validation = self._tagged(lesson.validation) if lesson.validation else self._examples
        passes = PASSES * -(-len(self._examples) // BATCH_WINDOWS)
        self._n_steps = lesson.parameters.steps or min(max(passes, LEAST_STEPS), MOST_STEPS)
        self._optimizer = torch.optim.AdamW(
            inner.model.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY
        )
        self._random = np.random.default_rng(lesson.parameters.seed)

    def run(self) -> None:
        lesson = self._lesson
        course = Course(self._inner.model, [self._optimizer], self._random, lesson.device, lesson.checkpoint)
        course.restore()
        between = max(1, self._n_steps // VALIDATIONS)
        while course.steps < self._n_steps:
            self._learn(course, min(between, self._n_steps - course.steps))
            course.epoch += 1
            loss = self._validated(course)
            course.note = f", validation loss {loss:.3f}"
            if not course.judge(loss) and course.epoch - course.best_epoch >= PATIENCE:
                course.steps = self._n_steps  # a training that resumes from here ends, too
            course.save()
        self._inner.model.load_state_dict(course.best_state)

    def _learn(self, course: Course, n_steps: int) -> None:
        self._inner.model.train()
        drawn = self._drawn()
        for _ in range(n_steps):
            rate = min((course.steps + 1) / (WARM_UP * self._n_steps), 1 - course.steps / self._n_steps)
            for group in self._optimizer.param_groups:
                group["lr"] = LEARNING_RATE * min(1.0, rate)
            loss = self._loss([self._examples[place] for place in next(drawn).tolist()])
            self._optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(self._inner.model.parameters(), LARGEST_GRADIENT)
            self._optimizer.step()
            course.steps += 1
            note = f"loss {float(loss.detach()):.3f}{course.note}"
            self._lesson.progress(course.steps, self._n_steps, note)

    def _drawn(self) -> Iterator[NDArray[np.int64]]:
        """Batches of windows without end, in a new order for each pass."""
        lengths = np.array([len(numbers) for _, numbers in self._examples], np.int64)
        while True:
            yield from shuffled(lengths, BATCH_WINDOWS, self._random, 8)

    def _validated(self, course: Course) -> float:
        self._inner.model.eval()
        total = 0.0
        with torch.inference_mode():
            for first in range(0, len(self._validation), BATCH_WINDOWS):
                batch = self._validation[first : first + BATCH_WINDOWS]
                total += float(self._loss(batch)) * len(batch)
                self._lesson.progress(course.steps, self._n_steps, "validating")
        return total / max(len(self._validation), 1)

    def _loss(self, batch: list[tuple[dict[str, list[int]], list[int]]]) -> torch.Tensor:
        scores = forward(self._inner, [window for window, _ in batch]).float()
        right = torch.full(scores.shape[:2], IGNORED, dtype=torch.int64)
        for place, (_, numbers) in enumerate(batch):
            right[place, : len(numbers)] = torch.tensor(numbers)
        return torch.nn.functional.cross_entropy(
            scores.flatten(0, 1), right.flatten().to(scores.device), ignore_index=IGNORED
        )

    def _tagged(self, examples: Sequence[Example]) -> list[tuple[dict[str, list[int]], list[int]]]:
        """Each window with the number of the tag of each token."""
        read = cut(self._inner, [each.text for each in examples])
        found = []
        for window, owner, places in zip(
            read.windows.inputs, read.windows.owner.tolist(), read.places, strict=True
        ):
            self._lesson.progress(0, 1, "splitting texts into tokens")
            units = [place for place in places if place[0] < place[1]]
            named = iter(tags(units, examples[owner].entities))
            found.append((window, [self._number[next(named)] if p[0] < p[1] else IGNORED for p in places]))
        return found
