"""Documents with references, split and tokenized once for all summarizers."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from nlp_tasks import sentences
from nlp_tasks.summarization.extractive.prose_filter import prose
from nlp_tasks.text import tokens

#: From a folder to the number of sentences of a summary; None: as many as in the reference (one per line).
KEEP: dict[str, int | None] = {
    "en_news_bbc": None,
    "ko_summ_wikilead": 3,
    "en_summ_scisummnet": 6,
    "en_summ_qmsum": 8,
    "ko_longdoc_law": 3,
}


@dataclass(frozen=True)
class Prepared:
    """A document in the form that every summarizer gets."""

    text: str
    reference: str
    sentences: list[str]
    tokens: list[list[str]]
    keep: int

    @property
    def sizes(self) -> list[int]:
        """The lengths of the sentences in characters."""
        return [len(sentence) for sentence in self.sentences]

    def cut(self, n: int) -> Prepared:
        """The document truncated after its n-th sentence."""
        last = self.sentences[:n][-1]
        text = self.text[: self.text.index(last) + len(last)]
        return replace(self, text=text, sentences=self.sentences[:n], tokens=self.tokens[:n])


def records(data: Path, folder: str, seed: int) -> Iterator[dict[str, Any]]:
    """The records of a folder in a random order."""
    (path,) = (data / folder).glob("*.jsonl.gz")
    with gzip.open(path, "rt", encoding="utf-8") as file:
        lines = file.read().split("\n")
    random.Random(seed).shuffle(lines)
    return (json.loads(line) for line in lines if line)


def prepare(folder: str, record: dict[str, Any]) -> Prepared:
    """Split into sentences, without headings and tables, and tokenize."""
    text = record["text"]
    spans = sentences.split(text, 1000)
    kept = [text[start:end] for start, end in (spans[place] for place in prose(text, spans))]
    reference = record.get("summary") or ""
    keep = KEEP[folder] or len(reference.split("\n"))
    return Prepared(text, reference, kept, [tokens(sentence) for sentence in kept], keep)


def sample(
    data: Path, folder: str, n: int, seed: int, n_sentences: range = range(1, 10**9)
) -> list[Prepared]:
    """n random documents with a number of sentences in this range (fewer if there are not enough)."""
    found: list[Prepared] = []
    for record in records(data, folder, seed):
        document = prepare(folder, record)
        if len(document.sentences) in n_sentences:
            found.append(document)
        if len(found) == n:
            break
    return found
