"""Exact nearest neighbours by cosine, in tiles, on any torch device.

Beside the vectors, memory is bounded by the tile, whatever their number. Knows vectors and rows only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

#: Queries that are searched together.
QUERY_ROWS = 256
#: Vectors that meet them in one matrix product: 256 x 1,024 scores are 1 MiB and stay in the cache.
TILE_ROWS = 1024
#: Scores of which only the largest is kept at first. Divides TILE_ROWS.
GROUP = 8
#: Vectors whose groups are held before the best are chosen: 256 x 16,384 maxima are 16 MiB.
SPAN_ROWS = 131_072
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
        self, queries: torch.Tensor, k: int, n: int, beat: Callable[[], None]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Places and cosines of the k nearest of these places, out of n candidates each  # (Q, k), (Q, k)."""
        n = min(n, len(self))
        bound, places = _candidates(self._vectors, self._vectors[queries], n, beat)
        found, scores = self._exact(queries, places, k)
        if n == len(self) or k == 0:
            return found, scores
        # A query whose k-th neighbour is not clearly above what was left out may have lost an equal one.
        unsure = torch.nonzero(bound >= scores[:, -1] - ROUNDING).flatten()
        if len(unsure):
            found[unsure], scores[unsure] = self._search(queries[unsure], k, 8 * n, beat)
        return found, scores

    def _exact(
        self, queries: torch.Tensor, places: torch.Tensor, k: int
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """The best k of the candidate places, by cosines that do not depend on where a vector stands in a tile."""
        places = places.sort(dim=1).values  # so that a stable sort by score keeps ties in the order of keys
        vectors = _rows(self._vectors, places).double()  # (Q, C, D)
        scores = (vectors * self._vectors[queries][:, None]).sum(dim=2).float()  # (Q, C)
        scores.masked_fill_(places == queries[:, None], -torch.inf)  # a document is not its own neighbour
        scores, order = scores.sort(dim=1, descending=True, stable=True)
        return places.gather(1, order)[:, :k], scores[:, :k].clamp(-1, 1)


def _candidates(
    vectors: torch.Tensor, queries: torch.Tensor, n: int, beat: Callable[[], None]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Places of n candidates of each query, and what no other vector's product exceeds  # (Q,), (Q, n)."""
    best = queries.new_full((len(queries), 0), 0.0)
    groups = torch.empty((len(queries), 0), dtype=torch.int64, device=queries.device)
    for start in range(0, len(vectors), SPAN_ROWS):
        maxima = _group_maxima(vectors[start : start + SPAN_ROWS], queries, beat)
        span_best, span_groups = maxima.topk(min(n, maxima.shape[1]), dim=1)
        best = torch.cat([best, span_best], dim=1)
        groups = torch.cat([groups, span_groups + start // GROUP], dim=1)
        best, chosen = best.topk(min(n, best.shape[1]), dim=1)
        groups = groups.gather(1, chosen)
    places = _members(groups).clamp_max(len(vectors) - 1)  # (Q, n * GROUP)
    scores = torch.bmm(queries[:, None], _rows(vectors, places).transpose(1, 2))[:, 0]
    scores.masked_fill_(_members(groups) >= len(vectors), -torch.inf)
    scores, chosen = scores.topk(n, dim=1)
    return torch.maximum(best[:, -1], scores[:, -1]), places.gather(1, chosen)


def _group_maxima(vectors: torch.Tensor, queries: torch.Tensor, beat: Callable[[], None]) -> torch.Tensor:
    """The largest product of each group of vectors  # (Q, N / GROUP). Groups are spread over a tile: `_members`."""
    # Written into the same memory again and again: fresh pages cost as much as the products.
    n_tiles = -(-len(vectors) // TILE_ROWS)
    maxima = queries.new_empty(len(queries), n_tiles, TILE_ROWS // GROUP)
    scores = queries.new_empty(len(queries), TILE_ROWS)
    for tile in range(n_tiles):
        part = vectors[tile * TILE_ROWS : (tile + 1) * TILE_ROWS]
        if len(part) < TILE_ROWS:
            scores.fill_(-torch.inf)[:, : len(part)] = queries @ part.T
        else:
            torch.mm(queries, part.T, out=scores)
        torch.amax(scores.view(len(queries), GROUP, -1), dim=1, out=maxima[:, tile])
        beat()
    return maxima.flatten(1)


def _members(groups: torch.Tensor) -> torch.Tensor:
    """The places of each group's vectors: every (TILE_ROWS / GROUP)th of a tile  # (Q, n) -> (Q, n * GROUP)."""
    per_tile = TILE_ROWS // GROUP
    first = groups // per_tile * TILE_ROWS + groups % per_tile
    return (first[:, :, None] + torch.arange(GROUP, device=groups.device) * per_tile).flatten(1)


def _rows(vectors: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
    """vectors[places], by the faster way  # (Q, n, D)."""
    return vectors.index_select(0, places.flatten()).view(*places.shape, -1)
