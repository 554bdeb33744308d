"""Turns scores into calibrated probabilities: temperature scaling (Guo et al. 2017), with a power beside it.

Both change the confidence of predictions, not the predictions. One temperature cannot fit scores whose margins are
squashed, as those of an SVM are: it makes the easy documents too unsure because of the hard ones. The power corrects
that. If documents have several labels, a threshold for each label is chosen afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from nlp_tasks import heartbeat
from nlp_tasks.classification.metrics import log_loss, probabilities_for, sigmoid, softmax

#: Temperatures tried, on a log scale.
LOWEST, HIGHEST, STEPS = 0.005, 50.0, 60
#: Thresholds tried for a label.
THRESHOLDS = np.linspace(0.05, 0.95, 37)
#: A label with fewer documents than this gets the threshold that is best for all labels together.
OWN_THRESHOLD = 10


#: The prior of the power's logarithm: normal, with mean 0 and this standard deviation. With few documents the power
#: stays near 1.
POWER_SPREAD = 0.5
#: L-BFGS iterations for temperature and power, and margins below which the power makes no difference.
ITERATIONS, LEAST_MARGIN = 50, 1e-12


@dataclass(frozen=True)
class Calibration:
    """How scores become probabilities. (temperature, power) = (1, 1) is plain softmax or sigmoid."""

    temperature: float = 1.0
    power: float = 1.0

    def adjusted(self, logits: NDArray[np.floating[Any]], *, several: bool) -> NDArray[np.float64]:
        """Scores (N, K) for softmax (for the sigmoid if a document may have `several` labels), in the same order:
        each margin m, by which a score is below the best one, becomes (m / temperature) ** power. With several labels
        the margin is that to 0."""
        scores = logits.astype(np.float64) / self.temperature
        if self.power == 1:
            return scores
        if several:
            return np.asarray(np.sign(scores) * np.abs(scores) ** self.power)
        return np.asarray(-((scores.max(axis=1, keepdims=True) - scores) ** self.power))

    def probabilities(self, logits: NDArray[np.floating[Any]], *, several: bool) -> NDArray[np.float64]:
        """Calibrated probabilities (N, K) of scores (N, K)."""
        adjusted = self.adjusted(logits, several=several)
        return sigmoid(adjusted) if several else softmax(adjusted)


@dataclass(frozen=True)
class Calibrated:
    """Logits divided by their temperature, and their log loss."""

    logits: NDArray[np.float32]  # (N, K)
    temperature: float
    loss: float

    @property
    def uncalibrated(self) -> NDArray[np.float32]:
        """The original scores (N, K)."""
        return (self.logits * self.temperature).astype(np.float32)


def calibrate(logits: NDArray[np.float32], labels: NDArray[np.int64]) -> Calibrated:
    """The scores divided by the temperature that fits the labels best."""
    divisor = temperature(logits, labels)
    logits = (logits / divisor).astype(np.float32)
    return Calibrated(logits, divisor, log_loss(labels, probabilities_for(labels, logits)))


def temperature(logits: NDArray[np.floating[Any]], labels: NDArray[np.int64]) -> float:
    """The divisor of logits (N, K) with the lowest log loss on labels (N,) or (N, K). The labels must not have been
    used in training."""
    if not len(labels):
        return 1.0
    low, high = np.log(LOWEST), np.log(HIGHEST)
    golden = (np.sqrt(5) - 1) / 2
    for _ in heartbeat.beating(range(STEPS)):
        left, right = high - golden * (high - low), low + golden * (high - low)
        if _loss(logits, labels, left) <= _loss(logits, labels, right):
            high = right
        else:
            low = left
    return float(np.exp((low + high) / 2))


def fit(logits: NDArray[np.floating[Any]], labels: NDArray[np.int64]) -> Calibration:
    """The temperature and power with the lowest log loss on labels (N,) or (N, K), which must not have been used in
    training."""
    start = temperature(logits, labels)
    if not len(labels):
        return Calibration(start)
    scores = torch.from_numpy(logits.astype(np.float64) / start)
    truth = torch.from_numpy(labels)
    margins = scores.abs() if labels.ndim > 1 else scores.max(dim=1, keepdim=True).values - scores
    signs = scores.sign() if labels.ndim > 1 else -torch.ones_like(scores)
    logs = margins.clamp_min(LEAST_MARGIN).log()
    found = torch.zeros(2, dtype=torch.float64, requires_grad=True)  # log temperature beside `start`, log power
    optimizer = torch.optim.LBFGS([found], max_iter=ITERATIONS, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        heartbeat.beat()
        optimizer.zero_grad()
        adjusted = signs * (found[1].exp() * (logs - found[0])).exp()
        prior = (found[1] / POWER_SPREAD).square() / 2
        total = _smoothed_loss(adjusted, truth) + prior / len(labels)
        total.backward()  # type: ignore[no-untyped-call]
        return total.detach()

    with torch.enable_grad():
        optimizer.step(loss)  # type: ignore[no-untyped-call]
    log_temperature, log_power = found.detach().tolist()
    fitted = Calibration(start * float(np.exp(log_temperature)), float(np.exp(log_power)))
    return fitted if np.isfinite([fitted.temperature, fitted.power]).all() else Calibration(start)


def _smoothed_loss(scores: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Log loss with the pseudo-document of `_loss`."""
    if labels.ndim == 1:
        logs = scores.log_softmax(dim=1)
        given, imagined = -logs.gather(1, labels.unsqueeze(1)), -logs.mean()
    else:
        given = torch.nn.functional.softplus(torch.where(labels > 0, -scores, scores))
        imagined = (torch.nn.functional.softplus(-scores) + torch.nn.functional.softplus(scores)).mean() / 2
    return (len(labels) * given.mean() + imagined) / (len(labels) + 1)


def thresholds(probabilities: NDArray[np.float64], labels: NDArray[np.int64]) -> NDArray[np.float64]:
    """The probability threshold of each label (K,) with the best F1 on labels (N, K)."""
    has = labels > 0
    given = (probabilities >= threshold for threshold in heartbeat.beating(THRESHOLDS))  # (N, K) at a time
    counts = np.array([((each & has).sum(axis=0), each.sum(axis=0)) for each in given])  # (T, 2, K)
    hits, sizes = counts[:, 0], counts[:, 1] + labels.sum(axis=0)
    together = _best(2 * hits.sum(axis=1) / np.maximum(sizes.sum(axis=1), 1))
    each = _best(2 * hits / np.maximum(sizes, 1))
    return np.where(labels.sum(axis=0) >= OWN_THRESHOLD, each, together)


def _best(f1: NDArray[np.float64]) -> NDArray[np.float64]:
    """The median of the thresholds with the highest F1 (T, ...): the least likely to be there by chance."""
    is_best = f1 >= f1.max(axis=0) - 1e-12
    order = np.where(is_best, np.cumsum(is_best, axis=0), 0)
    middle = (order == (is_best.sum(axis=0) + 1) // 2).argmax(axis=0)
    best: NDArray[np.float64] = THRESHOLDS[middle]
    return best


def _loss(logits: NDArray[np.floating[Any]], labels: NDArray[np.int64], log_temperature: float) -> float:
    """Log loss with one pseudo-document shared by all labels (as in Platt 1999).

    Without it, a few documents that are all labelled correctly would be fitted best by infinite confidence.
    """
    probabilities = probabilities_for(labels, logits / np.exp(log_temperature))
    imagined = -np.log(np.maximum(probabilities, 1e-12)).mean()
    if labels.ndim > 1:
        imagined = (imagined - np.log(np.maximum(1 - probabilities, 1e-12)).mean()) / 2
    return (len(labels) * log_loss(labels, probabilities) + float(imagined)) / (len(labels) + 1)
