"""`bilstm-crf`: vectors of units, a bidirectional LSTM over a sentence, and a layer that decides on all its tags
together (Lample et al. 2016).

The vector of a unit is the sum of those of what it is made of and stands in: the syllable and its letters, the word
with its first and last letters, the morpheme with its part of speech, their clusters and names of a gazetteer. They
are learned from the marked texts. The same documents, parameters and seed give the same model on the same machine.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nlp_tasks import heartbeat, model_files, recurrent_layer
from nlp_tasks.batching import by_length, shuffled
from nlp_tasks.classification.neural.training_state import Course
from nlp_tasks.entities.architecture import Example, Fitted, Found, Lesson
from nlp_tasks.entities.features import Known, features_of, known_to
from nlp_tasks.entities.spans import OUTSIDE, Entity, Unit, entities, inside, tags
from nlp_tasks.entities.tag_chain import TagChain, forbidden
from nlp_tasks.entities.units import sentences_of, units_of
from nlp_tasks.onnx_graphs.slot import Network as OnnxNetwork
from nlp_tasks.onnx_graphs.slot import Slot
from nlp_tasks.torch_device import seeded

#: The most frequent features that get a vector, the widths of these and of the LSTM (both directions together).
MOST_FEATURES, WIDTH, HIDDEN = 100_000, 96, 192
DROPPED, DROPPED_FEATURES = 0.4, 0.2
BATCH_SENTENCES, LEARNING_RATE, LARGEST_GRADIENT = 32, 3e-3, 5.0
#: Epochs without a lower validation loss after which a training ends.
PATIENCE = 5
#: Units, with padding, that are tagged together.
BATCH_UNITS = 4_096
#: The features of the CRF that the network gets: it finds out about the surroundings by itself. The last line has those
#: of word_features.py.
TAKEN = ("u0", "l0", "p3", "e3", "e2", "d", "w", "w-begin", "w-inside", "w-end", "w-goes-on", "w-first2", "w-first3",
         "w-last2", "w-before", "w-after", "m", "m-side", "t", "n", "g",
         "word0", "title0", "upper0", "shape", "digit", "begins", "ends")  # fmt: skip


@dataclass(frozen=True)
class Sentence:
    """A sentence: where it starts in its text, its units, and the numbers of each unit's features, from 1; 0 alone for
    a unit that has no known one."""

    start: int
    units: list[Unit]
    features: list[list[int]]


class Network(nn.Module):
    """Scores (B, S, K) of the tags of sentences."""

    def __init__(self, n_features: int, names: list[str]) -> None:
        super().__init__()
        self.features = nn.EmbeddingBag(n_features + 1, WIDTH, mode="sum", sparse=True, padding_idx=0)
        nn.init.normal_(self.features.weight, std=0.1)
        self.around = nn.LSTM(WIDTH, HIDDEN // 2, bidirectional=True, batch_first=True)
        self.drop = nn.Dropout(DROPPED)
        self.tags = nn.Linear(HIDDEN, len(names))
        self.chain = TagChain(len(names), forbidden(names))

    def forward(self, sentences: Sequence[Sentence]) -> tuple[Tensor, Tensor]:
        """Scores (B, S, K), and the mask (B, S), True for units."""
        padded, lengths, mask = self.vectors(sentences)
        return self.scores(padded, lengths), mask

    def scores(self, padded: Tensor, lengths: Tensor) -> Tensor:
        """Scores (B, S, K) of the tags of units, from their vectors (B, S, D) and the lengths of the sentences (B,)."""
        scores: Tensor = self.tags(self.drop(recurrent_layer.states(self.around, padded, lengths)))
        return scores

    def vectors(self, sentences: Sequence[Sentence]) -> tuple[Tensor, Tensor, Tensor]:
        """The vectors of units (B, S, D), padded at the end, the lengths (B,), and the mask (B, S), True for units."""
        device = self.features.weight.device
        lengths = torch.tensor([len(each.units) for each in sentences])
        bags = [bag for each in sentences for bag in each.features]
        starts = np.cumsum([0, *map(len, bags[:-1])])
        ids = torch.tensor([number for bag in bags for number in bag], device=device)
        if self.training:
            ids = ids.masked_fill(torch.rand(ids.shape, device=device) < DROPPED_FEATURES, 0)
        vectors = self.features(ids, torch.from_numpy(starts).to(device))
        mask = torch.arange(int(lengths.max()))[None] < lengths[:, None]
        padded = vectors.new_zeros(*mask.shape, WIDTH)
        padded[mask.to(device)] = self.drop(vectors)
        return padded, lengths, mask.to(device)


class _Scores(nn.Module):
    """The part of a network that knows vectors of units, and no features."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, vectors: Tensor, lengths: Tensor) -> Tensor:
        return self.network.scores(vectors, lengths)


class RecurrentTagger:
    """A trained network."""

    #: The tags are decided by all scores of a sentence; they are compared one by one.
    decides = True

    def __init__(self, network: Network, names: list[str], numbers: Mapping[str, int], known: Known) -> None:
        self.network, self.names, self.numbers, self._known = network.eval(), names, numbers, known
        self._scores: nn.Module = _Scores(network)

    def slots(self) -> list[Slot]:
        """From vectors of units to scores of tags."""
        sentences, units = torch.export.Dim("sentences"), torch.export.Dim("units")
        inputs = {"vectors": torch.zeros(2, 7, WIDTH), "lengths": torch.tensor([7, 5])}
        axes = {"vectors": {0: sentences, 1: units}, "lengths": {0: sentences}}

        def put(graph: nn.Module) -> None:
            self._scores = graph

        return [Slot("tags", OnnxNetwork(_Scores(self.network), inputs, axes, "scores"), put)]

    def outputs(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """The scores of all units (M, K), in the order of the texts."""
        sentences = self.sentences(texts)
        if not sentences:
            return np.zeros((0, len(self.names)), np.float32)
        with torch.inference_mode():
            scores, mask = self._scored(sentences)
        return np.asarray(scores[mask].numpy(), np.float32)

    def sentences(self, texts: Sequence[str]) -> list[Sentence]:
        """Those of all texts, with the numbers of their features."""
        return [_numbered(*each, self.numbers) for text in texts for each in read(text, self._known)]

    def _scored(self, sentences: list[Sentence]) -> tuple[Tensor, Tensor]:
        padded, lengths, mask = self.network.vectors(sentences)
        return self._scores(padded, lengths), mask

    def find(self, texts: Sequence[str]) -> list[list[Found]]:
        """See architecture.Finder."""
        found: list[list[Found]] = [[] for _ in texts]
        pairs = [
            (place, _numbered(start, units, features, self.numbers))
            for place, text in enumerate(texts)
            for start, units, features in read(text, self._known)
        ]
        lengths = np.array([len(each.units) for _, each in pairs], np.int64)
        with torch.inference_mode():
            for chosen in heartbeat.beating(by_length(lengths, BATCH_UNITS)):
                some = [pairs[place] for place in chosen.tolist()]
                for (place, sentence), entities_ in zip(some, self._of([s for _, s in some]), strict=True):
                    found[place] += [_moved(one, sentence.start) for one in entities_]
        return [sorted(of_text, key=lambda one: one.entity.start) for of_text in found]

    def _of(self, sentences: list[Sentence]) -> Iterator[list[Found]]:
        scores, mask = self._scored(sentences)
        tagged, sure = self.network.chain.decode(scores, mask)
        for sentence, numbers, values in zip(sentences, tagged.tolist(), sure.tolist(), strict=True):
            named = [self.names[number] for number in numbers[: len(sentence.units)]]
            yield [
                Found(entity, min(1.0, min(values[place] for place in places)))
                for entity, places in entities(sentence.units, named)
            ]


def fit(lesson: Lesson) -> Fitted:
    """See architecture.fit."""
    lesson.known.save(lesson.model_dir)
    names = [OUTSIDE, *(f"{part}-{label}" for label in lesson.labels for part in "BI")]
    features = _frequent(lesson)
    with seeded(lesson.parameters.seed, lesson.device):
        network = Network(len(features), names).to(lesson.device)
        _Training(network, names, _numbers_of(features), lesson).run()
    tensors: dict[str, NDArray[Any]] = {
        name: np.ascontiguousarray(weight.cpu().numpy()) for name, weight in network.state_dict().items()
    }
    return Fitted({"tags": names, "features": features}, tensors)


def load(model_dir: Path, device: str) -> RecurrentTagger:
    """The model in a checked folder."""
    config, tensors = model_files.load(model_dir)
    network = Network(len(config["features"]), config["tags"])
    network.load_state_dict({name: torch.from_numpy(array) for name, array in tensors.items()})
    numbers = _numbers_of(config["features"])
    return RecurrentTagger(network.to(device), config["tags"], numbers, known_to(model_dir))


def _frequent(lesson: Lesson) -> list[str]:
    """The most frequent features of the texts to learn from."""
    counts: Counter[str] = Counter()
    for example in lesson.examples:
        lesson.progress(0, 1, "reading the documents")
        for _, _, described in read(example.text, lesson.known):
            for features in described:
                counts.update(features)
    return [feature for feature, _ in counts.most_common(MOST_FEATURES)]


def _numbers_of(features: Sequence[str]) -> dict[str, int]:
    return {feature: number for number, feature in enumerate(features, start=1)}


class _Training:
    """Adam, batches of sentences of similar length, stopped by the loss on the validation set."""

    def __init__(
        self, network: Network, names: list[str], features: Mapping[str, int], lesson: Lesson
    ) -> None:
        self._network, self._features, self._lesson = network, features, lesson
        self._number = {name: number for number, name in enumerate(names)}
        self._examples = self._tagged(lesson.examples)
        self._validation = self._tagged(lesson.validation) or self._examples
        self._n_steps = lesson.parameters.epochs * -(-len(self._examples) // BATCH_SENTENCES)
        rest = [weight for name, weight in network.named_parameters() if not name.startswith("features.")]
        # Few of the features are in a batch.
        self._optimizers: tuple[torch.optim.Optimizer, ...] = (
            torch.optim.SparseAdam(network.features.parameters(), lr=LEARNING_RATE),
            torch.optim.Adam(rest, lr=LEARNING_RATE),
        )
        self._rest = rest
        self._random = np.random.default_rng(lesson.parameters.seed)

    def run(self) -> None:
        lesson = self._lesson
        course = Course(self._network, self._optimizers, self._random, lesson.device, lesson.checkpoint)
        course.restore()
        while course.epoch < lesson.parameters.epochs:
            self._epoch(course)
            course.epoch += 1
            loss = self._validated(course)
            course.note = f", validation loss {loss:.3f}"
            is_better = course.judge(loss)
            if not is_better and course.epoch - course.best_epoch >= PATIENCE:
                course.epoch = lesson.parameters.epochs  # a training that resumes from here ends, too
            course.save()
        self._network.load_state_dict(course.best_state)

    def _epoch(self, course: Course) -> None:
        self._network.train()
        lengths = np.array([len(each.units) for each, _ in self._examples], np.int64)
        for chosen in shuffled(lengths, BATCH_SENTENCES, self._random, 8):
            for group in (group for one in self._optimizers for group in one.param_groups):
                group["lr"] = LEARNING_RATE * max(0.05, 1 - course.steps / self._n_steps)
            loss = self._loss([self._examples[place] for place in chosen.tolist()])
            self._network.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(self._rest, LARGEST_GRADIENT)
            for optimizer in self._optimizers:
                optimizer.step()
            course.steps += 1
            note = f"epoch {course.epoch + 1}, loss {float(loss.detach()):.3f}{course.note}"
            self._lesson.progress(course.steps, self._n_steps, note)

    def _validated(self, course: Course) -> float:
        self._network.eval()
        lengths = np.array([len(each.units) for each, _ in self._validation], np.int64)
        total = 0.0
        with torch.inference_mode():
            for chosen in by_length(lengths, BATCH_UNITS):
                batch = [self._validation[place] for place in chosen.tolist()]
                total += float(self._loss(batch)) * len(batch)
                self._lesson.progress(course.steps, self._n_steps, "validating")
        return total / max(len(lengths), 1)

    def _loss(self, batch: list[tuple[Sentence, list[int]]]) -> Tensor:
        scores, mask = self._network([sentence for sentence, _ in batch])
        right = torch.zeros(mask.shape, dtype=torch.int64)
        for place, (_, numbers) in enumerate(batch):
            right[place, : len(numbers)] = torch.tensor(numbers)
        return self._network.chain.loss(scores, right.to(mask.device), mask)

    def _tagged(self, examples: Sequence[Example]) -> list[tuple[Sentence, list[int]]]:
        found = []
        for example in examples:
            self._lesson.progress(0, 1, "reading the documents")
            for start, units, features in read(example.text, self._lesson.known):
                named = tags(units, inside(example.entities, start, start + units[-1][1]))
                sentence = _numbered(start, units, features, self._features)
                found.append((sentence, [self._number[name] for name in named]))
        return found


def read(text: str, known: Known) -> Iterator[tuple[int, list[Unit], list[list[str]]]]:
    """The start of each sentence of a text, its units with offsets from there, and their features."""
    for start, end in heartbeat.beating(sentences_of(text)):
        sentence = text[start:end]
        if units := units_of(sentence):
            described = features_of(sentence, units, known)
            forms = [sentence[first:last] for first, last in units]
            yield start, units, [_taken(form, each) for form, each in zip(forms, described, strict=True)]


def _taken(form: str, features: Sequence[str]) -> list[str]:
    letters = unicodedata.normalize("NFD", form.lower())[:8]
    return [
        *(each for each in features if _is_taken(each.partition("=")[0])),
        *(f"letter{place}={letter}" for place, letter in enumerate(letters)),
    ]


def _numbered(
    start: int, units: list[Unit], described: Sequence[Sequence[str]], numbers: Mapping[str, int]
) -> Sentence:
    known = [[numbers[each] for each in features if each in numbers] or [0] for features in described]
    return Sentence(start, units, known)


def _is_taken(name: str) -> bool:
    return name in TAKEN or (name[:1] == "c" and name[1:].isdigit())


def _moved(one: Found, by: int) -> Found:
    entity = one.entity
    return Found(Entity(entity.start + by, entity.end + by, entity.label), one.score)
