"""Batches of items of similar length, which waste little on padding. Knows lengths only."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray


def by_length(lengths: NDArray[np.int64], most: int) -> Iterator[NDArray[np.int64]]:
    """Indexes of all items, short ones first, in batches of at most `most` elements with padding. An item that is
    longer than that is a batch of its own."""
    order = np.argsort(lengths, kind="stable")
    start = 0
    for end in range(1, len(order) + 1):
        if end == len(order) or (end + 1 - start) * lengths[order[end]] > most:
            yield order[start:end]
            start = end


def shuffled(
    lengths: NDArray[np.int64], size: int, random: np.random.Generator, sorted_together: int
) -> Iterator[NDArray[np.int64]]:
    """Indexes of all items once, in batches of `size`, both drawn at random. Items of similar length are put into one
    batch: those of `sorted_together` batches are sorted by length before they are divided."""
    order = random.permutation(len(lengths))
    near = size * sorted_together
    parts = np.split(order, range(near, len(order), near))
    order = np.concatenate([part[np.argsort(lengths[part], kind="stable")] for part in parts])
    batches = np.split(order, range(size, len(order), size))
    for place in random.permutation(len(batches)):
        yield batches[place]
