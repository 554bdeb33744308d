"""Linear models over n-gram features: weights, scores, and the classifier that `linear` and `naive_bayes` share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from nlp_tasks.classification.architecture import State, Terms
from nlp_tasks.classification.attribution import heaviest
from nlp_tasks.classification.linear import features, sparse, word_weights
from nlp_tasks.classification.linear.features import Rows, Vocabulary
from nlp_tasks.classification.linear.ngrams import NgramConfig


@dataclass(frozen=True)
class Weights:
    """Scores are rows @ matrix + bias."""

    matrix: torch.Tensor  # (F, K)
    bias: torch.Tensor  # (K,)

    def scores(self, rows: Rows) -> NDArray[np.float32]:
        """Scores (N, K) of weighted rows."""
        scores = np.empty((len(rows), len(self.bias)), np.float32)
        for block in features.blocks(rows.starts):
            scores[block] = self._scores(sparse.some(rows, block))
        return scores

    def _scores(self, rows: Rows) -> NDArray[np.float32]:
        device = self.matrix.device
        columns = torch.from_numpy(rows.columns).to(device)
        starts = torch.from_numpy(rows.starts[:-1].astype(np.int32)).to(device)
        values = torch.from_numpy(rows.values).to(device)
        summed = torch.nn.functional.embedding_bag(
            columns, self.matrix, starts, mode="sum", per_sample_weights=values
        )
        scores: NDArray[np.float32] = (summed + self.bias).cpu().numpy()
        return scores

    def mixed(self, other: Weights, own_share: float, other_share: float) -> Weights:
        """The model whose scores are the weighted sum of the scores of both models."""
        matrix = own_share * self.matrix + other_share * other.matrix
        return Weights(matrix, own_share * self.bias + other_share * other.bias)

    def shifted(self, offsets: NDArray[np.float32]) -> Weights:
        """The same model with an offset added to the score of each label (K,)."""
        return Weights(self.matrix, self.bias + torch.from_numpy(offsets).to(self.bias.device))


@dataclass
class LinearClassifier:
    """A vocabulary and one weight per feature and label."""

    vocabulary: Vocabulary
    weights: Weights
    batch_documents: int = 4096
    batch_chars: int = 1_000_000

    def logits(self, texts: Sequence[str], beat: Callable[[], None]) -> NDArray[np.float32]:
        """Scores (N, K)."""
        counts = features.count(texts, self.vocabulary.config, beat)
        return self.weights.scores(features.weigh(counts, self.vocabulary))

    def explain(
        self, texts: Sequence[str], labels: Sequence[int], most: int, beat: Callable[[], None]
    ) -> list[Terms]:
        """What each word adds to the score through its n-grams; exact, since the score is their sum."""
        found = []
        for text, label in zip(texts, labels, strict=True):
            beat()
            rows = features.weigh(features.count([text], self.vocabulary.config, beat), self.vocabulary)
            weights = self.weights.matrix[
                torch.from_numpy(rows.columns).to(self.weights.matrix.device)
            ]  # (nnz, K)
            added = (weights[:, label] - weights.mean(dim=1)).cpu().numpy().astype(np.float64) * rows.values
            buckets = self.vocabulary.buckets[rows.columns].astype(np.int64)
            found.append(heaviest(word_weights.of_words(text, self.vocabulary.config, buckets, added), most))
        return found

    def state(self) -> State:
        """The n-gram settings, and the buckets, idf, weights and bias."""
        tensors = {"buckets": self.vocabulary.buckets, "idf": self.vocabulary.idf}
        tensors["matrix"] = self.weights.matrix.cpu().numpy()
        tensors["bias"] = self.weights.bias.cpu().numpy()
        return asdict(self.vocabulary.config), tensors


def load(config: dict[str, Any], tensors: dict[str, NDArray[Any]], device: str) -> LinearClassifier:
    """The classifier that `state` described."""
    settings: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in config.items()
    }
    settings.pop("letters", None)  # an old setting, off in every model that has it
    vocabulary = Vocabulary.of(NgramConfig(**settings), tensors["buckets"], tensors["idf"])
    matrix, bias = (torch.from_numpy(tensors[name]).to(device) for name in ("matrix", "bias"))
    return LinearClassifier(vocabulary, Weights(matrix, bias))
