"""Evidence of `linear`: what the probability of the label loses when the shown words are deleted from the text.

    python -m benchmarks.classification_evidence --data DIR [--seed 7] [--documents 150]

The shown words are compared with the n-grams of the largest weights, which nest in each other, and with the same number
of other words of the text, taken at random. DIR has the folders in FOLDERS, each with one *.jsonl.gz of {text, label}.
"""

from __future__ import annotations

import argparse
import random
import re
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from pathlib import Path
from statistics import fmean
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

from benchmarks import report
from benchmarks.summaries_data import records
from nlp_tasks.classification import ClassifyParameters, TrainParameters, trainer
from nlp_tasks.classification.attribution import is_word
from nlp_tasks.classification.linear import features, ngrams
from nlp_tasks.classification.linear.linear_model import LinearClassifier
from nlp_tasks.classification.runner import LabelRunner, open_runner
from nlp_tasks.kind import Document, Setup

FOLDERS = ("ko_topic_petitions", "ko_sentiment_nsmc", "en_topic_agnews", "en_topic_reuters_r8")
TRAINED_ON, SHOWN = 2_500, 3
Deleted = dict[str, list[float]]


class _Documents(list[Document]):
    """What `train` reads."""


def main() -> None:
    """Measure, print, and exit with 1 if a threshold is missed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--documents", type=int, default=150, help="documents labelled of each folder")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    figures: dict[str, Any] = {"machine": report.machine()}
    bars: dict[str, dict[str, float]] = {}
    for folder in FOLDERS:
        found = _measure(arguments.data, folder, arguments.seed, arguments.documents)
        means = {name: fmean(values) for name, values in found.items()}
        figures[folder] = means
        report.table(
            f"{folder}: probability lost without {SHOWN} terms",
            ["terms", "lost"],
            [[name, value] for name, value in means.items()],
        )
        bars[f"{folder}, probability lost, over the heaviest n-grams"] = {
            "value": means["words"] - means["n-grams"],
            "at_least": 0,
        }
        bars[f"{folder}, probability lost, over random words"] = {
            "value": means["words"] - means["random"],
            "at_least": 0.05,
        }
    report.end(figures, bars)


def _measure(data: Path, folder: str, seed: int, n_documents: int) -> Deleted:
    found = list(islice(records(data, folder, seed), TRAINED_ON + n_documents))
    documents = _Documents(
        Document(number, str(number), record["text"], str(record["label"]))
        for number, record in enumerate(found)
    )
    with TemporaryDirectory() as name:
        model = Path(name) / "model"
        training = _Documents(documents[n_documents:])
        trainer.train(training, TrainParameters(seed=seed), "cpu", model, lambda *_: None)
        runner = open_runner(Setup(ClassifyParameters(evidence=SHOWN), "cpu", model_dir=model))
    return _deleted(runner, [document.text for document in documents[:n_documents]], random.Random(seed))


def _deleted(runner: LabelRunner, texts: Sequence[str], draw: random.Random) -> Deleted:
    """What the probability of each text's label loses without each choice of terms."""
    lost: Deleted = {"words": [], "n-grams": [], "random": []}
    for text in texts:
        before = _probabilities(runner, [text])[0]
        label = int(before.argmax())
        rows: Any = runner.run([Document(1, "a", text)])[0]
        shown = [row.term for row in rows if row.table == "label_term"]
        others = sorted({word for word in re.findall(r"\w\w+", text.lower()) if word not in shown})
        choices: dict[str, tuple[Iterable[str], Callable[[str], str]]] = {
            "words": (shown, _whole),
            "n-grams": (_heaviest_ngrams(runner.classifier, text, label), re.escape),
            "random": (draw.sample(others, min(SHOWN, len(others))), _whole),
        }
        without = [_without(text, terms, pattern) for terms, pattern in choices.values()]
        for name, after in zip(choices, _probabilities(runner, without), strict=True):
            lost[name].append(float(before[label] - after[label]))
    return lost


def _probabilities(runner: LabelRunner, texts: Sequence[str]) -> Any:
    return runner.calibration.probabilities(runner.classifier.logits(texts, lambda: None), several=False)


def _whole(term: str) -> str:
    """A pattern for a term: a word of Latin letters is a whole one, Korean terms are inside of words."""
    return rf"(?<![a-z0-9]){re.escape(term)}(?![a-z0-9])" if term.isascii() else re.escape(term)


def _without(text: str, terms: Iterable[str], pattern: Callable[[str], str]) -> str:
    patterns = [pattern(term) for term in terms]
    return re.sub("|".join(patterns), " ", text, flags=re.IGNORECASE) if patterns else text


def _heaviest_ngrams(classifier: Any, text: str, label: int) -> list[str]:
    """The n-grams of the largest weights, as earlier versions showed them; no single letters and signs."""
    assert isinstance(classifier, LinearClassifier)
    vocabulary = classifier.vocabulary
    rows = features.weigh(features.count([text], vocabulary.config, lambda: None), vocabulary)
    weights = classifier.weights.matrix[torch.from_numpy(rows.columns)]
    added = (weights[:, label] - weights.mean(dim=1)).numpy() * rows.values
    chars, places = ngrams.places(text, vocabulary.config)
    visible = np.flatnonzero([not char.isspace() for char in chars])
    names: dict[int, str] = {}
    for bucket, start, end in zip(places.buckets, places.starts, places.ends, strict=True):
        if end > start:
            names.setdefault(int(bucket), chars[visible[start] : visible[end - 1] + 1])
    best = np.argsort(-added)
    spelled = (names.get(int(vocabulary.buckets[rows.columns[at]]), "") for at in best if added[at] > 0)
    return list(islice(dict.fromkeys(name for name in spelled if is_word(name)), SHOWN))


if __name__ == "__main__":
    main()
