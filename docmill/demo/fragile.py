"""A kind whose runner crashes on one document, so that the demo can show how docmill handles it."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from nlp_tasks.kind import Document, Kind, Result, Setup, Stage

#: A document with this key causes a segmentation fault.
CRASHES = "crash-me"


@dataclass(frozen=True)
class NoParameters:
    """None."""


@dataclass(frozen=True)
class LengthRow:
    """The document's length as a label."""

    table: ClassVar[str] = "classification"

    rank: int
    label: str
    score: float
    reason: str | None = None


class Fragile:
    """Labels documents as short or long."""

    batch_documents = 64
    batch_chars = 1_000_000

    def __init__(self, setup: Setup) -> None:
        pass

    def run(self, documents: Sequence[Document]) -> Sequence[Result]:
        if any(CRASHES in document.key for document in documents):
            ctypes.string_at(0)
        return [
            [LengthRow(1, "long" if len(document.text) > 300 else "short", 1.0)] for document in documents
        ]


FRAGILE = Kind(
    name="demo-fragile",
    summary="Short or long; crashes on one document of the demo.",
    parameters=NoParameters,
    rows=(LengthRow,),
    stages=(Stage("length", Fragile),),
)
KINDS = (FRAGILE,)
