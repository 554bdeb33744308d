"""The document sets of the similarity benchmark, and how well vectors find related documents."""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nlp_tasks.kind import Document
from nlp_tasks.text import tokens


@dataclass(frozen=True)
class Texts:
    """A set of documents in the form that a training job reads."""

    documents: list[Document]

    def __len__(self) -> int:
        return len(self.documents)

    def __iter__(self) -> Iterator[Document]:
        return iter(self.documents)

    @cached_property
    def _words(self) -> list[list[str]]:
        return [tokens(document.text) for document in self.documents]

    def words(self) -> list[list[str]]:
        """The words of every document, tokenized once."""
        return self._words


def read(path: Path) -> list[dict[str, Any]]:
    """The records of a JSON lines file, compressed or not."""
    data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return [json.loads(line) for line in data.decode("utf-8").split("\n") if line]


def texts(records: list[dict[str, Any]]) -> Texts:
    return Texts(
        [Document(number, str(record["id"]), record["text"]) for number, record in enumerate(records)]
    )


@dataclass(frozen=True)
class Gold:
    """The gold standard: `pairs` of rows with a similarity, or `groups`, the number of the group of each row."""

    name: str
    train: Texts
    test: Texts
    groups: NDArray[np.int64] | None = None
    pairs: list[tuple[int, int, float]] | None = None

    def quality(self, cosines: NDArray[np.float32]) -> float:
        """Pearson correlation with human similarities, or the share of nearest rows in the same group."""
        if self.pairs is not None:
            left, right, gold = (np.array(column) for column in zip(*self.pairs, strict=True))
            return float(np.corrcoef(cosines[left.astype(int), right.astype(int)], gold)[0, 1])
        assert self.groups is not None
        others = cosines - 2 * np.eye(len(cosines), dtype=np.float32)
        return float(np.mean(self.groups[others.argmax(axis=1)] == self.groups))


def lee(data: Path) -> Gold:
    folder = data / "en_similarity_lee"
    records = read(folder / "documents.jsonl")
    row = {str(record["id"]): number for number, record in enumerate(records)}
    with (folder / "pairs.tsv").open(encoding="utf-8") as file:
        lines = list(csv.DictReader(file, delimiter="\t"))
    pairs = [(row[line["id_a"]], row[line["id_b"]], float(line["gold"])) for line in lines]
    return Gold("lee", texts(read(folder / "background.jsonl") + records), texts(records), pairs=pairs)


def wikihalves(data: Path) -> Gold:
    records = read(data / "ko_similarity_wikihalves" / "documents.jsonl.gz")
    pages = [str(record["id"]).rsplit("-", 1)[0] for record in records]
    return Gold("wikihalves", texts(records), texts(records), groups=_numbers(pages))


def law(data: Path) -> Gold:
    records = read(data / "ko_longdoc_law" / "documents.jsonl.gz")
    families = [str(record["family"]) for record in records]
    return Gold("law", texts(records), texts(records), groups=_numbers(families))


def cosines(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    return unit @ unit.T


def _numbers(names: list[str]) -> NDArray[np.int64]:
    return np.unique(np.array(names), return_inverse=True)[1].astype(np.int64)
