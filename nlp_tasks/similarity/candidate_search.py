"""Finds candidates for the largest products of queries and vectors, keeping only the maximum of each group of vectors.

Knows vectors and places only. Memory is bounded by Q x SPAN_ROWS / GROUP numbers for Q queries.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

#: Vectors in one matrix product with the queries.
TILE_ROWS = 1024
#: Vectors in a group, of whose products only the largest is kept. Divides TILE_ROWS.
GROUP = 8
#: The branching factor of the tournament in `_largest`: the groups at the same place in this many tiles are compared.
TILES = 8
#: Vectors whose groups are kept before the best ones are chosen.
SPAN_ROWS = TILES**2 * TILE_ROWS


def best_groups(
    vectors: torch.Tensor, queries: torch.Tensor, n: int, beat: Callable[[], None]
) -> tuple[torch.Tensor, torch.Tensor]:
    """The n groups with the largest products for each query, or all, and their maxima in descending order
    # (Q, n), (Q, n)."""
    # The same memory is used again and again: allocating new pages would take as long as the products.
    maxima = queries.new_empty(_n_tiles(len(vectors)), len(queries), TILE_ROWS // GROUP)
    products = queries.new_empty(len(queries), TILE_ROWS)
    best = queries.new_empty(len(queries), 0)
    groups = torch.empty((len(queries), 0), dtype=torch.int64, device=queries.device)
    for start in range(0, len(vectors), SPAN_ROWS):
        span = vectors[start : start + SPAN_ROWS]
        filled = maxima[: _n_tiles(len(span))]
        _fill(filled, products, span, queries, beat)
        span_best, span_groups = _largest(filled, n)
        best = torch.cat([best, span_best], dim=1)
        groups = torch.cat([groups, span_groups + start // GROUP], dim=1)
        best, chosen = best.topk(min(n, best.shape[1]), dim=1)
        groups = groups.gather(1, chosen)
    return best.float(), groups


def members(groups: torch.Tensor) -> torch.Tensor:
    """The places of the vectors in each group, every (TILE_ROWS / GROUP)th of a tile; some may be past the end
    # (Q, n) -> (Q, n * GROUP)."""
    per_tile = TILE_ROWS // GROUP
    first = groups // per_tile * TILE_ROWS + groups % per_tile
    return (first[:, :, None] + torch.arange(GROUP, device=groups.device) * per_tile).flatten(1)


def _n_tiles(n_vectors: int) -> int:
    """The number of tiles for `n_vectors`, at most a span, rounded up to a power of TILES."""
    n_tiles = 1
    while n_tiles * TILE_ROWS < min(n_vectors, SPAN_ROWS):
        n_tiles *= TILES
    return n_tiles


def _fill(
    maxima: torch.Tensor,
    products: torch.Tensor,
    vectors: torch.Tensor,
    queries: torch.Tensor,
    beat: Callable[[], None],
) -> None:
    """Write the largest product of each group; -inf for a group without vectors."""
    for tile, of_tile in enumerate(maxima):  # (Q, TILE_ROWS / GROUP)
        part = vectors[tile * TILE_ROWS : (tile + 1) * TILE_ROWS]
        if not len(part):
            of_tile.fill_(-torch.inf)
            continue
        if len(part) == TILE_ROWS:
            torch.mm(queries, part.T, out=products)
        else:
            products.fill_(-torch.inf)[:, : len(part)] = queries @ part.T
        # Groups are spread over a tile, so that maxima are computed for whole rows at once.
        torch.amax(products.view(len(queries), GROUP, -1), dim=1, out=of_tile)
        beat()


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
