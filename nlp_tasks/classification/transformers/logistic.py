"""Logistic regression on dense rows: multinomial, or one regression for each label if rows may have several.

Minimises the mean log loss + strength / 2 * |W|^2 with L-BFGS in float64: a convex problem, whose solution depends on
the data alone. Knows rows and labels only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from nlp_tasks.classification import metrics
from nlp_tasks.classification.linear.cross_validation import ALWAYS_USED

#: Strengths to choose from, the strongest first: each solution is the start of the next.
STRENGTHS = (1.0, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001, 3e-4, 1e-4, 3e-5)
#: L-BFGS: steps between two heartbeats, rounds of them, and the change of the loss that ends it.
STEPS, ROUNDS, ENOUGH = 10, 30, 1e-7


@dataclass(frozen=True)
class Logistic:
    """Scores are (rows - mean) / scale @ matrix + bias."""

    matrix: NDArray[np.float32]  # (D, K)
    bias: NDArray[np.float32]  # (K,)
    mean: NDArray[np.float32]  # (D,)
    scale: float

    def scores(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Scores (N, K) of rows (N, D)."""
        found = (rows - self.mean) / np.float32(self.scale) @ self.matrix + self.bias
        return np.asarray(found, np.float32)


def fit(
    rows: NDArray[np.float32],
    labels: NDArray[np.int64],  # (N,) or (N, K)
    class_weights: NDArray[np.float32],  # (K,)
    strength: float,
    beat: Callable[[], None],
) -> Logistic:
    """The regression of this strength."""
    return next(_path(rows, labels, class_weights, (strength,), beat))


def choose(
    rows: NDArray[np.float32],
    labels: NDArray[np.int64],
    class_weights: NDArray[np.float32],
    fold: NDArray[np.int64],  # (N,)
    beat: Callable[[], None],
) -> tuple[float, NDArray[np.float32]]:
    """The strength with the lowest log loss over folds, and the scores (N, K) of each fold's rows by a regression that
    was fitted on the others; zeros for rows that are in no fold."""
    unseen = np.zeros((len(STRENGTHS), len(rows), len(class_weights)), np.float32)
    for number in range(int(fold.max()) + 1):
        out = fold == number
        for place, found in enumerate(_path(rows[~out], labels[~out], class_weights, STRENGTHS, beat)):
            unseen[place, out] = found.scores(rows[out])
    measured = fold != ALWAYS_USED
    truth = labels[measured]
    losses = [metrics.log_loss(truth, metrics.probabilities_for(truth, each[measured])) for each in unseen]
    best = int(np.argmin(losses))
    return STRENGTHS[best], unseen[best]


def _path(
    rows: NDArray[np.float32],
    labels: NDArray[np.int64],
    class_weights: NDArray[np.float32],
    strengths: tuple[float, ...],
    beat: Callable[[], None],
) -> Iterator[Logistic]:
    """The regression of each strength, in their order."""
    mean = rows.mean(axis=0)
    scale = float(np.sqrt(np.mean((rows - mean) ** 2))) or 1.0
    inputs = torch.from_numpy((rows - mean) / np.float32(scale)).double()
    truth = torch.from_numpy(labels)
    weights = torch.from_numpy(class_weights).double()
    solution = torch.zeros(rows.shape[1] + 1, len(class_weights), dtype=torch.float64, requires_grad=True)
    measure = _measure(truth, weights)
    for strength in strengths:
        _minimise(inputs, measure, solution, strength, beat)
        found = solution.detach().float().numpy().copy()
        yield Logistic(found[:-1], found[-1], mean, scale)


def _measure(truth: torch.Tensor, weights: torch.Tensor) -> Callable[[torch.Tensor], torch.Tensor]:
    if truth.ndim == 1:
        return lambda scores: cross_entropy(scores, truth, weights)
    return lambda scores: binary_cross_entropy_with_logits(scores, truth.double(), pos_weight=weights)


def _minimise(
    inputs: torch.Tensor,
    measure: Callable[[torch.Tensor], torch.Tensor],
    solution: torch.Tensor,
    strength: float,
    beat: Callable[[], None],
) -> None:
    optimizer = torch.optim.LBFGS(
        [solution], max_iter=STEPS, line_search_fn="strong_wolfe", tolerance_change=1e-10
    )

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        found = measure(inputs @ solution[:-1] + solution[-1]) + strength / 2 * solution[:-1].square().sum()
        found.backward()  # type: ignore[no-untyped-call]
        return found.detach()

    before = float("inf")
    with torch.enable_grad():
        for _ in range(ROUNDS):
            now = float(optimizer.step(loss))  # type: ignore[no-untyped-call]
            beat()
            if before - now < ENOUGH * max(1.0, abs(now)):
                return
            before = now
