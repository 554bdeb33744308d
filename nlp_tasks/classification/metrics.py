"""Measures of predictions: accuracy, macro F1, figures per label, confusion matrix, calibration error.

The true labels are an index for each document (N,), or ones and zeros (N, K) if a document has several labels.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Bins of the reliability diagram behind the calibration error (Guo et al. 2017).
BINS = 15


def softmax(logits: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Scores (N, K) to probabilities (N, K) that sum to 1."""
    shifted = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    probabilities: NDArray[np.float64] = shifted / shifted.sum(axis=1, keepdims=True)
    return probabilities


def sigmoid(logits: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Scores (N, K) to the probability of each label by itself (N, K)."""
    probabilities: NDArray[np.float64] = 1 / (1 + np.exp(-np.clip(logits.astype(np.float64), -500, 500)))
    return probabilities


def probabilities_for(truth: NDArray[np.int64], logits: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Probabilities (N, K): softmax if a document has one label, sigmoid if it has several."""
    return softmax(logits) if truth.ndim == 1 else sigmoid(logits)


def are_right(truth: NDArray[np.int64], logits: NDArray[np.floating[Any]]) -> NDArray[np.bool_]:
    """Whether the label, or all labels, of each document (N,) are predicted correctly."""
    wrong = logits.argmax(axis=1) != truth if truth.ndim == 1 else ((logits > 0) != (truth > 0)).any(axis=1)
    right: NDArray[np.bool_] = ~wrong
    return right


def evaluate(
    labels: list[str], truth: NDArray[np.int64], probabilities: NDArray[np.float64]
) -> dict[str, Any]:
    """The content of evaluation.json: predictions (N, K) compared with the true label indexes (N,)."""
    predicted = probabilities.argmax(axis=1)
    confusion = confusion_matrix(truth, predicted, len(labels))
    per_label = [_label_figures(confusion, index) | {"label": label} for index, label in enumerate(labels)]
    known = [figures["f1"] for figures in per_label if figures["documents"] or figures["predicted"]]
    bins = reliability(probabilities.max(axis=1), predicted == truth)
    return {
        "accuracy": float((predicted == truth).mean()),
        "macro_f1": float(np.mean(known)),
        "calibration_error": expected_error(bins),
        "log_loss": log_loss(truth, probabilities),
        "labels": per_label,
        "confusion": {"labels": labels, "rows_are": "true", "counts": confusion.tolist()},
        "reliability": bins,
    }


def evaluate_several(
    labels: list[str],
    truth: NDArray[np.int64],
    probabilities: NDArray[np.float64],
    thresholds: NDArray[np.float64],
) -> dict[str, Any]:
    """The same for documents with several labels: truth (N, K) is ones and zeros, and each label has a threshold
    (K,). Accuracy is the share of documents whose labels are all correct."""
    given = probabilities >= thresholds
    per_label = [
        _figures(
            int((given[:, place] & (truth[:, place] > 0)).sum()), int(truth[:, place].sum()), int(column)
        )
        | {"label": label, "threshold": float(thresholds[place])}
        for place, (label, column) in enumerate(zip(labels, given.sum(axis=0), strict=True))
    ]
    known = [figures["f1"] for figures in per_label if figures["documents"] or figures["predicted"]]
    hits = int((given & (truth > 0)).sum())
    bins = reliability(probabilities.ravel(), truth.ravel() > 0)
    return {
        "accuracy": float((given == (truth > 0)).all(axis=1).mean()),
        "micro_f1": _figures(hits, int(truth.sum()), int(given.sum()))["f1"],
        "macro_f1": float(np.mean(known)) if known else 0.0,
        "calibration_error": expected_error(bins),
        "log_loss": log_loss(truth, probabilities),
        "labels": per_label,
        "reliability": bins,
    }


def confusion_matrix(
    truth: NDArray[np.int64], predicted: NDArray[np.int64], n_labels: int
) -> NDArray[np.int64]:
    """Counts (K, K): row = true label, column = predicted label."""
    return np.bincount(truth * n_labels + predicted, minlength=n_labels**2).reshape(n_labels, n_labels)


def accuracy(confusion: NDArray[np.int64]) -> float:
    """The share of documents whose label is correct."""
    return float(np.diag(confusion).sum() / max(1, confusion.sum()))


def macro_f1(confusion: NDArray[np.int64]) -> float:
    """The mean F1 of the labels that at least one document has or was given."""
    sizes = confusion.sum(axis=0) + confusion.sum(axis=1)
    return float((2 * np.diag(confusion)[sizes > 0] / sizes[sizes > 0]).mean()) if sizes.any() else 0.0


def reliability(confidence: NDArray[np.float64], right: NDArray[np.bool_]) -> list[dict[str, Any]]:
    """The non-empty bins of confidence: mean confidence, and the share of correct predictions."""
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    documents = np.bincount(bins, minlength=BINS)
    sums = np.bincount(bins, weights=confidence, minlength=BINS)
    hits = np.bincount(bins, weights=right, minlength=BINS)
    return [
        {"bin": place, "n": n, "confidence": float(sums[place] / n), "share_right": float(hits[place] / n)}
        for place, n in enumerate(documents.tolist())
        if n
    ]


def expected_error(bins: list[dict[str, Any]]) -> float:
    """Expected calibration error: the mean of |confidence - accuracy| over the bins, weighted by their size."""
    gaps = sum(each["n"] * abs(each["confidence"] - each["share_right"]) for each in bins)
    return float(gaps / max(1, sum(each["n"] for each in bins)))


def log_loss(truth: NDArray[np.int64], probabilities: NDArray[np.float64]) -> float:
    """Mean negative log-likelihood of the labels, in nats; 0 for no documents."""
    return float(log_losses(truth, probabilities).mean()) if len(truth) else 0.0


def log_losses(truth: NDArray[np.int64], probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    """The negative log-likelihood of each document's label (N,), or the mean over all labels if it may have several."""
    if truth.ndim == 1:
        given = probabilities[np.arange(len(truth)), truth]
        return np.asarray(-np.log(np.maximum(given, 1e-12)))
    given = np.where(truth > 0, probabilities, 1 - probabilities)
    return np.asarray(-np.log(np.maximum(given, 1e-12)).mean(axis=1))


def _label_figures(confusion: NDArray[np.int64], index: int) -> dict[str, Any]:
    hits, documents = int(confusion[index, index]), int(confusion[index].sum())
    return _figures(hits, documents, int(confusion[:, index].sum()))


def _figures(hits: int, documents: int, predicted: int) -> dict[str, Any]:
    precision = hits / predicted if predicted else 0.0
    recall = hits / documents if documents else 0.0
    f1 = 2 * precision * recall / (precision + recall) if hits else 0.0
    figures = {"precision": precision, "recall": recall, "f1": f1}
    return figures | {"documents": documents, "predicted": predicted}
