"""Trains a classifier: splits the documents, fits an architecture, calibrates it, measures it, saves it.

The procedure is the same for every architecture. The documents are divided into three disjoint sets: the training set
(`fit`), the validation set, by which settings are chosen and scores are calibrated, and the held-out set, which is used
for the final measurement only.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nlp_tasks import heartbeat, held_out_split, model_files
from nlp_tasks.checkpoint import FOLDER, Checkpoint
from nlp_tasks.classification import (
    ONE_LABEL_ONLY,
    TrainParameters,
    architecture,
    calibration,
    metrics,
)
from nlp_tasks.classification.architecture import Classifier, Examples, Training, Unseen
from nlp_tasks.classification.calibration import Calibration
from nlp_tasks.classification.figures import EVALUATION
from nlp_tasks.errors import TrainingError
from nlp_tasks.kind import Document, Documents, Progress
from readers import label_text as label_texts

#: Size of the validation set, as a share of the documents that are not held out. It is larger with fewer than FEW
#: documents, since a tenth of them would be too few to choose by.
VALIDATION_SHARE, VALIDATION_SHARE_OF_FEW, FEW = 0.1, 0.2, 5_000


@dataclass(frozen=True)
class Parts:
    """The labelled documents, divided into three sets."""

    fit: Sequence[Document]
    validation: Sequence[Document]
    held_out: Sequence[Document]
    labels: list[str]  # (K,) sorted
    #: Documents may have several labels, or none: labels are lists.
    several: bool = False


@dataclass(frozen=True)
class Decision:
    """How scores become labels."""

    calibration: Calibration
    #: The probability threshold of each label (K,) if documents may have several labels; otherwise None.
    thresholds: NDArray[np.float64] | None


def train(
    documents: Documents, parameters: TrainParameters, device: str, model_dir: Path, progress: Progress
) -> dict[str, float]:
    """See kind.Train. Writes the model and evaluation.json into the folder, and seals it."""
    started = time.perf_counter()
    parts = divide(documents, parameters.held_out)
    if parts.several and parameters.arch in ONE_LABEL_ONLY:
        raise TrainingError(
            f"arch {parameters.arch} gives one label per document, but these documents have lists of labels: "
            "choose -p arch=linear or a neural architecture"
        )
    examples = _examples(parts, parameters.class_weights)
    chosen = architecture.get(parameters.arch)
    checkpoint = Checkpoint(model_dir / FOLDER, _fingerprint(examples, parts.labels, parameters))
    fitted = chosen.fit(examples, Training(parameters, device, progress, checkpoint))
    decision = _decide(fitted.unseen or Unseen(fitted.validation_logits, examples.validation_labels))
    evaluation = _measure(fitted.classifier, decision, parts, progress)
    evaluation["seconds_to_train"] = time.perf_counter() - started
    shutil.rmtree(checkpoint.folder, ignore_errors=True)
    _save(model_dir, fitted.classifier, decision, parts.labels, parameters, evaluation)
    return {name: value for name, value in evaluation.items() if isinstance(value, float)}


def divide(documents: Documents, share: float) -> Parts:
    """Divide the labelled documents that have a text. TrainingError if no model can be trained on them.

    If the label of one document is a list, all documents are treated as having several labels. A label with a single
    document is learned but not measured: evaluation.json lists it with 0 documents.
    """
    usable = [
        document for document in heartbeat.beating(documents) if document.label and document.text.strip()
    ]
    several = any(label_texts.several(str(document.label)) is not None for document in usable)
    counts = Counter(label for document in usable for label in labels_of(document))
    _check(usable, counts, several=several)

    def rarest(document: Document) -> str:
        return min(labels_of(document), key=lambda label: (counts[label], label), default="")

    rest, held_out = _part(usable, share, "held-out", rarest)
    fit, tune = _part(rest, VALIDATION_SHARE_OF_FEW if len(rest) < FEW else VALIDATION_SHARE, "tune", rarest)
    return Parts(fit, tune, held_out, sorted(counts), several)


def labels_of(document: Document) -> tuple[str, ...]:
    """The labels of a labelled document."""
    return label_texts.each(str(document.label))


def _check(usable: Sequence[Document], counts: Counter[str], *, several: bool) -> None:
    least = 1 if several else 2
    if len(counts) < least or (several and min(counts.values()) == len(usable)):
        seen = f"only the label {next(iter(counts))!r}" if counts else "no label"
        raise TrainingError(
            f"{seen} in {len(usable)} documents with a text: a classifier needs documents with at least 2 labels"
        )
    if max(counts.values()) < 2:
        raise TrainingError(
            "every label has a single document, so that none is left to measure on: label more documents"
        )


def _part(
    documents: Sequence[Document], share: float, salt: str, stratum: Callable[[Document], str]
) -> tuple[list[Document], list[Document]]:
    keys = [document.key for document in documents]
    chosen = held_out_split.held_out(keys, [stratum(document) for document in documents], share, salt)
    pairs = list(zip(documents, chosen, strict=True))
    return [d for d, out in pairs if not out], [d for d, out in pairs if out]


def _examples(parts: Parts, class_weights: str) -> Examples:
    labels = _truth(parts.fit, parts)
    weights = np.ones(len(parts.labels), np.float32)
    if class_weights == "balanced":
        counts = labels.sum(axis=0) if parts.several else np.bincount(labels, minlength=len(parts.labels))
        per_label = 2 if parts.several else len(parts.labels)
        weights = (len(labels) / (per_label * np.maximum(counts, 1))).astype(np.float32)
    return Examples(
        texts=[document.text for document in parts.fit],
        labels=labels,
        validation_texts=[document.text for document in parts.validation],
        validation_labels=_truth(parts.validation, parts),
        label_names=parts.labels,
        class_weights=weights,
    )


def _truth(documents: Sequence[Document], parts: Parts) -> NDArray[np.int64]:
    """The index of each document's label (N,), or ones and zeros (N, K)."""
    index = {label: place for place, label in enumerate(parts.labels)}
    if not parts.several:
        return np.array([index[str(document.label)] for document in documents], np.int64)
    truth = np.zeros((len(documents), len(index)), np.int64)
    for row, document in enumerate(heartbeat.beating(documents)):
        truth[row, [index[label] for label in labels_of(document)]] = 1
    return truth


def _fingerprint(examples: Examples, labels: list[str], parameters: TrainParameters) -> str:
    """A hash of everything that a training depends on: equal for trainings that take the same steps."""
    digest = hashlib.sha256(json.dumps([asdict(parameters), labels]).encode())
    for texts, truth in (
        (examples.texts, examples.labels),
        (examples.validation_texts, examples.validation_labels),
    ):
        digest.update(truth.tobytes())
        for text in heartbeat.beating(texts):
            digest.update(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest())
    return digest.hexdigest()


def _decide(unseen: Unseen) -> Decision:
    fitted = calibration.fit(unseen.logits, unseen.labels)
    if unseen.labels.ndim == 1:
        return Decision(fitted, None)
    probabilities = fitted.probabilities(unseen.logits, several=True)
    return Decision(fitted, calibration.thresholds(probabilities, unseen.labels))


def _measure(classifier: Classifier, decision: Decision, parts: Parts, progress: Progress) -> dict[str, Any]:
    texts, truth = [document.text for document in parts.held_out], _truth(parts.held_out, parts)
    started = time.perf_counter()
    logits = classifier.logits(texts, lambda: progress(1, 1, "measuring on held-out documents"))
    seconds = time.perf_counter() - started
    probabilities = decision.calibration.probabilities(logits, several=parts.several)
    if decision.thresholds is None:
        evaluation = metrics.evaluate(parts.labels, truth, probabilities)
    else:
        evaluation = metrics.evaluate_several(parts.labels, truth, probabilities, decision.thresholds)
    counted = {"n_train": float(len(parts.fit) + len(parts.validation)), "n_held_out": float(len(texts))}
    figures = {"documents_per_second": len(texts) / seconds, "temperature": decision.calibration.temperature}
    return evaluation | counted | figures


def _save(
    model_dir: Path,
    classifier: Classifier,
    decision: Decision,
    labels: list[str],
    parameters: TrainParameters,
    evaluation: dict[str, Any],
) -> None:
    config, tensors = classifier.state()
    fitted = decision.calibration
    written = {"arch": parameters.arch, "labels": labels, "temperature": fitted.temperature}
    written |= {"confidence_map": [fitted.rise, fitted.fall, fitted.shift]}
    written |= {"thresholds": None if decision.thresholds is None else decision.thresholds.tolist()}
    written |= {"classifier": config, "trained_with": asdict(parameters)}
    model_files.save(model_dir, written, tensors)
    text = json.dumps(evaluation, ensure_ascii=False, indent=1)
    (model_dir / EVALUATION).write_text(text, encoding="utf-8")
    model_files.seal(model_dir)
