"""A kind of job of your own, in one file: how many words and sentences each document has.

    cd examples
    export DOCMILL_KIND_MODULES=own_kind
    docmill up &
    python own_kind.py

The result table is made from the row class. docs/adding-a-kind.md says more.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

from pydantic import Field

from docmill import Client
from nlp_tasks.kind import Document, Kind, Result, Setup, Stage
from nlp_tasks.parameters import parameters


@parameters
class CountParameters:
    min_chars: Annotated[int, Field(ge=1, le=100, description="shorter words are not counted")] = 1


@dataclass(frozen=True)
class CountRow:
    table: ClassVar[str] = "example_count"
    n_words: int
    n_sentences: int


class Counter:
    batch_documents, batch_chars = 1000, 10_000_000

    def __init__(self, setup: Setup) -> None:
        self.min_chars = setup.parameters.min_chars

    def run(self, documents: Sequence[Document]) -> Sequence[Result]:
        return [[self._row(document.text)] for document in documents]

    def _row(self, text: str) -> CountRow:
        words = [word for word in re.findall(r"\w+", text) if len(word) >= self.min_chars]
        return CountRow(len(words), len(re.findall(r"[.!?]+", text)))


KINDS = [Kind("example-count", "Count words", CountParameters, (CountRow,), (Stage("count", Counter),))]

if __name__ == "__main__":
    with Client() as client:
        client.add_records([{"id": "a", "text": "One two. Three!"}], collection="example-own")
        job = client.submit("example-count", collection="example-own", parameters={"min_chars": 4})
        job.wait(timeout_seconds=600)
        print(list(job.results()))
