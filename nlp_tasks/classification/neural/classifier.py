"""Training and prediction of the neural architectures, the same for every encoder.

AdamW with a linear warm-up and decay, batches of documents of similar length, early stopping by the validation loss,
bfloat16 on a GPU. The same seed gives the same model on the same machine, even if the training was interrupted and
resumed from a checkpoint.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from nlp_tasks import heartbeat
from nlp_tasks.batching import by_length, shuffled
from nlp_tasks.classification.architecture import Examples, Fitted, State, Terms, Training
from nlp_tasks.classification.attribution import heaviest
from nlp_tasks.classification.neural import epochs, network, word_ngrams
from nlp_tasks.classification.neural.losses import measure_for
from nlp_tasks.classification.neural.network import Batch, MakeEncoder, Network
from nlp_tasks.classification.neural.training_state import Course
from nlp_tasks.classification.neural.word_ngrams import WordNgrams
from nlp_tasks.onnx_graphs.slot import Network as OnnxNetwork
from nlp_tasks.onnx_graphs.slot import Slot
from nlp_tasks.torch_device import computed, mixed_precision, seeded

#: The number of n-grams that have a vector, at most: the most frequent ones.
MOST_IDS = 150_000
#: Words in a batch when labelling, including padding.
BATCH_WORDS = 16_384
#: The default number of epochs is the number that reads about this many documents, within these limits.
DOCUMENTS_READ, FEWEST_EPOCHS, MOST_EPOCHS = 150_000, 4, 30
#: Stop when the validation loss has not improved for this many epochs.
PATIENCE = 3
#: Training reads at most this many windows of a document, drawn at random in each epoch. Labelling reads all.
TRAINED_WINDOWS = 4
#: Batches whose documents are sorted by length together.
SORTED_TOGETHER = 50
LEARNING_RATE, WARM_UP, SMOOTHING = 1e-3, 0.1, 0.05


@dataclass
class NeuralClassifier:
    """A trained network, and the buckets that have a row in its embedding."""

    network: Network
    buckets: NDArray[np.int64]
    device: str
    batch_documents: int = 1024
    batch_chars: int = 200_000
    decides = True

    def logits(self, texts: Sequence[str], beat: Callable[[], None]) -> NDArray[np.float32]:
        """Scores (N, K)."""
        return score(
            self.network, word_ngrams.index(word_ngrams.split(texts, beat), self.buckets), self.device, beat
        )

    def explain(
        self, texts: Sequence[str], labels: Sequence[int], most: int, beat: Callable[[], None]
    ) -> list[Terms]:
        """Gradient times input (Shrikumar et al. 2016): the vector of each word times the gradient of the score, summed
        over its occurrences."""
        found = []
        for text, label in zip(texts, labels, strict=True):
            words = word_ngrams.index(word_ngrams.split([text], beat), self.buckets)
            found.append(
                heaviest(zip(word_ngrams.spelled(text), self._pulls(words, label, beat), strict=True), most)
            )
        return found

    def _pulls(self, words: WordNgrams, label: int, beat: Callable[[], None]) -> list[float]:
        """What each word of a text adds to the score (W,), to first order."""
        weight = self.network.labels.weight.detach()
        direction = weight[label] - weight.mean(dim=0)  # (H,)
        bounds, owner = network.windows(words, np.arange(1))
        pulls = np.zeros(len(words.word_starts) - 1)
        self.network.eval()
        for chosen in by_length(bounds[:, 1] - bounds[:, 0], BATCH_WORDS):
            part = network.batch(words, bounds[chosen], owner[chosen], 1, self.device)
            vectors = self.network.words(part.ids, part.word_starts).detach().requires_grad_()
            # cuDNN can differentiate recurrent networks in training mode only.
            with torch.enable_grad(), torch.backends.cudnn.flags(enabled=False):
                sums = self.network.pool_words(vectors, part)[0, :-1]
                (gradient,) = torch.autograd.grad(sums @ direction / max(1, len(pulls)), vectors)
            places = np.concatenate([np.arange(first, end) for first, end in bounds[chosen]])
            pulls[places] = (gradient * vectors).sum(dim=1).detach().cpu().numpy()
            beat()
        return [float(pull) for pull in pulls]

    def slots(self) -> list[Slot]:
        """The encoder of windows."""
        windows, words = torch.export.Dim("windows"), torch.export.Dim("words", max=network.WINDOW_WORDS)
        mask = torch.ones(2, 7, dtype=torch.bool)
        mask[1, 5:] = False
        inputs = {"windows": torch.zeros(2, 7, network.WIDTH), "mask": mask}
        axes = {name: {0: windows, 1: words} for name in inputs}

        def put(module: torch.nn.Module) -> None:
            self.network.encoder = module

        return [Slot("encoder", OnnxNetwork(self.network.encoder, inputs, axes, "encoded"), put)]

    def outputs(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Scores (N, K)."""
        return self.logits(texts, heartbeat.beat)

    def state(self) -> State:
        """The weights of the network by name, and the buckets."""
        tensors = {f"network.{name}": w.cpu().numpy() for name, w in self.network.state_dict().items()}
        return {"n_labels": self.network.labels.out_features}, tensors | {"buckets": self.buckets}


def load(
    make_encoder: MakeEncoder, config: dict[str, Any], tensors: dict[str, NDArray[Any]], device: str
) -> NeuralClassifier:
    """The classifier that `state` described."""
    buckets = tensors["buckets"]
    model = Network(len(buckets), config["n_labels"], make_encoder)
    weights = {name.removeprefix("network."): torch.from_numpy(array) for name, array in tensors.items()}
    model.load_state_dict({name: weight for name, weight in weights.items() if name != "buckets"})
    return NeuralClassifier(model.to(device).eval(), buckets, device)


def fit(make_encoder: MakeEncoder, examples: Examples, training: Training) -> Fitted:
    """Train until the validation loss stops improving, and keep the weights of the best epoch."""
    device = training.device

    def preparing() -> None:
        training.progress(0, 1, "splitting texts into words")

    words = word_ngrams.split(examples.texts, preparing)
    buckets = word_ngrams.learn(words, MOST_IDS)
    words = word_ngrams.index(words, buckets)
    validation = word_ngrams.index(word_ngrams.split(examples.validation_texts, preparing), buckets)
    with seeded(training.parameters.seed, device):
        model = Network(len(buckets), examples.n_labels, make_encoder).to(device)
        _train(model, words, validation, examples, training)
    validation_logits = score(model, validation, device, heartbeat.beat)
    return Fitted(NeuralClassifier(model, buckets, device), validation_logits)


def score(model: Network, words: WordNgrams, device: str, beat: Callable[[], None]) -> NDArray[np.float32]:
    """Logits (N, K) of indexed texts, in batches of windows of similar length."""
    model.eval()
    bounds, owner = network.windows(words, np.arange(len(words)))
    sums = torch.zeros(len(words), model.labels.in_features + 1, device=device)
    with torch.inference_mode():
        for chosen in by_length(bounds[:, 1] - bounds[:, 0], BATCH_WORDS):
            part = network.batch(words, bounds[chosen], owner[chosen], len(words), device)
            sums += computed(device, partial(model.pool, part))
            beat()
        logits: NDArray[np.float32] = model.decide(sums).float().cpu().numpy()
    return logits


def _train(
    model: Network, words: WordNgrams, validation: WordNgrams, examples: Examples, training: Training
) -> None:
    n, device = len(words), training.device
    n_epochs = training.parameters.epochs or int(np.clip(DOCUMENTS_READ // n, FEWEST_EPOCHS, MOST_EPOCHS))
    batch_documents = int(np.clip(n // 100, 16, 256))
    n_steps = n_epochs * -(-n // batch_documents)
    labels = torch.from_numpy(examples.labels).to(device)
    measure = measure_for(examples, device, SMOOTHING)
    random = np.random.default_rng(training.parameters.seed)
    steps = _Steps(model, n_steps)
    course = Course(model, steps.optimizers, random, device, training.checkpoint)

    def epoch() -> Iterator[float]:
        for documents, batch in _batches(words, batch_documents, random, device):
            with mixed_precision(device):
                logits = model(batch)
            loss = measure(logits.float(), labels[documents])
            steps.take(loss, course.steps)
            yield loss.item()

    def validation_logits(beat: Callable[[], None]) -> NDArray[np.float32]:
        return score(model, validation, device, beat)

    loop = epochs.Loop(n_epochs, n_steps, epoch, validation_logits, examples.validation_labels, PATIENCE)
    epochs.run(loop, course, training.progress)


class _Steps:
    """Two optimizers, one for the embedding's sparse gradients, with one schedule of learning rates."""

    def __init__(self, model: Network, total: int) -> None:
        dense = [weight for name, weight in model.named_parameters() if name != "words.weight"]
        self.optimizers: list[torch.optim.Optimizer] = [
            torch.optim.SparseAdam([model.words.weight], lr=LEARNING_RATE),
            torch.optim.AdamW(dense, lr=LEARNING_RATE, weight_decay=0.01),
        ]
        self.dense, self.total = dense, total

    def take(self, loss: torch.Tensor, done: int) -> None:
        """One step down the loss, after `done` others."""
        share = done / self.total
        factor = min((share + 1 / self.total) / WARM_UP, (1 - share) / (1 - WARM_UP))
        for optimizer in self.optimizers:
            optimizer.zero_grad()
            for group in optimizer.param_groups:
                group["lr"] = LEARNING_RATE * factor
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.dense, 1.0)
        for optimizer in self.optimizers:
            optimizer.step()


def _batches(
    words: WordNgrams, batch_documents: int, random: np.random.Generator, device: str
) -> Iterator[tuple[NDArray[np.int64], Batch]]:
    """All documents once, in random batches of documents of similar length."""
    for documents in shuffled(np.diff(words.text_starts), batch_documents, random, SORTED_TOGETHER):
        bounds, owner = network.windows(words, documents)
        kept = _sampled(owner, random)
        yield documents, network.batch(words, bounds[kept], owner[kept], len(documents), device)


def _sampled(owner: NDArray[np.int64], random: np.random.Generator) -> NDArray[np.int64]:
    """Indexes of at most TRAINED_WINDOWS windows of each document."""
    if len(owner) == len(np.unique(owner)):
        return np.arange(len(owner))
    mixed = random.permutation(len(owner))
    mixed = mixed[np.argsort(owner[mixed], kind="stable")]
    first = np.searchsorted(owner[mixed], owner[mixed])
    return np.sort(mixed[np.arange(len(mixed)) - first < TRAINED_WINDOWS])
