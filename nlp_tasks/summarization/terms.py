"""The sentences of many documents as one block-diagonal matrix of term counts.

Knows tokens and tensors, not text. Each document has columns of its own, so no sentence ever meets another
document's, and its numbers do not depend on what else is in the batch.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
import torch
from torch import Tensor

#: One document: its sentences, each a list of tokens.
Sentences = Sequence[Sequence[str]]


@dataclass(frozen=True)
class Terms:
    """Counts of terms in sentences, as entries sorted by (sentence, column). S sentences, C columns, E entries."""

    rows: Tensor  # (E,) sentence of each entry
    columns: Tensor  # (E,)
    counts: Tensor  # (E,) float32
    document: Tensor  # (S,) document of each sentence
    place: Tensor  # (S,) place of each sentence in its document, from 0
    lengths: Tensor  # (D,) sentences per document
    column_document: Tensor  # (C,) document of each column

    def matrix(self, values: Tensor) -> Blocks:
        """The matrix with these values for its entries."""
        shape = (len(self.document), len(self.column_document))
        return Blocks(_csr(self.rows, self.columns, values, shape), _transposed(self, values, shape))

    def row_sums(self, values: Tensor) -> Tensor:
        """Per sentence, the sum of its entries' values."""
        return torch.zeros_like(self.document, dtype=values.dtype).index_add_(0, self.rows, values)

    def document_sums(self, values: Tensor) -> Tensor:
        """Per document, the sum of its sentences' values."""
        return torch.zeros_like(self.lengths, dtype=values.dtype).index_add_(0, self.document, values)


@dataclass(frozen=True)
class Blocks:
    """A sparse matrix A with its transpose at hand."""

    forward: Tensor  # (S, C) CSR
    backward: Tensor  # (C, S) CSR

    def gram(self, x: Tensor) -> Tensor:
        """A Aᵀ x without ever making A Aᵀ: time and memory grow with A's entries, not with S²."""
        return self.forward @ (self.backward @ x)


def count(documents: Sequence[Sentences], device: str = "cpu") -> Terms:
    """The term counts of a batch of documents."""
    lengths = np.fromiter(map(len, documents), np.int64, len(documents))
    sentences = list(chain.from_iterable(documents))
    words = np.fromiter(map(len, sentences), np.int64, len(sentences))
    columns, widths = _columns(documents)
    keys = np.repeat(np.arange(len(sentences)), words) * max(int(widths.sum()), 1) + columns
    unique, counts = np.unique(keys, return_counts=True)
    rows, columns = np.divmod(unique, max(int(widths.sum()), 1))
    starts = np.cumsum(lengths) - lengths
    arrays = (
        rows,
        columns,
        counts.astype(np.float32),
        np.repeat(np.arange(len(documents)), lengths),
        np.arange(len(sentences)) - np.repeat(starts, lengths),
        lengths,
        np.repeat(np.arange(len(documents)), widths),
    )
    return Terms(*(torch.from_numpy(array).to(device) for array in arrays))


def _columns(documents: Sequence[Sentences]) -> tuple[np.ndarray, np.ndarray]:
    """The column of each token of the batch, in order, and how many columns each document has."""
    columns: list[int] = []
    widths = []
    first = 0
    for sentences in documents:
        tokens = list(chain.from_iterable(sentences))
        column = {token: first + number for number, token in enumerate(dict.fromkeys(tokens))}
        columns.extend(map(column.__getitem__, tokens))
        widths.append(len(column))
        first += len(column)
    return np.array(columns, np.int64), np.array(widths, np.int64)


def _transposed(terms: Terms, values: Tensor, shape: tuple[int, int]) -> Tensor:
    order = torch.argsort(terms.columns, stable=True)
    return _csr(terms.columns[order], terms.rows[order], values[order], (shape[1], shape[0]))


def _csr(rows: Tensor, columns: Tensor, values: Tensor, shape: tuple[int, int]) -> Tensor:
    """A CSR matrix of entries that are sorted by row and column."""
    ends = torch.cumsum(torch.bincount(rows, minlength=shape[0]), 0)
    pointers = torch.cat([ends.new_zeros(1), ends])
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Sparse CSR tensor support is in beta")
        return torch.sparse_csr_tensor(pointers, columns, values, shape, check_invariants=False)
