"""Documents as counts of the words that a model knows; and blocks of documents of similar size."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, repeat

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class WordCounts:
    """The counts of known words in B documents, row by row."""

    numbers: NDArray[np.int64]  # (P,) word numbers, ascending within a document
    counts: NDArray[np.int64]  # (P,)
    #: Document i has the pairs starts[i]:starts[i + 1].
    starts: NDArray[np.int64]  # (B + 1,)

    def padded(
        self, rows: NDArray[np.int64], weights: NDArray[np.float64], pad: int
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Word numbers and weights of some documents, padded by `pad` with weight 0  # (R, W), (R, W)."""
        lengths = self.starts[rows + 1] - self.starts[rows]
        used = np.arange(lengths.max())[None] < lengths[:, None]  # (R, W)
        pairs = np.concatenate([np.arange(self.starts[row], self.starts[row + 1]) for row in rows])
        numbers = np.full(used.shape, pad, dtype=np.int64)
        values = np.zeros(used.shape)
        numbers[used], values[used] = self.numbers[pairs], weights[pairs]
        return numbers, values


def count(documents: Sequence[Sequence[str]], vocabulary: dict[str, int]) -> WordCounts:
    """Count the known words of some documents. Every step except the look-up is vectorised."""
    n, size = len(documents), len(vocabulary) + 1
    lengths = np.fromiter(map(len, documents), dtype=np.int64, count=n)
    found = map(vocabulary.get, chain.from_iterable(documents), repeat(size - 1))  # the last column: unknown
    cells = np.fromiter(found, dtype=np.int64, count=int(lengths.sum()))
    cells += np.repeat(np.arange(n) * size, lengths)
    cells, counts = np.unique(cells, return_counts=True)
    known = cells % size != size - 1
    cells, counts = cells[known], counts[known]
    return WordCounts(cells % size, counts, np.searchsorted(cells, np.arange(n + 1) * size))


def blocks(
    sizes: NDArray[np.int64], classes: NDArray[np.int64], budget: int
) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """(class, rows) of blocks of one class and of similar size. The number of rows times the largest size is at most
    `budget`."""
    order = np.lexsort((sizes, classes))
    start = 0
    while start < len(order):
        stop = start + 1
        while (
            stop < len(order)
            and classes[order[stop]] == classes[order[start]]
            and sizes[order[stop]] * (stop + 1 - start) <= budget
        ):
            stop += 1
        yield int(classes[order[start]]), order[start:stop]
        start = stop
