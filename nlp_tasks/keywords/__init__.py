"""The words and terms that a document is about: the kind `keywords`, its parameters and its rows.

Knows no torch: the work is in `runner`, imported when a stage is opened.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from pydantic import Field

from nlp_tasks.kind import Kind, Runner, Setup, Stage
from nlp_tasks.parameters import parameters


@parameters
class KeywordsParameters:
    """How many keywords, and how long they may be."""

    top: Annotated[
        int, Field(ge=1, le=100, description="keywords of a document, the most important first")
    ] = 10
    max_words: Annotated[
        int, Field(ge=1, le=5, description="words in a keyword at most; 1 for single words only")
    ] = 3


@dataclass(frozen=True, slots=True)
class KeywordRow:
    """One keyword of a document."""

    table: ClassVar[str] = "keyword"
    key: ClassVar[tuple[str, ...]] = ("rank",)

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
)

KINDS = (KEYWORDS,)
