"""The kind of the simulation: one row for each document. A real worker returns it at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from nlp_tasks.kind import Document, Kind, Result, Setup, Stage


@dataclass(frozen=True)
class NoParameters:
    """Takes none."""


@dataclass(frozen=True)
class SimulatedRow:
    table: ClassVar[str] = "classification"

    rank: int
    label: str
    score: float
    reason: str | None = None


class Simulated:
    """Answers every document with the same row."""

    batch_documents = 1000
    batch_chars = 1_000_000_000

    def __init__(self, setup: Setup) -> None:
        pass

    def run(self, documents: Sequence[Document]) -> Sequence[Result]:
        return [[SimulatedRow(1, "label", 0.5)] for _ in documents]


SIMULATED = Kind(
    name="simulated",
    summary="Answers every document with the same row.",
    parameters=NoParameters,
    rows=(SimulatedRow,),
    stages=(Stage("simulate", Simulated),),
)
KINDS = (SIMULATED,)
