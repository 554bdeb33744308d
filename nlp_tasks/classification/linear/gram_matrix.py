"""Few rows of many columns, turned so that they have as many columns as there are rows. Nothing is lost.

The best weights are a sum of rows (the representer theorem; Schoelkopf et al. 2001), so N rows of F columns pose a
problem of N numbers a label. With the products of all pairs of rows X @ X.T = L @ L.T (Cholesky), the rows of L have
the same lengths and angles as those of X: a solver takes the same steps on either. Knows nothing of labels.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from nlp_tasks import heartbeat
from nlp_tasks.classification.linear import sparse
from nlp_tasks.classification.linear.features import Rows
from nlp_tasks.classification.linear.sparse import Matrix

#: Where this share of the rows has a column, a dense product is quicker than a sparse one. So many columns are
#: made dense at a time, which bounds the memory.
DENSE_SHARE, DENSE_TOGETHER = 0.03, 4096
#: Turning more rows than this would take minutes: it grows as N^2 * F.
MOST_ROWS = 8_000
#: So many numbers go into one product at most, and so many rows into one step of the Cholesky factor: it is a tenth of
#: a second, and a sign of life follows.
PRODUCT, PANEL = 1_500_000_000, 256
#: Entries of sparse rows that are multiplied with the others together.
SPARSE_TOGETHER = 50_000
#: Added to the square of each row's length: equal rows, or an empty one, would leave no Cholesky factor.
RIDGE = 1e-5


def pays(rows: Rows) -> bool:
    """Whether the turned rows are fewer numbers than the rows themselves, and made within seconds."""
    return len(rows) <= MOST_ROWS and len(rows) ** 2 <= len(rows.values)


def turned(rows: Rows, device: str) -> torch.Tensor | None:
    """The turned rows (N, N); None where rows are so alike (forms that were filled in) that rounding hides how they
    differ."""
    squared = products(rows, device).double()
    squared.diagonal().add_(RIDGE)
    factor = _cholesky(squared)
    return None if factor is None else factor.float()


def back(turned_rows: torch.Tensor, columns: Matrix, matrix: torch.Tensor) -> torch.Tensor:
    """The weights (F, K) that score the rows, of which these are the columns (F, N), as the weights `matrix`
    (N, K) score the turned rows."""
    shares: torch.Tensor = torch.linalg.solve_triangular(turned_rows.T.double(), matrix.double(), upper=True)
    return columns @ shares.float()


def products(rows: Rows, device: str) -> torch.Tensor:
    """The products of all pairs of rows (N, N)."""
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
    """Add the products of all pairs of the block's rows; each pair is multiplied once."""
    together = max(PANEL, PRODUCT // block.numel())
    for first in heartbeat.beating(range(0, len(block), together)):
        last = min(first + together, len(block))
        found = block[first:last] @ block[:last].T
        total[first:last, :last] += found
        total[:first, first:last] += found[:, :first].T


def _cholesky(square: torch.Tensor) -> torch.Tensor | None:
    """The lower factor (N, N) of a symmetric matrix, which it overwrites; None where there is none."""
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
