"""Clusters of words, learned from texts without marks: words that stand among the same neighbours get one number.

A name that no marked text has is then known by its cluster. Each word is described by its two neighbours on either side
(positive pointwise mutual information, Levy & Goldberg 2014), reduced by a randomized SVD (Halko et al. 2011), and
clustered by k-means at several sizes (as features: Miller et al. 2004, Turian et al. 2010). Words are morphemes in
Korean, and words, numbers and signs elsewhere. The same texts and seed give the same clusters.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from nlp_tasks import heartbeat
from nlp_tasks import text as texts
from nlp_tasks.entities.clusters import Clusters, written
from nlp_tasks.entities.units import units_of

#: Numbers of clusters.
SIZES = (50, 200, 1000)
#: Words that occur less often get no cluster; nor do those beyond this number of the most frequent.
LEAST_OCCURRENCES, MOST_WORDS = 3, 60_000
#: Fewer words of text say too little of their neighbours, and of more than these only the first are read.
LEAST_TEXT_WORDS, MOST_TEXT_WORDS = 100_000, 12_000_000
#: The most frequent words, which describe their neighbours, and where they may stand.
NEIGHBOURS, PLACES = 3_000, (-2, -1, 1, 2)
WIDTH, EXTRA_WIDTH, PASSES = 100, 20, 3
ROUNDS = 10
#: Rows of a matrix that are computed between two heartbeats.
ROWS_TOGETHER = 2_000
_BOUNDARY = -1

Vectors = NDArray[np.float32]


@dataclass(frozen=True)
class _Words:
    """A text as numbers of words: 0 for a rare one, -1 between lines, and else its rank by frequency, from 1."""

    vocabulary: list[str]
    numbers: NDArray[np.int64]


def learn(documents: Iterable[str], seed: int = 1) -> Clusters | None:
    """The clusters of the words of these texts; None if they are too short to say anything."""
    read = _read(documents)
    if len(read.numbers) < LEAST_TEXT_WORDS:
        return None
    random = np.random.default_rng(seed)
    vectors = _reduced(_described(read), random)[1:]
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors = vectors / np.maximum(lengths, 1e-9)
    sizes = [size for size in SIZES if size * 4 <= len(vectors)]
    if not sizes:
        return None
    numbers = np.stack([_clustered(vectors, size, random) for size in sizes], axis=1)
    of_word = {word: tuple(row) for word, row in zip(read.vocabulary, numbers.tolist(), strict=True)}
    return Clusters(tuple(sizes), of_word)


def words_of(line: str) -> list[str]:
    """The words of a line, as clusters know them."""
    if texts.has_hangul(line):
        return [written(line[each.start : each.end]) for each in texts.analysed(line)]
    return [written(line[start:end]) for start, end in units_of(line)]


def _read(documents: Iterable[str]) -> _Words:
    number_of: dict[str, int] = {}
    found: list[NDArray[np.int64]] = []
    n_words = 0
    for document in heartbeat.beating(documents):
        for line in document.split("\n"):
            if words := words_of(line):
                numbers = [_BOUNDARY, *(number_of.setdefault(word, len(number_of)) for word in words)]
                found.append(np.array(numbers, np.int64))
                n_words += len(words)
        if n_words >= MOST_TEXT_WORDS:
            break
    if not found:
        return _Words([], np.zeros(0, np.int64))
    return _ranked(list(number_of), np.concatenate(found))


def _ranked(words: Sequence[str], numbers: NDArray[np.int64]) -> _Words:
    counts = np.bincount(numbers[numbers >= 0], minlength=len(words))
    order = np.argsort(-counts, kind="stable")[:MOST_WORDS]
    order = order[counts[order] >= LEAST_OCCURRENCES]
    rank = np.zeros(len(words) + 1, np.int64)
    rank[order] = np.arange(1, len(order) + 1)
    rank[-1] = _BOUNDARY
    return _Words([words[place] for place in order.tolist()], rank[numbers])


def _described(read: _Words) -> Any:
    """A sparse matrix: for each word (0 is a rare one), how much more often each neighbour is in each place than by
    chance."""
    n_rows, n_columns = len(read.vocabulary) + 1, NEIGHBOURS + 2
    known = (read.numbers > 0) & (read.numbers <= NEIGHBOURS)
    neighbours = np.where(known, read.numbers, np.where(read.numbers == _BOUNDARY, NEIGHBOURS + 1, 0))
    blocks = []
    for by in PLACES:
        heartbeat.beat()
        words = read.numbers[:-by] if by > 0 else read.numbers[-by:]
        beside = neighbours[by:] if by > 0 else neighbours[:by]
        pairs, counts = np.unique((words * n_columns + beside)[words > 0], return_counts=True)
        rows, columns = pairs // n_columns, pairs % n_columns
        of_word = np.bincount(rows, counts, n_rows)
        # Smoothed, so that rare neighbours weigh less.
        of_column = np.bincount(columns, counts, n_columns) ** 0.75
        expected = of_word[rows] * of_column[columns] / max(of_column.sum(), 1.0)
        information = np.maximum(np.log(counts / expected), 0).astype(np.float32)
        blocks.append(scipy.sparse.csr_matrix((information, (rows, columns)), shape=(n_rows, n_columns)))
    return scipy.sparse.hstack(blocks, format="csr")


def _reduced(matrix: Any, random: np.random.Generator) -> Vectors:
    """Vectors (N, WIDTH) of the rows: the left singular vectors, each times the root of its singular value."""
    width = min(WIDTH + EXTRA_WIDTH, *matrix.shape)
    transposed = matrix.T.tocsr()
    found = _product(matrix, random.standard_normal((matrix.shape[1], width)).astype(np.float32))
    for _ in range(PASSES):
        found = _product(matrix, _orthonormal(_product(transposed, _orthonormal(found))))
    basis = _orthonormal(found)
    across = _product(transposed, basis)
    values, turned = np.linalg.eigh(across.T @ across)
    order = np.argsort(-values)[:WIDTH]
    # The values are squares of the singular values.
    vectors: Vectors = (basis @ turned[:, order]) * np.maximum(values[order], 0) ** 0.25
    return vectors.astype(np.float32)


def _orthonormal(vectors: Vectors) -> Vectors:
    """An orthonormal basis of what these columns span. By their products among themselves: a QR decomposition of tall
    matrices takes many small steps, which threads make slow on a busy machine."""
    values, turned = np.linalg.eigh(vectors.T.astype(np.float64) @ vectors)
    kept = values > values[-1] * 1e-9
    basis: Vectors = (vectors @ (turned[:, kept] / np.sqrt(values[kept]))).astype(np.float32)
    return basis


def _product(matrix: Any, dense: Vectors) -> Vectors:
    parts = [matrix[first : first + ROWS_TOGETHER] @ dense for first in _pieces(matrix.shape[0])]
    return np.concatenate(parts)


def _clustered(vectors: Vectors, size: int, random: np.random.Generator) -> NDArray[np.int64]:
    """The number of the cluster of each vector (N,), by k-means of directions."""
    centres = vectors[random.choice(len(vectors), size, replace=False)]
    nearest = np.zeros(len(vectors), np.int64)
    for _ in range(ROUNDS):
        nearest = np.concatenate(
            [
                (vectors[first : first + ROWS_TOGETHER] @ centres.T).argmax(1)
                for first in _pieces(len(vectors))
            ]
        )
        ones = np.ones(len(vectors), np.float32)
        members = scipy.sparse.csr_matrix((ones, (nearest, np.arange(len(vectors)))), (size, len(vectors)))
        sums = members @ vectors
        lengths = np.linalg.norm(sums, axis=1, keepdims=True)
        # A cluster that lost all its words keeps its centre.
        centres = np.where(lengths > 1e-6, sums / np.maximum(lengths, 1e-6), centres).astype(np.float32)
    return nearest


def _pieces(n: int) -> Iterator[int]:
    yield from heartbeat.beating(range(0, n, ROWS_TOGETHER))
