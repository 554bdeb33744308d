"""Pooling: the vectors of the words of a window to one vector."""

from __future__ import annotations

import torch
from torch import Tensor


def maximum_and_mean(states: Tensor, mask: Tensor) -> Tensor:
    """The maximum and the mean of each feature over the words: (B, S, D), (B, S) -> (B, 2D)."""
    return torch.cat([maximum(states, mask), mean(states, mask)], dim=1)


def maximum(states: Tensor, mask: Tensor) -> Tensor:
    """The maximum of each feature over the words: (B, S, D), (B, S) -> (B, D)."""
    return states.masked_fill(~mask[:, :, None], torch.finfo(states.dtype).min).amax(dim=1)


def mean(states: Tensor, mask: Tensor) -> Tensor:
    """The mean of each feature over the words: (B, S, D), (B, S) -> (B, D)."""
    kept = states * mask[:, :, None]
    return kept.sum(dim=1) / mask.sum(dim=1, keepdim=True)
