"""`bilstm-crf`: vectors of units, a bidirectional LSTM over a sentence, and a layer that decides on all its tags
together (Lample et al. 2016).

The vector of a unit is the sum of those of what it is made of and stands in: the syllable and its letters, the word
with its first and last letters, the morpheme with its part of speech, their clusters and names of a gazetteer. They
are learned from the marked texts. The same documents, parameters and seed give the same model on the same machine.
"""

from __future__ import annotations

import unicodedata
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nlp_tasks import heartbeat, model_files
from nlp_tasks.batching import by_length, shuffled
from nlp_tasks.classification.neural.training_state import Course
from nlp_tasks.entities.architecture import Example, Fitted, Found, Lesson
from nlp_tasks.entities.features import Known, features_of, known_to
from nlp_tasks.entities.spans import OUTSIDE, Entity, Unit, entities, inside, tags
from nlp_tasks.entities.tag_chain import TagChain, forbidden
from nlp_tasks.entities.units import sentences_of, units_of
from nlp_tasks.torch_device import seeded

#: Buckets of hashed features, and the widths of their vectors and of the LSTM (both directions together).
BUCKETS, WIDTH, HIDDEN = 1 << 16, 96, 192
DROPPED, DROPPED_FEATURES = 0.4, 0.2
BATCH_SENTENCES, LEARNING_RATE, LARGEST_GRADIENT = 32, 3e-3, 5.0
#: Epochs without a lower validation loss after which a training ends.
PATIENCE = 5
#: Units, with padding, that are tagged together.
BATCH_UNITS = 4_096
#: The features of the CRF that the network gets: it finds out about the surroundings by itself.
TAKEN = ("u0", "l0", "p3", "e3", "e2", "d", "w", "w-begin", "w-inside", "w-end", "w-goes-on", "w-first2", "w-first3",
         "w-last2", "w-before", "w-after", "m", "m-side", "t", "n", "g")  # fmt: skip


@dataclass(frozen=True)
class Sentence:
    """A sentence: where it starts in its text, its units, and the buckets of each unit's features."""

    start: int
    units: list[Unit]
    buckets: list[NDArray[np.int64]]


class Network(nn.Module):
    """Scores (B, S, K) of the tags of sentences."""

    def __init__(self, names: list[str]) -> None:
        super().__init__()
        self.features = nn.EmbeddingBag(BUCKETS + 1, WIDTH, mode="sum", sparse=True, padding_idx=0)
        nn.init.normal_(self.features.weight, std=0.1)
        self.around = nn.LSTM(WIDTH, HIDDEN // 2, bidirectional=True, batch_first=True)
        self.drop = nn.Dropout(DROPPED)
        self.tags = nn.Linear(HIDDEN, len(names))
        self.chain = TagChain(len(names), forbidden(names))

    def forward(self, sentences: Sequence[Sentence]) -> tuple[Tensor, Tensor]:
        """Scores (B, S, K), and the mask (B, S), True for units."""
        device = self.tags.weight.device
        lengths = torch.tensor([len(each.units) for each in sentences])
        bags = [bag for each in sentences for bag in each.buckets]
        starts = np.cumsum([0, *map(len, bags[:-1])])
        ids = torch.from_numpy(np.concatenate(bags)).to(device)
        if self.training:
            ids = ids.masked_fill(torch.rand(ids.shape, device=device) < DROPPED_FEATURES, 0)
        vectors = self.features(ids, torch.from_numpy(starts).to(device))
        mask = torch.arange(int(lengths.max()))[None] < lengths[:, None]
        padded = vectors.new_zeros(*mask.shape, WIDTH)
        padded[mask.to(device)] = self.drop(vectors)
        packed = nn.utils.rnn.pack_padded_sequence(padded, lengths, batch_first=True, enforce_sorted=False)
        states, _ = nn.utils.rnn.pad_packed_sequence(self.around(packed)[0], batch_first=True)
        return self.tags(self.drop(states)), mask.to(device)


class RecurrentTagger:
    """A trained network."""

    def __init__(self, network: Network, names: list[str], known: Known) -> None:
        self._network, self._names, self._known = network.eval(), names, known

    def find(self, texts: Sequence[str]) -> list[list[Found]]:
        """See architecture.Finder."""
        found: list[list[Found]] = [[] for _ in texts]
        pairs = [(place, each) for place, text in enumerate(texts) for each in read(text, self._known)]
        lengths = np.array([len(each.units) for _, each in pairs], np.int64)
        with torch.inference_mode():
            for chosen in heartbeat.beating(by_length(lengths, BATCH_UNITS)):
                some = [pairs[place] for place in chosen.tolist()]
                for (place, sentence), entities_ in zip(some, self._of([s for _, s in some]), strict=True):
                    found[place] += [_moved(one, sentence.start) for one in entities_]
        return [sorted(of_text, key=lambda one: one.entity.start) for of_text in found]

    def _of(self, sentences: list[Sentence]) -> Iterator[list[Found]]:
        scores, mask = self._network(sentences)
        tagged, sure = self._network.chain.decode(scores, mask)
        for sentence, numbers, values in zip(sentences, tagged.tolist(), sure.tolist(), strict=True):
            named = [self._names[number] for number in numbers[: len(sentence.units)]]
            yield [
                Found(entity, min(1.0, min(values[place] for place in places)))
                for entity, places in entities(sentence.units, named)
            ]


def fit(lesson: Lesson) -> Fitted:
    """See architecture.fit."""
    lesson.known.save(lesson.model_dir)
    names = [OUTSIDE, *(f"{part}-{label}" for label in lesson.labels for part in "BI")]
    with seeded(lesson.parameters.seed, lesson.device):
        network = Network(names).to(lesson.device)
        _Training(network, names, lesson).run()
    tensors: dict[str, NDArray[Any]] = {
        name: np.ascontiguousarray(weight.cpu().numpy()) for name, weight in network.state_dict().items()
    }
    return Fitted({"tags": names}, tensors)


def load(model_dir: Path, device: str) -> RecurrentTagger:
    """The model in a checked folder."""
    config, tensors = model_files.load(model_dir)
    network = Network(config["tags"])
    network.load_state_dict({name: torch.from_numpy(array) for name, array in tensors.items()})
    return RecurrentTagger(network.to(device), config["tags"], known_to(model_dir))


class _Training:
    """Adam, batches of sentences of similar length, stopped by the loss on the validation set."""

    def __init__(self, network: Network, names: list[str], lesson: Lesson) -> None:
        self._network, self._lesson = network, lesson
        self._number = {name: number for number, name in enumerate(names)}
        self._examples = self._tagged(lesson.examples)
        self._validation = self._tagged(lesson.validation) or self._examples
        self._n_steps = lesson.parameters.epochs * -(-len(self._examples) // BATCH_SENTENCES)
        rest = [weight for name, weight in network.named_parameters() if not name.startswith("features.")]
        # Few of the features are in a batch.
        self._optimizers = (
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
            for sentence in read(example.text, self._lesson.known):
                end = sentence.start + sentence.units[-1][1]
                named = tags(sentence.units, inside(example.entities, sentence.start, end))
                found.append((sentence, [self._number[name] for name in named]))
        return found


def read(text: str, known: Known) -> Iterator[Sentence]:
    """The sentences of a text, with offsets from the start of each."""
    for start, end in heartbeat.beating(sentences_of(text)):
        sentence = text[start:end]
        if units := units_of(sentence):
            described = features_of(sentence, units, known)
            forms = [sentence[first:last] for first, last in units]
            bags = [_buckets(form, features) for form, features in zip(forms, described, strict=True)]
            yield Sentence(start, units, bags)


def _buckets(form: str, features: Sequence[str]) -> NDArray[np.int64]:
    taken = [each for each in features if _is_taken(each.partition("=")[0])]
    letters = unicodedata.normalize("NFD", form.lower())
    taken += [f"letter{place}={letter}" for place, letter in enumerate(letters[:8])]
    numbers = [1 + zlib.crc32(each.encode("utf-8", "surrogatepass")) % BUCKETS for each in taken]
    return np.array(numbers, np.int64)


def _is_taken(name: str) -> bool:
    return name in TAKEN or (name[:1] == "c" and name[1:].isdigit())


def _moved(one: Found, by: int) -> Found:
    entity = one.entity
    return Found(Entity(entity.start + by, entity.end + by, entity.label), one.score)
