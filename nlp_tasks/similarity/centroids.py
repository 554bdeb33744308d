"""Centroids of unit vectors, and which of them is nearest, in whole numbers: the same bits on every machine.

Vectors are rounded to whole numbers with a length of about LENGTH. Products of two, and every sum on the way to them,
are then whole numbers below 2^24, which float32 holds exactly. So they depend neither on the order of summation nor on
blocks, threads or the device, and neither do the centroids (k-means by Lloyd's algorithm).
"""

from __future__ import annotations

from collections.abc import Callable

import torch

#: The length of a vector in whole numbers. (LENGTH + half the root of the dimensions)^2 is below 2^24.
LENGTH = 4000.0
#: Rounds of Lloyd's algorithm.
ROUNDS = 10
#: Vectors that are compared with all centroids at a time.
TOGETHER = 4096
#: More than there are centroids: a product and the number of a centroid are one number in float64.
MOST = 2**20


def whole(units: torch.Tensor) -> torch.Tensor:
    """Unit vectors in whole numbers  # (B, D)."""
    return (units * LENGTH).round_()


def trained(sample: torch.Tensor, n: int, beat: Callable[[], None]) -> torch.Tensor:
    """n centroids of a sample in whole numbers, at most as many as it has  # (S, D) -> (n, D)."""
    first = torch.linspace(0, len(sample) - 1, min(n, len(sample)), dtype=torch.float64).long()
    centroids = sample[first.to(sample.device)]
    for _ in range(ROUNDS):
        lists = torch.cat([nearest(some, centroids, beat) for some in torch.split(sample, TOGETHER)])
        sums = torch.zeros(centroids.shape, dtype=torch.float64, device=sample.device)
        for some, those in zip(torch.split(sample, TOGETHER), torch.split(lists, TOGETHER), strict=True):
            sums.index_add_(0, those, some.double())
            beat()
        lengths = sums.norm(dim=1, keepdim=True)
        moved = whole(sums / lengths.clamp_min(1.0)).float()
        centroids = torch.where(lengths > 0, moved, centroids)  # one without vectors stays
    return centroids


def nearest(vectors: torch.Tensor, centroids: torch.Tensor, beat: Callable[[], None]) -> torch.Tensor:
    """The number of the nearest centroid of each vector, the first of several  # (B, D), (C, D) -> (B,)."""
    beat()
    return (vectors @ centroids.T).max(dim=1).indices


def ranked(vectors: torch.Tensor, centroids: torch.Tensor, n: int) -> torch.Tensor:
    """The n nearest centroids of each vector, nearest first, and of several the first  # (B, D), (C, D) -> (B, n)."""
    numbers = torch.arange(MOST - 1, MOST - 1 - len(centroids), -1, device=vectors.device)
    keys = (vectors @ centroids.T).double().mul_(MOST).add_(numbers)
    best = keys.topk(n, dim=1).values
    return MOST - 1 - torch.remainder(best, MOST).long()
