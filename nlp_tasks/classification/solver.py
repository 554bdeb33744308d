"""Fits linear weights to sparse rows: a convex problem, solved by L-BFGS over all rows at once.

Minimises |W|^2 / 2 + C * sum of losses, as LIBLINEAR does (Fan et al. 2008), by torch on any device. No
step size to choose, no order of examples: the answer depends on the data alone.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray

from nlp_tasks.classification.features import Rows
from nlp_tasks.classification.linear_model import Weights


class Problem:
    """Rows and their labels, ready to be fitted with several strengths of regularisation."""

    def __init__(
        self,
        rows: Rows,
        labels: NDArray[np.int64],
        class_weights: NDArray[np.float32],
        device: str,
    ) -> None:
        self.shape = (rows.n_columns, len(class_weights))
        self.rows, self.columns = _both_ways(rows, device)
        self.labels = torch.from_numpy(labels).to(device)
        self.weights = torch.from_numpy(class_weights).to(device)[self.labels]  # (N,)
        self.parameters = torch.zeros((self.shape[0] + 1, self.shape[1]), device=device)

    def fit(self, strength: float, steps: int, beat: Callable[[float], None]) -> Weights:
        """Weights for C = `strength`, going on from the last fit. `beat` hears the mean loss, often."""
        parameters = self.parameters.requires_grad_(True)
        solver = torch.optim.LBFGS(
            [parameters],
            max_iter=steps,
            history_size=8,
            tolerance_grad=1e-4 * strength,
            tolerance_change=0,
            line_search_fn="strong_wolfe",
        )

        def closure() -> float:
            with torch.no_grad():
                total, gradient = self._objective(parameters, strength)
            parameters.grad = gradient
            beat(total / len(self.labels) / strength)
            return total

        solver.step(closure)  # type: ignore[no-untyped-call]
        self.parameters = parameters.detach()
        return Weights(self.parameters[:-1].clone(), self.parameters[-1].clone())

    def naive_bayes(self, smoothing: float) -> Weights:
        """Multinomial naive Bayes of the same rows (Rennie et al. 2003: tf-idf weights instead of counts)."""
        members = torch.nn.functional.one_hot(self.labels, self.shape[1]).float()
        members *= self.weights[:, None]  # (N, K)
        totals = self.columns @ members + smoothing  # (F, K)
        matrix = (totals / totals.sum(dim=0)).log()
        prior = (members.sum(dim=0) / members.sum()).log()
        return Weights(matrix, prior)

    def _objective(self, parameters: torch.Tensor, strength: float) -> tuple[float, torch.Tensor]:
        matrix, bias = parameters[:-1], parameters[-1]
        scores = self.rows @ matrix + bias  # (N, K)
        losses, slopes = _log_loss(scores, self.labels)
        slopes *= self.weights[:, None] * strength
        gradient = torch.cat([self.columns @ slopes + matrix, slopes.sum(dim=0, keepdim=True)])
        total = (losses * self.weights).sum() * strength + matrix.square().sum() / 2
        return float(total), gradient


def _log_loss(scores: torch.Tensor, labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Softmax log loss (N,) and its slope by each score (N, K)."""
    logs = torch.log_softmax(scores, dim=1)
    slopes = logs.exp()
    slopes[torch.arange(len(labels)), labels] -= 1
    return -logs.gather(1, labels[:, None])[:, 0], slopes


def _both_ways(rows: Rows, device: str) -> tuple[torch.Tensor, torch.Tensor]:
    """The matrix (N, F) and its transpose (F, N), both by rows: either product then reads memory in order."""
    order = np.argsort(rows.columns, kind="stable")
    owner = np.repeat(np.arange(len(rows), dtype=np.int32), np.diff(rows.starts))[order]
    ends = np.cumsum(np.bincount(rows.columns, minlength=rows.n_columns))
    starts = np.concatenate([np.zeros(1, np.int64), ends])
    shape = (len(rows), rows.n_columns)
    return (
        _sparse(rows.starts, rows.columns, rows.values, shape, device),
        _sparse(starts, owner, rows.values[order], shape[::-1], device),
    )


def _sparse(
    starts: NDArray[np.int64],
    columns: NDArray[np.int32],
    values: NDArray[np.float32],
    shape: tuple[int, ...],
    device: str,
) -> torch.Tensor:
    parts = (torch.from_numpy(starts.astype(np.int32)), torch.from_numpy(columns), torch.from_numpy(values))
    with warnings.catch_warnings():  # torch calls all of its sparse rows beta; the two products used are not
        warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta")
        return torch.sparse_csr_tensor(*parts, size=shape, check_invariants=False).to(device)
