"""Entities: names, dates, amounts and identifiers in a text, each with its place, by a trained model and by rules.

This module declares the kinds `entities` and `train-entities`. It imports nothing heavy, because clients import it to
check parameters.

    runner.py               the stage: what the model and the rules find in each document; the redacted text
    rules/                  rules with normal forms and checksums
    redaction.py            a text without what it must not say
    trainer.py              trains a model: split, fit, measure, save
    gate.py                 decides whether a new model replaces the champion
    annotations.py          the entities that people marked, as documents carry them
    spans.py                places of entities, and tags of units
    units.py                syllables, words and signs: what gets a tag
    features.py             what the model sees of a unit
    crf.py                  a conditional random field (python-crfsuite)
    figures.py, metrics.py  how well a model does
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from nlp_tasks.entities import figures
from nlp_tasks.entities.rules import chosen
from nlp_tasks.kind import Candidate, Documents, Figure, Kind, Progress, Runner, Setup, Stage
from nlp_tasks.parameters import HeldOut, parameters


@parameters
class EntitiesParameters:
    """Which entities to find."""

    method: Annotated[
        Literal["rules", "model"],
        Field(
            description="rules: dates, amounts, contacts and identifiers; model: also what --model has learned"
        ),
    ] = "rules"
    rules: Annotated[
        str,
        Field(
            max_length=500,
            description="what rules find: all, none, pii (what identifies a person), or names such as date, money",
        ),
    ] = "all"
    redact: Annotated[
        str,
        Field(
            max_length=500,
            description="also store the text with these replaced by their label: names as for rules; empty for no text",
        ),
    ] = ""
    min_score: Annotated[
        float, Field(ge=0, le=1, description="leave out entities of which the model or rule is less sure")
    ] = 0.0

    def __post_init__(self) -> None:
        chosen(self.rules)
        chosen(self.redact)


@parameters
class TrainEntitiesParameters:
    """How a model that finds entities is trained."""

    arch: Annotated[
        Literal["crf"],
        Field(description="the architecture: a conditional random field over syllables and words"),
    ] = "crf"
    field: Annotated[
        str,
        Field(
            min_length=1,
            max_length=200,
            description="field of the metadata with the marked entities: a list of start, end and label",
        ),
    ] = "entities"
    held_out: HeldOut = 0.1
    iterations: Annotated[int, Field(ge=1, le=10_000, description="maximum passes over the documents")] = 150
    l1: Annotated[
        float, Field(ge=0, le=100, description="L1 regularisation: larger leaves fewer features")
    ] = 0.05
    l2: Annotated[
        float, Field(ge=0, le=100, description="L2 regularisation: larger gives smaller weights")
    ] = 0.05
    min_count: Annotated[
        int,
        Field(
            ge=1, le=1_000_000, description="ignore features that occur less often in the training documents"
        ),
    ] = 1
    gate: Annotated[
        Literal["not-worse", "better", "none"],
        Field(
            description="when a new version replaces the champion. not-worse: unless it is significantly worse on "
            "documents that neither was trained on; better: only if it is significantly better; none: always"
        ),
    ] = "not-worse"


@dataclass(frozen=True, slots=True)
class EntityRow:
    """One entity: `text` is what the document has from `start_char` to `end_char`."""

    table: ClassVar[str] = "entity"
    key: ClassVar[tuple[str, ...]] = ("rank",)

    #: 1 for the first in the text.
    rank: int
    #: Offsets in characters (Unicode code points) of the stored text; the end is exclusive.
    start_char: int
    end_char: int
    label: str
    text: str
    #: From 0 to 1: the model's probability; of a rule, 1 unless the form alone decided.
    score: float
    #: "model" or "rule".
    source: str
    #: The value in one form for all ways to write it ("2026-11-26", "1200000000000 KRW"); None where none is known.
    normal: str | None = None


@dataclass(frozen=True, slots=True)
class RedactedRow:
    """The text without what it must not say."""

    table: ClassVar[str] = "redacted_text"

    text: str
    n_redacted: int


def _needs_model(parameters: EntitiesParameters) -> bool:
    return parameters.method == "model"


def _open(setup: Setup) -> Runner:
    from nlp_tasks.entities.runner import EntityFinder

    return EntityFinder(setup)


def _train(
    documents: Documents,
    parameters: TrainEntitiesParameters,
    device: str,  # noqa: ARG001 (a CRF computes on the processor)
    model_dir: Path,
    progress: Progress,
) -> dict[str, float]:
    from nlp_tasks.entities import trainer

    return trainer.train(documents, parameters, model_dir, progress)


def _judge(candidate: Candidate) -> Sequence[Figure]:
    from nlp_tasks.entities import gate

    return gate.judge(candidate)


ENTITIES = Kind(
    name="entities",
    summary="Find names, dates, amounts and identifiers in each document",
    parameters=EntitiesParameters,
    rows=(EntityRow, RedactedRow),
    stages=(Stage("entities", _open),),
    model_from="train-entities",
    needs_model=_needs_model,
    with_model={"method": "model"},
    chunk_documents=512,
    chunk_chars=1_000_000,
)

TRAIN_ENTITIES = Kind(
    name="train-entities",
    summary="Train a model that finds entities, on documents in which they are marked",
    parameters=TrainEntitiesParameters,
    train=_train,
    gate=_judge,
    figure_rows=figures.ROWS,
    figures=figures.read,
    headline={"macro_f1": "macro F1 {:.3f}", "micro_f1": "micro F1 {:.3f}"},
    reads_meta=True,
)

KINDS = (ENTITIES, TRAIN_ENTITIES)
