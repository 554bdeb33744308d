"""Classification: train a model on labelled documents, then label others with calibrated probabilities.

This module declares the kinds `classify` and `train-classify`. It imports neither torch nor numpy, because clients
import it to check parameters.

    trainer.py              trains a model: split, fit, calibrate, measure, save
    runner.py               labels documents with a trained model
    gate.py                 decides whether a new model replaces the champion
    shadow.py               the kind `shadow-classify`
    architecture.py         what an architecture offers; one module each, named in ARCHITECTURES
    linear/                 linear, naive-bayes, morphemes
    neural/                 cnn, gru, lstm, transformer
    transformers/           encoder, pretrained, zero-shot
    nearest.py, ensemble.py the architectures of these names
    calibration.py          scores to calibrated probabilities, and thresholds for several labels
    metrics.py, figures.py  accuracy and the like; how they are stored
    onnx_export.py          writes a model for other programs
    attribution.py          the terms that weigh most for a label
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from nlp_tasks.classification import figures
from nlp_tasks.endpoint import Endpoint, Results, one_text
from nlp_tasks.kind import (
    IMPORTED,
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
from nlp_tasks.parameters import LOCAL_FOLDER, HeldOut, OneOf, Seed, parameters

#: Architecture -> the module that implements it (see `architecture.Architecture`).
ARCHITECTURES: dict[str, str] = {
    "linear": "nlp_tasks.classification.linear.linear",
    "naive-bayes": "nlp_tasks.classification.linear.naive_bayes",
    "morphemes": "nlp_tasks.classification.linear.morphemes",
    "cnn": "nlp_tasks.classification.neural.cnn",
    "gru": "nlp_tasks.classification.neural.gru",
    "lstm": "nlp_tasks.classification.neural.lstm",
    "transformer": "nlp_tasks.classification.neural.transformer",
    "nearest": "nlp_tasks.classification.nearest",
    "zero-shot": "nlp_tasks.classification.transformers.zero_shot",
    "ensemble": "nlp_tasks.classification.ensemble",
    "encoder": "nlp_tasks.classification.transformers.encoder",
    "pretrained": "nlp_tasks.classification.transformers.pretrained",
}
#: Architectures that start from a transformers model: an imported one, or one in a local folder.
FROM_FOLDER = ("encoder", "pretrained", "zero-shot")
#: Architectures that cannot learn from lists of labels.
ONE_LABEL_ONLY = ("naive-bayes",)


@parameters
class ClassifyParameters:
    """How documents are labelled."""

    top_n: Annotated[
        int,
        Field(
            ge=0,
            le=10_000,
            description="maximum number of labels, the most probable first; 0: one label, or all that apply if the "
            "model was trained on lists of labels",
        ),
    ] = 0
    min_score: Annotated[
        float,
        Field(
            ge=0,
            le=1,
            description="threshold: a document whose best label has a lower probability gets no label (NULL, with "
            "the reason)",
        ),
    ] = 0.0
    evidence: Annotated[
        int,
        Field(
            ge=0,
            le=100,
            description="number of terms stored in label_term that contributed most to the best label; slower",
        ),
    ] = 0


@parameters
class TrainParameters:
    """How a classifier is trained."""

    arch: Annotated[str, OneOf(ARCHITECTURES), Field(description="the architecture")] = "linear"
    seed: Seed = 0
    held_out: HeldOut = 0.1
    class_weights: Annotated[
        Literal["none", "balanced"],
        Field(
            description="balanced: rare labels count as much as common ones; none: every document counts the same"
        ),
    ] = "none"
    epochs: Annotated[
        int,
        Field(
            ge=0,
            le=10_000,
            description="maximum passes over the documents; 0 for the default of the architecture",
        ),
    ] = 0
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
            description="for arch encoder, pretrained and zero-shot: the name of a model that `models import` made, or "
            "the local folder of a transformers model (zero-shot: a model for natural language inference, or an "
            "encoder for embeddings); for arch nearest: the name of a model that `train similarity` made, or its folder"
        ),
        LOCAL_FOLDER,
    ] = ""
    hypothesis: Annotated[
        str,
        Field(
            max_length=1_000,
            description="for arch zero-shot: the sentence for a label, with {} in the place of its name",
            json_schema_extra={"pattern": r"\{\}"},
        ),
    ] = "This text is about {}."
    gate: Annotated[
        Literal["not-worse", "better", "none"],
        Field(
            description="when a new version replaces the champion. not-worse: unless it is significantly worse on "
            "documents that neither was trained on; better: only if it is significantly better; none: always"
        ),
    ] = "not-worse"

    def __post_init__(self) -> None:
        if "{}" not in self.hypothesis:
            raise ValueError(
                f"hypothesis is {self.hypothesis!r}: write {{}} in the place of the label's name"
            )
        if self.arch in FROM_FOLDER and not self.pretrained:
            raise ValueError(
                f"arch {self.arch} needs pretrained: an imported model, or the local folder of a transformers model"
            )
        if self.pretrained and self.arch not in (*FROM_FOLDER, "nearest"):
            raise ValueError(f"arch {self.arch} does not use a pretrained model: leave pretrained out")


@dataclass(frozen=True)
class LabelRow:
    """One label for one document, or an abstention with its reason."""

    table: ClassVar[str] = "classification"
    key: ClassVar[tuple[str, ...]] = ("rank",)
    #: 1 for the most probable label.
    rank: int
    #: None when the model abstains.
    label: str | None
    #: Calibrated probability of the label; for an abstention, of the label that was below the threshold.
    score: float
    #: Why there is no label; None when there is one.
    reason: str | None = None


@dataclass(frozen=True)
class TermRow:
    """A term that contributed to the best label of a document."""

    table: ClassVar[str] = "label_term"
    key: ClassVar[tuple[str, ...]] = ("rank",)
    #: 1 for the term with the largest contribution.
    rank: int
    label: str
    term: str
    #: What it added to the score of the label, minus what it added to the labels on average.
    weight: float


def _open(setup: Setup) -> Runner:
    from nlp_tasks.classification import runner

    return runner.open_runner(setup)


def _train(
    documents: Documents, parameters: TrainParameters, device: str, model_dir: Path, progress: Progress
) -> dict[str, float]:
    from nlp_tasks.classification import trainer

    return trainer.train(documents, parameters, device, model_dir, progress)


def _export_onnx(model_dir: Path, target: Path, *, int8: bool, documents: Documents | None) -> Sequence[str]:
    from nlp_tasks.classification import onnx_export

    return onnx_export.export(model_dir, target, int8=int8, documents=documents).lines()


def _judge(candidate: Candidate) -> Sequence[Figure]:
    from nlp_tasks.classification import gate

    return gate.judge(candidate)


def _inputs(parameters: TrainParameters) -> Sequence[Input]:
    """What an architecture starts from may be a model by name; a value that starts with "/" or "." is a folder."""
    if not parameters.pretrained or parameters.pretrained.startswith(("/", ".")):
        return ()
    return (ModelInput("pretrained", "train-similarity" if parameters.arch == "nearest" else IMPORTED),)


def _answer(results: Results) -> dict[str, Any]:
    """The labels, the best first; an empty list with the reason if the model abstains."""
    [rows] = results.rows
    found = rows["classification"]
    labels = [{"label": row["label"], "score": row["score"]} for row in found if row["label"] is not None]
    return {
        "object": "classification",
        "model": results.model,
        "label": labels[0]["label"] if labels else None,
        "labels": labels,
        "reason": next((row["reason"] for row in found if row["label"] is None), None),
        "evidence": [{"term": row["term"], "weight": row["weight"]} for row in rows["label_term"]],
    }


CLASSIFY = Kind(
    name="classify",
    summary="Give each document a label, with a calibrated probability",
    parameters=ClassifyParameters,
    rows=(LabelRow, TermRow),
    stages=(Stage("predict", _open),),
    model_from="train-classify",
    rounds=True,
    epoch=2,
    endpoint=Endpoint("/v1/classify", one_text, _answer),
    chunk_documents=32_768,
    chunk_chars=2_000_000,
)

TRAIN_CLASSIFY = Kind(
    name="train-classify",
    summary="Train a classifier on the labelled documents of a collection",
    parameters=TrainParameters,
    train=_train,
    gate=_judge,
    figure_rows=figures.ROWS,
    figures=figures.read,
    inputs=_inputs,
    headline={"accuracy": "accuracy {:.3f}", "macro_f1": "macro F1 {:.3f}"},
    labelled_only=True,
    takes_corrections=True,
    export_onnx=_export_onnx,
)

KINDS = (CLASSIFY, TRAIN_CLASSIFY)
