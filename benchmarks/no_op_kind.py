"""A kind whose runner does nothing, to measure the cost of the queue."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nlp_tasks.kind import Document, Kind, Result, Setup, Stage


@dataclass(frozen=True)
class NoParameters:
    """Takes none."""


class Nothing:
    """Returns an empty result for every document at once."""

    batch_documents = 1000
    batch_chars = 1_000_000_000

    def __init__(self, setup: Setup) -> None:
        pass

    def run(self, documents: Sequence[Document]) -> Sequence[Result]:
        return [()] * len(documents)


NOTHING = Kind(
    name="nothing",
    summary="Does nothing.",
    parameters=NoParameters,
    stages=(Stage("nothing", Nothing),),
)
KINDS = (NOTHING,)
