"""Clusters of words as a model keeps them: a word has a number for each size of clusters."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

FILE = "clusters.json"
_digits = re.compile(r"\d")


@dataclass(frozen=True)
class Clusters:
    """The clusters of words."""

    #: How many clusters there are, from few to many.
    sizes: tuple[int, ...]
    of_word: Mapping[str, tuple[int, ...]]

    def of(self, word: str) -> tuple[int, ...] | None:
        """The number of the word's cluster for each size; None for an unknown word."""
        known = written(word)
        found = self.of_word.get(known)
        return self.of_word.get(known.lower()) if found is None else found

    def save(self, model_dir: Path) -> None:
        """Write them into the folder of a model."""
        told = {"sizes": self.sizes, "words": self.of_word}
        (model_dir / FILE).write_text(json.dumps(told, ensure_ascii=False), encoding="utf-8")


def load(model_dir: Path) -> Clusters | None:
    """The clusters of a checked model; None if it has none."""
    path = model_dir / FILE
    if not path.is_file():
        return None
    told = json.loads(path.read_text(encoding="utf-8"))
    return Clusters(tuple(told["sizes"]), {word: tuple(numbers) for word, numbers in told["words"].items()})


def written(word: str) -> str:
    """The word as clusters know it: every digit as 0."""
    return _digits.sub("0", word)
