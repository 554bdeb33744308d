"""The labelled data sets for the comparison of classifiers, and their folds."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from nlp_tasks.kind import Document

SETS = (
    "ko_sentiment_nsmc",
    "ko_topic_petitions",
    "ko_toxicity_beep",
    "en_topic_agnews",
    "en_topic_reuters_r8",
    "en_news_bbc",
)
#: Five-fold cross-validation. Small sets are measured on several folds, since one would not be enough.
FOLDS = 5
LARGE = 50_000


@dataclass(frozen=True)
class Fold:
    """A division of a set into documents to train on and documents to measure on."""

    train: list[Document]
    test: list[Document]


def load(folder: Path, name: str) -> list[Document]:
    """The labelled documents of a set."""
    documents: list[Document] = []
    for path in sorted((folder / name).glob("*.jsonl.gz")):
        with gzip.open(path, "rt", encoding="utf-8") as file:
            for line in file:
                record = json.loads(line)
                document = Document(len(documents), str(record["id"]), record["text"], record["label"])
                documents.append(document)
    return documents


def folds(documents: list[Document], most: int, seed: int = 0) -> Iterator[Fold]:
    """At most `most` folds by a stable hash of the key, another one for each seed; one fold for a large set."""
    numbers = [_number(document.key, seed) for document in documents]
    for fold in range(1 if len(documents) >= LARGE else min(most, FOLDS)):
        pairs = list(zip(documents, numbers, strict=True))
        yield Fold([d for d, n in pairs if n != fold], [d for d, n in pairs if n == fold])


def sample(documents: list[Document], most: int) -> list[Document]:
    """At most `most` documents, by a stable hash of the key."""
    by_hash = sorted(
        documents, key=lambda document: hashlib.sha256(f"sample {document.key}".encode()).digest()
    )
    return by_hash[:most]


def _number(key: str, seed: int) -> int:
    salted = f"{seed}\0{key}" if seed else key
    return int(hashlib.sha256(salted.encode()).hexdigest()[:8], 16) % FOLDS
