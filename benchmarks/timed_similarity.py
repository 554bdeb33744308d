"""The kinds `similarity` and `train-similarity` under other names, with timing: they write one line for a training and
for each batch to DOCMILL_HOME/timed.txt. For `benchmarks.similarity_end_to_end`."""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from nlp_tasks.kind import Document, Documents, Progress, Result, Runner, Setup, Stage
from nlp_tasks.similarity import SIMILARITY, TRAIN_SIMILARITY, TrainSimilarityParameters

FILE = "timed.txt"
TRAIN = "timed-train-similarity"


def note(name: str, started: float) -> None:
    """Record the time since `started`."""
    with (Path(os.environ["DOCMILL_HOME"]) / FILE).open("a", encoding="ascii") as file:
        file.write(f"{name} {time.perf_counter() - started}\n")


class Timed:
    """A runner that records the seconds of its opening and of each batch."""

    def __init__(self, stage: Stage, setup: Setup) -> None:
        self._name = stage.name
        started = time.perf_counter()
        self._runner: Runner = stage.open(setup)
        note(self._name, started)
        self.batch_documents = self._runner.batch_documents
        self.batch_chars = self._runner.batch_chars

    def run(self, documents: Sequence[Document]) -> Sequence[Result]:
        started = time.perf_counter()
        results = self._runner.run(documents)
        note(self._name, started)
        return results


def _timed(stage: Stage) -> Callable[[Setup], Runner]:
    return lambda setup: Timed(stage, setup)


def _train(
    documents: Documents,
    parameters: TrainSimilarityParameters,
    device: str,
    model_dir: Path,
    progress: Progress,
) -> dict[str, float]:
    assert TRAIN_SIMILARITY.train is not None
    started = time.perf_counter()
    metrics = TRAIN_SIMILARITY.train(documents, parameters, device, model_dir, progress)
    note("train", started)
    return metrics


KINDS = (
    dataclasses.replace(TRAIN_SIMILARITY, name=TRAIN, train=_train),
    dataclasses.replace(
        SIMILARITY,
        name="timed-similarity",
        model_from=TRAIN,
        stages=tuple(dataclasses.replace(stage, open=_timed(stage)) for stage in SIMILARITY.stages),
    ),
)
