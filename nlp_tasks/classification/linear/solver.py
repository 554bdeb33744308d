"""Fits linear weights to sparse rows: a convex problem, whose solution depends on the data alone.

Minimises |W|^2 / 2 + C * sum of squared hinge losses, one label versus the rest, like LIBLINEAR (Fan et al. 2008), in
torch on any device. There is no step size to choose, and the order of the examples does not matter. Each label is a
problem of its own, so that rare labels are not dominated by common ones, and a text may have several labels.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray

from nlp_tasks import heartbeat
from nlp_tasks.classification.linear import gram_matrix, newton, sparse
from nlp_tasks.classification.linear.features import Rows
from nlp_tasks.classification.linear.linear_model import Weights


class Problem:
    """Rows and their labels, ready to be fitted with several values of C."""

    def __init__(
        self,
        rows: Rows,
        labels: NDArray[np.int64],  # (N,) or (N, K)
        class_weights: NDArray[np.float32],
        device: str,
    ) -> None:
        self.given, self.device = rows, device
        self.rows, self.columns = sparse.both_ways(rows, device)
        self.members = _members(torch.from_numpy(labels).to(device), len(class_weights))  # (N, K)
        self.class_weights = torch.from_numpy(class_weights).to(device)  # (K,)
        self.weights = torch.where(self.members > 0, self.class_weights, torch.ones_like(self.members))
        #: The solution of the last fit.
        self.solution: torch.Tensor | None = None

    def fit(self, strength: float, passes: int, beat: Callable[[float], None]) -> Weights:
        """Weights for C = `strength`, after at most `passes` passes over the rows, starting from the last solution.
        `beat` is called with the mean loss at each pass."""
        self.solution = self.solve(strength, passes, beat, self.solution)
        return Weights(self._for_rows(self.solution[:-1]), self.solution[-1].clone())

    def solve(
        self,
        strength: float,
        passes: int,
        beat: Callable[[float], None],
        start: torch.Tensor | None = None,
        used: NDArray[np.bool_] | None = None,
    ) -> torch.Tensor:
        """Like `fit`, on the `used` rows (N,) only, starting from `start`. The result is for `scores`."""
        costs = strength * self.weights * self._used(used)
        hinges = newton.Hinges(self.scores, self._pulled, 2 * self.members - 1, costs)
        return newton.minimise(
            hinges, self._nothing() if start is None else start, newton.Passes(passes, beat)
        )

    def scores(self, solution: torch.Tensor) -> torch.Tensor:
        """The scores (N, K) of the rows by a solution."""
        rows = self.rows if self._turned is None else self._turned
        return rows @ solution[:-1] + solution[-1]

    def naive_bayes(self, smoothing: float) -> Weights:
        """Multinomial naive Bayes of the same rows (Rennie et al. 2003: tf-idf weights instead of counts)."""
        members = self.members * self.class_weights
        totals = self.columns @ members + smoothing  # (F, K)
        heartbeat.beat()
        matrix = (totals / totals.sum(dim=0)).log()
        prior = (members.sum(dim=0) / members.sum()).log()
        return Weights(matrix, prior)

    def complement_bayes(self, smoothing: float, used: NDArray[np.bool_] | None = None) -> Weights:
        """Complement naive Bayes (Rennie et al. 2003, section 3) of the `used` rows (N,): a label is modelled by the
        texts that do not have it, of which there are many even for a rare label. A feature that no used row has gets
        the weight 0."""
        totals = self.columns @ (self.members * self.class_weights * self._used(used))
        total = totals.sum(dim=1, keepdim=True)
        heartbeat.beat()
        others = total - totals + smoothing  # (F, K)
        heartbeat.beat()
        matrix = torch.where(total > 0, -(others / others.sum(dim=0)).log(), 0)
        return Weights(matrix, torch.zeros_like(self.class_weights))

    @cached_property
    def _turned(self) -> torch.Tensor | None:
        """The reduced rows (N, N), which are solved instead of the rows if that is faster; they have their own
        weights."""
        return gram_matrix.turned(self.given, self.device) if gram_matrix.pays(self.given) else None

    def _nothing(self) -> torch.Tensor:
        n_weights = self.rows.shape[1] if self._turned is None else len(self._turned)
        return torch.zeros((n_weights + 1, len(self.class_weights)), device=self.device)

    def _pulled(self, slopes: torch.Tensor) -> torch.Tensor:
        columns = self.columns if self._turned is None else self._turned.T
        return torch.cat([columns @ slopes, slopes.sum(dim=0, keepdim=True)])

    def _for_rows(self, matrix: torch.Tensor) -> torch.Tensor:
        if self._turned is not None:
            return gram_matrix.back(self._turned, self.columns, matrix)
        return matrix.clone()

    def _used(self, used: NDArray[np.bool_] | None) -> torch.Tensor:
        """1 for the rows that are used (N, 1)."""
        chosen = np.ones(len(self.given), np.bool_) if used is None else used
        return torch.from_numpy(chosen).to(self.device).float().unsqueeze(1)


def _members(labels: torch.Tensor, n_labels: int) -> torch.Tensor:
    """1 if a text has a label (N, K), from indexes (N,) or from ones and zeros (N, K)."""
    if labels.ndim == 1:
        labels = torch.nn.functional.one_hot(labels, n_labels)
    return labels.float()
