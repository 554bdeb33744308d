"""Trains a classifier: splits the documents, fits an architecture, calibrates it, measures it, saves it.

The recipe is the same for every architecture. Three disjoint parts: to fit on, to choose and calibrate by
(tune), and to measure on (held out), which nothing else looks at.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nlp_tasks import model_files
from nlp_tasks.classification import TrainParameters, architecture, calibration, metrics, split
from nlp_tasks.classification.architecture import Classifier, Examples
from nlp_tasks.errors import TrainingError
from nlp_tasks.kind import Document, Documents, Progress

EVALUATION = "evaluation.json"
#: Share of the documents that are not held out which choose (when to stop, how smooth) and calibrate: of few
#: documents a tenth would choose by chance.
TUNE_SHARE, TUNE_SHARE_OF_FEW, FEW = 0.1, 0.2, 5_000


@dataclass(frozen=True)
class Parts:
    """The labelled documents, sorted out."""

    fit: Sequence[Document]
    tune: Sequence[Document]
    held_out: Sequence[Document]
    labels: list[str]  # (K,) sorted


def train(
    documents: Documents, parameters: TrainParameters, device: str, model_dir: Path, progress: Progress
) -> dict[str, float]:
    """See kind.Train. The folder gets the model and evaluation.json, sealed together."""
    started = time.perf_counter()
    parts = divide(documents, parameters.held_out)
    examples = _examples(parts, parameters.class_weights)
    chosen = architecture.get(parameters.arch)
    fitted = chosen.fit(examples, parameters, device, _paced(progress))
    temperature = calibration.temperature(fitted.tune_logits, examples.tune_labels)
    evaluation = _measure(fitted.classifier, temperature, parts, progress)
    evaluation["seconds_to_train"] = time.perf_counter() - started
    _save(model_dir, fitted.classifier, temperature, parts.labels, parameters, evaluation)
    return {name: value for name, value in evaluation.items() if isinstance(value, float)}


def divide(documents: Documents, share: float) -> Parts:
    """The parts of the labelled documents that have a text. TrainingError where no model can come of them.

    A label with a single document is learned but not measured: evaluation.json shows it with 0 documents.
    """
    usable = [document for document in documents if document.label and document.text.strip()]
    counts = Counter(str(document.label) for document in usable)
    if len(counts) < 2:
        seen = f"only the label {next(iter(counts))!r}" if counts else "no label"
        raise TrainingError(
            f"{seen} in {len(usable)} documents with a text: a classifier needs documents of 2 labels or more"
        )
    if max(counts.values()) < 2:
        raise TrainingError(
            "every label has a single document, which leaves none to measure on: label more documents"
        )
    rest, held_out = _part(usable, share, "held-out")
    fit, tune = _part(rest, TUNE_SHARE_OF_FEW if len(rest) < FEW else TUNE_SHARE, "tune")
    return Parts(fit, tune, held_out, sorted(counts))


def _part(documents: Sequence[Document], share: float, salt: str) -> tuple[list[Document], list[Document]]:
    keys = [document.key for document in documents]
    chosen = split.held_out(keys, [str(document.label) for document in documents], share, salt)
    pairs = list(zip(documents, chosen, strict=True))
    return [d for d, out in pairs if not out], [d for d, out in pairs if out]


def _examples(parts: Parts, class_weights: str) -> Examples:
    labels = _indexes(parts.fit, parts.labels)
    weights = np.ones(len(parts.labels), np.float32)
    if class_weights == "balanced":
        counts = np.bincount(labels, minlength=len(parts.labels))
        weights = (len(labels) / (len(counts) * counts)).astype(np.float32)
    return Examples(
        texts=[document.text for document in parts.fit],
        labels=labels,
        tune_texts=[document.text for document in parts.tune],
        tune_labels=_indexes(parts.tune, parts.labels),
        n_labels=len(parts.labels),
        class_weights=weights,
    )


def _indexes(documents: Sequence[Document], labels: list[str]) -> NDArray[np.int64]:
    index = {label: place for place, label in enumerate(labels)}
    return np.array([index[str(document.label)] for document in documents], np.int64)


def _measure(classifier: Classifier, temperature: float, parts: Parts, progress: Progress) -> dict[str, Any]:
    texts = [document.text for document in parts.held_out]
    started = time.perf_counter()
    logits = classifier.logits(texts, lambda: progress(1, 1, "measuring on held-out documents"))
    seconds = time.perf_counter() - started
    probabilities = metrics.softmax(logits / temperature)
    evaluation = metrics.evaluate(parts.labels, _indexes(parts.held_out, parts.labels), probabilities)
    counted = {"n_train": float(len(parts.fit) + len(parts.tune)), "n_held_out": float(len(texts))}
    return evaluation | counted | {"documents_per_second": len(texts) / seconds, "temperature": temperature}


def _save(
    model_dir: Path,
    classifier: Classifier,
    temperature: float,
    labels: list[str],
    parameters: TrainParameters,
    evaluation: dict[str, Any],
) -> None:
    config, tensors = classifier.state()
    written = {"arch": parameters.arch, "labels": labels, "temperature": temperature}
    written |= {"classifier": config, "trained_with": asdict(parameters)}
    model_files.save(model_dir, written, tensors)
    text = json.dumps(evaluation, ensure_ascii=False, indent=1)
    (model_dir / EVALUATION).write_text(text, encoding="utf-8")
    model_files.seal(model_dir)


def _paced(progress: Progress) -> Progress:
    """At most one call a second goes through, and always the first and those that reach the end."""
    last = float("-inf")

    def paced(done: int, total: int, note: str) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= 1 or done >= total:
            last = now
            progress(done, total, note)

    return paced
