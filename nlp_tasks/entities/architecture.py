"""What every architecture does: learn from marked texts, and find entities in others. One module for each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from nlp_tasks import model_files
from nlp_tasks.checkpoint import Checkpoint
from nlp_tasks.entities import TrainEntitiesParameters
from nlp_tasks.entities.features import Known
from nlp_tasks.entities.spans import Entity
from nlp_tasks.errors import ModelFileError
from nlp_tasks.kind import Progress

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

#: Each has `fit` (Fit) and `load` (Load).
MODULES = {
    "crf": "nlp_tasks.entities.crf",
    "bilstm-crf": "nlp_tasks.entities.bilstm_crf",
    "pretrained": "nlp_tasks.entities.pretrained",
}
#: Those that read units and features; a model is of no use with others than it was trained with.
BY_FEATURES = frozenset({"crf", "bilstm-crf"})
#: Which units and features: counts up with every change of units.py, features.py, noun_runs.py or word_features.py.
FEATURES = 3


@dataclass(frozen=True)
class Example:
    """A document with its marked entities."""

    key: str
    text: str
    entities: list[Entity]


@dataclass(frozen=True, slots=True)
class Found:
    """An entity with the probability of its least certain unit."""

    entity: Entity
    score: float


class Finder(Protocol):
    """A trained model."""

    def find(self, texts: Sequence[str]) -> list[list[Found]]:
        """The entities of each text, in its order and without overlaps. They do not depend on the other texts."""
        ...


@dataclass(frozen=True)
class Lesson:
    """What a model is trained on, and how."""

    examples: Sequence[Example]
    #: What decides when to stop; not what the model is measured on.
    validation: Sequence[Example]
    labels: Sequence[str]
    known: Known
    parameters: TrainEntitiesParameters
    device: str
    model_dir: Path
    progress: Progress
    checkpoint: Checkpoint


@dataclass(frozen=True)
class Fitted:
    """What of a model is kept, beside the files that it wrote itself."""

    config: dict[str, Any]
    tensors: dict[str, NDArray[np.generic]]


def fit(lesson: Lesson) -> Fitted:
    """Train the architecture that the parameters name."""
    function: Callable[[Lesson], Fitted] = import_module(MODULES[lesson.parameters.arch]).fit
    return function(lesson)


def load(model_dir: Path, device: str) -> Finder:
    """The model of a folder, which is checked first. ModelFileError if it was trained with other features."""
    model_files.check(model_dir)
    config = model_files.read_config(model_dir)
    arch = config["arch"]
    if not is_current(config):
        raise ModelFileError(
            f"{model_dir} was trained by another version of docmill, with other features: train the model again"
        )
    function: Callable[[Path, str], Finder] = import_module(MODULES[arch]).load
    return function(model_dir, device)


def is_current(config: dict[str, Any]) -> bool:
    """Whether the model with this config sees texts as it did when it was trained."""
    return config["arch"] not in BY_FEATURES or config.get("features_version", 1) == FEATURES
