"""The gate of classifiers: a new model beside the champion, on the same documents that neither was trained on.

The difference of their macro F1 is given with its interval over bootstrap samples of the documents (Efron &
Tibshirani 1993; paired, as Koehn 2004 does), so that neither is preferred for what chance may have done.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nlp_tasks import model_files
from nlp_tasks.classification import ClassifyParameters, runner, trainer
from nlp_tasks.kind import Candidate, Document, Figure, Setup

#: Bootstrap samples, and those that are drawn together.
SAMPLES, TOGETHER = 1_000, 50
#: The interval holds the true difference in nineteen of twenty cases.
LOW, HIGH = 2.5, 97.5
#: What counts as better: more than nothing.
LEAST_GAIN = 0.0001


@dataclass(frozen=True)
class Predicted:
    """What a model says of the gold documents."""

    labels: list[set[str]]  # (N,)

    def matrix(self, names: Sequence[str]) -> NDArray[np.bool_]:
        """Whether each document has each of these labels (N, L)."""
        return np.array([[name in labels for name in names] for labels in self.labels], bool).reshape(
            -1, len(names)
        )


def judge(candidate: Candidate) -> Sequence[Figure]:
    """See kind.Gate. Nothing is compared without a champion, or where the training asked for no gate."""
    told = _trained_with(candidate.model_dir)
    if candidate.champion_dir is None or told["gate"] == "none":
        return []
    share = min(told["held_out"], _trained_with(candidate.champion_dir)["held_out"])
    gold = trainer.divide(candidate.documents, share).held_out
    names = sorted({label for document in gold for label in trainer.labels_of(document)})
    truth = Predicted([set(trainer.labels_of(document)) for document in gold]).matrix(names)
    ours = _predict(candidate.model_dir, gold, candidate).matrix(names)
    theirs = _predict(candidate.champion_dir, gold, candidate).matrix(names)
    every = np.ones((1, len(gold)))
    mine, champions = macro_f1(truth, ours, every)[0], macro_f1(truth, theirs, every)[0]
    low, high = np.percentile(_gains(truth, ours, theirs, candidate), (LOW, HIGH))
    must_beat = told["gate"] == "better"
    return [
        Figure("n_gold_documents", len(gold), at_least=1),
        Figure("macro_f1", float(mine)),
        Figure("champion_macro_f1", float(champions)),
        Figure("macro_f1_gain_low", float(low), at_least=LEAST_GAIN if must_beat else None),
        Figure("macro_f1_gain_high", float(high), at_least=None if must_beat else 0.0),
    ]


def macro_f1(
    truth: NDArray[np.bool_], given: NDArray[np.bool_], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Mean F1 of the labels (B,), with each document counted as often as `weights` (B, N) says."""
    hits = weights @ (truth & given)  # (B, L)
    sizes = weights @ truth + weights @ given
    f1 = 2 * hits / np.maximum(sizes, 1)
    # A label that no document has and none got does not count; where there is no other, nothing was found: 0.
    mean: NDArray[np.float64] = f1.sum(axis=1) / np.maximum((sizes > 0).sum(axis=1), 1)
    return mean


def _gains(
    truth: NDArray[np.bool_], ours: NDArray[np.bool_], theirs: NDArray[np.bool_], candidate: Candidate
) -> NDArray[np.float64]:
    """The candidate's macro F1 less the champion's in each bootstrap sample (SAMPLES,)."""
    random = np.random.default_rng(0)
    gains = []
    for _ in range(0, SAMPLES, TOGETHER):
        weights = random.multinomial(len(truth), np.full(len(truth), 1 / len(truth)), size=TOGETHER).astype(
            float
        )
        gains.append(macro_f1(truth, ours, weights) - macro_f1(truth, theirs, weights))
        candidate.beat()
    return np.concatenate(gains)


def _predict(model_dir: Path, gold: Sequence[Document], candidate: Candidate) -> Predicted:
    setup = Setup(ClassifyParameters(), candidate.device, model_dir, beat=candidate.beat)
    model = runner.open_runner(setup)
    rows = model.label([document.text for document in gold])
    return Predicted([{row.label for row in found if row.label is not None} for found in rows])


def _trained_with(model_dir: Path) -> dict[str, Any]:
    """The parameters of a model's training; models of before had no gate."""
    told: dict[str, Any] = model_files.read_config(model_dir)["trained_with"]
    return {"gate": "not-worse"} | told
