"""Finds candidates for the largest products of queries and vectors, keeping only the maximum of each group of vectors.

Knows vectors and places only. Memory is bounded by Q x SPAN_ROWS / GROUP numbers for Q queries.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from nlp_tasks.similarity.rough_vectors import TILE_ROWS, Copy

#: Vectors in a group, of whose products only the largest is kept. Divides TILE_ROWS.
GROUP = 8
#: Groups in a tile.
PER_TILE = TILE_ROWS // GROUP
#: The branching factor of the tournament in `_largest`: the groups at the same place in this many tiles are compared.
TILES = 16
#: Vectors whose groups are kept before the best ones are chosen.
SPAN_ROWS = TILES**2 * TILE_ROWS


def best_groups(
    copy: Copy, queries: torch.Tensor, n: int, beat: Callable[[], None]
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The n groups with the largest products with the vectors at these places, or all; their maxima in descending
    order; and what a true product may exceed its maximum by  # (Q, n), (Q, n), (Q,)."""
    multiplier = copy.multiplier(queries)
    maxima = torch.empty(_n_tiles(len(copy)), len(queries), PER_TILE, device=queries.device)
    best = maxima.new_empty(len(queries), 0)
    groups = queries.new_empty(len(queries), 0)
    for start in range(0, len(copy), SPAN_ROWS):
        filled = maxima[: _n_tiles(len(copy) - start)]
        for tile, of_tile in enumerate(filled):  # (Q, PER_TILE)
            if start + tile * TILE_ROWS >= len(copy):
                of_tile.fill_(-torch.inf)
                continue
            multiplier.maxima(start // TILE_ROWS + tile, PER_TILE, of_tile)
            beat()
        span_best, span_groups = _largest(filled, n)
        best = torch.cat([best, span_best], dim=1)
        groups = torch.cat([groups, span_groups + start // GROUP], dim=1)
        best, chosen = best.topk(min(n, best.shape[1]), dim=1)
        groups = groups.gather(1, chosen)
    return groups, best, multiplier.rounding


def members(groups: torch.Tensor) -> torch.Tensor:
    """The rows of the vectors in each group, every PER_TILEth of a tile; some may be past the end
    # (Q, n) -> (Q, n * GROUP)."""
    first = groups // PER_TILE * TILE_ROWS + groups % PER_TILE
    return (first[:, :, None] + torch.arange(GROUP, device=groups.device) * PER_TILE).flatten(1)


def _n_tiles(n_vectors: int) -> int:
    """The number of tiles for `n_vectors`, at most a span; rounded up to a multiple of TILES if there are as many."""
    n_tiles = -(-min(n_vectors, SPAN_ROWS) // TILE_ROWS)
    return n_tiles if n_tiles < TILES else -(-n_tiles // TILES) * TILES


def _largest(maxima: torch.Tensor, n: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The n largest maxima of each query, or all, in descending order, and their groups. The best of every TILES maxima
    are found first, and only those are expanded  # (Q, n), (Q, n)."""
    n_tiles, n_queries, per_tile = maxima.shape
    if n_tiles < TILES:
        every = maxima.transpose(0, 1).flatten(1)
        return every.topk(min(n, every.shape[1]), dim=1)
    stride = n_tiles // TILES
    _, coarse = _largest(maxima.view(TILES, stride, n_queries, per_tile).amax(dim=0), n)
    groups = (coarse[:, :, None] + torch.arange(TILES, device=maxima.device) * (stride * per_tile)).flatten(1)
    rows = torch.arange(n_queries, device=maxima.device)[:, None]
    values = maxima[groups // per_tile, rows, groups % per_tile]
    values, chosen = values.topk(min(n, values.shape[1]), dim=1)
    return values, groups.gather(1, chosen)
