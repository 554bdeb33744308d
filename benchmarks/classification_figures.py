"""The results of classifiers, fold by fold, and the thresholds of the default compared with its peers.

A peer is compared with the default on the same folds.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

from benchmarks import classification_peers, report

#: The set of short reviews, and the minimum number labelled per second on one core (issue 5).
REVIEWS, LEAST_SPEED = "ko_sentiment_nsmc", 10_000
#: The best architecture that needs no download, and the accuracy it must reach on the reviews, within 20 minutes of
#: training (here on one core).
BEST, LEAST_BEST, MOST_SECONDS = "ensemble", 0.882, 1200
#: Peers whose accuracy is at most this much below docmill's count as equally accurate.
EQUAL = 0.005
COLUMNS = [
    "model",
    "folds",
    "accuracy",
    "macro F1",
    "default above it: accuracy",
    "macro F1",
    "s to train",
    "documents/s",
]


@dataclass(frozen=True)
class Measured:
    """The result of one model on one fold."""

    accuracy: float
    macro_f1: float
    #: CPU seconds.
    seconds_to_train: float
    #: Documents per CPU second.
    documents_per_second: float


#: From a model to its results on each fold.
Models = dict[str, list[Measured]]


def table(name: str, models: Models, default: str) -> None:
    """Print the results on a set."""
    rows = []
    for model, folds in models.items():
        mean = _mean(folds)
        rows.append(
            [
                model,
                len(folds),
                *(f"{mean[figure]:.4f}" for figure in ("accuracy", "macro_f1")),
                *(_spread(models, default, model, figure) for figure in ("accuracy", "macro_f1")),
                mean["seconds_to_train"],
                mean["documents_per_second"],
            ]
        )
    report.table(name, COLUMNS, rows)


def means(found: dict[str, Models]) -> dict[str, dict[str, dict[str, float]]]:
    """Set -> model -> its mean figures over the folds, and the number of folds."""
    return {
        name: {model: _mean(folds) | {"folds": len(folds)} for model, folds in models.items()}
        for name, models in found.items()
    }


def bars(found: dict[str, Models], default: str) -> dict[str, dict[str, float]]:
    """The thresholds of the default: the best peer on every set, and the speeds."""
    asked: dict[str, dict[str, float]] = {}
    for name, models in found.items():
        peers = [peer for peer in classification_peers.PEERS if peer in models]
        if default not in models:
            continue
        for figure in ("accuracy", "macro_f1"):
            least = min(float(np.mean(_leads(models, default, peer, figure))) for peer in peers)
            asked[f"{name}: {figure} above the best peer's"] = {"value": least, "at_least": 0.0}
        if name == REVIEWS:
            speed = _mean(models[default])["documents_per_second"]
            equal = [
                _mean(models[peer])["documents_per_second"]
                for peer in peers
                if np.mean(_leads(models, default, peer, "accuracy")) <= EQUAL
            ]
            asked["short reviews a second"] = {"value": speed, "at_least": LEAST_SPEED}
            ratio = speed / max(equal) if equal else 1.0
            asked["speed beside the fastest peer of equal accuracy"] = {"value": ratio, "at_least": 1.0}
        if name == REVIEWS and BEST in models:
            best = _mean(models[BEST])
            asked[f"{BEST}: accuracy on reviews"] = {"value": best["accuracy"], "at_least": LEAST_BEST}
            asked[f"{BEST}: seconds to train"] = {"value": best["seconds_to_train"], "at_most": MOST_SECONDS}
    return asked


def _mean(folds: list[Measured]) -> dict[str, float]:
    every = [asdict(fold) for fold in folds]
    return {figure: float(np.mean([each[figure] for each in every])) for figure in every[0]}


def _leads(models: Models, default: str, other: str, figure: str) -> list[float]:
    """The lead of the default over another model on each fold that both were measured on."""
    pairs = zip(models[default], models[other], strict=False)
    return [float(getattr(ours, figure) - getattr(theirs, figure)) for ours, theirs in pairs]


def _spread(models: Models, default: str, other: str, figure: str) -> str:
    """The mean lead, and the smallest and largest lead on a fold."""
    if default not in models or other == default:
        return ""
    leads = _leads(models, default, other, figure)
    return f"{np.mean(leads):+.4f} ({min(leads):+.4f} to {max(leads):+.4f})"
