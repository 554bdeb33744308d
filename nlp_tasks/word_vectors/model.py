"""A Word2Vec model as arrays, and on disk as JSON and safetensors. The files of gensim are pickles."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nlp_tasks import model_files
from nlp_tasks.errors import ModelFileError
from nlp_tasks.word_vectors import TrainWordsParameters, units
from nlp_tasks.word_vectors.units import Units

FORMAT = "docmill word2vec 1"


@dataclass(frozen=True)
class Model:
    """Words with their vectors, from frequent to rare, ties in alphabetical order."""

    parameters: TrainWordsParameters
    units: Units
    words: list[str]  # (V,)
    counts: NDArray[np.int64]  # (V,)
    vectors: NDArray[np.float32]  # (V, D)

    @cached_property
    def numbers(self) -> dict[str, int]:
        """The index in `words` of each word."""
        return {word: number for number, word in enumerate(self.words)}

    @cached_property
    def unit_vectors(self) -> NDArray[np.float32]:
        """The vectors with length 1  # (V, D)."""
        lengths = np.linalg.norm(self.vectors, axis=1, keepdims=True)
        return np.asarray(self.vectors / np.maximum(lengths, 1e-12), dtype=np.float32)


def save(model: Model, model_dir: Path) -> None:
    """Write a model and seal it."""
    config = {
        "format": FORMAT,
        "parameters": asdict(model.parameters),
        "units": model.units.as_json(),
        "words": model.words,
    }
    model_files.save(model_dir, config, {"vectors": model.vectors, "counts": model.counts})


def load(model_dir: Path) -> Model:
    """The model of a folder, verified. Raises ModelFileError if it is incomplete, or not a Word2Vec model."""
    config, saved = model_files.load(model_dir)
    if config.get("format") != FORMAT:
        raise ModelFileError(
            f"{model_dir} holds {config.get('format')!r}, not {FORMAT!r}: train the model again"
        )
    tensors: Mapping[str, NDArray[Any]] = saved
    return Model(
        TrainWordsParameters(**config["parameters"]),
        units.from_json(config["units"]),
        config["words"],
        tensors["counts"],
        tensors["vectors"],
    )
