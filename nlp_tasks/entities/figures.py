"""The figures of a trained model as rows, by label. Read from evaluation.json. Imports no numpy."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from nlp_tasks.kind import Row

EVALUATION = "evaluation.json"


@dataclass(frozen=True)
class EntityFigures:
    """How well the model finds the entities of one label in held-out documents."""

    table: ClassVar[str] = "model_entity_metric"
    key: ClassVar[tuple[str, ...]] = ("label",)

    label: str
    precision: float
    recall: float
    f1: float
    #: Entities that people marked, and those that the model found.
    support: int
    n_predicted: int


ROWS: tuple[type[Row], ...] = (EntityFigures,)


def read(model_dir: Path) -> Sequence[Row]:
    """The figures that the training stored in the folder of the model."""
    found: dict[str, Any] = json.loads((model_dir / EVALUATION).read_text(encoding="utf-8"))
    return [EntityFigures(**each) for each in found["labels"]]
