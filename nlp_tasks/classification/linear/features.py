"""Weighted n-gram features: sublinear tf-idf over the buckets of the training texts, normalised to length one.

Knows nothing of labels. Salton & Buckley (1988); the weights are those of scikit-learn's TfidfVectorizer
with sublinear_tf, so the two can be compared.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nlp_tasks import heartbeat
from nlp_tasks.classification.linear import ngrams
from nlp_tasks.classification.linear.hashing import slices
from nlp_tasks.classification.linear.ngrams import Counts, NgramConfig, concatenate

#: With MANY_DOCUMENTS or more, buckets that occur in fewer than RARE documents are not features.
RARE, MANY_DOCUMENTS = 2, 20_000
#: Entries processed at a time: a single call over all of them could take minutes on a busy machine, without a
#: heartbeat.
TOGETHER = 1_000_000


@dataclass(frozen=True)
class Rows:
    """Compressed sparse rows (CSR). A text without a known n-gram has an empty row."""

    starts: NDArray[np.int64]  # (N + 1,)
    columns: NDArray[np.int32]  # (nnz,)
    values: NDArray[np.float32]  # (nnz,)
    n_columns: int

    def __len__(self) -> int:
        return len(self.starts) - 1


@dataclass(frozen=True)
class Vocabulary:
    """The buckets that are features, with the column and the inverse document frequency of each."""

    config: NgramConfig
    buckets: NDArray[np.int32]  # (F,) ascending
    idf: NDArray[np.float32]  # (F,)
    column_of: NDArray[np.int32]  # (2 ** bits,); -1 if a bucket is not a feature

    @classmethod
    def of(cls, config: NgramConfig, buckets: NDArray[np.int32], idf: NDArray[np.float32]) -> Vocabulary:
        column_of = np.full(1 << config.bits, -1, np.int32)
        column_of[buckets] = np.arange(len(buckets), dtype=np.int32)
        return cls(config, buckets, idf, column_of)


def count(texts: Sequence[str], config: NgramConfig, beat: Callable[[], None]) -> Counts:
    """The n-gram counts of many texts, with a heartbeat after each slice of them."""
    parts = []
    for part in slices(texts):
        parts.append(ngrams.count(part, config))
        beat()
    return concatenate(parts)


def learn(counts: Counts, config: NgramConfig) -> Vocabulary:
    """The vocabulary of the counted texts, without rare buckets if there are many texts."""
    min_documents = RARE if len(counts) >= MANY_DOCUMENTS else 1
    frequency = np.zeros(1 << config.bits, np.int64)
    together = max(TOGETHER, len(frequency))
    for first in heartbeat.beating(range(0, len(counts.buckets), together)):
        frequency += np.bincount(counts.buckets[first : first + together], minlength=len(frequency))
    buckets = np.flatnonzero(frequency >= min_documents).astype(np.int32)
    idf = np.log((len(counts) + 1) / (frequency[buckets] + 1)) + 1
    return Vocabulary.of(config, buckets, idf.astype(np.float32))


def weigh(counts: Counts, vocabulary: Vocabulary) -> Rows:
    """tf-idf rows of counted texts."""
    parts = [_weigh(counts, rows, vocabulary) for rows in blocks(counts.starts)]
    if len(parts) == 1:
        sizes, columns, values = parts[0]
    else:
        sizes = np.concatenate([np.zeros(0, np.int64), *(part[0] for part in parts)])
        columns = np.concatenate([np.zeros(0, np.int32), *(part[1] for part in parts)])
        values = np.concatenate([np.zeros(0, np.float32), *(part[2] for part in parts)])
    starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes)])
    return Rows(starts, columns, values, len(vocabulary.buckets))


def blocks(starts: NDArray[np.int64], together: int = TOGETHER) -> Iterator[slice]:
    """The rows bounded by `starts` (N + 1,), in blocks of about TOGETHER entries, with a heartbeat before each block.
    A longer row is a block of its own."""
    first = 0
    while first < len(starts) - 1:
        last = int(np.searchsorted(starts, starts[first] + together, side="right")) - 1
        last = max(last, first + 1)
        heartbeat.beat()
        yield slice(first, last)
        first = last


def _weigh(
    counts: Counts, rows: slice, vocabulary: Vocabulary
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float32]]:
    """Sizes, columns and values of some of the rows."""
    starts = counts.starts[rows.start : rows.stop + 1]
    entries = slice(starts[0], starts[-1])
    columns = vocabulary.column_of[counts.buckets[entries]]
    known = columns >= 0
    n_rows = len(starts) - 1
    owner = np.repeat(np.arange(n_rows), np.diff(starts))[known]
    columns = columns[known]
    values = (1 + np.log(counts.counts[entries][known])) * vocabulary.idf[columns]
    lengths = np.sqrt(np.bincount(owner, weights=values * values, minlength=n_rows))
    values = (values / lengths[owner]).astype(np.float32)
    return np.bincount(owner, minlength=n_rows), columns, values
