"""Classifiers compared with fastText and scikit-learn: accuracy, macro F1, and documents labelled per second.

    pip install fasttext scikit-learn
    python -m benchmarks.classification --data DIR [--device cpu] [--arch linear ...] [--set NAME ...] [--folds 5]

Without --arch, the default and naive-bayes are measured, and on the set of short reviews the ensemble.

DIR contains the labelled sets, each a folder with *.jsonl.gz of {id, text, label}. Each set is divided into five folds
by a stable hash of the id. Small sets are measured on several folds, the large one on one; fastText, which takes the
longest to train, on the first fold of every set. Times are CPU seconds of one thread, so that they hardly depend on the
load of the machine.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks import classification_data, classification_peers, report
from benchmarks import classification_figures as figures
from benchmarks.classification_data import Fold
from benchmarks.classification_figures import Measured, Models
from nlp_tasks.classification import (
    ARCHITECTURES,
    CLASSIFY,
    TRAIN_CLASSIFY,
    ClassifyParameters,
    TrainParameters,
    metrics,
)
from nlp_tasks.kind import Document, Setup

#: The default architecture, to which the thresholds apply.
DEFAULT = TrainParameters().arch
#: The peers train on all documents that they are given, so docmill holds out as few as possible.
HELD_OUT = 0.01


def main() -> None:
    """Measure, print, and exit with 1 if a threshold is missed."""
    arguments = _arguments()
    torch.set_num_threads(1)
    machine = report.machine()
    print(machine)
    found: dict[str, Models] = {}
    columns = [TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()]
    with Progress(*columns, console=Console(stderr=True)) as shown:
        for name in arguments.set or classification_data.SETS:
            found[name] = _measure_set(name, arguments, shown)
            figures.table(name, found[name], DEFAULT)
    report.end({"machine": machine, "sets": figures.means(found)}, figures.bars(found, DEFAULT))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--device", default="cpu", help="the torch device of docmill's part")
    parser.add_argument("--arch", nargs="+", choices=sorted(ARCHITECTURES))
    parser.add_argument("--set", nargs="+", choices=classification_data.SETS, help="default: all")
    parser.add_argument("--folds", type=int, default=classification_data.FOLDS)
    return parser.parse_args()


def _measure_set(name: str, arguments: argparse.Namespace, shown: Progress) -> Models:
    folds = classification_data.folds(classification_data.load(arguments.data, name), arguments.folds)
    archs = arguments.arch or [DEFAULT, "naive-bayes", *([figures.BEST] if name == figures.REVIEWS else [])]
    found: Models = {}
    for place, fold in enumerate(folds):
        peers = [peer for peer, how in classification_peers.PEERS.items() if place == 0 or how.every_fold]
        bar = shown.add_task(f"{name}, fold {place + 1}", total=len(archs) + len(peers))
        for arch in archs:
            found.setdefault(arch, []).append(_ours(fold, arch, arguments.device))
            shown.advance(bar)
        texts = _both_forms(fold.train, name), _both_forms(fold.test, name)
        for peer in peers:
            found.setdefault(peer, []).append(_peer(fold, classification_peers.PEERS[peer], *texts))
            shown.advance(bar)
    return found


def _ours(fold: Fold, arch: str, device: str) -> Measured:
    assert TRAIN_CLASSIFY.train is not None
    with tempfile.TemporaryDirectory() as folder:
        model_dir = Path(folder)
        parameters = TrainParameters(arch=arch, held_out=HELD_OUT)
        start = time.process_time()
        TRAIN_CLASSIFY.train(fold.train, parameters, device, model_dir, lambda *_: None)
        seconds = time.process_time() - start
        setup = Setup(parameters=ClassifyParameters(), device=device, model_dir=model_dir)
        runner = CLASSIFY.stages[0].open(setup)

    def predict() -> list[Any]:
        size = runner.batch_documents
        parts = [runner.run(fold.test[at : at + size]) for at in range(0, len(fold.test), size)]
        return [rows[0].label for part in parts for rows in part]  # type: ignore[union-attr, index]

    return _score(fold, predict, seconds)


def _peer(
    fold: Fold, how: classification_peers.Entry, texts: dict[str, list[str]], tests: dict[str, list[str]]
) -> Measured:
    labels = [str(document.label) for document in fold.train]
    peer = how.make()
    start = time.process_time()
    peer.fit(texts[how.reads], labels)
    seconds = time.process_time() - start
    return _score(fold, lambda: peer.predict(tests[how.reads]), seconds)


def _both_forms(documents: list[Document], name: str) -> dict[str, list[str]]:
    texts = [document.text for document in documents]
    return {"text": texts, "words": classification_peers.words(texts, korean=name.startswith("ko_"))}


def _score(fold: Fold, predict: Callable[[], list[Any]], seconds_to_train: float) -> Measured:
    predict()  # warm-up
    start = time.process_time()
    predicted = predict()
    seconds = time.process_time() - start
    true = [document.label for document in fold.test]
    names = sorted({str(label) for label in [*true, *predicted]})
    indexes = [np.array([names.index(str(label)) for label in each]) for each in (true, predicted)]
    confusion = metrics.confusion_matrix(indexes[0], indexes[1], len(names))
    return Measured(
        metrics.accuracy(confusion), metrics.macro_f1(confusion), seconds_to_train, len(true) / seconds
    )


if __name__ == "__main__":
    main()
