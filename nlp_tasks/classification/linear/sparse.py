"""Weighted rows as sparse matrices of torch, in blocks: a product with millions of entries is many short calls, with a
heartbeat between them."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from nlp_tasks import heartbeat
from nlp_tasks.classification.linear.features import TOGETHER, Rows, blocks


@dataclass(frozen=True)
class Matrix:
    """A sparse matrix, as blocks of its rows."""

    blocks: Sequence[torch.Tensor]
    shape: tuple[int, int]

    def __matmul__(self, other: torch.Tensor) -> torch.Tensor:
        """The product (N, K) with a dense matrix."""
        if len(self.blocks) == 1:
            return self.blocks[0] @ other
        product = other.new_empty((self.shape[0], other.shape[1]))
        first = 0
        for block in heartbeat.beating(self.blocks):
            product[first : first + len(block)] = block @ other
            first += len(block)
        return product


def both_ways(rows: Rows, device: str) -> tuple[Matrix, Matrix]:
    """The matrix (N, F) and its transpose (F, N), both stored by rows, so that either product reads memory in order."""
    return of(rows, device), of(turned(rows), device)


def of(rows: Rows, device: str, together: int = TOGETHER) -> Matrix:
    """The rows as a matrix, in blocks of about TOGETHER entries."""
    shape = (len(rows), rows.n_columns)
    parts = [
        _sparse(part.starts, part.columns, part.values, (len(part), rows.n_columns), device)
        for part in (some(rows, block) for block in blocks(rows.starts, together))
    ]
    nothing = _sparse(rows.starts[:1], rows.columns[:0], rows.values[:0], (0, rows.n_columns), device)
    return Matrix(parts or [nothing], shape)


def turned(rows: Rows) -> Rows:
    """The transpose, with the entries of each new row in the order of the rows they come from."""
    sizes = np.zeros(rows.n_columns, np.int64)
    for block in blocks(rows.starts, max(TOGETHER, rows.n_columns)):
        sizes += np.bincount(some(rows, block).columns, minlength=rows.n_columns)
    starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes)])
    free = starts[:-1].copy()  # the place of the next entry of each column
    owner, values = np.empty(len(rows.columns), np.int32), np.empty(len(rows.columns), np.float32)
    for block in blocks(rows.starts):
        part = some(rows, block)
        order = np.argsort(part.columns, kind="stable")
        columns = part.columns[order]
        first = np.flatnonzero(np.diff(columns, prepend=-1))
        counted = np.diff(np.append(first, len(columns)))
        places = np.arange(len(columns)) + np.repeat(free[columns[first]] - first, counted)
        owner[places], values[places] = (owners(part) + np.int32(block.start))[order], part.values[order]
        free[columns[first]] += counted
    return Rows(starts, owner, values, len(rows))


def owners(rows: Rows) -> NDArray[np.int32]:
    """The row of each value (nnz,)."""
    return np.repeat(np.arange(len(rows), dtype=np.int32), np.diff(rows.starts))


def only(rows: Rows, kept: NDArray[np.bool_]) -> Rows:
    """The rows with some of their columns (F,) only."""
    parts = [Rows(np.zeros(1, np.int64), rows.columns[:0], rows.values[:0], rows.n_columns)]
    for block in blocks(rows.starts):
        part = some(rows, block)
        chosen = kept[part.columns]
        sizes = np.bincount(owners(part)[chosen], minlength=len(part))
        ends = parts[-1].starts[-1] + np.cumsum(sizes)
        parts.append(Rows(ends, part.columns[chosen], part.values[chosen], rows.n_columns))
    return Rows(
        np.concatenate([part.starts for part in parts]),
        np.concatenate([part.columns for part in parts]),
        np.concatenate([part.values for part in parts]),
        rows.n_columns,
    )


def some(rows: Rows, chosen: slice) -> Rows:
    """Some of the rows."""
    starts = rows.starts[chosen.start : chosen.stop + 1]
    entries = slice(starts[0], starts[-1])
    return Rows(starts - starts[0], rows.columns[entries], rows.values[entries], rows.n_columns)


def _sparse(
    starts: NDArray[np.int64],
    columns: NDArray[np.int32],
    values: NDArray[np.float32],
    shape: tuple[int, int],
    device: str,
) -> torch.Tensor:
    parts = (torch.from_numpy(starts.astype(np.int32)), torch.from_numpy(columns), torch.from_numpy(values))
    with warnings.catch_warnings():  # torch warns that CSR is in beta; the products used here are stable
        warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta")
        return torch.sparse_csr_tensor(*parts, size=shape, check_invariants=False).to(device)
