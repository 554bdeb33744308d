"""The network around every neural architecture: words to vectors, an encoder for windows, a layer of labels.

A document of any length is read in windows of words; the windows' vectors are averaged by length into the
document's. Knows nothing of training or of what the encoder does.
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

#: Words read together; the next window goes on where this one ends.
WINDOW_WORDS = 256
#: The width of a word's vector and of what the shipped encoders give.
WIDTH = 128
#: Share of the n-grams that training leaves out.
DROPPED_IDS = 0.2


class Encoder(nn.Module):
    """Reads windows (B, S, WIDTH) with a mask (B, S), True where a word is, into vectors (B, out_width)."""

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
        self.encoder = make_encoder()
        self.dropout = nn.Dropout(dropout)
        self.labels = nn.Linear(self.encoder.out_width, n_labels)

    def forward(self, batch: Batch) -> Tensor:
        return self.decide(self.pool(batch))

    def pool(self, batch: Batch) -> Tensor:
        """Sums of the window vectors of each document, each times its words (N, H), with the words last."""
        return self.pool_words(self.words(self._thinned(batch.ids), batch.word_starts), batch)

    def pool_words(self, vectors: Tensor, batch: Batch) -> Tensor:
        """The same from the vectors of the words (W, D)."""
        windows, mask = _padded(self.dropout(vectors), batch.lengths)  # (B, S, D), (B, S)
        encoded = self.encoder(windows, mask).float()  # (B, H)
        weighted = torch.cat([encoded, encoded.new_ones(len(encoded), 1)], dim=1) * batch.lengths[:, None]
        sums = weighted.new_zeros(batch.n_documents, weighted.shape[1])
        return sums.index_add(0, batch.owner, weighted)  # (N, H + 1)

    def _thinned(self, ids: Tensor) -> Tensor:
        """In training some n-grams, chosen anew each time, are NOTHING: no word may rest on one of them."""
        if not self.training:
            return ids
        return ids.masked_fill(torch.rand(ids.shape, device=ids.device) < DROPPED_IDS, NOTHING)

    def decide(self, pooled: Tensor) -> Tensor:
        """Logits (N, K) of what `pool` gives; those of a document's parts may be summed first."""
        means = pooled[:, :-1] / pooled[:, -1:].clamp_min(1)
        logits: Tensor = self.labels(self.dropout(means))
        return logits


def windows(units: WordNgrams, documents: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """All windows of the documents: (B, 2) first word and the one after the last; (B,) whose they are."""
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
    """Tensors of some windows: (B, 2) word bounds and (B,) whose they are, out of `n_documents`."""
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
    """Vectors (W, D) of windows laid end to end, as (B, S, D) with zeros after each window's end."""
    mask = torch.arange(int(lengths.max()), device=lengths.device) < lengths[:, None]  # (B, S)
    padded = vectors.new_zeros(*mask.shape, vectors.shape[1])
    padded[mask] = vectors
    return padded, mask


def _ranges(starts: NDArray[np.int64], lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """start, start + 1, ... for each pair, end to end."""
    ends = np.cumsum(lengths)
    total = int(ends[-1]) if len(ends) else 0
    ranges: NDArray[np.int64] = np.arange(total) + np.repeat(starts - (ends - lengths), lengths)
    return ranges
