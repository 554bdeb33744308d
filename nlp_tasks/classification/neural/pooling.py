"""Many vectors into one: how encoders turn the words of a window into the window's vector."""

from __future__ import annotations

import torch
from torch import Tensor


def maximum_and_mean(states: Tensor, mask: Tensor) -> Tensor:
    """The largest and the average value of each feature over the words: (B, S, D), (B, S) -> (B, 2D)."""
    return torch.cat([maximum(states, mask), mean(states, mask)], dim=1)


def maximum(states: Tensor, mask: Tensor) -> Tensor:
    """The largest value of each feature over the words: (B, S, D), (B, S) -> (B, D)."""
    return states.masked_fill(~mask[:, :, None], torch.finfo(states.dtype).min).amax(dim=1)


def mean(states: Tensor, mask: Tensor) -> Tensor:
    """The average of each feature over the words: (B, S, D), (B, S) -> (B, D)."""
    kept = states * mask[:, :, None]
    return kept.sum(dim=1) / mask.sum(dim=1, keepdim=True)
