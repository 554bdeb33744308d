"""The figures of a trained classifier as rows: by label, by pair of labels, by confidence. Read from evaluation.json.

Imports no numpy. The fields of the row classes are the columns of their tables.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from nlp_tasks.kind import Row

EVALUATION = "evaluation.json"


@dataclass(frozen=True)
class LabelFigures:
    """How well the model does on one label."""

    table: ClassVar[str] = "model_label_metric"
    key: ClassVar[tuple[str, ...]] = ("label",)
    label: str
    precision: float
    recall: float
    f1: float
    #: Held-out documents that have the label, and documents that were given it.
    support: int
    n_predicted: int
    #: None if a document has one label.
    threshold: float | None


@dataclass(frozen=True)
class Confusion:
    """How many held-out documents of one label were given another one."""

    table: ClassVar[str] = "model_confusion"
    key: ClassVar[tuple[str, ...]] = ("true_label", "predicted_label")
    true_label: str
    predicted_label: str
    n_documents: int


@dataclass(frozen=True)
class Reliability:
    """A bin of the reliability diagram: predictions of similar confidence, and the share that was correct."""

    table: ClassVar[str] = "model_reliability"
    key: ClassVar[tuple[str, ...]] = ("bin",)
    bin: int
    n_decisions: int
    confidence: float
    share_right: float


ROWS: tuple[type[Row], ...] = (LabelFigures, Confusion, Reliability)


def read(model_dir: Path) -> Sequence[Row]:
    """The figures that the training stored in the folder of the model."""
    found: dict[str, Any] = json.loads((model_dir / EVALUATION).read_text(encoding="utf-8"))
    return [*_by_label(found), *_confusion(found), *_reliability(found)]


def _by_label(found: dict[str, Any]) -> list[LabelFigures]:
    return [
        LabelFigures(
            each["label"], each["precision"], each["recall"], each["f1"], each["documents"], each["predicted"],
            each.get("threshold"),
        )
        for each in found["labels"]
    ]  # fmt: skip


def _confusion(found: dict[str, Any]) -> list[Confusion]:
    """Empty for documents with several labels, which have no confusion matrix."""
    if "confusion" not in found:
        return []
    labels, counts = found["confusion"]["labels"], found["confusion"]["counts"]
    return [
        Confusion(true, predicted, n)
        for true, row in zip(labels, counts, strict=True)
        for predicted, n in zip(labels, row, strict=True)
        if n
    ]


def _reliability(found: dict[str, Any]) -> list[Reliability]:
    return [
        Reliability(each["bin"], each["n"], each["confidence"], each["share_right"])
        for each in found["reliability"]
    ]
