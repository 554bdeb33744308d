"""Temperature scaling (Guo et al. 2017): one number that makes softmax scores mean what they say.

It changes no prediction, only how sure it claims to be.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nlp_tasks.classification.metrics import log_loss, softmax

#: Temperatures tried: from far too modest to far too sure, on a log scale.
LOWEST, HIGHEST, STEPS = 0.005, 50.0, 60


@dataclass(frozen=True)
class Calibrated:
    """Logits divided by their temperature, and their log loss."""

    logits: NDArray[np.float32]  # (N, K)
    temperature: float
    loss: float


def calibrate(logits: NDArray[np.float32], labels: NDArray[np.int64]) -> Calibrated:
    """The same scores at the temperature that suits the labels."""
    divisor = temperature(logits, labels)
    logits = (logits / divisor).astype(np.float32)
    return Calibrated(logits, divisor, log_loss(labels, softmax(logits)))


def temperature(logits: NDArray[np.floating[Any]], labels: NDArray[np.int64]) -> float:
    """The divisor of logits (N, K) with the least log loss on labels (N,) that training did not see."""
    if not len(labels):
        return 1.0
    low, high = np.log(LOWEST), np.log(HIGHEST)
    golden = (np.sqrt(5) - 1) / 2
    for _ in range(STEPS):
        left, right = high - golden * (high - low), low + golden * (high - low)
        if _loss(logits, labels, left) <= _loss(logits, labels, right):
            high = right
        else:
            low = left
    return float(np.exp((low + high) / 2))


def _loss(logits: NDArray[np.floating[Any]], labels: NDArray[np.int64], log_temperature: float) -> float:
    """Log loss with one imagined document shared by all labels (as Platt 1999 does).

    Without it a handful of documents, all labelled right, would ask for boundless certainty.
    """
    probabilities = softmax(logits / np.exp(log_temperature))
    imagined = -np.log(np.maximum(probabilities, 1e-12)).mean()
    return (len(labels) * log_loss(labels, probabilities) + float(imagined)) / (len(labels) + 1)
