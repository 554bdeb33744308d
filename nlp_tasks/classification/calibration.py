"""Turns scores into calibrated probabilities: one temperature (Guo et al. 2017), then a map of the confidence.

A temperature alone fits the mean confidence, but makes easy documents too unsure and hard ones too sure, or the other
way round. Beta calibration (Kull et al. 2017) maps the probability of the best label to the share of such labels that
are right. Both change the confidence of predictions, not the order of a document's labels. If documents have several
labels, the map is that of every label's own probability, and a threshold for each label is chosen afterwards.
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


#: L-BFGS iterations for the map, and the standard deviation of its parameters' prior: with few documents it is near
#: the identity.
ITERATIONS, SPREAD = 50, 1.0
#: Probabilities are at least this far from 0 and 1 where their logarithm is taken.
EDGE = 1e-7
#: Bisections of the logarithm of a document's own factor, and the bounds of the factor.
FACTOR_STEPS, FACTORS = 24, (0.005, 20.0)


@dataclass(frozen=True)
class Calibration:
    """How scores become probabilities. The default is plain softmax, or the sigmoid."""

    temperature: float = 1.0
    #: Beta calibration: the confidence c becomes sigmoid(rise * ln(c) - fall * ln(1 - c) + shift).
    rise: float = 1.0
    fall: float = 1.0
    shift: float = 0.0

    def probabilities(self, logits: NDArray[np.floating[Any]], *, several: bool) -> NDArray[np.float64]:
        """Calibrated probabilities (N, K) of scores (N, K), in the order of the scores. They sum to 1 unless a
        document may have `several` labels."""
        scores = logits.astype(np.float64) / self.temperature
        plain = sigmoid(scores) if several else softmax(scores)
        if (self.rise, self.fall, self.shift) == (1.0, 1.0, 0.0) or not plain.size:
            return plain
        if several:
            return self._mapped(plain)
        margins = scores.max(axis=1, keepdims=True) - scores
        return softmax(-_factors(margins, self._mapped(plain.max(axis=1))) * margins)

    def _mapped(self, confidence: NDArray[np.float64]) -> NDArray[np.float64]:
        inside = np.clip(confidence, EDGE, 1 - EDGE)
        return sigmoid(self.rise * np.log(inside) - self.fall * np.log1p(-inside) + self.shift)


def _factors(margins: NDArray[np.float64], wanted: NDArray[np.float64]) -> NDArray[np.float64]:
    """The factor (N, 1) of each document's margins (N, K) with which softmax gives its best label the probability
    that is wanted (N,), or the nearest of FACTORS."""
    target = -np.log(np.clip(wanted, EDGE, 1 - EDGE))[:, np.newaxis]
    low, high = (np.full_like(target, np.log(bound)) for bound in FACTORS)
    for _ in range(FACTOR_STEPS):
        middle = (low + high) / 2
        surprise = np.log(np.exp(-np.exp(middle) * margins).sum(axis=1, keepdims=True))
        is_low = surprise > target  # a larger factor makes the best label more probable
        low, high = np.where(is_low, middle, low), np.where(is_low, high, middle)
    return np.exp((low + high) / 2)


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
    """The temperature with the lowest log loss on labels (N,) or (N, K), which must not have been used in training,
    and the map that fits best whether the labels are right."""
    divisor = temperature(logits, labels)
    if not len(labels):
        return Calibration(divisor)
    plain = probabilities_for(labels, logits / divisor)
    if labels.ndim > 1:
        return Calibration(divisor, *_map(plain.ravel(), labels.ravel() > 0))
    return Calibration(divisor, *_map(plain.max(axis=1), plain.argmax(axis=1) == labels))


def _map(confidence: NDArray[np.float64], is_right: NDArray[np.bool_]) -> tuple[float, float, float]:
    """Rise, fall and shift with the lowest log loss, by L-BFGS; a normal prior of log rise, log fall and shift."""
    inside = torch.from_numpy(np.clip(confidence, EDGE, 1 - EDGE))
    rising, falling = inside.log(), -(-inside).log1p()
    signs = torch.from_numpy(np.where(is_right, -1.0, 1.0))
    found = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([found], max_iter=ITERATIONS, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        heartbeat.beat()
        optimizer.zero_grad()
        scores = found[0].exp() * rising + found[1].exp() * falling + found[2]
        prior = (found / SPREAD).square().sum() / 2
        total = torch.nn.functional.softplus(signs * scores).mean() + prior / len(confidence)
        total.backward()  # type: ignore[no-untyped-call]
        return total.detach()

    with torch.enable_grad():
        optimizer.step(loss)  # type: ignore[no-untyped-call]
    rise, fall, shift = found.detach().tolist()
    return float(np.exp(rise)), float(np.exp(fall)), float(shift)


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
