"""What a search by an index has found of the nearest documents, measured for a sample beside an exact search."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from nlp_tasks.similarity import NeighbourRecallRow, SimilarityParameters
from nlp_tasks.similarity.exact_search import Index
from nlp_tasks.similarity.increments import Near, lowest_score
from nlp_tasks.similarity.inverted_lists import InvertedIndex


def measured(
    index: Index | None,
    rows: Sequence[int],
    lists: Sequence[Near],
    parameters: SimilarityParameters,
    beat: Callable[[], None],
) -> dict[int, NeighbourRecallRow]:
    """By row, for those of these rows that are in the sample of the index; nothing of an exact search."""
    if not isinstance(index, InvertedIndex):
        return {}
    some = [(row, found) for row, (found, _) in zip(rows, lists, strict=True) if row in index.measured]
    nearest = index.exact_neighbours(np.array([row for row, _ in some], np.int64), parameters.k, beat)
    return {
        row: _recall(index, found, exact[scores >= lowest_score(parameters)])
        for (row, found), (exact, scores) in zip(some, nearest, strict=True)
    }


def _recall(index: InvertedIndex, found: NDArray[np.int64], nearest: NDArray[np.int64]) -> NeighbourRecallRow:
    return NeighbourRecallRow(
        len(nearest), len(np.intersect1d(found, nearest)), index.n_lists, index.n_probed
    )
