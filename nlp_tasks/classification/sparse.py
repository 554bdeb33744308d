"""Weighted rows as torch's sparse matrices."""

from __future__ import annotations

import warnings

import numpy as np
import torch
from numpy.typing import NDArray

from nlp_tasks.classification.features import Rows


def both_ways(rows: Rows, device: str) -> tuple[torch.Tensor, torch.Tensor]:
    """The matrix (N, F) and its transpose (F, N), both by rows: either product then reads memory in order."""
    order = np.argsort(rows.columns, kind="stable")
    owner = owners(rows)[order]
    ends = np.cumsum(np.bincount(rows.columns, minlength=rows.n_columns))
    starts = np.concatenate([np.zeros(1, np.int64), ends])
    shape = (len(rows), rows.n_columns)
    return (
        _sparse(rows.starts, rows.columns, rows.values, shape, device),
        _sparse(starts, owner, rows.values[order], shape[::-1], device),
    )


def owners(rows: Rows) -> NDArray[np.int32]:
    """Which row each value belongs to (nnz,)."""
    return np.repeat(np.arange(len(rows), dtype=np.int32), np.diff(rows.starts))


def only(rows: Rows, kept: NDArray[np.bool_]) -> Rows:
    """The rows with some of their values (nnz,) only."""
    sizes = np.bincount(owners(rows)[kept], minlength=len(rows))
    starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes)])
    return Rows(starts, rows.columns[kept], rows.values[kept], rows.n_columns)


def _sparse(
    starts: NDArray[np.int64],
    columns: NDArray[np.int32],
    values: NDArray[np.float32],
    shape: tuple[int, ...],
    device: str,
) -> torch.Tensor:
    parts = (torch.from_numpy(starts.astype(np.int32)), torch.from_numpy(columns), torch.from_numpy(values))
    with warnings.catch_warnings():  # torch calls all of its sparse rows beta; the products used here are not
        warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta")
        return torch.sparse_csr_tensor(*parts, size=shape, check_invariants=False).to(device)
