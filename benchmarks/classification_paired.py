"""The default classifier beside linear models of scikit-learn: is it behind on any set beyond chance? Is it calibrated?

    pip install scikit-learn
    python -m benchmarks.classification_paired --data DIR [--set NAME ...] [--seeds 5] [--folds 5] [--documents 6000]

Five-fold cross-validation is repeated with five seeds. The peers are a linear SVM and a logistic regression, each on
n-grams of words, of characters, and of both. The best of them by mean accuracy is compared with the default by a
corrected resampled t-test (benchmarks.paired_test). Calibration is measured on the test documents of the first seed.
All runs take more than an hour of processor time: 25 trainings a set, and six times as many of the peers.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks import classification_calibration, classification_data, paired_test, report
from benchmarks.classification_data import Fold
from nlp_tasks.classification import CLASSIFY, TRAIN_CLASSIFY, ClassifyParameters, TrainParameters
from nlp_tasks.kind import Setup

#: The default holds out as little as possible, since its peers are trained on all documents.
HELD_OUT = 0.01
#: The largest calibration error, where at least ENOUGH documents are tested.
MOST_ERROR, ENOUGH = 0.03, 300
DEFAULT = "docmill"


@dataclass
class Found:
    """The results on one set: by model, the accuracy on each fold, and seconds of training in all."""

    accuracy: dict[str, list[float]] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    #: Of the default's labels for the test documents of the first seed.
    confidence: list[float] = field(default_factory=list)
    is_right: list[bool] = field(default_factory=list)

    def add(self, model: str, accuracy: float, seconds: float) -> None:
        self.accuracy.setdefault(model, []).append(accuracy)
        self.seconds[model] = self.seconds.get(model, 0) + seconds


def main() -> None:
    """Measure, print, and exit with 1 if a threshold is missed."""
    arguments = _arguments()
    torch.set_num_threads(1)
    figures: dict[str, Any] = {"machine": report.machine()}
    bars: dict[str, dict[str, float]] = {}
    for name in arguments.set or classification_data.SETS:
        documents = classification_data.sample(
            classification_data.load(arguments.data, name), arguments.documents
        )
        found = Found()
        for seed in range(arguments.seeds):
            for fold in classification_data.folds(documents, arguments.folds, seed):
                _default(fold, found, is_first=seed == 0)
                _peers(fold, found)
        figures[name], of_set = _judged(name, found, 1 / arguments.folds)
        bars |= of_set
    report.end(figures, bars)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--set", nargs="+", choices=classification_data.SETS, help="default: all")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--folds", type=int, default=classification_data.FOLDS)
    parser.add_argument("--documents", type=int, default=6_000, help="maximum number of documents of a set")
    return parser.parse_args()


def _default(fold: Fold, found: Found, *, is_first: bool) -> None:
    assert TRAIN_CLASSIFY.train is not None
    with tempfile.TemporaryDirectory() as folder:
        model_dir = Path(folder)
        started = time.process_time()
        TRAIN_CLASSIFY.train(
            fold.train, TrainParameters(held_out=HELD_OUT), "cpu", model_dir, lambda *_: None
        )
        seconds = time.process_time() - started
        runner = CLASSIFY.stages[0].open(Setup(parameters=ClassifyParameters(), model_dir=model_dir))
        rows: list[Any] = list(runner.run(fold.test))
    is_right = [row[0].label == document.label for row, document in zip(rows, fold.test, strict=True)]
    found.add(DEFAULT, float(np.mean(is_right)), seconds)
    if is_first:
        found.confidence += [row[0].score for row in rows]
        found.is_right += is_right


def _peers(fold: Fold, found: Found) -> None:
    """Train and test each peer. The features are made once for both models; their time counts for each."""
    from sklearn.feature_extraction.text import TfidfVectorizer  # type: ignore[import-untyped, import-not-found, unused-ignore]
    from sklearn.linear_model import LogisticRegression  # type: ignore[import-untyped, import-not-found, unused-ignore]
    from sklearn.pipeline import FeatureUnion  # type: ignore[import-untyped, import-not-found, unused-ignore]
    from sklearn.svm import LinearSVC  # type: ignore[import-untyped, import-not-found, unused-ignore]

    words = {"sublinear_tf": True, "ngram_range": (1, 2)}
    chars = {"sublinear_tf": True, "ngram_range": (2, 5), "analyzer": "char_wb"}
    texts, labels = [d.text for d in fold.train], [str(d.label) for d in fold.train]
    tested, truth = [d.text for d in fold.test], np.array([str(d.label) for d in fold.test])
    for name, vectorizer in {
        "words": TfidfVectorizer(**words),
        "characters": TfidfVectorizer(**chars),
        "both": FeatureUnion([("words", TfidfVectorizer(**words)), ("chars", TfidfVectorizer(**chars))]),
    }.items():
        started = time.process_time()
        rows = vectorizer.fit_transform(texts)
        counted = time.process_time() - started
        for model in (LinearSVC(), LogisticRegression(C=10, max_iter=300)):
            started = time.process_time()
            model.fit(rows, labels)
            seconds = counted + time.process_time() - started
            accuracy = float((model.predict(vectorizer.transform(tested)) == truth).mean())
            found.add(f"{type(model).__name__}, {name}", accuracy, seconds)


def _judged(name: str, found: Found, share: float) -> tuple[dict[str, Any], dict[str, dict[str, float]]]:
    """Print a table; the figures of a set, and its thresholds. `share`: of the documents that a fold tests."""
    ours = found.accuracy[DEFAULT]
    rows, compared = [], {}
    for model, accuracy in found.accuracy.items():
        seconds = found.seconds[model] / len(accuracy)
        compared[model] = test = paired_test.compare(ours, accuracy, share)
        lead = "" if model == DEFAULT else f"{test.lead:+.4f} +- {test.chance:.4f} (p {test.p:.3f})"
        rows.append([model, f"{np.mean(accuracy):.4f}", lead, seconds])
    columns = ["model", "accuracy", "docmill's lead, 95 %", "s to train"]
    report.table(f"{name}: {len(ours)} trainings", columns, rows)
    best = max((model for model in compared if model != DEFAULT), key=lambda m: np.mean(found.accuracy[m]))
    reliable = classification_calibration.figures(np.array(found.confidence), np.array(found.is_right))
    report.table(f"{name}: calibration", ["", "value"], [[what, value] for what, value in reliable.items()])
    highest = compared[best].lead + compared[best].chance
    bars: dict[str, dict[str, float]] = {
        f"{name}: lead over {best}, upper end of its interval": {"value": highest, "at_least": 0.0}
    }
    if reliable["documents"] >= ENOUGH:
        bars[f"{name}: calibration error"] = {"value": reliable["error"], "at_most": MOST_ERROR}
    accuracies = {model: float(np.mean(each)) for model, each in found.accuracy.items()}
    return {"accuracy": accuracies, "best peer": best, "calibration": reliable}, bars


if __name__ == "__main__":
    main()
