"""A kind whose documents take a fixed time each, and no processor: to measure who waits for whom."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from nlp_tasks.kind import Document, Kind, Result, Setup, Stage


@dataclass(frozen=True)
class SteadyParameters:
    #: Seconds that each document takes.
    seconds: float = 0.002


class Steady:
    """Returns an empty result for every document."""

    batch_documents = 32
    batch_chars = 1_000_000_000

    def __init__(self, setup: Setup) -> None:
        self.seconds = setup.parameters.seconds

    def run(self, documents: Sequence[Document]) -> Sequence[Result]:
        time.sleep(self.seconds * len(documents))
        return [()] * len(documents)


STEADY = Kind(
    name="steady",
    summary="Takes its time.",
    parameters=SteadyParameters,
    stages=(Stage("steady", Steady),),
)
KINDS = (STEADY,)
