"""Trains a model that finds entities: splits the documents, fits, measures on held-out ones, saves."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from nlp_tasks import heartbeat, held_out_split, model_files
from nlp_tasks.checkpoint import FOLDER, Checkpoint
from nlp_tasks.entities import TrainEntitiesParameters, architecture, learned_beside
from nlp_tasks.entities.annotations import AnnotationError, marked
from nlp_tasks.entities.architecture import Example, Finder, Lesson
from nlp_tasks.entities.figures import EVALUATION
from nlp_tasks.entities.metrics import Figures, measure
from nlp_tasks.errors import TrainingError
from nlp_tasks.kind import Documents, Progress

#: Documents with marks that a training needs at least: one to learn from, one to measure on.
LEAST_DOCUMENTS = 2
#: Share of the documents to learn from that decides when a neural training stops.
VALIDATION_SHARE = 0.1
#: Documents that an error message names.
_NAMED = 3


def train(
    documents: Documents,
    parameters: TrainEntitiesParameters,
    device: str,
    model_dir: Path,
    progress: Progress,
) -> dict[str, float]:
    """See kind.Train. Writes the model and evaluation.json into the folder, and seals it."""
    started = time.perf_counter()
    rest, held_out = divide(documents, parameters.field, parameters.held_out)
    progress(0, 1, "reading texts without marks")
    known = learned_beside.known(documents, {each.key for each in held_out}, parameters)
    fit, validation = _part(rest, VALIDATION_SHARE, "tune")
    labels = sorted({one.label for each in rest for one in each.entities})
    checkpoint = Checkpoint(model_dir / FOLDER, _fingerprint(rest, parameters))
    lesson = Lesson(fit, validation, labels, known, parameters, device, model_dir, progress, checkpoint)
    fitted = architecture.fit(lesson)
    shutil.rmtree(checkpoint.folder, ignore_errors=True)
    config = {
        "arch": parameters.arch,
        "features_version": architecture.FEATURES,
        "labels": labels,
        "trained_with": asdict(parameters),
    }
    model_files.save(model_dir, config | fitted.config, fitted.tensors)
    metrics, figures = _measured(architecture.load(model_dir, device), held_out, progress)
    metrics |= {
        "n_train": float(len(rest)),
        "n_entities": float(sum(len(each.entities) for each in rest)),
        "n_words_with_clusters": float(len(known.clusters.of_word)) if known.clusters is not None else 0.0,
        "n_names": float(len(known.gazetteer.label_of)) if known.gazetteer is not None else 0.0,
        "seconds_to_train": time.perf_counter() - started,
    }
    written = metrics | {"labels": [asdict(each) for each in figures.labels]}
    (model_dir / EVALUATION).write_text(json.dumps(written, ensure_ascii=False, indent=1), encoding="utf-8")
    model_files.seal(model_dir)
    return metrics


def _measured(
    finder: Finder, held_out: Sequence[Example], progress: Progress
) -> tuple[dict[str, float], Figures]:
    """How well the model does on documents that it has not seen."""
    started = time.perf_counter()
    found = []
    for each in held_out:
        progress(1, 1, "measuring on held-out documents")
        found.append([one.entity for one in finder.find([each.text])[0]])
    seconds = max(time.perf_counter() - started, 1e-9)
    figures = measure([each.entities for each in held_out], found)
    return {
        "micro_f1": figures.micro_f1,
        "macro_f1": figures.macro_f1,
        "n_held_out": float(len(held_out)),
        "characters_per_second": sum(len(each.text) for each in held_out) / seconds,
    }, figures


def _fingerprint(examples: Sequence[Example], parameters: TrainEntitiesParameters) -> str:
    """Identifies the training: an interrupted one resumes only with the same documents and parameters."""
    digest = hashlib.sha256(json.dumps(asdict(parameters), sort_keys=True).encode())
    for each in examples:
        digest.update(repr((each.key, each.text, each.entities)).encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def divide(documents: Documents, field: str, share: float) -> tuple[list[Example], list[Example]]:
    """The documents with marks to learn from, and those held out. TrainingError if they do not do."""
    examples = _examples(documents, field)
    if not any(each.entities for each in examples):
        raise TrainingError(
            f"no entity is marked in {len(documents)} documents: the field {field!r} of their metadata has a list of "
            "start, end and label (`-p field=NAME` for another field)"
        )
    if len(examples) < LEAST_DOCUMENTS:
        raise TrainingError(
            "one document with marks is too few to learn from one and measure on another: mark more"
        )
    fit, held_out = _part(examples, share, "held-out")
    if not held_out:
        held_out = [fit.pop()]
    if not any(each.entities for each in fit):
        raise TrainingError(
            "no entity is left to learn from beside the held-out documents: mark more documents"
        )
    return fit, held_out


def _part(examples: Sequence[Example], share: float, salt: str) -> tuple[list[Example], list[Example]]:
    """The examples without about this share of them, and that share."""
    chosen = held_out_split.held_out(
        [each.key for each in examples], [_stratum(each) for each in examples], share, salt
    )
    pairs = list(zip(examples, chosen, strict=True))
    return [each for each, out in pairs if not out], [each for each, out in pairs if out]


def _examples(documents: Documents, field: str) -> list[Example]:
    found: list[Example] = []
    wrong: list[str] = []
    for document in heartbeat.beating(documents):
        try:
            entities = marked(document.text, document.meta, field)
        except AnnotationError as error:
            wrong.append(f"document {document.key!r}: {error}")
            continue
        if entities is not None and document.text.strip():
            found.append(Example(document.key, document.text, entities))
    if wrong:
        raise TrainingError(_words(wrong))
    return found


def _words(wrong: Sequence[str]) -> str:
    more = f"; and {len(wrong) - _NAMED} more documents" if len(wrong) > _NAMED else ""
    return "; ".join(wrong[:_NAMED]) + more + ". Correct them and add the file again"


def _stratum(example: Example) -> str:
    """Documents with entities and those without are divided by themselves."""
    return "marked" if example.entities else "none"
