"""Classification: train a model on labelled documents, then label the rest with calibrated probabilities.

This module is light (no torch, no numpy): a client reads it to check parameters. The work is done by
`training.train` and `runner.open_runner`; each architecture is one module, named in ARCHITECTURES.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from nlp_tasks.classification import figures
from nlp_tasks.kind import Candidate, Documents, Figure, Kind, Progress, Runner, Setup, Stage

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
    "pretrained": "nlp_tasks.classification.transformers.pretrained",
}
#: So many terms may be given as evidence for a label.
MOST_TERMS = 100
#: So many labels of a document may be asked for.
MOST_LABELS = 10_000
#: A zero-shot hypothesis has at most so many characters.
MOST_HYPOTHESIS_CHARS = 1_000
#: What a new version has to be, beside the champion, to take its place.
GATES = ("not-worse", "better", "none")
#: Those that start from a transformers model in a local folder.
FROM_FOLDER = ("pretrained", "zero-shot")
#: Those that cannot learn from lists of labels.
ONE_LABEL_ONLY = ("naive-bayes",)


@dataclass(frozen=True)
class ClassifyParameters:
    """How labels are given. A top_n of zero means: one, or of several labels all that apply."""

    top_n: int = 0
    min_score: float = 0.0
    evidence: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.top_n <= MOST_LABELS:
            raise ValueError(
                f"top_n is {self.top_n}: ask for 1 to {MOST_LABELS} labels, or 0 for all that apply"
            )
        if not 0 <= self.evidence <= MOST_TERMS:
            raise ValueError(f"evidence is {self.evidence}: ask for 0 to {MOST_TERMS} terms of a document")
        if not 0.0 <= self.min_score <= 1.0:
            raise ValueError(f"min_score is {self.min_score}: a probability lies from 0 to 1")


@dataclass(frozen=True)
class TrainParameters:
    """How a classifier is trained. Zero means: the architecture's own default."""

    arch: str = "linear"
    seed: int = 0
    held_out: float = 0.1
    class_weights: str = "none"
    epochs: int = 0
    pretrained: str = ""
    hypothesis: str = "This text is about {}."
    gate: str = "not-worse"

    def __post_init__(self) -> None:
        if self.arch not in ARCHITECTURES:
            raise ValueError(f"arch is {self.arch!r}: choose one of {', '.join(ARCHITECTURES)}")
        if not 0.0 < self.held_out <= 0.5:
            raise ValueError(f"held_out is {self.held_out}: hold out more than 0 and at most half")
        if self.class_weights not in ("none", "balanced"):
            raise ValueError(f"class_weights is {self.class_weights!r}: choose none or balanced")
        if len(self.hypothesis) > MOST_HYPOTHESIS_CHARS:
            raise ValueError(
                f"hypothesis has {len(self.hypothesis)} characters; {MOST_HYPOTHESIS_CHARS} are allowed"
            )
        if "{}" not in self.hypothesis:
            raise ValueError(f"hypothesis is {self.hypothesis!r}: write {{}} where the label's name belongs")
        if self.gate not in GATES:
            raise ValueError(f"gate is {self.gate!r}: choose one of {', '.join(GATES)}")
        if not 0 <= self.epochs <= 10_000:
            raise ValueError(f"epochs must be from 0 to 10000, not {self.epochs}")
        if not 0 <= self.seed < 2**31:
            raise ValueError(f"seed must be from 0 to {2**31 - 1}, not {self.seed}")
        if self.arch in FROM_FOLDER and not self.pretrained:
            raise ValueError(f"arch {self.arch} needs pretrained: the local folder of a transformers model")
        if self.pretrained and self.arch not in (*FROM_FOLDER, "nearest"):
            raise ValueError(f"arch {self.arch} has no use for a pretrained model: leave pretrained out")

    @property
    def names_a_model(self) -> bool:
        """Whether `pretrained` is the name of a model that `train similarity` made, and no folder."""
        return self.arch == "nearest" and bool(self.pretrained) and not self.pretrained.startswith(("/", "."))


@dataclass(frozen=True)
class LabelRow:
    """One label for one document, or a documented abstention."""

    table: ClassVar[str] = "classification"
    #: 1 for the most probable label.
    rank: int
    #: None when the model abstains.
    label: str | None
    #: Calibrated probability of the label; when abstaining, that of the label that was not good enough.
    score: float
    #: Why there is no label; None when there is one.
    reason: str | None = None


@dataclass(frozen=True)
class TermRow:
    """A term that weighed for the best label of a document."""

    table: ClassVar[str] = "label_term"
    #: 1 for the one that weighed most.
    rank: int
    label: str
    term: str
    #: What it added to the label's score, above what it added to the labels' on average.
    weight: float


def _open(setup: Setup) -> Runner:
    from nlp_tasks.classification import runner

    return runner.open_runner(setup)


def _train(
    documents: Documents, parameters: TrainParameters, device: str, model_dir: Path, progress: Progress
) -> dict[str, float]:
    from nlp_tasks.classification import trainer

    return trainer.train(documents, parameters, device, model_dir, progress)


def _judge(candidate: Candidate) -> Sequence[Figure]:
    from nlp_tasks.classification import gate

    return gate.judge(candidate)


CLASSIFY = Kind(
    name="classify",
    summary="Give each document a label, with a calibrated probability",
    parameters=ClassifyParameters,
    rows=(LabelRow, TermRow),
    stages=(Stage("predict", _open),),
    model_from="train-classify",
    chunk_documents=32_768,
    chunk_chars=2_000_000,
    help={
        "top_n": "at most so many labels, the most probable first; 0: one, or all that apply where the model was "
        "trained on lists of labels",
        "min_score": "below this probability give no label (label NULL, with the reason)",
        "evidence": "so many terms that weighed most for the best label, as rows of label_term; it takes time",
    },
)

TRAIN_CLASSIFY = Kind(
    name="train-classify",
    summary="Train a classifier on the labelled documents of a collection",
    parameters=TrainParameters,
    train=_train,
    gate=_judge,
    figure_rows=figures.ROWS,
    figures=figures.read,
    labelled_only=True,
    help={
        "arch": f"one of {', '.join(ARCHITECTURES)}",
        "seed": "the same documents, parameters and seed make the same model",
        "held_out": "share of the documents kept out of training to measure the model",
        "class_weights": "balanced: rare labels weigh as much as common ones; none: every document the same",
        "epochs": "at most so many passes over the documents; 0: as many as the architecture does well with",
        "hypothesis": "for arch zero-shot: the sentence of a label, with {} for its name",
        "gate": "not-worse: a new version takes the champion's place unless it is shown to be worse on documents that "
        "neither saw; better: only if it is shown to be better; none: always",
        "pretrained": "for arch pretrained and zero-shot: the local folder of the transformers model (zero-shot: "
        "one for natural language inference, or an encoder that makes embeddings); for arch nearest: the name of a "
        "model that `train similarity` made, or its folder, if there is one",
    },
)
