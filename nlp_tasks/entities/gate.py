"""The gate of models that find entities: compares a new one with the champion on documents that neither was trained on.

As for classifiers, a paired bootstrap over the documents decides, so that a difference by chance does not.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nlp_tasks import model_files
from nlp_tasks.entities import crf, trainer
from nlp_tasks.entities.spans import Entity
from nlp_tasks.kind import Candidate, Figure

#: Bootstrap samples, and how many are drawn at a time.
SAMPLES, TOGETHER = 1_000, 50
#: The percentiles of a 95 % confidence interval.
LOW, HIGH = 2.5, 97.5
#: The smallest difference that counts as better.
LEAST_GAIN = 0.0001


def judge(candidate: Candidate) -> Sequence[Figure]:
    """See kind.Gate. Nothing is compared if there is no champion, or if the training was started with gate=none."""
    told = _trained_with(candidate.model_dir)
    if candidate.champion_dir is None or told["gate"] == "none":
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
    every = np.ones((1, len(gold)))
    low, high = np.percentile(_gains(mine, champions, len(gold), candidate), (LOW, HIGH))
    must_beat = told["gate"] == "better"
    return [
        Figure("n_gold_documents", len(gold), at_least=1),
        Figure("macro_f1", float(_macro_f1(mine, every)[0])),
        Figure("champion_macro_f1", float(_macro_f1(champions, every)[0])),
        Figure("macro_f1_gain_low", float(low), at_least=LEAST_GAIN if must_beat else None),
        Figure("macro_f1_gain_high", float(high), at_least=None if must_beat else 0.0),
    ]


#: Of each document (N) and label (L): entities found rightly, and marked and found ones together.
_Counts = tuple[NDArray[np.float64], NDArray[np.float64]]


def _counts(truth: Sequence[set[Entity]], found: Sequence[set[Entity]], labels: Sequence[str]) -> _Counts:
    place = {label: number for number, label in enumerate(labels)}
    hits, sizes = np.zeros((len(truth), len(labels))), np.zeros((len(truth), len(labels)))
    for row, (right, ours) in enumerate(zip(truth, found, strict=True)):
        for one in right & ours:
            hits[row, place[one.label]] += 1
        for one in (*right, *ours):
            sizes[row, place[one.label]] += 1
    return hits, sizes


def _macro_f1(counts: _Counts, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Macro F1 (B,) of each bootstrap sample; `weights` (B, N) say how often a document is in it."""
    hits, sizes = weights @ counts[0], weights @ counts[1]
    f1 = 2 * hits / np.maximum(sizes, 1)
    mean: NDArray[np.float64] = f1.sum(axis=1) / np.maximum((sizes > 0).sum(axis=1), 1)
    return mean


def _gains(mine: _Counts, champions: _Counts, n: int, candidate: Candidate) -> NDArray[np.float64]:
    """The macro F1 of the candidate minus that of the champion in each bootstrap sample (SAMPLES,)."""
    random = np.random.default_rng(0)
    gains = []
    for _ in range(0, SAMPLES, TOGETHER):
        weights = random.multinomial(n, np.full(n, 1 / n), size=TOGETHER).astype(float)
        gains.append(_macro_f1(mine, weights) - _macro_f1(champions, weights))
        candidate.beat()
    return np.concatenate(gains)


def _found(model_dir: Path, texts: Sequence[str], candidate: Candidate) -> list[set[Entity]]:
    model_files.check(model_dir)
    tagger = crf.Tagger(model_dir / crf.FILE)
    found = []
    for text in texts:
        candidate.beat()
        found.append({one.entity for one in tagger.find(text)})
    return found


def _trained_with(model_dir: Path) -> dict[str, Any]:
    told: dict[str, Any] = model_files.read_config(model_dir)["trained_with"]
    return told
