"""Summaries made of a document's own sentences: the kind `summarize`, its parameters and its rows.

Knows no torch: the work is in `runner`, imported when a stage is opened.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from nlp_tasks.kind import Kind, Runner, Setup, Stage

METHODS = ("textrank", "lexrank", "centroid", "lead")


@dataclass(frozen=True)
class SummarizeParameters:
    """How to summarize, and how much of a document to keep."""

    method: str = "textrank"
    #: How many sentences a summary has; fewer when the document, or `max_chars`, has no room for them.
    sentences: int = 3
    #: The share of the document's sentences to keep, instead of a number of them; 0 for the number.
    ratio: float = 0.0
    #: No more characters than this, unless the best sentence alone has more; 0 for no limit.
    max_chars: int = 0
    #: What the summary should be about; empty for what the document is about.
    query: str = ""
    #: How much being said already counts against a sentence (MMR), from 0 to 1.
    diversity: float = 0.1
    #: How much standing at the document's beginning counts for a sentence, 0 for nothing; unused with a query.
    position: float = 2.5

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise ValueError(f"method must be one of {', '.join(METHODS)}, not {self.method!r}")
        if self.sentences < 1:
            raise ValueError(f"sentences must be 1 or more, not {self.sentences}")
        if not 0 <= self.ratio <= 1:
            raise ValueError(f"ratio must be from 0 to 1, not {self.ratio}")
        if self.max_chars < 0:
            raise ValueError(f"max_chars must be 0 (no limit) or more, not {self.max_chars}")
        if not 0 <= self.diversity < 1:
            raise ValueError(f"diversity must be from 0 to below 1, not {self.diversity}")
        if not 0 <= self.position <= 10:
            raise ValueError(f"position must be from 0 to 10, not {self.position}")


@dataclass(frozen=True, slots=True)
class SummaryRow:
    """One document's summary."""

    table: ClassVar[str] = "summary"

    #: The chosen sentences in document order, a blank between them.
    summary: str
    method: str
    #: How many sentences the document has.
    n_sentences: int


@dataclass(frozen=True, slots=True)
class SummarySentenceRow:
    """One sentence of a summary, and where in the document it stands."""

    table: ClassVar[str] = "summary_sentence"

    #: Its place in the summary, from 1, in document order.
    position: int
    #: `text[start_char:end_char]` is the sentence.
    start_char: int
    end_char: int
    #: Its importance, relative to the document's most important sentence (1.0).
    score: float


def _open(setup: Setup) -> Runner:
    from nlp_tasks.summarization.runner import Summarizer

    return Summarizer(setup)


SUMMARIZE = Kind(
    name="summarize",
    summary="Write a summary of each document's most important sentences.",
    parameters=SummarizeParameters,
    rows=(SummaryRow, SummarySentenceRow),
    stages=(Stage("summarize", _open),),
    chunk_documents=512,
    chunk_chars=2_000_000,
    help={
        "method": f"one of {', '.join(METHODS)}",
        "sentences": "how many sentences to keep",
        "ratio": "the share of the sentences to keep, instead of their number; 0 for the number",
        "max_chars": "the most characters a summary may have; 0 for no limit",
        "query": "what the summary should be about",
        "diversity": "how much repetition counts against a sentence, 0 to 1",
        "position": "how much standing early counts for a sentence, 0 for nothing",
    },
)
