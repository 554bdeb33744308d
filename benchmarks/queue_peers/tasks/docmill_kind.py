"""The same task as a kind of docmill: the number of words as a label, one result row for each document."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from sqlalchemy import event
from sqlalchemy.engine import Engine

from benchmarks.queue_peers.tasks import behaviour
from nlp_tasks.kind import Document, Kind, Result, Setup, Stage


@dataclass(frozen=True)
class NoParameters:
    """Takes none."""


@dataclass(frozen=True)
class CountRow:
    table: ClassVar[str] = "classification"

    rank: int
    label: str
    score: float
    reason: str | None = None


class Counter:
    """Counts words."""

    batch_documents = 1000
    batch_chars = 1_000_000_000

    def __init__(self, setup: Setup) -> None:
        pass

    def run(self, documents: Sequence[Document]) -> Sequence[Result]:
        return [self._one(document) for document in documents]

    def _one(self, document: Document) -> Result:
        behaviour.before(document.id)
        return [CountRow(1, str(len(document.text.split())), 1.0)]


@event.listens_for(Engine, "after_cursor_execute")
def _executed(_connection: Any, _cursor: Any, _statement: str, parameters: Any, *_: Any) -> None:
    """docmill writes results itself: note which documents a statement has written, as soon as it has."""
    if isinstance(parameters, dict) and "b_ids" in parameters:
        behaviour.written(parameters["b_ids"])


KINDS = (
    Kind(
        name="count-words",
        summary="Counts words.",
        parameters=NoParameters,
        rows=(CountRow,),
        stages=(Stage("count", Counter),),
    ),
)
