"""The sentences of many documents as one block-diagonal sparse matrix of terms.

Knows tokens and tensors, not text. Each document has columns of its own, so that the results for a document do not
depend on the others in the batch.
"""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

#: A document as a list of sentences, each a list of tokens.
Sentences: TypeAlias = Sequence[Sequence[str]]
Integers: TypeAlias = NDArray[np.int64]


@dataclass(frozen=True)
class Terms:
    """The terms of S sentences of D documents: E entries, sorted by sentence, in C columns."""

    rows: Tensor  # (E,) sentence of each entry
    columns: Tensor  # (E,)
    counts: Tensor  # (E,) count of the term in the sentence
    row_ends: Tensor  # (S + 1,) start of the entries of each sentence, and the end of the last
    column_ends: Tensor  # (C + 1,) the same for columns, in `by_column` order
    by_column: Tensor  # (E,) the entries sorted by column
    document: Tensor  # (S,) document of each sentence
    place: Tensor  # (S,) place of each sentence in its document, from 0
    lengths: Tensor  # (D,) sentences per document
    column_document: Tensor  # (C,) document of each column
    asked: Tensor  # (C,) 1.0 for the terms of the query

    def row_sums(self, values: Tensor) -> Tensor:
        """The sum of the entries' values of each sentence, (S,)."""
        return torch.zeros_like(self.document, dtype=values.dtype).index_add_(0, self.rows, values)

    def column_sums(self, values: Tensor) -> Tensor:
        """The sum of the entries' values of each column, (C,)."""
        return torch.zeros_like(self.column_document, dtype=values.dtype).index_add_(0, self.columns, values)

    def document_sums(self, values: Tensor) -> Tensor:
        """The sum of the sentences' values of each document, (D,)."""
        return torch.zeros_like(self.lengths, dtype=values.dtype).index_add_(0, self.document, values)

    def scaled(self, values: Tensor) -> Tensor:
        """The sentences' values (0 or more) divided by the largest one of their document, (S,)."""
        greatest = torch.zeros_like(self.lengths, dtype=values.dtype)
        greatest.scatter_reduce_(0, self.document, values, "amax")
        return values / greatest.clamp(min=1e-12)[self.document]


@dataclass(frozen=True)
class Graph:
    """The graph of sentences, with edge weights W = A Aᵀ, which is never computed.

    A product with W is two sparse products with A: time and memory are linear in the entries of A, not quadratic in S.
    """

    forward: Tensor  # A, (S, C) CSR
    backward: Tensor  # Aᵀ, (C, S) CSR
    loops: Tensor  # the diagonal of W, (S,)

    def neighbours(self, x: Tensor) -> Tensor:
        """W x without the diagonal: what each sentence receives from the others, (S,)."""
        return self.forward @ (self.backward @ x) - self.loops * x

    def cosines(self, x: Tensor) -> Tensor:
        """W x with edges normalised to cosines, including the diagonal, (S,)."""
        scale = self.loops.clamp(min=1e-12).rsqrt()
        return scale * (self.forward @ (self.backward @ (scale * x)))


def graph(terms: Terms, values: Tensor) -> Graph:
    """The graph of the matrix A with these values as its entries."""
    shape = (len(terms.document), len(terms.column_document))
    order = terms.by_column
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Sparse CSR tensor support is in beta")
        forward = _csr(terms.row_ends, terms.columns, values, shape)
        backward = _csr(terms.column_ends, terms.rows[order], values[order], shape[::-1])
    return Graph(forward, backward, terms.row_sums(values**2))


def count(documents: Sequence[Sentences], query: Sequence[str] = (), device: str = "cpu") -> Terms:
    """Count the terms of a batch of documents, and mark those of the query."""
    lengths = np.fromiter(map(len, documents), np.int64, len(documents))
    words = np.fromiter(map(len, chain.from_iterable(documents)), np.int64)
    numbers, asked, n_words = _numbered(documents, query)
    document = np.repeat(np.arange(len(documents)), lengths)
    rows, entry_numbers, counts = _counted(np.repeat(np.arange(len(words)), words), numbers, n_words)
    by_column = np.argsort(document[rows] * n_words + entry_numbers, kind="stable")
    ordered = document[rows[by_column]] * n_words + entry_numbers[by_column]
    first = _is_new(ordered)
    columns = np.empty_like(rows)
    columns[by_column] = np.cumsum(first) - 1
    arrays: tuple[NDArray[Any], ...] = (
        rows,
        columns,
        counts.astype(np.float32),
        _ends(rows, len(words)),
        _ends(columns, int(first.sum())),
        by_column,
        document,
        np.arange(len(words)) - np.repeat(np.cumsum(lengths) - lengths, lengths),
        lengths,
        ordered[first] // n_words,
        np.isin(ordered[first] % n_words, asked).astype(np.float32),
    )
    return Terms(*(torch.from_numpy(array).to(device) for array in arrays))


def _numbered(documents: Sequence[Sentences], query: Sequence[str]) -> tuple[Integers, list[int], int]:
    """The word number of each token of the batch, in order; those of the query; and the number of words."""
    number: defaultdict[str, int] = defaultdict()
    number.default_factory = number.__len__
    tokens = chain.from_iterable(chain.from_iterable(documents))
    numbers = np.fromiter(map(number.__getitem__, tokens), np.int64)
    return numbers, [number[token] for token in query], max(len(number), 1)


def _counted(rows: Integers, numbers: Integers, n_words: int) -> tuple[Integers, Integers, Integers]:
    """Entries sorted by row, and the number of tokens of each: (rows, word numbers, counts)."""
    keys = np.sort(rows * n_words + numbers)
    first = np.flatnonzero(_is_new(keys))
    return keys[first] // n_words, keys[first] % n_words, np.diff(first, append=len(keys))


def _is_new(ordered: Integers) -> NDArray[np.bool_]:
    """Where a value of a sorted list differs from the one before."""
    new: NDArray[np.bool_] = np.diff(ordered, prepend=-1) != 0
    return new


def _ends(numbers: Integers, n: int) -> NDArray[np.int32]:
    """The start of the entries of each of n rows, and the end of the last, in a list sorted by row."""
    return np.concatenate([[0], np.cumsum(np.bincount(numbers, minlength=n))]).astype(np.int32)


def _csr(ends: Tensor, columns: Tensor, values: Tensor, shape: tuple[int, ...]) -> Tensor:
    # MKL uses 32-bit indexes; torch would convert others in every product.
    return torch.sparse_csr_tensor(ends, columns.to(torch.int32), values, shape, check_invariants=False)
