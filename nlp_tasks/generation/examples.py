"""Few-shot examples: labelled documents that are shown in a document's prompt, the same number of each label.

Which ones is decided by a hash of their keys and the seed, or by their likeness to the document (tf-idf of its words).
A document is never its own example.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from nlp_tasks.errors import DocumentError
from nlp_tasks.generation import template
from nlp_tasks.generation.template import Template
from nlp_tasks.kind import Document, LabelledDocuments
from nlp_tasks.text import tokens

#: Labelled documents that the nearest ones are looked for in, the same number of each label.
MOST = 5_000
#: Characters of a text that its words are taken from.
_READ_CHARS = 20_000


class Examples:
    """The labelled documents to choose from."""

    def __init__(
        self,
        labelled: LabelledDocuments,
        form: Template,
        n_each: int,
        *,
        seed: int,
        nearest: bool,
        beat: Callable[[], None] = lambda: None,
    ) -> None:
        self._form, self._n_each, self._seed = form, n_each, seed
        by_label = _by_label(labelled, seed)
        # One more than are shown: a document may be among them.
        most = max(n_each + 1, MOST // max(1, len(by_label))) if nearest else n_each + 1
        chosen = {id_: label for label, ids in by_label.items() for id_ in ids[:most]}
        self._documents = [
            replace(one, label=chosen[one.id]) for one in labelled.read(sorted(chosen)) if one.text.strip()
        ]
        place = {id_: number for number, id_ in enumerate(chosen)}
        self._documents.sort(key=lambda one: place[one.id])
        self._words = _Words([one.text for one in self._documents], beat) if nearest else None

    def text(self, document: Document) -> str:
        """The examples for a document, as the form writes each. DocumentError if there are none."""
        order: Iterable[int] = range(len(self._documents))
        if self._words is not None:
            order = self._words.nearest(document.text)
        taken: dict[str, list[int]] = defaultdict(list)
        for number in order:
            other = self._documents[number]
            if len(taken[str(other.label)]) < self._n_each and not _is_same(other, document):
                taken[str(other.label)].append(number)
        # The most like ones come last, next to the document; labels take turns.
        shown = [
            number
            for turn in zip(*map(_padded(self._n_each), taken.values()), strict=True)
            for number in turn
        ]
        found = [self._documents[number] for number in reversed(shown) if number is not None]
        if not found:
            raise DocumentError("NO_EXAMPLES", "the collection in labels_from has no other labelled document")
        return "".join(self._form.fill(template.values(one, self._form.names)) for one in found)


def _padded(n: int) -> Callable[[list[int]], list[int | None]]:
    return lambda numbers: [*numbers, *[None] * (n - len(numbers))]


def _is_same(one: Document, other: Document) -> bool:
    return one.id == other.id or one.text == other.text


def _by_label(labelled: LabelledDocuments, seed: int) -> dict[str, list[int]]:
    """The documents of each label, in an order that depends on their number and the seed; labels in their order."""
    found: dict[str, list[int]] = defaultdict(list)
    for id_, label in labelled.labels.items():
        found[label].append(id_)
    return {label: sorted(ids, key=lambda id_: _rank(id_, seed)) for label, ids in sorted(found.items())}


def _rank(id_: int, seed: int) -> bytes:
    return hashlib.blake2b(f"example\0{seed}\0{id_}".encode(), digest_size=8).digest()


@dataclass(frozen=True, slots=True)
class _Entry:
    number: int
    weight: float


class _Words:
    """Texts by their words."""

    def __init__(self, texts: Sequence[str], beat: Callable[[], None]) -> None:
        counts = []
        for text in texts:
            beat()
            counts.append(_counts(text))
        often = Counter(word for each in counts for word in each)
        self._rare = {word: math.log((1 + len(texts)) / (0.5 + n)) for word, n in often.items()}
        self._entries: dict[str, list[_Entry]] = defaultdict(list)
        self._n = len(texts)
        for number, each in enumerate(counts):
            for word, weight in self._unit(each).items():
                self._entries[word].append(_Entry(number, weight))

    def nearest(self, text: str) -> list[int]:
        """All texts by their likeness to this one; equal ones in their order."""
        likeness = [0.0] * self._n
        for word, weight in self._unit(_counts(text)).items():
            for entry in self._entries.get(word, ()):
                likeness[entry.number] += weight * entry.weight
        return sorted(range(self._n), key=lambda number: (-likeness[number], number))

    def _unit(self, counts: Counter[str]) -> dict[str, float]:
        weights = {word: (1 + math.log(n)) * self._rare.get(word, 0.0) for word, n in counts.items()}
        length = math.sqrt(sum(weight * weight for weight in weights.values())) or 1.0
        return {word: weight / length for word, weight in weights.items()}


def _counts(text: str) -> Counter[str]:
    return Counter(tokens(text[:_READ_CHARS]))
