"""Classifiers beside fastText and scikit-learn: accuracy, macro F1, and documents labelled per second.

    pip install fasttext scikit-learn
    python -m benchmarks.classification --data DIR [--device cpu] [--arch linear ...] [--set NAME ...] [--folds 5]

DIR holds the labelled sets, each a folder with *.jsonl.gz of {id, text, label}. Each is cut into fifths by a
stable hash of the id; small sets are measured on several fifths, the large one on one. Seconds are processor
seconds of one thread, so that a busy machine does not change them.
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

from benchmarks import classification_data, classification_peers, report
from benchmarks.classification_data import Fold
from nlp_tasks.classification import (
    ARCHITECTURES,
    CLASSIFY,
    TRAIN_CLASSIFY,
    ClassifyParameters,
    TrainParameters,
)
from nlp_tasks.classification.metrics import confusion_matrix
from nlp_tasks.kind import Document, Setup

#: The default architecture: the bars are its.
DEFAULT = TrainParameters().arch
#: Short reviews per second on one core (issue 5), on the set of short reviews.
SPEED_SET, LEAST_SPEED = "ko_sentiment_nsmc", 10_000
#: Peers whose accuracy is at least ours less this are of equal accuracy.
EQUAL = 0.005
#: The peers hold nothing out of what they are given, so ours holds out as little as it can.
HELD_OUT = 0.01
COLUMNS = ["set", "model", "accuracy", "macro F1", "seconds to train", "documents/s"]

#: accuracy, macro F1, processor seconds to train, documents per processor second.
Measured = dict[str, float]


def main() -> None:
    """Measure, print, and exit 1 when a bar is missed."""
    arguments = _arguments()
    torch.set_num_threads(1)
    machine = report.machine()
    print(machine)
    figures: dict[str, dict[str, Measured]] = {}
    for name in arguments.set or classification_data.SETS:
        figures[name] = _measure_set(name, arguments)
        rows = [
            [name, model, *(f"{v:,.4f}" for v in list(m.values())[:2]), *list(m.values())[2:]]
            for model, m in figures[name].items()
        ]
        report.table(name, COLUMNS, rows)
    report.end({"machine": machine, "sets": figures}, _bars(figures))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--device", default="cpu", help="a torch device, for our part")
    parser.add_argument("--arch", nargs="+", default=[DEFAULT, "naive-bayes"], choices=sorted(ARCHITECTURES))
    parser.add_argument("--set", nargs="+", choices=classification_data.SETS, help="all when not given")
    parser.add_argument("--folds", type=int, default=classification_data.FOLDS)
    return parser.parse_args()


def _measure_set(name: str, arguments: argparse.Namespace) -> dict[str, Measured]:
    documents = classification_data.load(arguments.data, name)
    found: dict[str, list[Measured]] = {}
    for fold in classification_data.folds(documents, arguments.folds):
        for arch in arguments.arch:
            found.setdefault(arch, []).append(_ours(fold, arch, arguments.device))
        for peer, measured in _peers(fold, name.startswith("ko_")).items():
            found.setdefault(peer, []).append(measured)
    return {
        model: {key: float(np.mean([m[key] for m in all_folds])) for key in all_folds[0]}
        for model, all_folds in found.items()
    }


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


def _peers(fold: Fold, korean: bool) -> dict[str, Measured]:
    texts, tests = _both_forms(fold.train, korean), _both_forms(fold.test, korean)
    labels = [str(document.label) for document in fold.train]
    found = {}
    for name, (reads, make) in classification_peers.PEERS.items():
        peer = make()
        start = time.process_time()
        peer.fit(texts[reads], labels)
        seconds = time.process_time() - start
        found[name] = _score(fold, lambda peer=peer, reads=reads: peer.predict(tests[reads]), seconds)  # type: ignore[misc]
    return found


def _both_forms(documents: list[Document], korean: bool) -> dict[str, list[str]]:
    texts = [document.text for document in documents]
    return {"text": texts, "words": classification_peers.words(texts, korean)}


def _score(fold: Fold, predict: Callable[[], list[Any]], seconds_to_train: float) -> Measured:
    predict()  # once to warm up
    start = time.process_time()
    predicted = predict()
    seconds = time.process_time() - start
    true = [document.label for document in fold.test]
    names = sorted({str(label) for label in [*true, *predicted]})
    indexes = [np.array([names.index(str(label)) for label in each]) for each in (true, predicted)]
    confusion = confusion_matrix(indexes[0], indexes[1], len(names))
    hits = np.diag(confusion)
    f1 = 2 * hits / np.maximum(confusion.sum(axis=0) + confusion.sum(axis=1), 1)
    return {
        "accuracy": float(hits.sum() / confusion.sum()),
        "macro_f1": float(f1.mean()),
        "seconds_to_train": seconds_to_train,
        "documents_per_second": len(true) / seconds,
    }


def _bars(figures: dict[str, dict[str, Measured]]) -> dict[str, dict[str, float]]:
    bars = {}
    for name, models in figures.items():
        if DEFAULT not in models:
            continue
        ours = models[DEFAULT]
        peers = [models[peer] for peer in classification_peers.PEERS]
        for figure in ("accuracy", "macro_f1"):
            lead = ours[figure] - max(peer[figure] for peer in peers)
            bars[f"{name}: {figure} above the best peer's"] = {"value": lead, "at_least": 0.0}
        if name == SPEED_SET:
            speed = ours["documents_per_second"]
            equal = [p["documents_per_second"] for p in peers if p["accuracy"] >= ours["accuracy"] - EQUAL]
            bars["short reviews a second"] = {"value": speed, "at_least": LEAST_SPEED}
            ratio = speed / max(equal) if equal else 1.0
            bars["speed beside the fastest peer of equal accuracy"] = {"value": ratio, "at_least": 1.0}
    return bars


if __name__ == "__main__":
    main()
