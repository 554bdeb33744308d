"""The kind `similarity` under another name, whose runners note how long they worked: one line for each batch in
DOCMILL_HOME/timed.txt. For `benchmarks.similarity_end_to_end`."""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from nlp_tasks.kind import Document, Result, Runner, Setup, Stage
from nlp_tasks.similarity import SIMILARITY

FILE = "timed.txt"


class Timed:
    """A runner that notes the seconds of opening it and of each batch."""

    def __init__(self, stage: Stage, setup: Setup) -> None:
        self._name = stage.name
        started = time.perf_counter()
        self._runner: Runner = stage.open(setup)
        self._note(started)
        self.batch_documents = self._runner.batch_documents
        self.batch_chars = self._runner.batch_chars

    def run(self, documents: Sequence[Document]) -> Sequence[Result]:
        started = time.perf_counter()
        results = self._runner.run(documents)
        self._note(started)
        return results

    def _note(self, started: float) -> None:
        with (Path(os.environ["DOCMILL_HOME"]) / FILE).open("a", encoding="ascii") as file:
            file.write(f"{self._name} {time.perf_counter() - started}\n")


def _timed(stage: Stage) -> Callable[[Setup], Runner]:
    return lambda setup: Timed(stage, setup)


KINDS = (
    dataclasses.replace(
        SIMILARITY,
        name="timed-similarity",
        stages=tuple(dataclasses.replace(stage, open=_timed(stage)) for stage in SIMILARITY.stages),
    ),
)
