"""The words and terms that a document is about: the kind `keywords`, its parameters and its rows.

Knows no torch: the work is in `runner`, imported when a stage is opened.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from nlp_tasks.kind import Kind, Runner, Setup, Stage


@dataclass(frozen=True)
class KeywordsParameters:
    """How many keywords, and how long they may be."""

    #: How many keywords a document has; fewer when it has no more.
    top: int = 10
    #: A term has at most so many words; 1 for single words only.
    max_words: int = 3

    def __post_init__(self) -> None:
        if not 1 <= self.top <= 100:
            raise ValueError(f"top must be from 1 to 100, not {self.top}")
        if not 1 <= self.max_words <= 5:
            raise ValueError(f"max_words must be from 1 to 5, not {self.max_words}")


@dataclass(frozen=True, slots=True)
class KeywordRow:
    """One keyword of a document."""

    table: ClassVar[str] = "keyword"

    #: 1 for the most important.
    rank: int
    #: As the document writes it most often.
    term: str
    #: Its importance, relative to the document's most important term (1.0).
    score: float


def _open(setup: Setup) -> Runner:
    from nlp_tasks.keywords.runner import KeywordFinder

    return KeywordFinder(setup)


KEYWORDS = Kind(
    name="keywords",
    summary="Find the words and terms that each document is about",
    parameters=KeywordsParameters,
    rows=(KeywordRow,),
    stages=(Stage("keywords", _open),),
    chunk_documents=512,
    chunk_chars=2_000_000,
    help={
        "top": "how many keywords a document has, the most important first",
        "max_words": "how many words a term has at most; 1 for single words only",
    },
)
