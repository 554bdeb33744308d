"""The expected calibration error of labels with probabilities, and what chance alone makes of it.

Of few documents, the error of a perfect model is not 0: 300 documents with an accuracy of 0.6 have 20 in a bin, and
their share of right labels is 0.1 off by chance.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nlp_tasks.classification import metrics

#: Samples of labels that the probabilities throw, to know the error of a perfect model.
SAMPLES = 200


def error(confidence: NDArray[np.float64], is_right: NDArray[np.bool_]) -> float:
    """The usual error: 15 bins of equal width (Guo et al. 2017)."""
    return metrics.expected_error(metrics.reliability(confidence, is_right))


def error_by_mass(confidence: NDArray[np.float64], is_right: NDArray[np.bool_]) -> float:
    """15 bins with equally many documents."""
    bins = np.array_split(np.argsort(confidence, kind="stable"), metrics.BINS)
    return float(sum(abs((confidence[b] - is_right[b]).sum()) for b in bins) / max(1, len(confidence)))


def figures(confidence: NDArray[np.float64], is_right: NDArray[np.bool_]) -> dict[str, Any]:
    """Both errors, each beside the mean error of a perfect model with these probabilities."""
    random = np.random.default_rng(0)
    thrown = [random.random(len(confidence)) < confidence for _ in range(SAMPLES)]
    return {
        "documents": len(confidence),
        "accuracy": float(is_right.mean()),
        "confidence": float(confidence.mean()),
        "error": error(confidence, is_right),
        "error of a perfect model": float(np.mean([error(confidence, each) for each in thrown])),
        "error by mass": error_by_mass(confidence, is_right),
        "error by mass of a perfect model": float(
            np.mean([error_by_mass(confidence, each) for each in thrown])
        ),
    }
