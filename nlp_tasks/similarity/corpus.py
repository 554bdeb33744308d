"""The words of a training corpus as numbers in a file: tokenized once, and read in every epoch.

Independent of any model. A word takes 4 bytes on disk; memory holds the vocabulary and one document.
"""

from __future__ import annotations

import tempfile
from array import array
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from nlp_tasks import heartbeat
from nlp_tasks.errors import TrainingError
from nlp_tasks.kind import Documents
from nlp_tasks.text import tokens


@dataclass(frozen=True)
class Corpus:
    """Documents as word numbers. Words are numbered from frequent to rare, ties in alphabetical order."""

    words: list[str]  # (V,)
    counts: NDArray[np.int64]  # (V,)
    #: All documents, concatenated; -1 for a word below min_count.
    numbers: NDArray[np.int32]  # (T,)
    #: Document i is numbers[starts[i]:starts[i + 1]].
    starts: NDArray[np.int64]  # (N + 1,)

    def __len__(self) -> int:
        return len(self.starts) - 1

    def document(self, i: int) -> list[str]:
        """The known words of document i, in order."""
        numbers = self.numbers[self.starts[i] : self.starts[i + 1]]
        return list(map(self.words.__getitem__, numbers[numbers >= 0].tolist()))

    def __iter__(self) -> Iterator[list[str]]:
        return map(self.document, range(len(self)))

    def document_counts(self) -> NDArray[np.int64]:
        """The number of documents that contain each word  # (V,)."""
        counts = np.zeros(len(self.words), dtype=np.int64)
        for start, stop in heartbeat.beating(pairwise(self.starts.tolist())):
            numbers = np.unique(self.numbers[start:stop])
            counts[numbers[numbers >= 0]] += 1
        return counts

    @property
    def unknown_share(self) -> float:
        """The share of all words in the texts that are below min_count."""
        return 1.0 - float(self.counts.sum()) / max(len(self.numbers), 1)


def read(
    documents: Documents,
    min_count: int,
    progress: Callable[[int], None],
    cut: Callable[[str], Sequence[str]] = tokens,
) -> Corpus:
    """Tokenize every document; `progress` gets the number done. Raises TrainingError if there are no words."""
    numbers: dict[str, int] = defaultdict()
    numbers.default_factory = numbers.__len__  # type: ignore[attr-defined]  # the next free number
    starts = array("q", [0])
    with tempfile.TemporaryFile() as file:
        for n_done, document in enumerate(documents, start=1):
            words = array("i", map(numbers.__getitem__, cut(document.text)))
            words.tofile(file)
            starts.append(starts[-1] + len(words))
            progress(n_done)
        file.flush()
        if not numbers:
            raise TrainingError("no document has any words to train on: add documents with text")
        # The mapping stays valid after the file is closed. The file has no name, so that nothing is left on disk.
        every = np.memmap(file, dtype=np.int32, mode="r+", shape=(starts[-1],))
    return _with_frequent_first(list(numbers), every, np.array(starts), min_count)


def _with_frequent_first(
    raw: list[str], numbers: NDArray[np.int32], starts: NDArray[np.int64], min_count: int
) -> Corpus:
    raw_counts = _counts(numbers, len(raw))
    kept = np.flatnonzero(raw_counts >= min_count)
    if not len(kept):
        raise TrainingError(f"no word occurs at least {min_count} times: add documents, or lower min_count")
    order = sorted(kept.tolist(), key=lambda number: (-raw_counts[number], raw[number]))
    renumber = np.full(len(raw), -1, dtype=np.int32)
    renumber[order] = np.arange(len(order), dtype=np.int32)
    for piece in _pieces(numbers):
        piece[:] = renumber[piece]
    return Corpus([raw[number] for number in order], raw_counts[order], numbers, starts)


def _counts(numbers: NDArray[np.int32], n_words: int) -> NDArray[np.int64]:
    counts = np.zeros(n_words, dtype=np.int64)
    for piece in _pieces(numbers):
        counts += np.bincount(piece, minlength=n_words)
    return counts


def _pieces(numbers: NDArray[np.int32]) -> Iterator[NDArray[np.int32]]:
    """Views of 4 MiB, to bound the memory of copies."""
    return (numbers[start : start + 2**20] for start in heartbeat.beating(range(0, len(numbers), 2**20)))
