"""Products with the rows of a sparse matrix: the kernels of a training.

Each row is summed on its own, in the order of its pairs, so that neither threads nor blocks change a bit.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import torch
from torch.nn.functional import embedding_bag

#: Pairs whose vectors are gathered at a time, where torch has no better way.
GATHERED_PAIRS = 2**18


@dataclass(frozen=True)
class Pattern:
    """B rows with P partners."""

    #: Row i has the pairs starts[i]:starts[i + 1].
    starts: torch.Tensor  # (B + 1,) int64
    partners: torch.Tensor  # (P,) int32

    def products(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """x_i.y_j for each pair  # (B, D), (S, D) -> (P,)."""
        has_mkl: bool = torch.backends.mkl.is_available()  # type: ignore[no-untyped-call]
        if x.device.type != "cpu" or not has_mkl:
            return self.gathered(x, y)
        zeros = x.new_zeros(len(self.partners))
        matrix = torch.sparse_csr_tensor(
            self.starts.int(), self.partners, zeros, (len(x), len(y)), check_invariants=False
        )
        found: torch.Tensor = torch.sparse.sampled_addmm(matrix, x, y.T, beta=0.0).values()
        return found

    def gathered(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """`products` on any device, a part of the pairs at a time."""
        rows = torch.repeat_interleave(torch.arange(len(x), device=x.device), self.starts.diff())
        return torch.cat(
            [
                (x.index_select(0, left) * y.index_select(0, right)).sum(dim=1)
                for left, right in zip(
                    torch.split(rows, GATHERED_PAIRS), torch.split(self.partners, GATHERED_PAIRS), strict=True
                )
            ]
        )

    def sums(self, weights: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """The weighted sum of the partners of each row  # (P,), (S, D) -> (B, D)."""
        starts = self.starts[:-1].to(self.partners.dtype)
        return embedding_bag(self.partners, y, starts, mode="sum", per_sample_weights=weights)

    def totals(self, values: torch.Tensor) -> torch.Tensor:
        """The sum of the values of each row  # (P,) -> (B,)."""
        return torch.segment_reduce(values, "sum", offsets=self.starts, initial=0)


with warnings.catch_warnings():
    # torch warns once in a process that compressed rows are in beta state.
    warnings.simplefilter("ignore", UserWarning)
    torch.sparse_csr_tensor([0, 1], [0], [1.0], (1, 1), check_invariants=False)
