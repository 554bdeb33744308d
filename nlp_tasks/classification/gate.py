"""The gate of classifiers: compares a new model with the champion on documents that neither was trained on.

The difference of their macro F1 comes with a confidence interval from a paired bootstrap over the documents (Efron &
Tibshirani 1993; Koehn 2004), so that a difference by chance does not decide.
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

#: Bootstrap samples, and how many are drawn at a time.
SAMPLES, TOGETHER = 1_000, 50
#: The percentiles of a 95 % confidence interval.
LOW, HIGH = 2.5, 97.5
#: The smallest difference that counts as better.
LEAST_GAIN = 0.0001


@dataclass(frozen=True)
class Predicted:
    """The predictions of a model for the gold documents."""

    labels: list[set[str]]  # (N,)

    def matrix(self, names: Sequence[str]) -> NDArray[np.bool_]:
        """Whether each document has each of these labels (N, L)."""
        return np.array([[name in labels for name in names] for labels in self.labels], bool).reshape(
            -1, len(names)
        )


def judge(candidate: Candidate) -> Sequence[Figure]:
    """See kind.Gate. Nothing is compared if there is no champion, or if the training was started with gate=none."""
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
    """Macro F1 (B,) of each bootstrap sample; `weights` (B, N) say how often a document is in it."""
    hits = weights @ (truth & given)  # (B, L)
    sizes = weights @ truth + weights @ given
    f1 = 2 * hits / np.maximum(sizes, 1)
    # A label that no document has or was given does not count. If no label counts, the F1 is 0.
    mean: NDArray[np.float64] = f1.sum(axis=1) / np.maximum((sizes > 0).sum(axis=1), 1)
    return mean


def _gains(
    truth: NDArray[np.bool_], ours: NDArray[np.bool_], theirs: NDArray[np.bool_], candidate: Candidate
) -> NDArray[np.float64]:
    """The macro F1 of the candidate minus that of the champion in each bootstrap sample (SAMPLES,)."""
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
    """The parameters that a model was trained with; older models have no `gate`."""
    told: dict[str, Any] = model_files.read_config(model_dir)["trained_with"]
    return {"gate": "not-worse"} | told
