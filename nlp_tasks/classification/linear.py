"""`linear`: hashed word and character n-grams, tf-idf, multinomial logistic regression. The default.

Nothing in it looks at one word at a time in Python, so it labels short texts by the ten thousand a second
on one core. Long texts need no windows: an n-gram counts wherever it stands.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from nlp_tasks.classification import TrainParameters, features
from nlp_tasks.classification.architecture import Examples, Fitted, State
from nlp_tasks.classification.features import Rows, Vocabulary
from nlp_tasks.classification.metrics import log_loss, softmax
from nlp_tasks.classification.ngrams import NgramConfig, concatenate
from nlp_tasks.classification.solver import Problem, Weights
from nlp_tasks.kind import Progress

#: C is chosen among these by the log loss of the tune examples: weak data wants strong regularisation.
STRENGTHS = (1.0, 3.0, 10.0)
#: L-BFGS steps for each.
STEPS = 50
#: Buckets seen in fewer documents are no features once there are so many documents.
RARE, MANY_DOCUMENTS = 2, 20_000


@dataclass
class LinearClassifier:
    """The vocabulary and one weight per feature and label."""

    vocabulary: Vocabulary
    weights: Weights
    device: str = "cpu"
    batch_documents: int = 4096
    batch_chars: int = 1_000_000

    def __post_init__(self) -> None:
        self._matrix = torch.from_numpy(self.weights.matrix).to(self.device)

    def logits(self, texts: Sequence[str], beat: Callable[[], None]) -> NDArray[np.float32]:
        """Scores (N, K)."""
        counts = features.count(texts, self.vocabulary.config, beat)
        return self.scores(features.weigh(counts, self.vocabulary))

    def scores(self, rows: Rows) -> NDArray[np.float32]:
        """Scores (N, K) of weighted rows."""
        columns = torch.from_numpy(rows.columns).to(self.device)
        starts = torch.from_numpy(rows.starts[:-1].astype(np.int32)).to(self.device)
        values = torch.from_numpy(rows.values).to(self.device)
        summed = torch.nn.functional.embedding_bag(
            columns, self._matrix, starts, mode="sum", per_sample_weights=values
        )
        scores: NDArray[np.float32] = summed.cpu().numpy() + self.weights.bias
        return scores

    def state(self) -> State:
        """The n-gram settings; buckets, idf, weights and bias."""
        tensors = {"buckets": self.vocabulary.buckets, "idf": self.vocabulary.idf}
        tensors |= {"matrix": self.weights.matrix, "bias": self.weights.bias}
        return asdict(self.vocabulary.config), tensors


def load(config: dict[str, Any], tensors: dict[str, NDArray[Any]], device: str) -> LinearClassifier:
    """The classifier that `state` described."""
    ngram_config = NgramConfig(**{name: _tuple(value) for name, value in config.items()})
    vocabulary = Vocabulary.of(ngram_config, tensors["buckets"], tensors["idf"])
    return LinearClassifier(vocabulary, Weights(tensors["matrix"], tensors["bias"]), device)


def fit(examples: Examples, parameters: TrainParameters, device: str, progress: Progress) -> Fitted:
    """Choose C by the tune examples, then fit on all examples with it."""
    config = NgramConfig()
    steps = parameters.epochs or STEPS
    watch = _Watch(progress, (len(STRENGTHS) + 1) * steps)
    counts = features.count(examples.texts, config, watch.counting)
    tune_counts = features.count(examples.tune_texts, config, watch.counting)
    min_documents = RARE if len(counts) >= MANY_DOCUMENTS else 1

    vocabulary = features.learn(counts, config, min_documents)
    problem = Problem(features.weigh(counts, vocabulary), examples.labels, examples.class_weights, device)
    tune_rows = features.weigh(tune_counts, vocabulary)
    best: tuple[float, float, NDArray[np.float32]] | None = None
    for strength in STRENGTHS:
        weights = problem.fit(strength, steps, watch.fitting(strength))
        tune_logits = LinearClassifier(vocabulary, weights, device).scores(tune_rows)
        loss = log_loss(examples.tune_labels, softmax(tune_logits))
        if best is None or loss < best[0]:
            best = (loss, strength, tune_logits)
    assert best is not None

    both = concatenate([counts, tune_counts])
    labels = np.concatenate([examples.labels, examples.tune_labels])
    vocabulary = features.learn(both, config, min_documents)
    problem = Problem(features.weigh(both, vocabulary), labels, examples.class_weights, device)
    weights = problem.fit(best[1], steps, watch.fitting(best[1]))
    return Fitted(LinearClassifier(vocabulary, weights, device), best[2])


class _Watch:
    """Turns the solver's signs of life into progress."""

    def __init__(self, progress: Progress, total: int) -> None:
        self.progress, self.total, self.done = progress, total, 0

    def counting(self) -> None:
        self.progress(self.done, self.total, "counting n-grams")

    def fitting(self, strength: float) -> Callable[[float], None]:
        def beat(loss: float) -> None:
            self.done = min(self.done + 1, self.total)
            self.progress(self.done, self.total, f"C = {strength:g}, loss {loss:.4f}")

        return beat


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
