"""Copies of unit vectors in few bits, whose products find candidates faster than those of float32.

A copy knows an upper bound of the error of its products, so that nothing is lost: whoever searches with a copy can tell
which results might be wrong. int8 is the usual symmetric quantization. Its error is bounded by Cauchy-Schwarz, from the
measured length of what rounding took from each vector.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import torch

#: Vectors in one matrix product with the queries: the products stay in the cache (2 MiB for 1,024 queries in float32).
TILE_ROWS = 512
#: An upper bound of the rounding error of a product of unit vectors in float32.
ROUNDING = 1e-5
#: The share of a product that rounding it to bfloat16 may take.
BFLOAT16_SHARE = 2**-8
#: The largest number of int8 that is used; -128 is not.
INT8_MAX = 127


class Copy(Protocol):
    """N vectors in tiles of TILE_ROWS rows, in an order of the copy's own."""

    def __len__(self) -> int: ...

    def places(self, rows: torch.Tensor) -> torch.Tensor:
        """The places of the vectors in these rows of the copy."""

    def multiplier(self, queries: torch.Tensor) -> Multiplier:
        """What multiplies the vectors at these places with the tiles."""


class Multiplier(Protocol):
    """Multiplies some queries with tiles, one after the other. It uses the same memory for each: allocating new pages
    would take as long as the products."""

    #: An upper bound of what the true product of a query exceeds a value of `maxima` by  # (Q,)
    rounding: torch.Tensor

    def maxima(self, tile: int, n_groups: int, out: torch.Tensor) -> None:
        """The largest product of each query with each group of a tile; -inf for a group without vectors. A group has
        every `n_groups`th vector of the tile  # (Q, n_groups) out."""


class FloatCopy:
    """The vectors themselves, in float32."""

    def __init__(self, vectors: torch.Tensor) -> None:
        self.vectors = vectors  # (N, D)

    def __len__(self) -> int:
        return len(self.vectors)

    def places(self, rows: torch.Tensor) -> torch.Tensor:
        return rows

    def multiplier(self, queries: torch.Tensor) -> Multiplier:
        rounding = torch.full((len(queries),), ROUNDING, device=queries.device)
        return _FloatMultiplier(self.vectors, self.vectors[queries], rounding)


class BFloat16Copy(FloatCopy):
    """Vectors in bfloat16, half of float32's memory, in their own order."""

    def __init__(self, vectors: torch.Tensor) -> None:
        super().__init__(vectors.bfloat16())
        parts = zip(torch.split(vectors, TILE_ROWS), torch.split(self.vectors, TILE_ROWS), strict=True)
        #: The length of what rounding took from each vector  # (N,)
        self.errors = torch.cat([(part - rounded.float()).norm(dim=1) for part, rounded in parts])

    def multiplier(self, queries: torch.Tensor) -> Multiplier:
        of_query = self.errors[queries]
        rounding = of_query + (1 + of_query) * self.errors.amax() + ROUNDING
        return _FloatMultiplier(self.vectors, self.vectors[queries], rounding)


class _FloatMultiplier:
    def __init__(self, vectors: torch.Tensor, queries: torch.Tensor, rounding: torch.Tensor) -> None:
        self._vectors = vectors
        self._queries = queries
        self.rounding = rounding
        self._products = queries.new_empty(len(queries), TILE_ROWS)

    def maxima(self, tile: int, n_groups: int, out: torch.Tensor) -> None:
        part = self._vectors[tile * TILE_ROWS : (tile + 1) * TILE_ROWS]
        if len(part) == TILE_ROWS:
            torch.mm(self._queries, part.T, out=self._products)
        else:
            self._products.fill_(-torch.inf)[:, : len(part)] = self._queries @ part.T
        # Groups are spread over a tile, so that maxima are computed for whole rows at once.
        groups = self._products.view(len(self._queries), -1, n_groups)
        if groups.dtype == torch.float32:
            torch.amax(groups, dim=1, out=out)
        else:
            out.copy_(groups.amax(dim=1))
            torch.where(out > 0, out * (1 + BFLOAT16_SHARE), out * (1 - BFLOAT16_SHARE), out=out)


class Int8Copy:
    """Vectors as int8, a quarter of float32's memory. A tile has one scale, so that only maxima are scaled, not all
    products. Vectors are sorted by their largest number, so that the vectors of a tile fit its scale."""

    def __init__(self, vectors: torch.Tensor) -> None:
        # By tiles: the absolute values of all vectors would take as much memory as the vectors.
        largest = torch.cat([part.abs().amax(dim=1) for part in torch.split(vectors, TILE_ROWS)])  # (N,)
        self._order = largest.argsort()  # (N,) row of the copy -> place
        self._rows = torch.empty_like(self._order)  # (N,) place -> row of the copy
        self._rows[self._order] = torch.arange(len(vectors))
        # Empty rows at the end: every tile has the same size.
        n_rows, size = -(-len(vectors) // TILE_ROWS) * TILE_ROWS, vectors.shape[1]
        # At least 2 columns: torch._int_mm gives wrong products of a single one.
        self.vectors = torch.zeros(n_rows, max(size, 2), dtype=torch.int8)
        tiles = torch.split(self._order, TILE_ROWS)
        self.scales = torch.empty(len(tiles))
        #: The length of what rounding took from a vector, at most, in each tile.
        self.errors = torch.empty(len(tiles))
        for tile, places in enumerate(tiles):
            part = vectors[places]
            scale = largest[places].amax().clamp_min(1e-12) / INT8_MAX
            rounded = (part / scale).round_()
            self.vectors[tile * TILE_ROWS : tile * TILE_ROWS + len(places), :size] = rounded.to(torch.int8)
            self.scales[tile] = scale
            self.errors[tile] = (part - rounded.mul_(scale)).norm(dim=1).amax() + ROUNDING

    def __len__(self) -> int:
        return len(self._order)

    def places(self, rows: torch.Tensor) -> torch.Tensor:
        return self._order[rows]

    def multiplier(self, queries: torch.Tensor) -> Multiplier:
        return _Int8Multiplier(self, self._rows[queries])


class _Int8Multiplier:
    def __init__(self, copy: Int8Copy, rows: torch.Tensor) -> None:
        self._copy = copy
        self._queries = copy.vectors[rows]
        self._scales = copy.scales[rows // TILE_ROWS][:, None]  # (Q, 1)
        #: q y - q' y' = (q - q') y + q' (y - y'), and |y| = 1. The second term is part of the maxima.
        self.rounding = copy.errors[rows // TILE_ROWS] + ROUNDING
        self._lengths = 1 + self.rounding[:, None]
        self._products = torch.empty(len(rows), TILE_ROWS, dtype=torch.int32)
        self._largest: torch.Tensor | None = None

    def maxima(self, tile: int, n_groups: int, out: torch.Tensor) -> None:
        first = tile * TILE_ROWS
        torch._int_mm(self._queries, self._copy.vectors[first : first + TILE_ROWS].T, out=self._products)
        if (n_empty := first + TILE_ROWS - len(self._copy)) > 0:
            self._products[:, TILE_ROWS - n_empty :] = torch.iinfo(torch.int32).min
        largest = self._products.view(len(self._queries), -1, n_groups).amax(dim=1)
        torch.mul(largest, self._scales * self._copy.scales[tile], out=out)
        out.add_(self._lengths * self._copy.errors[tile])
        if n_empty > 0:
            out.masked_fill_(largest == torch.iinfo(torch.int32).min, -torch.inf)


#: How the copies are made, the fastest first.
COPIES: dict[str, Callable[[torch.Tensor], Copy]] = {
    "int8": Int8Copy,
    "bfloat16": BFloat16Copy,
}


def fast_copies() -> tuple[str, ...]:
    """The copies that this processor multiplies with instructions of their own, the fastest first; without such
    instructions they are slower than float32, and int8 may overflow."""
    supported = {
        "int8": getattr(torch.cpu, "_is_vnni_supported", _never)() and multiplies_int8(),
        "bfloat16": getattr(torch.cpu, "_is_avx512_bf16_supported", _never)(),
    }
    return tuple(name for name in COPIES if supported[name])


def multiplies_int8() -> bool:
    """Whether products of int8 are right here. They overflow without VNNI, also if oneDNN is kept from using it
    (ONEDNN_MAX_CPU_ISA)."""
    if not hasattr(torch, "_int_mm"):
        return False
    largest = torch.full((TILE_ROWS, 64), INT8_MAX, dtype=torch.int8)
    products = torch._int_mm(largest, -largest.T)
    return bool((products == -64 * INT8_MAX**2).all())


def _never() -> bool:
    return False
