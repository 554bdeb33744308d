"""The sentences of many documents as one block-diagonal sparse matrix of terms.

Knows tokens and tensors, not text. Each document has columns of its own, so no sentence ever meets another
document's, and its numbers do not depend on what else is in the batch.
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

#: One document: its sentences, each a list of tokens.
Sentences: TypeAlias = Sequence[Sequence[str]]
Integers: TypeAlias = NDArray[np.int64]


@dataclass(frozen=True)
class Terms:
    """The terms of S sentences of D documents: E entries, sorted by sentence, in C columns."""

    rows: Tensor  # (E,) sentence of each entry
    columns: Tensor  # (E,)
    counts: Tensor  # (E,) how often the sentence has the term
    row_ends: Tensor  # (S + 1,) where the entries of each sentence begin, and the last end
    column_ends: Tensor  # (C + 1,) the same for columns, in `by_column` order
    by_column: Tensor  # (E,) the entries sorted by column
    document: Tensor  # (S,) document of each sentence
    place: Tensor  # (S,) place of each sentence in its document, from 0
    lengths: Tensor  # (D,) sentences per document
    column_document: Tensor  # (C,) document of each column
    asked: Tensor  # (C,) 1.0 for the terms of the query

    def row_sums(self, values: Tensor) -> Tensor:
        """Per sentence, the sum of its entries' values, (S,)."""
        return torch.zeros_like(self.document, dtype=values.dtype).index_add_(0, self.rows, values)

    def column_sums(self, values: Tensor) -> Tensor:
        """Per column, the sum of its entries' values, (C,)."""
        return torch.zeros_like(self.column_document, dtype=values.dtype).index_add_(0, self.columns, values)

    def document_sums(self, values: Tensor) -> Tensor:
        """Per document, the sum of its sentences' values, (D,)."""
        return torch.zeros_like(self.lengths, dtype=values.dtype).index_add_(0, self.document, values)

    def scaled(self, values: Tensor) -> Tensor:
        """Sentences' values (0 or more) over the greatest of their document, (S,)."""
        greatest = torch.zeros_like(self.lengths, dtype=values.dtype)
        greatest.scatter_reduce_(0, self.document, values, "amax")
        return values / greatest.clamp(min=1e-12)[self.document]


@dataclass(frozen=True)
class Graph:
    """Sentences joined by what they share: edge weights W = A Aᵀ, never made.

    A product with W is two sparse products with A: time and memory grow with A's entries, not with S².
    """

    forward: Tensor  # A, (S, C) CSR
    backward: Tensor  # Aᵀ, (C, S) CSR
    loops: Tensor  # the diagonal of W, (S,)

    def neighbours(self, x: Tensor) -> Tensor:
        """W x without the diagonal: what each sentence gets from the others, (S,)."""
        return self.forward @ (self.backward @ x) - self.loops * x

    def cosines(self, x: Tensor) -> Tensor:
        """The same with edges normalised to cosines, and with the diagonal: x = one sentence tells all its own."""
        scale = self.loops.clamp(min=1e-12).rsqrt()
        return scale * (self.forward @ (self.backward @ (scale * x)))


def graph(terms: Terms, values: Tensor) -> Graph:
    """The graph of the matrix A that has these values for its entries."""
    shape = (len(terms.document), len(terms.column_document))
    order = terms.by_column
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Sparse CSR tensor support is in beta")
        forward = _csr(terms.row_ends, terms.columns, values, shape)
        backward = _csr(terms.column_ends, terms.rows[order], values[order], shape[::-1])
    return Graph(forward, backward, terms.row_sums(values**2))


def count(documents: Sequence[Sentences], query: Sequence[str] = (), device: str = "cpu") -> Terms:
    """The terms of a batch of documents, counted; those of the query, marked."""
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
    """Each token of the batch, in order, as the number of its word; the query's numbers; how many words."""
    number: defaultdict[str, int] = defaultdict()
    number.default_factory = number.__len__
    tokens = chain.from_iterable(chain.from_iterable(documents))
    numbers = np.fromiter(map(number.__getitem__, tokens), np.int64)
    return numbers, [number[token] for token in query], max(len(number), 1)


def _counted(rows: Integers, numbers: Integers, n_words: int) -> tuple[Integers, Integers, Integers]:
    """Entries sorted by row, and how many tokens fell on each: (rows, word numbers, counts)."""
    keys = np.sort(rows * n_words + numbers)
    first = np.flatnonzero(_is_new(keys))
    return keys[first] // n_words, keys[first] % n_words, np.diff(first, append=len(keys))


def _is_new(ordered: Integers) -> NDArray[np.bool_]:
    """Where a sorted list's values differ from the one before."""
    new: NDArray[np.bool_] = np.diff(ordered, prepend=-1) != 0
    return new


def _ends(numbers: Integers, n: int) -> NDArray[np.int32]:
    """Where the entries of each of n rows begin, and the last end, in a list sorted by row."""
    return np.concatenate([[0], np.cumsum(np.bincount(numbers, minlength=n))]).astype(np.int32)


def _csr(ends: Tensor, columns: Tensor, values: Tensor, shape: tuple[int, ...]) -> Tensor:
    # MKL multiplies by 32-bit indices; torch would convert others in every product.
    return torch.sparse_csr_tensor(ends, columns.to(torch.int32), values, shape, check_invariants=False)
