"""The effect of jamo runs, addresses and markup on classification and similarity, with and without them.

    python -m benchmarks.odd_tokens --data DIR [--documents 20000] [--folds 2]

DIR contains the folders ko_sentiment_nsmc, ko_topic_petitions, ko_toxicity_beep and en_topic_agnews, each with one
*.jsonl.gz of {id, text, label}. Every variant changes training and test texts alike; the folds are the same.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import fmean

from benchmarks import report
from benchmarks.classification import DEFAULT, _ours
from benchmarks.classification_data import Fold, folds, load
from nlp_tasks.addresses import masked
from nlp_tasks.kind import Document
from readers.markup import plain

SETS = ("ko_sentiment_nsmc", "ko_toxicity_beep", "ko_topic_petitions", "en_topic_agnews")
_JAMO = re.compile("[\u3130-\u318f]+")
_RUN = re.compile("([\u3130-\u318f])\\1{2,}")
VARIANTS: dict[str, Callable[[str], str]] = {
    "as it is": lambda text: text,
    "without jamo": lambda text: _JAMO.sub(" ", text),
    "runs of jamo as two": lambda text: _RUN.sub(r"\1\1", text),
    "without addresses": masked,
    "without markup": plain,
}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--documents", type=int, default=20_000, help="maximum number of documents of a set")
    parser.add_argument("--folds", type=int, default=2)
    parser.add_argument("--arch", default=DEFAULT)
    arguments = parser.parse_args()
    found: dict[str, list[list[object]]] = {}
    for name in SETS:
        found[name] = _measure(name, arguments)
        report.table(f"{name}, macro F1 and accuracy", ["texts", "changed", "accuracy", "F1"], found[name])
    report.end({"machine": report.machine(), "sets": found}, {})


def _measure(name: str, arguments: argparse.Namespace) -> list[list[object]]:
    documents = load(arguments.data, name)[: arguments.documents]
    cut = list(folds(documents, arguments.folds))
    rows: list[list[object]] = []
    for variant, change in VARIANTS.items():
        n_changed = sum(change(document.text) != document.text for document in documents)
        if n_changed or not rows:
            figures = [_ours(_changed(fold, change), arguments.arch, "cpu") for fold in cut]
            rows.append(
                [
                    variant,
                    n_changed,
                    round(fmean(each.accuracy for each in figures), 4),
                    round(fmean(each.macro_f1 for each in figures), 4),
                ]
            )
    return rows


def _changed(fold: Fold, change: Callable[[str], str]) -> Fold:
    def changed(documents: list[Document]) -> list[Document]:
        texts = [(document, change(document.text)) for document in documents]
        # a document of such tokens only keeps them, so that every variant is measured on all documents
        return [replace(document, text=text) if text.strip() else document for document, text in texts]

    return Fold(changed(fold.train), changed(fold.test))


if __name__ == "__main__":
    main()
