"""The kind `keywords`: the most important words and terms of each document.

This module imports no torch, because clients import it to check parameters.

    runner.py               the stage: words, their scores, the best terms
    phrases.py              the words of a text that may be part of a keyword
    chinese_japanese.py     the same for Chinese and Japanese
    parts_of_speech.py      which English words may be part of a keyword
    stop_words.py           words that are never keywords
    candidates.py           terms of several words, and their scores
    word.py                 a word and its place
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from pydantic import Field

from nlp_tasks.kind import Kind, Runner, Setup, Stage
from nlp_tasks.parameters import parameters


@parameters
class KeywordsParameters:
    """How many keywords to find, and how long they may be."""

    top: Annotated[
        int,
        Field(ge=1, le=100, description="maximum number of keywords of a document, the most important first"),
    ] = 10
    max_words: Annotated[
        int, Field(ge=1, le=5, description="maximum number of words in a keyword; 1 for single words only")
    ] = 3


@dataclass(frozen=True, slots=True)
class KeywordRow:
    """One keyword of a document."""

    table: ClassVar[str] = "keyword"
    key: ClassVar[tuple[str, ...]] = ("rank",)

    #: 1 for the most important.
    rank: int
    #: In its most frequent spelling in the document.
    term: str
    #: Its importance, relative to the most important term of the document (1.0).
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
    epoch=4,
    chunk_documents=512,
    chunk_chars=2_000_000,
)

KINDS = (KEYWORDS,)
