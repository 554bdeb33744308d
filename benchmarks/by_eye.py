"""Prints 60 outputs of a kind for a person to judge, half Korean and half English; docs/by-eye.md has the rubric.

    python -m benchmarks.by_eye --data DIR --kind summaries|keywords|evidence|entities [--seed 1117] [--documents 60]

DIR has the folders in FOLDERS, each with one *.jsonl.gz. Two versions of docmill print the same documents.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from benchmarks import by_eye_entities
from benchmarks.summaries_data import records
from nlp_tasks.classification import ClassifyParameters, TrainParameters, trainer
from nlp_tasks.classification.runner import open_runner
from nlp_tasks.keywords import KEYWORDS, KeywordsParameters
from nlp_tasks.kind import Document, Setup
from nlp_tasks.summarization import SUMMARIZE, SummarizeParameters

_PROSE = {
    "en_news_bbc": 12,
    "en_summ_scisummnet": 6,
    "en_topic_reuters_r8": 6,
    "en_summ_qmsum": 3,
    "en_longdoc_contracts": 3,
    "ko_summ_wikilead": 10,
    "ko_topic_petitions": 10,
    "ko_throughput_wiki": 5,
    "ko_longdoc_law": 5,
}
#: From a kind to the folders that its documents are from, and the share of each in 60 documents.
FOLDERS = {
    "summaries": _PROSE,
    "keywords": _PROSE,
    "entities": _PROSE,
    "evidence": {
        "ko_topic_petitions": 15,
        "ko_sentiment_nsmc": 15,
        "en_topic_agnews": 15,
        "en_topic_reuters_r8": 15,
    },
}
TRAINED_ON, SHOWN = 1_500, 3
#: From the title and the text of documents of one folder to a line for each.
Show = Callable[[Sequence[Document], Sequence[Document]], list[str]]


def main() -> None:
    """Print the outputs, numbered, each below the beginning of its document."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--kind", choices=FOLDERS, required=True)
    parser.add_argument("--seed", type=int, default=1117)
    parser.add_argument("--documents", type=int, default=60)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    show: Show = {
        "summaries": _summaries, "keywords": _keywords, "evidence": _evidence, "entities": by_eye_entities.shown,
    }[arguments.kind]  # fmt: skip
    number = 0
    for folder, share in FOLDERS[arguments.kind].items():
        n = max(round(share * arguments.documents / 60), 1)
        wanted = n + (TRAINED_ON if arguments.kind == "evidence" else 0)
        found = list(islice(records(arguments.data, folder, arguments.seed), wanted))
        documents = [
            Document(place, str(place), record["text"], str(record.get("label")))
            for place, record in enumerate(found)
        ]
        for record, line in zip(found, show(documents[:n], documents[n:]), strict=False):
            number += 1
            title = record.get("title") or " ".join(record["text"][:80].split())
            print(f"{number} [{folder}] {title}\n    {line}", flush=True)


def _run(runner: Any, documents: Sequence[Document]) -> list[list[Any]]:
    """The rows of each document, one at a time: the longest have a million characters."""
    return [list(runner.run([document])[0]) for document in documents]


def _summaries(documents: Sequence[Document], _others: Sequence[Document]) -> list[str]:
    runner = SUMMARIZE.stages[0].open(Setup(SummarizeParameters()))
    texts = {document.id: document.text for document in documents}
    return [
        "\n    ".join(
            "- " + " ".join(texts[document.id][row.start_char : row.end_char].split()) for row in rows[1:]
        )
        for document, rows in zip(documents, _run(runner, documents), strict=True)
    ]


def _keywords(documents: Sequence[Document], _others: Sequence[Document]) -> list[str]:
    runner = KEYWORDS.stages[0].open(Setup(KeywordsParameters()))
    return [" | ".join(row.term for row in rows) for rows in _run(runner, documents)]


class _Documents(list[Document]):
    """What `train` reads."""


def _evidence(documents: Sequence[Document], others: Sequence[Document]) -> list[str]:
    """The label with its evidence, and the beginning of the text."""
    with TemporaryDirectory() as name:
        model = Path(name) / "model"
        trainer.train(_Documents(others), TrainParameters(seed=7), "cpu", model, lambda *_: None)
        runner = open_runner(Setup(ClassifyParameters(evidence=SHOWN), "cpu", model_dir=model))
    shown = []
    for document, rows in zip(documents, _run(runner, documents), strict=True):
        terms = [row.term for row in rows if row.table == "label_term"]
        shown.append(f"{rows[0].label}: {' | '.join(terms)}    <- {' '.join(document.text[:300].split())}")
    return shown


if __name__ == "__main__":
    main()
