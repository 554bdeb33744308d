"""A training corpus as the two sides of a sparse matrix: documents with their words, and words with their documents.

Words that are equal are one count. Documents are sorted by length and words by frequency, so that neighbouring rows are
alike: they form blocks of similar size.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from nlp_tasks import heartbeat
from nlp_tasks.similarity import TrainSimilarityParameters, noise_sample
from nlp_tasks.similarity.corpus import Corpus
from nlp_tasks.similarity.inference import keep_chances

#: Pairs and rows of a block: its activations stay in the cache of a CPU; a GPU needs more at a time.
BLOCK_PAIRS = {"cpu": 2**15, "cuda": 2**22}
BLOCK_ROWS = {"cpu": 2**10, "cuda": 2**14}
#: Words of a training corpus that are counted at a time.
COUNTED_WORDS = 2**20


@dataclass(frozen=True)
class Side:
    """R rows: documents or words. The partners of a document are its P words, and those of a word are its documents."""

    #: Row i has the pairs starts[i]:starts[i + 1].
    starts: NDArray[np.int64]  # (R + 1,)
    partners: torch.Tensor  # (P,) int32
    counts: torch.Tensor  # (P,) after down-sampling
    #: counts * (1 - k p_w): a word that is drawn as its own noise is skipped, as in gensim.
    pulls: torch.Tensor  # (P,)
    #: How much noise a row meets in an epoch: k times the words of a document, or the times that a word is drawn.
    noise: torch.Tensor  # (R,), descending but for rounding
    #: The probability that a row is drawn as noise for the other side.
    chances: NDArray[np.float64]  # (R,)

    def __len__(self) -> int:
        return len(self.starts) - 1

    def blocks(self, start: int, stop: int) -> Iterator[slice]:
        """The rows from `start` to `stop` in blocks; a row with many pairs is one of its own."""
        device = self.partners.device.type
        while start < stop:
            last = int(np.searchsorted(self.starts, self.starts[start] + BLOCK_PAIRS[device], "right")) - 1
            end = min(max(last, start + 1), start + BLOCK_ROWS[device], stop)
            yield slice(start, end)
            start = end


@dataclass(frozen=True)
class Sides:
    """Both sides of a corpus."""

    documents: Side
    words: Side
    #: Row i of `documents` is document order[i] of the corpus.
    order: NDArray[np.int64]  # (N,)


def of_corpus(corpus: Corpus, parameters: TrainSimilarityParameters, device: str) -> Sides:
    """The matrix of a corpus, down-sampled in expectation, on a device."""
    keep = keep_chances(corpus.counts, parameters.sample)
    rows, words, counts = _pairs(corpus)
    kept = counts * keep[words]  # (P,)
    lengths = np.bincount(rows, kept, minlength=len(corpus)).astype(np.float64)  # (N,)
    order = np.argsort(-lengths, kind="stable")
    places = np.empty_like(order)
    places[order] = np.arange(len(order))
    p = noise_sample.probabilities(corpus.counts)
    total = float(lengths.sum())
    drawn = parameters.negative * p
    by_document = _side(
        places[rows],
        words,
        kept,
        kept * (1 - drawn[words]),
        parameters.negative * lengths[order],
        lengths[order] / max(total, 1e-30),
        device,
    )
    by_word = _side(words, places[rows], kept, kept * (1 - drawn[words]), drawn * total, p, device)
    return Sides(by_document, by_word, order)


def _pairs(corpus: Corpus) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Document, word and count of every pair, by document and then by word  # (P,), (P,), (P,)."""
    size = len(corpus.words)
    found: list[tuple[NDArray[np.int64], NDArray[np.int64]]] = []
    start = 0
    while start < len(corpus):
        heartbeat.beat()
        last = int(np.searchsorted(corpus.starts, corpus.starts[start] + COUNTED_WORDS, "right")) - 1
        stop = min(max(last, start + 1), len(corpus))
        numbers = np.asarray(corpus.numbers[corpus.starts[start] : corpus.starts[stop]], dtype=np.int64)
        rows = np.repeat(np.arange(start, stop), np.diff(corpus.starts[start : stop + 1]))
        found.append(np.unique((rows * size + numbers)[numbers >= 0], return_counts=True))
        start = stop
    cells = np.concatenate([cells for cells, _ in found])
    counts = np.concatenate([counts for _, counts in found]).astype(np.float64)
    return cells // size, cells % size, counts


def _side(
    rows: NDArray[np.int64],
    partners: NDArray[np.int64],
    counts: NDArray[np.float64],
    pulls: NDArray[np.float64],
    noise: NDArray[np.float64],
    chances: NDArray[np.float64],
    device: str,
) -> Side:
    order = np.lexsort((partners, rows))
    heartbeat.beat()

    def tensor(values: NDArray[np.float64]) -> torch.Tensor:
        return torch.from_numpy(values.astype(np.float32)).to(device)

    return Side(
        np.searchsorted(rows[order], np.arange(len(noise) + 1)),
        torch.from_numpy(partners[order].astype(np.int32)).to(device),
        tensor(counts[order]),
        tensor(pulls[order]),
        tensor(noise),
        chances,
    )
