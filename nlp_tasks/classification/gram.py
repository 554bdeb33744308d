"""Few rows of many columns, turned so that they have as many columns as there are rows. Nothing is lost.

The best weights are a sum of rows (the representer theorem; Schoelkopf et al. 2001), so N rows of F columns pose a
problem of N numbers a label. With the products of all pairs of rows X @ X.T = L @ L.T (Cholesky), the rows of L have
the same lengths and angles as those of X: a solver takes the same steps on either. Knows nothing of labels.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from nlp_tasks.classification import sparse
from nlp_tasks.classification.features import Rows

#: Where this share of the rows has a column, a dense product is quicker than a sparse one. So many columns are
#: made dense at a time, which bounds the memory.
DENSE_SHARE, DENSE_TOGETHER = 0.03, 4096
#: Turning more rows than this would take minutes without a sign of life: it grows as N^2 * F.
MOST_ROWS = 8_000
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
    factor, failed = torch.linalg.cholesky_ex(squared)
    return None if failed else factor.float()


def back(turned_rows: torch.Tensor, columns: torch.Tensor, matrix: torch.Tensor) -> torch.Tensor:
    """The weights (F, K) that score the rows, of which these are the columns (F, N), as the weights `matrix`
    (N, K) score the turned rows."""
    shares: torch.Tensor = torch.linalg.solve_triangular(turned_rows.T.double(), matrix.double(), upper=True)
    return columns @ shares.float()


def products(rows: Rows, device: str) -> torch.Tensor:
    """The products of all pairs of rows (N, N)."""
    sizes = np.bincount(rows.columns, minlength=rows.n_columns)
    is_common = sizes > DENSE_SHARE * len(rows)
    total = torch.zeros((len(rows), len(rows)), device=device)
    for block in _dense(rows, np.flatnonzero(is_common), device):
        total.addmm_(block, block.T)
    is_shared = (sizes > 1) & ~is_common
    there, across = sparse.both_ways(sparse.only(rows, is_shared[rows.columns]), device)
    total += (there @ across).to_dense()
    is_alone = (sizes[rows.columns] == 1) & ~is_common[rows.columns]
    squares = np.bincount(sparse.owners(rows)[is_alone], rows.values[is_alone] ** 2, len(rows))
    total.diagonal().add_(torch.from_numpy(squares.astype(np.float32)).to(device))
    return total


def _dense(rows: Rows, columns: np.ndarray, device: str) -> Iterator[torch.Tensor]:
    """Some of the columns, DENSE_TOGETHER at a time: (N, at most DENSE_TOGETHER)."""
    place = np.full(rows.n_columns, -1, np.int64)
    place[columns] = np.arange(len(columns))
    at, owner = place[rows.columns], sparse.owners(rows)
    for first in range(0, len(columns), DENSE_TOGETHER):
        here = (at >= first) & (at < first + DENSE_TOGETHER)
        block = np.zeros((len(rows), min(DENSE_TOGETHER, len(columns) - first)), np.float32)
        block[owner[here], at[here] - first] = rows.values[here]
        yield torch.from_numpy(block).to(device)
