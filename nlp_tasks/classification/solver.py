"""Fits linear weights to sparse rows: a convex problem, solved by L-BFGS over all rows at once.

Minimises |W|^2 / 2 + C * sum of squared hinge losses, each label against the rest, as LIBLINEAR does (Fan et
al. 2008), by torch on any device. No step size to choose, no order of examples: the answer depends on the data
alone. A label has its own problem, so a rare one is not drowned by the common ones as in softmax, and a text may
have several labels.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray

from nlp_tasks.classification.features import Rows
from nlp_tasks.classification.linear_model import Weights

#: What a feature that says nothing by itself is scaled by.
LEAST_SCALE = 0.3


class Problem:
    """Rows and their labels, ready to be fitted with several strengths of regularisation."""

    def __init__(
        self,
        rows: Rows,
        labels: NDArray[np.int64],  # (N,) or (N, K)
        class_weights: NDArray[np.float32],
        device: str,
        *,
        by_ratio: bool = False,
    ) -> None:
        """With `by_ratio`, a feature that says much by itself is regularised less (Wang & Manning 2012: NB-SVM)."""
        self.shape = (rows.n_columns, len(class_weights))
        self.rows, self.columns = _both_ways(rows, device)
        self.members = _members(torch.from_numpy(labels).to(device), self.shape[1])  # (N, K)
        self.class_weights = torch.from_numpy(class_weights).to(device)  # (K,)
        self.signs = 2 * self.members - 1  # (N, K)
        self.weights = torch.where(self.members > 0, self.class_weights, torch.ones_like(self.members))
        self.scales = self._ratios() if by_ratio else None  # (F, K)
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
            beat(total / len(self.members) / strength)
            return total

        solver.step(closure)  # type: ignore[no-untyped-call]
        self.parameters = parameters.detach()
        return Weights(self._scaled(self.parameters[:-1]).clone(), self.parameters[-1].clone())

    def naive_bayes(self, smoothing: float) -> Weights:
        """Multinomial naive Bayes of the same rows (Rennie et al. 2003: tf-idf weights instead of counts)."""
        members = self.members * self.class_weights
        totals = self.columns @ members + smoothing  # (F, K)
        matrix = (totals / totals.sum(dim=0)).log()
        prior = (members.sum(dim=0) / members.sum()).log()
        return Weights(matrix, prior)

    def complement_bayes(self, smoothing: float) -> Weights:
        """Complement naive Bayes (Rennie et al. 2003, section 3): a label is known by the texts that do not have
        it, of which there are many even where the label is rare."""
        totals = self.columns @ (self.members * self.class_weights)
        others = totals.sum(dim=1, keepdim=True) - totals + smoothing  # (F, K)
        return Weights(-(others / others.sum(dim=0)).log(), torch.zeros_like(self.class_weights))

    def _objective(self, parameters: torch.Tensor, strength: float) -> tuple[float, torch.Tensor]:
        matrix, bias = parameters[:-1], parameters[-1]
        scores = self.rows @ self._scaled(matrix) + bias
        short = (1 - self.signs * scores).clamp_min_(0)  # (N, K) short of the margin
        weighted = short * self.weights * strength
        slopes = -2 * weighted * self.signs
        gradient = torch.cat([self._scaled(self.columns @ slopes) + matrix, slopes.sum(dim=0, keepdim=True)])
        total = (weighted * short).sum() + matrix.square().sum() / 2
        return float(total), gradient

    def _scaled(self, matrix: torch.Tensor) -> torch.Tensor:
        return matrix if self.scales is None else matrix * self.scales

    def _ratios(self) -> torch.Tensor:
        """How much each feature says of each label by itself (F, K): its log count ratio, and a little more."""
        inside = self.columns @ self.members
        outside = inside.sum(dim=1, keepdim=True) - inside + 1
        inside += 1
        ratios = (inside / inside.sum(dim=0)).log() - (outside / outside.sum(dim=0)).log()
        return ratios.abs() + LEAST_SCALE


def _members(labels: torch.Tensor, n_labels: int) -> torch.Tensor:
    """Ones where a text has a label (N, K), from indexes (N,) or from ones and zeros (N, K)."""
    if labels.ndim == 1:
        labels = torch.nn.functional.one_hot(labels, n_labels)
    return labels.float()


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
