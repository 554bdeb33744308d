"""The contract of an architecture: `fit` learns from examples, `load` restores a trained classifier. One module each.

Knows nothing of documents, files, temperatures or metrics: those belong to `trainer` and `runner`.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, cast

from nlp_tasks.checkpoint import Checkpoint
from nlp_tasks.classification import ARCHITECTURES, TrainParameters
from nlp_tasks.errors import ModelFileError
from nlp_tasks.kind import Progress

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

#: The JSON part and the tensors of a trained architecture, as model_files.save takes them.
State: TypeAlias = "tuple[dict[str, Any], dict[str, NDArray[Any]]]"

#: Terms of a text with their contributions to a score, the largest first; only positive ones.
Terms: TypeAlias = "list[tuple[str, float]]"


@dataclass(frozen=True)
class Examples:
    """Texts with the index of their label: the training set, and a validation set to choose settings by.

    If texts have several labels, `labels` are ones and zeros: (N, K) and (T, K).
    """

    texts: Sequence[str]  # (N,)
    labels: NDArray[np.int64]  # (N,) or (N, K)
    validation_texts: Sequence[str]  # (T,)
    validation_labels: NDArray[np.int64]  # (T,) or (T, K)
    #: The labels' names (K,), in the order of their indexes.
    label_names: Sequence[str]
    #: How much an example of each label weighs.
    class_weights: NDArray[np.float32]  # (K,)

    @property
    def n_labels(self) -> int:
        return len(self.label_names)


class Classifier(Protocol):
    """A trained architecture."""

    #: As Runner.batch_documents and Runner.batch_chars.
    batch_documents: int
    batch_chars: int

    def logits(self, texts: Sequence[str], beat: Callable[[], None]) -> NDArray[np.float32]:
        """Scores (N, K), which softmax turns into probabilities (the sigmoid, if texts have several labels). Texts
        are never truncated."""
        ...

    def explain(
        self, texts: Sequence[str], labels: Sequence[int], most: int, beat: Callable[[], None]
    ) -> list[Terms]:
        """For each text, at most `most` terms that contributed most to the score of its label (given by its index),
        relative to their mean contribution to all labels."""
        ...

    def state(self) -> State:
        """What `load` needs to build this classifier again."""
        ...


@dataclass(frozen=True)
class Unseen:
    """Scores of texts by classifiers that did not learn from them."""

    logits: NDArray[np.float32]  # (M, K)
    labels: NDArray[np.int64]  # (M,) or (M, K)


@dataclass(frozen=True)
class Fitted:
    """A classifier, and scores of the validation texts to calibrate it by. They come from a classifier like it that
    did not learn from these texts."""

    classifier: Classifier
    validation_logits: NDArray[np.float32]  # (T, K)
    #: Such scores of more texts, with their labels, if there are: cross-validation scores all texts that way.
    unseen: Unseen | None = None


@dataclass(frozen=True)
class Training:
    """What an architecture is fitted with, beside the examples."""

    parameters: TrainParameters
    device: str
    progress: Progress
    #: Where a long training saves its state from time to time, and resumes; None for no checkpoints.
    checkpoint: Checkpoint | None = None


class Architecture(Protocol):
    """The module of an architecture."""

    def fit(self, examples: Examples, training: Training) -> Fitted:
        """Learn from the examples. Must call `training.progress` every few seconds."""
        ...

    def load(self, config: dict[str, Any], tensors: dict[str, NDArray[Any]], device: str) -> Classifier: ...


def get(name: str) -> Architecture:
    """The architecture of that name; its module is imported now. ModelFileError if this version of docmill
    has no such architecture."""
    if name not in ARCHITECTURES:
        raise ModelFileError(
            f"the model was trained by another version of docmill (architecture {name!r}): train it again"
        )
    return cast(Architecture, importlib.import_module(ARCHITECTURES[name]))
