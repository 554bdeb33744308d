"""The kind `summarize`: extractive summaries, of a document's own sentences, or abstractive ones, written by a model.

This module imports no torch, because clients import it to check parameters. The work is done in `extractive/` and
`abstractive/`, whose `runner.py` are imported when a stage is opened.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from nlp_tasks.endpoint import Endpoint, Results, one_text
from nlp_tasks.kind import Kind, Runner, Setup, Stage
from nlp_tasks.parameters import LOCAL_FOLDER, OneOf, Seed, parameters

#: Methods that choose sentences of the document.
METHODS = ("textrank", "lexrank", "centroid", "lead")
#: The length of a summary, in sentences, of a request that gives no length.
SENTENCES = 3
#: The method that writes new sentences, with a model.
ABSTRACTIVE = "abstractive"


@parameters
class SummarizeParameters:
    """How to summarize, and how long a summary may be."""

    method: Annotated[
        str,
        OneOf((*METHODS, ABSTRACTIVE)),
        Field(description="how sentences are chosen; abstractive: a model writes new sentences"),
    ] = "textrank"
    sentences: Annotated[
        int,
        Field(
            ge=1,
            le=10_000,
            description="length of a summary in sentences; not used with ratio or max_chars",
        ),
    ] = SENTENCES
    ratio: Annotated[
        float,
        Field(
            ge=0,
            le=1,
            description="length of a summary as a share of the characters of the document's sentences; 0 for none",
        ),
    ] = 0.0
    max_chars: Annotated[
        int,
        Field(
            ge=0,
            le=10_000_000,
            description="length of a summary in characters, in whole sentences; 0 for none",
        ),
    ] = 0
    query: Annotated[
        str,
        Field(
            max_length=10_000,
            description="summarize with respect to this query; empty for a general summary",
        ),
    ] = ""
    diversity: Annotated[
        float, Field(ge=0, lt=1, description="penalty for sentences that repeat chosen ones (MMR)")
    ] = 0.25
    position: Annotated[
        float,
        Field(
            ge=0,
            le=10,
            description="preference for sentences at the beginning of the document; 0 for none; not used with a query",
        ),
    ] = 1.0
    pretrained: Annotated[
        str,
        Field(description="abstractive: local folder of a transformers encoder-decoder, instead of --model"),
        LOCAL_FOLDER,
    ] = ""
    search: Annotated[
        Literal["beam", "greedy", "sample"], Field(description="abstractive: how the next token is chosen")
    ] = "beam"
    beams: Annotated[int, Field(ge=1, le=32, description="abstractive, beam: number of hypotheses kept")] = 4
    no_repeat: Annotated[
        int,
        Field(
            ge=0,
            le=100,
            description="abstractive: no n-gram of this size is written twice; 0 for no limit",
        ),
    ] = 3
    max_tokens: Annotated[
        int,
        Field(ge=0, le=1024, description="abstractive: maximum tokens written; 0 for the model's own limit"),
    ] = 0
    temperature: Annotated[
        float,
        Field(
            ge=0.01,
            le=100,
            description="abstractive, sample: below 1 sharpens the distribution of tokens, above 1 flattens it",
        ),
    ] = 1.0
    top_k: Annotated[
        int,
        Field(
            ge=0,
            le=1_000_000,
            description="abstractive, sample: draw from this many most probable tokens; 0 for all",
        ),
    ] = 0
    top_p: Annotated[
        float,
        Field(
            gt=0,
            le=1,
            description="abstractive, sample: draw from the most probable tokens whose probabilities sum to this",
        ),
    ] = 1.0
    seed: Seed = 0

    def __post_init__(self) -> None:
        if self.pretrained and self.method != ABSTRACTIVE:
            raise ValueError(f"pretrained is only for method={ABSTRACTIVE}")


@dataclass(frozen=True, slots=True)
class SummaryRow:
    """The summary of a document."""

    table: ClassVar[str] = "summary"

    #: In a table with the summary, n_sentences would read as the summary's own length.
    headings: ClassVar[dict[str, str]] = {"n_sentences": "n_document_sentences"}

    #: The chosen sentences in document order, separated by blanks; or the text that the model wrote.
    summary: str
    method: str
    #: The number of sentences of the document.
    n_sentences: int


@dataclass(frozen=True, slots=True)
class SummarySentenceRow:
    """A sentence of an extractive summary, with its place in the document."""

    table: ClassVar[str] = "summary_sentence"
    key: ClassVar[tuple[str, ...]] = ("position",)

    #: Its position in the summary, from 1, in document order.
    position: int
    #: `text[start_char:end_char]` is the sentence as it is in the document, including any markup.
    start_char: int
    end_char: int
    #: Its importance, relative to the most important sentence of the document (1.0).
    score: float


def _open(setup: Setup) -> Runner:
    if setup.parameters.method == ABSTRACTIVE:
        from nlp_tasks.summarization.abstractive.runner import AbstractiveSummarizer

        return AbstractiveSummarizer(setup)
    from nlp_tasks.summarization.extractive.runner import Summarizer

    return Summarizer(setup)


def _check(parameters: SummarizeParameters) -> None:
    """A summary has one length."""
    lengths = {
        "sentences": parameters.sentences != SENTENCES,
        "ratio": parameters.ratio > 0,
        "max_chars": parameters.max_chars > 0,
    }
    given = [name for name, is_given in lengths.items() if is_given]
    if len(given) > 1:
        raise ValueError(f"{' and '.join(given)} are lengths of one summary: give only one of them")
    if parameters.method == ABSTRACTIVE and (parameters.ratio or parameters.max_chars):
        raise ValueError(f"{given[0]} is not for method={ABSTRACTIVE}: give max_tokens")


def _needs_model(parameters: SummarizeParameters) -> bool:
    return parameters.method == ABSTRACTIVE and not parameters.pretrained


def _answer(results: Results) -> dict[str, Any]:
    """The summary; places of sentences count the characters of the text in NFC."""
    [rows] = results.rows
    [found] = rows["summary"]
    return {
        "object": "summary",
        "model": results.model,
        "summary": found["summary"],
        "method": found["method"],
        "n_sentences": found["n_sentences"],
        "sentences": [
            {"start": row["start_char"], "end": row["end_char"], "score": row["score"]}
            for row in rows["summary_sentence"]
        ],
    }


SUMMARIZE = Kind(
    name="summarize",
    summary="Write a summary of each document: its most important sentences, or new ones",
    parameters=SummarizeParameters,
    rows=(SummaryRow, SummarySentenceRow),
    stages=(Stage("summarize", _open),),
    rounds=True,
    epoch=4,
    model_from="train-summarizer",
    needs_model=_needs_model,
    check=_check,
    endpoint=Endpoint("/v1/summarize", one_text, _answer),
    with_model={"method": "abstractive"},
    chunk_documents=512,
    chunk_chars=2_000_000,
)

KINDS = (SUMMARIZE,)
