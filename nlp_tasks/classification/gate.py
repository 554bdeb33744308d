"""The gate of classifiers: compares a new model with the champion on documents that neither was trained on
(nlp_tasks.paired_bootstrap)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nlp_tasks import model_files
from nlp_tasks.classification import ClassifyParameters, runner, trainer
from nlp_tasks.kind import Candidate, Document, Figure, Setup
from nlp_tasks.paired_bootstrap import Counts, compare


def judge(candidate: Candidate) -> Sequence[Figure]:
    """See kind.Gate. Nothing is compared if there is no champion, or if the training was started with gate=none."""
    told = _trained_with(candidate.model_dir)
    if candidate.champion_dir is None or told["gate"] == "none":
        return []
    share = min(told["held_out"], _trained_with(candidate.champion_dir)["held_out"])
    gold = trainer.divide(candidate.documents, share).held_out
    names = sorted({label for document in gold for label in trainer.labels_of(document)})
    truth = _matrix([set(trainer.labels_of(document)) for document in gold], names)
    mine = counts(truth, _matrix(_predict(candidate.model_dir, gold, candidate), names))
    champions = counts(truth, _matrix(_predict(candidate.champion_dir, gold, candidate), names))
    return compare(mine, champions, told["gate"], candidate.beat)


def counts(truth: NDArray[np.bool_], given: NDArray[np.bool_]) -> Counts:
    """From whether each document has each label (N, L), and whether it was given it."""
    return Counts((truth & given).astype(float), truth.astype(float) + given)


def _matrix(labels: Sequence[set[str]], names: Sequence[str]) -> NDArray[np.bool_]:
    """Whether each document has each of these labels (N, L)."""
    return np.array([[name in each for name in names] for each in labels], bool).reshape(-1, len(names))


def _predict(model_dir: Path, gold: Sequence[Document], candidate: Candidate) -> list[set[str]]:
    setup = Setup(ClassifyParameters(), candidate.device, model_dir, beat=candidate.beat)
    model = runner.open_runner(setup)
    rows = model.label([document.text for document in gold])
    return [{row.label for row in found if row.label is not None} for found in rows]


def _trained_with(model_dir: Path) -> dict[str, Any]:
    """The parameters that a model was trained with; older models have no `gate`."""
    told: dict[str, Any] = model_files.read_config(model_dir)["trained_with"]
    return {"gate": "not-worse"} | told
