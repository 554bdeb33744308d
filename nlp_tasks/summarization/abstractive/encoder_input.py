"""The input of the encoder: token ids, the position of each token, and its frequency in the document."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nlp_tasks.summarization.abstractive.subwords import PAD, Subwords

#: The network reads this many tokens from the beginning of a document ...
SOURCE_TOKENS = 256
#: ... and the frequencies of tokens are counted in this many characters.
COUNTED_CHARS = 10_000
#: Positions and frequencies are bucketed by powers of two, into this many buckets.
N_BUCKETS = 10


@dataclass(frozen=True, slots=True)
class Source:
    """One document: S tokens."""

    ids: NDArray[np.int64]  # (S,)
    places: NDArray[np.int64]  # (S,) bucket of the token's place, from 0
    counts: NDArray[np.int64]  # (S,) bucket of how often the document has the token, from 0

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True)
class Sources:
    """A batch of B documents, padded to the longest."""

    ids: Tensor  # (B, S)
    places: Tensor  # (B, S)
    counts: Tensor  # (B, S)
    mask: Tensor  # (B, S) True where a token is


def read(text: str, subwords: Subwords) -> Source:
    """The input for a text, which must not be blank."""
    said = subwords.encode(text.lstrip()[:COUNTED_CHARS])
    often = Counter(said)
    ids = np.array(said[:SOURCE_TOKENS], np.int64)
    counts = np.array([often[id_] for id_ in ids.tolist()], np.int64)
    return Source(ids, _bucket(np.arange(1, len(ids) + 1)), _bucket(counts))


def batch(sources: Sequence[Source], device: str) -> Sources:
    """Sources as padded tensors."""
    longest = max(map(len, sources))
    ids, places, counts = (np.full((len(sources), longest), PAD, np.int64) for _ in range(3))
    for row, source in enumerate(sources):
        ids[row, : len(source)] = source.ids
        places[row, : len(source)] = source.places
        counts[row, : len(source)] = source.counts
    lengths = torch.tensor([len(source) for source in sources])
    mask = torch.arange(longest) < lengths[:, None]
    tensors = (torch.from_numpy(ids), torch.from_numpy(places), torch.from_numpy(counts), mask)
    return Sources(*(tensor.to(device) for tensor in tensors))


def _bucket(numbers: NDArray[np.int64]) -> NDArray[np.int64]:
    """1 -> 0, 2-3 -> 1, 4-7 -> 2, ..."""
    return np.minimum(np.log2(numbers).astype(np.int64), N_BUCKETS - 1)
