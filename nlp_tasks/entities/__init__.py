"""Entities: names, dates, amounts and identifiers in a text, each with its place, by a trained model and by rules.

This module declares the kinds `entities`, `train-entities` and `train-gazetteer`. It imports nothing heavy, because
clients import it to check parameters.

    runner.py               the stage: what the model, the gazetteer and the rules find in each document
    names_again.py          mentions that a model missed of names that it found elsewhere in the text
    merging.py              which of them stands where two find the same place
    rules/                  rules with normal forms and checksums
    redaction.py            a text without what it must not say
    trainer.py              trains a model: split, fit, measure, save
    gate.py                 decides whether a new model replaces the champion
    annotations.py          the entities that people marked, as documents carry them
    spans.py                places of entities, and tags of units
    units.py                syllables, words and signs: what gets a tag
    features.py             what a model sees of a unit; word_features.py: in a sentence that has only words
    noun_runs.py            what it sees of the nouns that stand together in a Korean sentence
    learned_beside.py       what a model knows beside the marked texts
    word_clusters.py        learns clusters of words from texts without marks; clusters.py: what is kept of them
    gazetteer.py            names of a list in a text; gazetteer_files.py: reads a list; gazetteer_trainer.py: the kind
    architecture.py         what every architecture does
    crf.py                  a conditional random field (python-crfsuite)
    bilstm_crf.py           a recurrent network with a layer that decides on whole sentences; tag_chain.py: that layer
    pretrained.py           a transformers model, fine-tuned
    onnx_export.py          writes a model for other programs
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
from nlp_tasks.kind import (
    Candidate,
    Documents,
    Figure,
    Input,
    Kind,
    ModelInput,
    Progress,
    Runner,
    Setup,
    Stage,
)
from nlp_tasks.parameters import LOCAL_FOLDER, HeldOut, Seed, parameters

Gazetteer = Annotated[
    str,
    Field(
        max_length=4_000,
        description="names to find: a model that `train gazetteer` made, or a file with the fields name and label "
        "that every worker can read (a value that begins with / or .)",
    ),
    LOCAL_FOLDER,
]


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
    gazetteer: Gazetteer = ""
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
        Literal["crf", "bilstm-crf", "pretrained"],
        Field(
            description="the architecture. crf: a conditional random field over syllables and words; bilstm-crf: a "
            "recurrent network with such a layer; pretrained: fine-tunes a transformers model"
        ),
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
    clusters: Annotated[
        Literal["auto", "none"],
        Field(
            description="auto: also learn clusters of words from all texts, with marks or without, if they have "
            "100,000 words; none: only from marks"
        ),
    ] = "auto"
    gazetteer: Gazetteer = ""
    iterations: Annotated[
        int, Field(ge=1, le=10_000, description="for arch crf: maximum passes over the documents")
    ] = 150
    l1: Annotated[
        float,
        Field(ge=0, le=100, description="for arch crf: L1 regularisation: larger leaves fewer features"),
    ] = 0.05
    l2: Annotated[
        float,
        Field(ge=0, le=100, description="for arch crf: L2 regularisation: larger gives smaller weights"),
    ] = 0.05
    min_count: Annotated[
        int,
        Field(
            ge=1,
            le=1_000_000,
            description="for arch crf: ignore features that occur less often in the training documents",
        ),
    ] = 1
    epochs: Annotated[
        int, Field(ge=1, le=10_000, description="for arch bilstm-crf: maximum passes over the documents")
    ] = 40
    steps: Annotated[
        int,
        Field(
            ge=0,
            le=1_000_000,
            description="for arch pretrained: maximum steps of 16 windows; 0: by the number of documents",
        ),
    ] = 0
    pretrained: Annotated[
        str,
        Field(
            max_length=4_000,
            description="for arch pretrained: local folder of a transformers model with a fast tokenizer",
        ),
        LOCAL_FOLDER,
    ] = ""
    seed: Seed = 1
    gate: Annotated[
        Literal["not-worse", "better", "none"],
        Field(
            description="when a new version replaces the champion. not-worse: unless it is significantly worse on "
            "documents that neither was trained on; better: only if it is significantly better; none: always"
        ),
    ] = "not-worse"

    def __post_init__(self) -> None:
        if self.arch == "pretrained" and not self.pretrained:
            raise ValueError("arch pretrained needs pretrained: the local folder of a transformers model")
        if self.pretrained and self.arch != "pretrained":
            raise ValueError(f"arch {self.arch} does not use a pretrained model: leave pretrained out")


@parameters
class TrainGazetteerParameters:
    """How a gazetteer is made of names and their labels."""

    least_chars: Annotated[
        int, Field(ge=1, le=200, description="leave out shorter names, counted without blanks")
    ] = 1


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
    #: "model", "gazetteer" or "rule".
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
    device: str,
    model_dir: Path,
    progress: Progress,
) -> dict[str, float]:
    from nlp_tasks.entities import trainer

    return trainer.train(documents, parameters, device, model_dir, progress)


def _make_gazetteer(
    documents: Documents,
    parameters: TrainGazetteerParameters,
    device: str,  # noqa: ARG001 (nothing is computed)
    model_dir: Path,
    progress: Progress,
) -> dict[str, float]:
    from nlp_tasks.entities import gazetteer_trainer

    return gazetteer_trainer.train(documents, parameters, model_dir, progress)


def _inputs(parameters: EntitiesParameters | TrainEntitiesParameters) -> Sequence[Input]:
    """A gazetteer is a model by its name, unless it is a path."""
    if parameters.gazetteer and not parameters.gazetteer.startswith(("/", ".")):
        return (ModelInput("gazetteer", "train-gazetteer"),)
    return ()


def _export_onnx(model_dir: Path, target: Path, *, int8: bool, documents: Documents | None) -> Sequence[str]:
    from nlp_tasks.entities import onnx_export

    return onnx_export.export(model_dir, target, int8=int8, documents=documents).lines()


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
    inputs=_inputs,
    epoch=4,
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
    inputs=_inputs,
    export_onnx=_export_onnx,
)

TRAIN_GAZETTEER = Kind(
    name="train-gazetteer",
    summary="Make a gazetteer of documents that are names, each with its label",
    parameters=TrainGazetteerParameters,
    train=_make_gazetteer,
    headline={"n_names": "{:,.0f} names", "n_labels": "{:,.0f} labels"},
    labelled_only=True,
)

KINDS = (ENTITIES, TRAIN_ENTITIES, TRAIN_GAZETTEER)
