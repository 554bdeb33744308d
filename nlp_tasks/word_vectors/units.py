"""What gets a vector: morphemes, words as written, or subwords that are learned from the texts."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from nlp_tasks import heartbeat, search_words
from nlp_tasks import text as texts
from nlp_tasks.kind import Documents
from nlp_tasks.summarization.abstractive import subwords as bpe
from nlp_tasks.summarization.abstractive.subwords import Subwords
from nlp_tasks.word_vectors import TrainWordsParameters
from readers.markup import plain

#: Numbers with their separators, or letters and digits with an inner apostrophe.
_word = re.compile(r"\d+(?:[.,]\d+)+|[^\W_]+(?:['’][^\W_]+)?")
#: A word of a text is read in pieces of about this length between two heartbeats.
_HEARTBEAT_WORDS = 10_000


@dataclass(frozen=True)
class Units:
    """How a model cuts a text."""

    name: str
    #: Only for "bpe".
    subwords: Subwords | None = None

    def cut(self, text: str) -> Sequence[str]:
        """The units of a text, in order."""
        if self.name == "morphemes":
            return texts.tokens(text)
        return self._as_written(text)

    def cut_query(self, text: str) -> Sequence[str]:
        """The same from any thread."""
        return search_words.as_written(text) if self.name == "morphemes" else self._as_written(text)

    def _as_written(self, text: str) -> list[str]:
        text = plain(text).lower()
        if self.subwords is None:
            found = heartbeat.beating(_word.finditer(text), every=_HEARTBEAT_WORDS)
            return [match.group() for match in found]
        found_lines = heartbeat.beating(text.split("\n"))
        return [unit for line in found_lines for unit in self.subwords.readable(line)]

    def as_json(self) -> dict[str, Any]:
        """For config.json; `from_json` reads it."""
        return {"name": self.name, "subwords": self.subwords.as_json() if self.subwords is not None else None}


def from_json(saved: dict[str, Any]) -> Units:
    """What `Units.as_json` wrote."""
    return Units(saved["name"], Subwords.from_json(saved["subwords"]) if saved["subwords"] else None)


def of(parameters: TrainWordsParameters, documents: Documents, beat: Callable[[int], None]) -> Units:
    """The units that the parameters name. Subwords are learned from the documents; `beat` gets the number read."""
    if parameters.units != "bpe":
        return Units(parameters.units)

    def read() -> Iterator[str]:
        for n_done, document in enumerate(documents, start=1):
            yield plain(document.text).lower()
            beat(n_done)

    return Units(parameters.units, bpe.learn(read(), parameters.merges, heartbeat.beat))
