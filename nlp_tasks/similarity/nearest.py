"""Exact nearest neighbours by cosine, in tiles, on any torch device.

Beside the vectors, memory is bounded by the tile, whatever their number. Knows vectors and rows only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

#: Queries and vectors that meet in one matrix product: 256 x 8,192 scores are 8 MiB.
QUERY_ROWS = 256
TILE_ROWS = 8192
#: Scores of a tile whose maximum is looked at first. Divides TILE_ROWS.
GROUP = 32
#: Candidates beyond k, so that rounding in the matrix product can hardly cost a place.
SLACK = 7
#: More than rounding can move a cosine in float32.
ROUNDING = 1e-5


class Index:
    """Vectors ready to be searched. They are normalised; a zero vector stays zero (all its cosines are 0)."""

    def __init__(self, matrix: NDArray[np.float32], keys: Sequence[str], device: str = "cpu") -> None:
        #: Place in the order of keys -> row of `matrix`, and back.
        self._rows = np.array(sorted(range(len(keys)), key=keys.__getitem__), dtype=np.int64)
        self._places = np.empty_like(self._rows)
        self._places[self._rows] = np.arange(len(self._rows))
        ordered = torch.from_numpy(np.asarray(matrix[self._rows], dtype=np.float32)).to(device)
        self._vectors = torch.nn.functional.normalize(ordered, dim=1)  # (N, D)

    def __len__(self) -> int:
        return len(self._rows)

    def neighbours(
        self, rows: NDArray[np.int64], k: int, beat: Callable[[], None] = lambda: None
    ) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
        """For each of these rows: its k nearest other rows and the cosines, nearest first, equal ones by key.

        Fewer than k if there are no more. `beat` is called often.
        """
        k = min(k, len(self) - 1)
        for start in range(0, len(rows), QUERY_ROWS):
            places = torch.from_numpy(self._places[rows[start : start + QUERY_ROWS]])
            found, scores = self._search(places.to(self._vectors.device), k, k + 1 + SLACK, beat)
            for one_found, one_scores in zip(found.cpu().numpy(), scores.cpu().numpy(), strict=True):
                yield self._rows[one_found], one_scores

    def _search(
        self, queries: torch.Tensor, k: int, n_candidates: int, beat: Callable[[], None]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Places and cosines of the k nearest of these places  # (Q, k), (Q, k)."""
        n_candidates = min(n_candidates, len(self))
        rough, places = _candidates(self._vectors, self._vectors[queries], n_candidates, beat)
        found, scores = self._exact(queries, places, k)
        if n_candidates == len(self) or k == 0:
            return found, scores
        # A row whose last candidate comes this near to its k-th neighbour may have left out an equal one.
        unsure = torch.nonzero(rough[:, -1] >= scores[:, -1] - ROUNDING).flatten()
        if len(unsure):
            found[unsure], scores[unsure] = self._search(queries[unsure], k, 8 * n_candidates, beat)
        return found, scores

    def _exact(
        self, queries: torch.Tensor, places: torch.Tensor, k: int
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """The best k of the candidate places, by cosines that do not depend on where a vector stands in a tile."""
        places = places.sort(dim=1).values  # so that a stable sort by score keeps ties in the order of keys
        vectors = self._vectors[places].double()  # (Q, C, D)
        scores = (vectors * self._vectors[queries][:, None]).sum(dim=2).float()  # (Q, C)
        scores.masked_fill_(places == queries[:, None], -torch.inf)  # a document is not its own neighbour
        scores, order = scores.sort(dim=1, descending=True, stable=True)
        return places.gather(1, order)[:, :k], scores[:, :k].clamp(-1, 1)


def _candidates(
    vectors: torch.Tensor, queries: torch.Tensor, n: int, beat: Callable[[], None]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Scores and places of the n best products of each query, best first  # (Q, n), (Q, n)."""
    best = queries.new_full((len(queries), 0), 0.0)
    places = torch.empty((len(queries), 0), dtype=torch.int64, device=queries.device)
    for start in range(0, len(vectors), TILE_ROWS):
        tile_best, tile_places = _best_of_tile(queries @ vectors[start : start + TILE_ROWS].T, n)
        best = torch.cat([best, tile_best], dim=1)
        places = torch.cat([places, tile_places + start], dim=1)
        best, chosen = best.topk(min(n, best.shape[1]), dim=1)
        places = places.gather(1, chosen)
        beat()
    return best, places


def _best_of_tile(scores: torch.Tensor, n: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The n best of each row of scores (Q, T). Only the groups with the n best maxima can hold them."""
    n_rows, n_columns = scores.shape
    if n * GROUP * 2 >= n_columns or n_columns % GROUP:
        return scores.topk(min(n, n_columns), dim=1)
    n_groups = n_columns // GROUP
    groups = scores.view(n_rows, GROUP, n_groups).amax(dim=1).topk(n, dim=1, sorted=False).indices  # (Q, n)
    step = torch.arange(GROUP, device=scores.device) * n_groups
    columns = (groups[:, :, None] + step).flatten(1)  # (Q, n * GROUP)
    best, chosen = scores.gather(1, columns).topk(n, dim=1)
    return best, columns.gather(1, chosen)
