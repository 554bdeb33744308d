"""The gate of models that find entities: compares a new one with the champion on documents that neither was trained on
(nlp_tasks.paired_bootstrap)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nlp_tasks import model_files
from nlp_tasks.entities import architecture, trainer
from nlp_tasks.entities.spans import Entity
from nlp_tasks.kind import Candidate, Figure
from nlp_tasks.paired_bootstrap import Counts, compare


def judge(candidate: Candidate) -> Sequence[Figure]:
    """See kind.Gate. Nothing is compared if there is no champion, if it cannot be used any more because it was trained
    with other features, or if the training was started with gate=none."""
    told = _trained_with(candidate.model_dir)
    if candidate.champion_dir is None or told["gate"] == "none":
        return []
    if not architecture.is_current(model_files.read_config(candidate.champion_dir)):
        return []
    share = min(told["held_out"], _trained_with(candidate.champion_dir)["held_out"])
    _, gold = trainer.divide(candidate.documents, told["field"], share)
    truth = [set(each.entities) for each in gold]
    texts = [each.text for each in gold]
    ours, theirs = (
        _found(folder, texts, candidate) for folder in (candidate.model_dir, candidate.champion_dir)
    )
    labels = sorted({one.label for found in (*truth, *ours, *theirs) for one in found})
    mine, champions = _counts(truth, ours, labels), _counts(truth, theirs, labels)
    return compare(mine, champions, told["gate"], candidate.beat)


def _counts(truth: Sequence[set[Entity]], found: Sequence[set[Entity]], labels: Sequence[str]) -> Counts:
    place = {label: number for number, label in enumerate(labels)}
    hits, sizes = np.zeros((len(truth), len(labels))), np.zeros((len(truth), len(labels)))
    for row, (right, ours) in enumerate(zip(truth, found, strict=True)):
        for one in right & ours:
            hits[row, place[one.label]] += 1
        for one in (*right, *ours):
            sizes[row, place[one.label]] += 1
    return Counts(hits, sizes)


def _found(model_dir: Path, texts: Sequence[str], candidate: Candidate) -> list[set[Entity]]:
    finder = architecture.load(model_dir, candidate.device)
    found = []
    for text in texts:
        candidate.beat()
        found.append({one.entity for one in finder.find([text])[0]})
    return found


def _trained_with(model_dir: Path) -> dict[str, Any]:
    told: dict[str, Any] = model_files.read_config(model_dir)["trained_with"]
    return told
