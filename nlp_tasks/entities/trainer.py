"""Trains a model that finds entities: splits the documents, fits, measures on held-out ones, saves."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from nlp_tasks import heartbeat, held_out_split, model_files
from nlp_tasks.entities import TrainEntitiesParameters, crf
from nlp_tasks.entities.annotations import AnnotationError, marked
from nlp_tasks.entities.figures import EVALUATION
from nlp_tasks.entities.metrics import measure
from nlp_tasks.entities.spans import Entity
from nlp_tasks.errors import TrainingError
from nlp_tasks.kind import Documents, Progress

#: Documents with marks that a training needs at least: one to learn from, one to measure on.
LEAST_DOCUMENTS = 2
#: Documents that an error message names.
_NAMED = 3


@dataclass(frozen=True)
class Example:
    """A document with its marked entities."""

    key: str
    text: str
    entities: list[Entity]


def train(
    documents: Documents, parameters: TrainEntitiesParameters, model_dir: Path, progress: Progress
) -> dict[str, float]:
    """See kind.Train. Writes the model and evaluation.json into the folder, and seals it."""
    started = time.perf_counter()
    fit, held_out = divide(documents, parameters.field, parameters.held_out)
    settings = crf.Settings(parameters.iterations, parameters.l1, parameters.l2, parameters.min_count)

    def tell(done: int) -> None:
        progress(done, parameters.iterations, f"iteration {done}" if done else "reading the documents")

    path = model_dir / crf.FILE
    crf.fit([each.text for each in fit], [each.entities for each in fit], settings, path, tell)
    tagger = crf.Tagger(path)
    measured = time.perf_counter()
    found = []
    for each in held_out:
        progress(parameters.iterations, parameters.iterations, "measuring on held-out documents")
        found.append([one.entity for one in tagger.find(each.text)])
    seconds = max(time.perf_counter() - measured, 1e-9)
    figures = measure([each.entities for each in held_out], found)
    metrics = {
        "micro_f1": figures.micro_f1,
        "macro_f1": figures.macro_f1,
        "n_train": float(len(fit)),
        "n_held_out": float(len(held_out)),
        "n_entities": float(sum(len(each.entities) for each in fit)),
        "characters_per_second": sum(len(each.text) for each in held_out) / seconds,
        "seconds_to_train": time.perf_counter() - started,
    }
    written = metrics | {"labels": [asdict(each) for each in figures.labels]}
    (model_dir / EVALUATION).write_text(json.dumps(written, ensure_ascii=False, indent=1), encoding="utf-8")
    labels = sorted({one.label for each in fit for one in each.entities})
    config = {"arch": parameters.arch, "labels": labels, "trained_with": asdict(parameters)}
    model_files.save(model_dir, config, {})
    return metrics


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
    chosen = held_out_split.held_out(
        [each.key for each in examples], [_stratum(each) for each in examples], share
    )
    pairs = list(zip(examples, chosen, strict=True))
    fit, held_out = [e for e, out in pairs if not out], [e for e, out in pairs if out]
    if not held_out:
        held_out = [fit.pop()]
    if not any(each.entities for each in fit):
        raise TrainingError(
            "no entity is left to learn from beside the held-out documents: mark more documents"
        )
    return fit, held_out


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
