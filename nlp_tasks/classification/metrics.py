"""How good predictions are: accuracy, macro F1, per label figures, confusion, calibration error."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Bins of the reliability diagram behind the calibration error (Guo et al. 2017).
BINS = 15


def softmax(logits: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Probabilities (N, K) of scores (N, K)."""
    shifted = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    probabilities: NDArray[np.float64] = shifted / shifted.sum(axis=1, keepdims=True)
    return probabilities


def evaluate(
    labels: list[str], truth: NDArray[np.int64], probabilities: NDArray[np.float64]
) -> dict[str, Any]:
    """Everything evaluation.json holds about predictions (N, K) against the true label indexes (N,)."""
    predicted = probabilities.argmax(axis=1)
    confusion = confusion_matrix(truth, predicted, len(labels))
    per_label = [_label_figures(confusion, index) | {"label": label} for index, label in enumerate(labels)]
    known = [figures["f1"] for figures in per_label if figures["documents"] or figures["predicted"]]
    return {
        "accuracy": float((predicted == truth).mean()),
        "macro_f1": float(np.mean(known)),
        "calibration_error": calibration_error(truth, probabilities),
        "log_loss": log_loss(truth, probabilities),
        "labels": per_label,
        "confusion": {"labels": labels, "rows_are": "true", "counts": confusion.tolist()},
    }


def confusion_matrix(
    truth: NDArray[np.int64], predicted: NDArray[np.int64], n_labels: int
) -> NDArray[np.int64]:
    """Counts (K, K): row = true label, column = predicted label."""
    return np.bincount(truth * n_labels + predicted, minlength=n_labels**2).reshape(n_labels, n_labels)


def calibration_error(truth: NDArray[np.int64], probabilities: NDArray[np.float64]) -> float:
    """Expected calibration error: |confidence - accuracy| averaged over bins of confidence."""
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == truth
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    gaps = np.bincount(bins, weights=confidence - right, minlength=BINS)
    return float(np.abs(gaps).sum() / len(truth))


def log_loss(truth: NDArray[np.int64], probabilities: NDArray[np.float64]) -> float:
    """Mean negative log-likelihood, in nats; 0 for no documents."""
    if not len(truth):
        return 0.0
    given = probabilities[np.arange(len(truth)), truth]
    return float(-np.log(np.maximum(given, 1e-12)).mean())


def _label_figures(confusion: NDArray[np.int64], index: int) -> dict[str, Any]:
    hits, documents = int(confusion[index, index]), int(confusion[index].sum())
    predicted = int(confusion[:, index].sum())
    precision = hits / predicted if predicted else 0.0
    recall = hits / documents if documents else 0.0
    f1 = 2 * precision * recall / (precision + recall) if hits else 0.0
    figures = {"precision": precision, "recall": recall, "f1": f1}
    return figures | {"documents": documents, "predicted": predicted}
