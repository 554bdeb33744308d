"""Generation: a language model writes a text for each document, from a prompt with the document's fields.

This module declares the kind `generate`. It imports nothing heavy, because clients import it to check parameters.

    runner.py               the stage: prompts of documents, rows of what was written
    template.py, prompts.py prompts: a template's fields, and tokens that fit a model's window
    examples.py             few-shot examples from labelled documents
    writer.py               what writes: one of the next three
    language_model.py       a folder with a transformers model
    own_model.py            a model that docmill trained on pairs
    server.py               a server with OpenAI's API
    continuous.py, alone.py     who is written when; one at a time
    places.py, shared_places.py the cache of keys and values, and whether the rows of a model can share it
    choosing.py, stopping.py, settings_of_model.py  which token is next, and where a text ends
    json_schema.py, constraint.py, closing.py  answers that a JSON Schema allows
    fields.py               such an answer as rows of values
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath, PureWindowsPath
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from nlp_tasks import model_servers
from nlp_tasks.generation import json_schema, stopping, template
from nlp_tasks.kind import Input, Kind, LabelledInput, Runner, Setup, Stage
from nlp_tasks.parameters import (
    CHANGES_NO_RESULT,
    JSON_FILE,
    LOCAL_FOLDER,
    TEXT_FILE,
    Seed,
    parameters,
)

_TEMPLATE_CHARS = 100_000


@parameters
class GenerateParameters:
    """What to ask, of which model, and how the answer is written."""

    prompt: Annotated[
        str,
        TEXT_FILE,
        Field(
            max_length=_TEMPLATE_CHARS,
            description="the prompt, with fields in braces: {text}, {key}, {label}, {meta.NAME}, {examples}; "
            "@FILE reads it from a file",
        ),
    ] = "{text}"
    system: Annotated[
        str,
        TEXT_FILE,
        Field(max_length=_TEMPLATE_CHARS, description="what the model is told first; @FILE reads a file"),
    ] = ""
    chat: Annotated[
        Literal["auto", "none"],
        Field(description="auto: use the tokenizer's chat template if it has one; none: the prompt as it is"),
    ] = "auto"
    model: Annotated[
        str,
        LOCAL_FOLDER,
        Field(
            max_length=4_096,
            description="local folder of a transformers model, as --model FOLDER says too; with server: its name there",
        ),
    ] = ""
    max_tokens: Annotated[int, Field(ge=1, le=32_768, description="maximum tokens written")] = 128
    max_prompt_tokens: Annotated[
        int,
        Field(
            ge=0, le=1_000_000, description="maximum tokens of a prompt; 0 for what the model has room for"
        ),
    ] = 0
    too_long: Annotated[
        Literal["cut", "refuse"],
        Field(description="a prompt that is too long: cut the document's text at its end, or give an error"),
    ] = "cut"
    temperature: Annotated[
        float,
        Field(
            ge=0,
            le=100,
            description="0 takes the most probable token; below 1 sharpens the distribution, above 1 flattens it",
        ),
    ] = 0.0
    top_k: Annotated[
        int, Field(ge=0, le=1_000_000, description="draw from this many most probable tokens; 0 for all")
    ] = 0
    top_p: Annotated[
        float,
        Field(gt=0, le=1, description="draw from the most probable tokens whose probabilities sum to this"),
    ] = 1.0
    seed: Seed = 0
    stop: Annotated[
        str,
        Field(
            max_length=10_000,
            description="end the text before this, or before any of a JSON array of texts",
        ),
    ] = ""
    schema: Annotated[
        str,
        JSON_FILE,
        Field(
            max_length=json_schema.MOST_CHARS,
            description="a JSON Schema, or the path of its file: every answer is JSON that it allows",
        ),
    ] = ""
    examples: Annotated[
        int, Field(ge=0, le=100, description="labelled documents a label to show as {examples} in the prompt")
    ] = 0
    labels_from: Annotated[
        str, Field(max_length=500, description="the collection that the examples are taken from")
    ] = ""
    examples_by: Annotated[
        Literal["nearest", "seed"],
        Field(description="which examples: those whose words are most like the document's, or by the seed"),
    ] = "nearest"
    example: Annotated[
        str,
        TEXT_FILE,
        Field(max_length=_TEMPLATE_CHARS, description="how an example is written; fields as in prompt"),
    ] = "{text}\nLabel: {label}\n\n"
    server: Annotated[
        str,
        Field(
            max_length=2_000,
            description="address of a server with OpenAI's API, such as http://127.0.0.1:8000/v1, instead of a folder",
        ),
    ] = ""
    concurrency: Annotated[
        int, CHANGES_NO_RESULT, Field(ge=1, le=256, description="server: maximum requests at a time")
    ] = 8
    timeout: Annotated[
        float,
        CHANGES_NO_RESULT,
        Field(ge=1, le=3_600, description="server: maximum seconds until an answer is whole"),
    ] = 120.0

    def __post_init__(self) -> None:
        names = template.parse(self.prompt, examples=True).names
        template.parse(self.example, what="example")
        stopping.strings_of(self.stop)
        if self.schema:
            json_schema.parse(self.schema)
            if self.stop:
                raise ValueError(
                    "stop ends a text anywhere, and schema lets an answer end where it is whole: give one"
                )
            if self.is_trained_here:
                raise ValueError("schema is for a folder or a server: give -p model=FOLDER, or server")
        if (template.EXAMPLES in names) != bool(self.examples):
            raise ValueError("write {examples} in prompt and how many there are in examples, or neither")
        if bool(self.examples) != bool(self.labels_from):
            raise ValueError(
                "examples and labels_from go together: how many a label, and of which collection"
            )
        if self.server:
            model_servers.check(self.server)
            if not self.model:
                raise ValueError("server needs model, the name that the server knows it by")
            if self.max_prompt_tokens or self.too_long == "refuse":
                raise ValueError(
                    "max_prompt_tokens and too_long are for a folder: a server decides what is too long"
                )
        elif self.model and not _is_path(self.model):
            raise ValueError(
                f"model is the path of a folder, and {self.model[:100]!r} is none; for a model that docmill trained "
                "write --model NAME"
            )

    @property
    def is_trained_here(self) -> bool:
        return not self.model and not self.server


@dataclass(frozen=True, slots=True)
class GenerationRow:
    """What the model wrote for a document."""

    table: ClassVar[str] = "generation"

    text: str
    #: "stop": the model ended it, or a stop string did; "length": max_tokens was reached. A server may say more.
    finish_reason: str
    #: Tokens of the prompt and of the text; None where a server does not tell.
    n_prompt_tokens: int | None
    n_tokens: int | None
    #: Characters at the document's end that the prompt left out.
    n_cut_chars: int
    #: The folder of the model, or what the server calls it; None for one that docmill trained.
    model: str | None = None


@dataclass(frozen=True, slots=True)
class GenerationFieldRow:
    """A value of an answer with a schema. Of the three columns of values, that of its type is set."""

    table: ClassVar[str] = "generation_field"
    key: ClassVar[tuple[str, ...]] = ("rank",)

    #: 1 for the first in the answer.
    rank: int
    #: "amount", "buyer.name", "items[0].price"; "" if the whole answer is one value.
    path: str
    #: "text", "number", "boolean", "null", and for what holds nothing "object" and "array".
    type: str
    text: str | None = None
    number: float | None = None
    boolean: bool | None = None


def _is_path(value: str) -> bool:
    return PurePosixPath(value).is_absolute() or PureWindowsPath(value).is_absolute()


def _open(setup: Setup) -> Runner:
    from nlp_tasks.generation.runner import Generator

    return Generator(setup)


def _inputs(parameters: GenerateParameters) -> Sequence[Input]:
    return (LabelledInput("labels_from"),) if parameters.labels_from else ()


GENERATE = Kind(
    name="generate",
    summary="Write a text for each document with a language model, from a prompt",
    parameters=GenerateParameters,
    rows=(GenerationRow, GenerationFieldRow),
    stages=(Stage("generate", _open),),
    rounds=True,
    reads_meta=True,
    model_from="train-summarizer",
    needs_model=lambda parameters: parameters.is_trained_here,
    model_folder="model",
    inputs=_inputs,
    chunk_documents=512,
    chunk_chars=2_000_000,
)

KINDS = (GENERATE,)
