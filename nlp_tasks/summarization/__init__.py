"""Summaries, of a document's own sentences or in new words: the kind `summarize`, its parameters and its rows.

Knows no torch: the work is in `runner` and in `abstractive.runner`, imported when a stage is opened.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from nlp_tasks.kind import Kind, Runner, Setup, Stage
from nlp_tasks.parameters import LOCAL_FOLDER, OneOf, Seed, parameters

#: Methods that choose sentences of the document.
METHODS = ("textrank", "lexrank", "centroid", "lead")
#: The method that writes new sentences, with a model.
ABSTRACTIVE = "abstractive"


@parameters
class SummarizeParameters:
    """How to summarize, and how much of a document to keep."""

    method: Annotated[
        str,
        OneOf((*METHODS, ABSTRACTIVE)),
        Field(description="how sentences are chosen; abstractive: new sentences, written by a model"),
    ] = "textrank"
    sentences: Annotated[
        int,
        Field(
            ge=1, le=10_000, description="sentences to keep; fewer when the document or max_chars has no room"
        ),
    ] = 3
    ratio: Annotated[
        float,
        Field(
            ge=0, le=1, description="share of the sentences to keep instead of their number; 0 for the number"
        ),
    ] = 0.0
    max_chars: Annotated[
        int,
        Field(
            ge=0,
            le=10_000_000,
            description="characters of a summary at most, unless its best sentence alone is longer; 0 for no limit",
        ),
    ] = 0
    query: Annotated[
        str,
        Field(
            max_length=10_000,
            description="what the summary is about; empty for what the document is about",
        ),
    ] = ""
    diversity: Annotated[
        float, Field(ge=0, lt=1, description="weight of repetition against a sentence (MMR)")
    ] = 0.25
    position: Annotated[
        float,
        Field(
            ge=0,
            le=10,
            description="weight of standing early in the document; 0 for none; unused with a query",
        ),
    ] = 1.25
    pretrained: Annotated[
        str,
        Field(description="abstractive: local folder of a transformers encoder-decoder, instead of --model"),
        LOCAL_FOLDER,
    ] = ""
    search: Annotated[
        Literal["beam", "greedy", "sample"], Field(description="abstractive: how the next token is chosen")
    ] = "beam"
    beams: Annotated[int, Field(ge=1, le=32, description="abstractive, beam: hypotheses that are kept")] = 4
    no_repeat: Annotated[
        int,
        Field(
            ge=0,
            le=100,
            description="abstractive: no run of this many tokens is written twice; 0 for no limit",
        ),
    ] = 3
    max_tokens: Annotated[
        int,
        Field(ge=0, le=1024, description="abstractive: tokens written at most; 0 for the model's own limit"),
    ] = 0
    temperature: Annotated[
        float,
        Field(
            ge=0.01,
            le=100,
            description="abstractive, sample: below 1 prefers probable tokens, above 1 flattens",
        ),
    ] = 1.0
    top_k: Annotated[
        int,
        Field(
            ge=0,
            le=1_000_000,
            description="abstractive, sample: draw from the most probable tokens; 0 for all",
        ),
    ] = 0
    top_p: Annotated[
        float,
        Field(
            gt=0,
            le=1,
            description="abstractive, sample: draw from the most probable tokens that together have this probability",
        ),
    ] = 1.0
    seed: Seed = 0

    def __post_init__(self) -> None:
        if self.pretrained and self.method != ABSTRACTIVE:
            raise ValueError(f"pretrained is for method={ABSTRACTIVE} only")


@dataclass(frozen=True, slots=True)
class SummaryRow:
    """One document's summary."""

    table: ClassVar[str] = "summary"

    #: In a table with the summary, n_sentences would read as the summary's own length.
    headings: ClassVar[dict[str, str]] = {"n_sentences": "n_document_sentences"}

    #: The chosen sentences in document order, a blank between them; or what the model wrote.
    summary: str
    method: str
    #: How many sentences the document has.
    n_sentences: int


@dataclass(frozen=True, slots=True)
class SummarySentenceRow:
    """One sentence of a summary, and where in the document it stands. There is none in new words."""

    table: ClassVar[str] = "summary_sentence"

    #: Its place in the summary, from 1, in document order.
    position: int
    #: `text[start_char:end_char]` is the sentence as the document has it, with its markup if there is any.
    start_char: int
    end_char: int
    #: Its importance, relative to the document's most important sentence (1.0).
    score: float


def _open(setup: Setup) -> Runner:
    if setup.parameters.method == ABSTRACTIVE:
        from nlp_tasks.summarization.abstractive.runner import AbstractiveSummarizer

        return AbstractiveSummarizer(setup)
    from nlp_tasks.summarization.extractive.runner import Summarizer

    return Summarizer(setup)


def _needs_model(parameters: SummarizeParameters) -> bool:
    return parameters.method == ABSTRACTIVE and not parameters.pretrained


SUMMARIZE = Kind(
    name="summarize",
    summary="Write a summary of each document: its most important sentences, or new ones",
    parameters=SummarizeParameters,
    rows=(SummaryRow, SummarySentenceRow),
    stages=(Stage("summarize", _open),),
    model_from="train-summarizer",
    needs_model=_needs_model,
    chunk_documents=512,
    chunk_chars=2_000_000,
)

KINDS = (SUMMARIZE,)
