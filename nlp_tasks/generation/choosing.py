"""Choosing the next token of each row: the best one, or a random draw."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

#: Below this temperature scores would become infinite; the most probable token is certain long before.
_COLDEST = 1e-30


@dataclass(frozen=True, slots=True)
class Sampling:
    """How tokens are drawn."""

    #: 0 takes the most probable token.
    temperature: float = 0.0
    #: Draw only from the k most probable tokens; 0 for all.
    top_k: int = 0
    #: Draw only from the most probable tokens whose probabilities sum to this.
    top_p: float = 1.0

    @property
    def is_greedy(self) -> bool:
        return self.temperature == 0 or self.top_k == 1


def seed_of(key: str, seed: int) -> int:
    """The seed of one document, which depends on nothing but its key and the seed that was asked for."""
    digest = hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=8, salt=seed.to_bytes(16))
    return int.from_bytes(digest.digest())


def choose(scores: Tensor, how: Sampling, randoms: Sequence[np.random.Generator]) -> list[int]:
    """One token for each row of the scores (n, V), of which one at least is above -inf. Each row draws one number of
    its own generator, so that its tokens do not depend on other rows."""
    if how.is_greedy:
        return scores.argmax(dim=1).tolist()
    scores = scores.float() / max(how.temperature, _COLDEST)
    k = min(how.top_k or scores.shape[1], scores.shape[1])
    if k < scores.shape[1] or how.top_p < 1:
        best, ids = scores.topk(k, dim=1)
    else:
        best, ids = scores, None
    chances = torch.softmax(best.double(), dim=1)
    if how.top_p < 1:
        before = chances.cumsum(1) - chances
        chances = chances.masked_fill(before >= how.top_p, 0.0)
    sums = chances.cumsum(1)
    drawn = torch.tensor([random.random() for random in randoms], dtype=torch.float64, device=scores.device)
    places = torch.searchsorted(sums, (drawn * sums[:, -1])[:, None], right=True)
    # Rounding must not lead behind the last token that has a chance.
    last = (chances > 0).long().cumsum(1).argmax(1, keepdim=True)
    places = torch.minimum(places, last)
    return (places if ids is None else ids.gather(1, places))[:, 0].tolist()
