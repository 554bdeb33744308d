"""The network around an encoder: word embeddings, an encoder for windows, and a linear layer for the labels.

A document is read in windows of words; the vector of the document is the mean of the window vectors, weighted by
length. Knows nothing of training or of what the encoder does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nlp_tasks.classification.neural.word_ngrams import NOTHING, WordNgrams

#: Words in a window; windows do not overlap.
WINDOW_WORDS = 256
#: The width of word vectors and of the encoders' layers.
WIDTH = 128
#: Share of the n-grams that are dropped in training.
DROPPED_IDS = 0.2


class Encoder(nn.Module):
    """Encodes windows (B, S, WIDTH) with a mask (B, S), True for words, as vectors (B, out_width)."""

    out_width: int = WIDTH


#: Makes an untrained encoder.
MakeEncoder: TypeAlias = Callable[[], Encoder]


@dataclass(frozen=True)
class Batch:
    """Windows of some documents, as tensors on one device."""

    ids: Tensor  # (nnz,) n-grams of all words, window after window
    word_starts: Tensor  # (W,) into ids
    lengths: Tensor  # (B,) words of each window
    owner: Tensor  # (B,) which document of the batch a window belongs to
    n_documents: int


class Network(nn.Module):
    """Logits (N, K) of a batch."""

    def __init__(self, n_ids: int, n_labels: int, make_encoder: MakeEncoder, dropout: float = 0.3) -> None:
        super().__init__()
        self.words = nn.EmbeddingBag(n_ids + 1, WIDTH, mode="mean", sparse=True, padding_idx=NOTHING)
        nn.init.normal_(self.words.weight, std=0.1)
        encoder = make_encoder()
        self.encoder: nn.Module = encoder
        self.dropout = nn.Dropout(dropout)
        self.labels = nn.Linear(encoder.out_width, n_labels)

    def forward(self, batch: Batch) -> Tensor:
        return self.decide(self.pool(batch))

    def pool(self, batch: Batch) -> Tensor:
        """For each document, the sum of its window vectors times their lengths, and the total length (N, H + 1)."""
        return self.pool_words(self.words(self._thinned(batch.ids), batch.word_starts), batch)

    def pool_words(self, vectors: Tensor, batch: Batch) -> Tensor:
        """The same, from the vectors of the words (W, D)."""
        windows, mask = _padded(self.dropout(vectors), batch.lengths)  # (B, S, D), (B, S)
        encoded = self.encoder(windows, mask).float()  # (B, H)
        weighted = torch.cat([encoded, encoded.new_ones(len(encoded), 1)], dim=1) * batch.lengths[:, None]
        sums = weighted.new_zeros(batch.n_documents, weighted.shape[1])
        return sums.index_add(0, batch.owner, weighted)  # (N, H + 1)

    def _thinned(self, ids: Tensor) -> Tensor:
        """In training, a random part of the n-grams is replaced by NOTHING, so that no word depends on a single one."""
        if not self.training:
            return ids
        return ids.masked_fill(torch.rand(ids.shape, device=ids.device) < DROPPED_IDS, NOTHING)

    def decide(self, pooled: Tensor) -> Tensor:
        """Logits (N, K) of the sums that `pool` returns; sums of parts of a document may be added up first."""
        means = pooled[:, :-1] / pooled[:, -1:].clamp_min(1)
        logits: Tensor = self.labels(self.dropout(means))
        return logits


def windows(units: WordNgrams, documents: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """All windows of the documents: bounds (B, 2), the first word and the one after the last; and the document of
    each (B,)."""
    found, owner = [], []
    for place, document in enumerate(documents.tolist()):
        start, end = int(units.text_starts[document]), int(units.text_starts[document + 1])
        cuts = range(start, end, WINDOW_WORDS)
        found += [(cut, min(cut + WINDOW_WORDS, end)) for cut in cuts]
        owner += [place] * len(cuts)
    return np.array(found, np.int64).reshape(-1, 2), np.array(owner, np.int64)


def batch(
    units: WordNgrams, bounds: NDArray[np.int64], owner: NDArray[np.int64], n_documents: int, device: str
) -> Batch:
    """The tensors of some windows, from their bounds (B, 2) and the document of each (B,), out of `n_documents`."""
    lengths = bounds[:, 1] - bounds[:, 0]
    words = _ranges(bounds[:, 0], lengths)
    n_ids = units.word_starts[words + 1] - units.word_starts[words]
    ids = units.ids[_ranges(units.word_starts[words], n_ids)]
    return Batch(
        ids=torch.from_numpy(ids).to(device),
        word_starts=torch.from_numpy(np.cumsum(n_ids) - n_ids).to(device),
        lengths=torch.from_numpy(lengths).to(device),
        owner=torch.from_numpy(owner).to(device),
        n_documents=n_documents,
    )


def _padded(vectors: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
    """Vectors (W, D) of concatenated windows as (B, S, D), padded with zeros; and the mask (B, S)."""
    mask = torch.arange(int(lengths.max()), device=lengths.device) < lengths[:, None]  # (B, S)
    padded = vectors.new_zeros(*mask.shape, vectors.shape[1])
    padded[mask] = vectors
    return padded, mask


def _ranges(starts: NDArray[np.int64], lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """The concatenated ranges start, start + 1, ... of all pairs."""
    ends = np.cumsum(lengths)
    total = int(ends[-1]) if len(ends) else 0
    ranges: NDArray[np.int64] = np.arange(total) + np.repeat(starts - (ends - lengths), lengths)
    return ranges
