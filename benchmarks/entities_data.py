"""The marked data sets for the comparison of entity models, and their folds; texts without marks; the written cases of
rules."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from nlp_tasks.entities.annotations import marked
from nlp_tasks.entities.spans import Entity
from nlp_tasks.kind import Document

FOLDS = 5
KLUE = "ko_ner_klue"
#: The English sets, each a file of the folder en_ner.
ENGLISH = ("sec_filings", "wikigold", "wnut17")
SETS = (KLUE, *ENGLISH)
#: Texts without marks that a user could have, for word clusters.
UNMARKED = {KLUE: ("ko_throughput_wiki/documents.jsonl.gz", "ko_sentiment_nsmc/train.jsonl.gz")}
CASES = Path(__file__).parents[1] / "tests" / "nlp" / "entity_rules.tsv"


@dataclass(frozen=True)
class Marked:
    """A document with its entities."""

    document: Document
    entities: list[Entity]
    #: Places of the tokens, where the set has tokens.
    tokens: list[tuple[int, int]]


@dataclass(frozen=True)
class Fold:
    """A division of a set into documents to train on and documents to measure on."""

    number: int
    train: list[Marked]
    test: list[Marked]


def load(folder: Path, name: str) -> list[Marked]:
    """The documents of a set."""
    path = folder / name / "train.jsonl" if name == KLUE else folder / "en_ner" / f"{name}_train.jsonl"
    found = []
    for number, record in enumerate(records(path)):
        entities = marked(record["text"], record, "entities")
        assert entities is not None
        marks = [[one.start, one.end, one.label] for one in entities]
        document = Document(number, record["id"], record["text"], meta={"entities": marks})
        found.append(Marked(document, entities, list(_tokens(record))))
    return found


def folds(documents: list[Marked], most: int = FOLDS) -> Iterator[Fold]:
    """At most `most` folds by a stable hash of the key."""
    numbers = [_number(each.document.key) for each in documents]
    for fold in range(min(most, FOLDS)):
        pairs = list(zip(documents, numbers, strict=True))
        yield Fold(fold, [d for d, n in pairs if n != fold], [d for d, n in pairs if n == fold])


def unmarked(folder: Path, name: str, most: int) -> list[Document]:
    """At most this many texts without marks from each source of the set."""
    found: list[Document] = []
    for path in UNMARKED.get(name, ()):
        for record in islice(records(folder / path), most):
            key = f"unmarked-{len(found)}"
            found.append(Document(1_000_000 + len(found), key, record["text"]))
    return found


def cases() -> list[tuple[str, str, str, str]]:
    """The written cases of rules: a text, the part to find (`-` for nothing), its label and normal form."""
    lines = CASES.read_text(encoding="utf-8").splitlines()
    rows = [line.split("\t") for line in lines if line and not line.startswith("#")]
    return [(text, part, label, normal) for text, part, label, normal in rows]


def records(path: Path) -> Iterator[dict]:  # type: ignore[type-arg]
    """The records of a file of JSON Lines, which may be compressed."""
    if not path.is_file():
        path = path.with_name(path.name + ".gz")
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)


def _tokens(record: dict) -> Iterator[tuple[int, int]]:  # type: ignore[type-arg]
    position = 0
    for token in record.get("tokens", ()):
        start = record["text"].index(token, position)
        position = start + len(token)
        yield start, position


def _number(key: str) -> int:
    return int(hashlib.sha256(key.encode()).hexdigest()[:8], 16) % FOLDS
