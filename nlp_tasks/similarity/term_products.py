"""Products of the term vectors of many documents, approximately, as matrix products."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from nlp_tasks.similarity.shared_terms import Terms


@dataclass(frozen=True)
class Part:
    """The weights of R documents: of frequent words as columns, of all others as a sparse matrix."""

    columns: torch.Tensor  # (R, F)
    rest: torch.Tensor  # (R, V), compressed by rows
    #: How much of their weight the vectors keep.
    trusts: torch.Tensor  # (R,)

    @classmethod
    def of(cls, terms: Terms, rows: NDArray[np.int64], column_of: NDArray[np.int64], device: str) -> Part:
        starts, numbers, weights = terms.of(rows)
        column = column_of[numbers]
        is_frequent = column >= 0
        line = np.repeat(np.arange(len(rows)), np.diff(starts))
        columns = np.zeros((len(rows), column_of.max(initial=-1) + 1), np.float32)
        columns[line[is_frequent], column[is_frequent]] = weights[is_frequent]
        lengths = np.bincount(line[~is_frequent], minlength=len(rows))
        rest = _sparse(
            np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32),
            numbers[~is_frequent],
            weights[~is_frequent],
            (len(rows), len(column_of)),
        )
        trusts = torch.from_numpy(terms.trusts[rows].astype(np.float32))
        return cls(torch.from_numpy(columns).to(device), rest.to(device), trusts.to(device))

    @cached_property
    def transposed(self) -> torch.Tensor:
        """`rest`, turned over  # (V, R), compressed by rows."""
        turned = self.rest.to_sparse_csc()
        return _sparse(turned.ccol_indices(), turned.row_indices(), turned.values(), self.rest.shape[::-1])

    @cached_property
    def spread(self) -> torch.Tensor:
        """`rest`, turned over, with all zeros  # (V, R)."""
        return self.rest.to_dense().T.contiguous()

    def mixed(self, cosines: torch.Tensor, other: Part, share: float) -> torch.Tensor:
        """The weighted means of the cosines of words and `cosines`, those of the vectors  # (R, O)."""
        by_words = self._products(other)
        by_vectors = (self.trusts * (1 - share))[:, None] * other.trusts
        return torch.lerp(by_words, cosines, by_vectors)

    def _products(self, other: Part) -> torch.Tensor:
        found = self.columns @ other.columns.T
        if not self.rest.values().numel() or not other.rest.values().numel():
            return found
        if found.device.type == "cpu" and torch.backends.mkl.is_available():  # type: ignore[no-untyped-call]
            return torch.addmm(found, self.rest, other.transposed)
        return found.add_(torch.sparse.mm(other.rest, self.spread).T)


def _sparse(starts: Any, numbers: Any, values: Any, size: Sequence[int]) -> torch.Tensor:
    """A matrix that is compressed by rows."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Sparse CSR tensor support is in beta")
        first, second, third = (torch.as_tensor(each) for each in (starts, numbers, values))
        return torch.sparse_csr_tensor(first, second, third, size=tuple(size), check_invariants=False)
