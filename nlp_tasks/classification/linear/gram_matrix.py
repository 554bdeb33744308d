"""Reduces N rows of many columns to N rows of N columns, without loss.

The optimal weights are a linear combination of the rows (the representer theorem; Schoelkopf et al. 2001), so the
problem has N unknowns per label. With the Gram matrix X @ X.T = L @ L.T (Cholesky), the rows of L have the same lengths
and angles as those of X: a solver takes the same steps on either. Knows nothing of labels.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from nlp_tasks import heartbeat
from nlp_tasks.classification.linear import sparse
from nlp_tasks.classification.linear.features import Rows
from nlp_tasks.classification.linear.sparse import Matrix

#: For columns that at least this share of the rows has, a dense product is faster than a sparse one. DENSE_TOGETHER
#: columns are made dense at a time, which bounds the memory.
DENSE_SHARE, DENSE_TOGETHER = 0.03, 4096
#: Reducing more rows than this would take minutes: the time grows as N^2 * F.
MOST_ROWS = 8_000
#: The largest product, in numbers, and the rows in one step of the Cholesky factorisation: each takes about a tenth of
#: a second, and a heartbeat follows.
PRODUCT, PANEL = 1_500_000_000, 256
#: Entries of sparse rows that are multiplied at a time.
SPARSE_TOGETHER = 50_000
#: Added to the diagonal: with equal rows, or an empty one, there would be no Cholesky factor.
RIDGE = 1e-5


def pays(rows: Rows) -> bool:
    """Whether the reduced rows are smaller than the rows themselves, and take seconds to compute."""
    return len(rows) <= MOST_ROWS and len(rows) ** 2 <= len(rows.values)


def turned(rows: Rows, device: str) -> torch.Tensor | None:
    """The reduced rows (N, N); None if rows are so similar (forms that were filled in) that their differences are lost
    in rounding."""
    squared = products(rows, device).double()
    squared.diagonal().add_(RIDGE)
    factor = _cholesky(squared)
    return None if factor is None else factor.float()


def back(turned_rows: torch.Tensor, columns: Matrix, matrix: torch.Tensor) -> torch.Tensor:
    """The weights (F, K) that give the rows the same scores as the weights `matrix` (N, K) give the reduced rows.
    `columns` (F, N) is the transpose of the rows."""
    shares: torch.Tensor = torch.linalg.solve_triangular(turned_rows.T.double(), matrix.double(), upper=True)
    return columns @ shares.float()


def products(rows: Rows, device: str) -> torch.Tensor:
    """The Gram matrix (N, N): the products of all pairs of rows."""
    heartbeat.beat()
    sizes = np.bincount(rows.columns, minlength=rows.n_columns)
    is_common = sizes > DENSE_SHARE * len(rows)
    total = torch.zeros((len(rows), len(rows)), device=device)
    for block in _dense(rows, np.flatnonzero(is_common), device):
        _add_products(total, block)
    is_shared = (sizes > 1) & ~is_common
    shared = sparse.only(rows, is_shared)
    (across,) = sparse.of(sparse.turned(shared), device, len(shared.values) + 1).blocks
    first = 0
    for there in heartbeat.beating(sparse.of(shared, device, SPARSE_TOGETHER).blocks):
        total[first : first + len(there)] += (there @ across).to_dense()
        first += len(there)
    alone = sparse.only(rows, (sizes == 1) & ~is_common)
    squares = np.bincount(sparse.owners(alone), alone.values**2, len(rows))
    total.diagonal().add_(torch.from_numpy(squares.astype(np.float32)).to(device))
    return total


def _add_products(total: torch.Tensor, block: torch.Tensor) -> None:
    """Add the products of all pairs of rows in the block; each pair is multiplied once."""
    together = max(PANEL, PRODUCT // block.numel())
    for first in heartbeat.beating(range(0, len(block), together)):
        last = min(first + together, len(block))
        found = block[first:last] @ block[:last].T
        total[first:last, :last] += found
        total[:first, first:last] += found[:, :first].T


def _cholesky(square: torch.Tensor) -> torch.Tensor | None:
    """The lower Cholesky factor (N, N) of a symmetric matrix, computed in place; None if there is none."""
    n = len(square)
    for first in range(0, n, PANEL):
        last = min(first + PANEL, n)
        factor, failed = torch.linalg.cholesky_ex(square[first:last, first:last])
        if failed:
            return None
        square[first:last, first:last] = factor
        below = square[last:, first:last]
        below.copy_(torch.linalg.solve_triangular(factor.T, below, upper=True, left=False))
        for row in heartbeat.beating(range(last, n, PANEL)):
            end = min(row + PANEL, n)
            square[row:end, last:end].addmm_(below[row - last : end - last], below[: end - last].T, alpha=-1)
    return square.tril_()


def _dense(rows: Rows, columns: np.ndarray, device: str) -> Iterator[torch.Tensor]:
    """Some of the columns, DENSE_TOGETHER at a time: (N, at most DENSE_TOGETHER)."""
    place = np.full(rows.n_columns, -1, np.int64)
    place[columns] = np.arange(len(columns))
    common = sparse.only(rows, place >= 0)
    at, owner = place[common.columns], sparse.owners(common)
    for first in heartbeat.beating(range(0, len(columns), DENSE_TOGETHER)):
        here = (at >= first) & (at < first + DENSE_TOGETHER)
        block = np.zeros((len(rows), min(DENSE_TOGETHER, len(columns) - first)), np.float32)
        block[owner[here], at[here] - first] = common.values[here]
        yield torch.from_numpy(block).to(device)
