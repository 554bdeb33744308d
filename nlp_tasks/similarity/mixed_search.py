"""Exact nearest neighbours by a weighted mean of two cosines: of the vectors, and of the tf-idf weights of the words.

The score of two documents depends on these two alone, so that lists are updated as those of the cosine are. All pairs
of queries and documents are scored approximately, by matrix products: of the vectors, of the weights of frequent words
as dense columns, and of the weights of the other words as sparse matrices. The best ones are scored exactly.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from nlp_tasks.similarity.exact_search import FULL_ROWS, REFINED_ROWS, ROUNDING, SLACK, Index
from nlp_tasks.similarity.shared_terms import Terms

#: Documents whose products with the queries are computed at a time.
BLOCK_ROWS = 8192
#: A word that more than this share of the documents contain is a column of a dense matrix: that is then faster ...
FREQUENT = 1 / 12
#: ... unless there are more such words: memory is 4 bytes for each and each document.
MOST_COLUMNS = 256


class MixedIndex(Index):
    """Documents to search in, by `share` x the cosine of their words + (1 - `share`) x the cosine of their vectors."""

    def __init__(
        self,
        matrix: NDArray[np.float32],
        keys: Sequence[str],
        terms: Terms,
        share: float,
        device: str = "cpu",
    ) -> None:
        """`terms`: of the same documents, in the order of `matrix`."""
        super().__init__(matrix, keys, device, rough=False)
        self._terms = terms
        self._share = share
        self._columns = _columns(terms, len(keys))

    def _products(self, places: torch.Tensor, queries: torch.Tensor) -> torch.Tensor:
        wanted = self._part(queries)
        found = [
            self._part(some).add_products(
                super(MixedIndex, self)._products(some, queries), wanted, self._share
            )
            for some in torch.split(places, BLOCK_ROWS)
        ]
        return torch.cat(found)

    def _part(self, places: torch.Tensor) -> _Part:
        return _Part.of(
            self._terms, self._rows[places.cpu().numpy()], self._columns, str(self._vectors.device)
        )

    @cached_property
    def _blocks(self) -> list[_Part]:
        """All documents, BLOCK_ROWS at a time."""
        return [self._part(each) for each in torch.split(torch.arange(len(self)), BLOCK_ROWS)]

    def _search(
        self, queries: torch.Tensor, k: int, beat: Callable[[], None]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        n = min(k + 1 + SLACK, len(self))
        best, places = self._best(queries, n, beat)
        found = queries.new_empty(len(queries), k)
        scores = best.new_empty(len(queries), k)
        for start in range(0, len(queries), REFINED_ROWS):
            part = slice(start, start + REFINED_ROWS)
            found[part], scores[part] = self._exact(queries[part], places[part], k)
            beat()
        if k == 0 or n == len(self):
            return found, scores
        unsure = torch.nonzero(best[:, -1] + ROUNDING >= scores[:, -1]).flatten()
        self._search_fully(unsure, queries, found, scores, n, beat)
        return found, scores

    def _best(
        self, queries: torch.Tensor, n: int, beat: Callable[[], None]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """The n largest approximate scores of each query, in descending order, and their places  # (Q, n), (Q, n)."""
        wanted = self._part(queries)
        best = self._vectors.new_empty(len(queries), 0)
        places = queries.new_empty(len(queries), 0)
        for start, block in zip(range(0, len(self), BLOCK_ROWS), self._blocks, strict=True):
            vectors = self._vectors[start : start + BLOCK_ROWS]
            mixed = wanted.add_products(self._vectors[queries] @ vectors.T, block, self._share)
            some, chosen = mixed.topk(min(n, len(vectors)), dim=1)
            best, places = torch.cat([best, some], dim=1), torch.cat([places, chosen + start], dim=1)
            best, order = best.topk(min(n, best.shape[1]), dim=1)
            places = places.gather(1, order)
            beat()
        return best, places

    def _in_double(self, queries: torch.Tensor, start: int, beat: Callable[[], None]) -> torch.Tensor:
        beat()
        places = torch.arange(start, min(start + FULL_ROWS, len(self)), device=queries.device)
        by_vectors = self._vectors[queries].double() @ self._vectors[places].double().T
        return self._mixed(queries, places.expand(len(queries), -1), by_vectors)

    def _cosines(self, queries: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
        return self._mixed(queries, places, self._vector_cosines(queries, places))

    def _mixed(self, queries: torch.Tensor, places: torch.Tensor, by_vectors: torch.Tensor) -> torch.Tensor:
        rows, others = (self._rows[each.cpu().numpy()] for each in (queries, places))
        by_words = torch.from_numpy(self._terms.cosines(rows, others)).to(by_vectors.device)
        return (self._share * by_words + (1 - self._share) * by_vectors).float().clamp(-1, 1)


def _columns(terms: Terms, n_documents: int) -> NDArray[np.int64]:
    """For each word, its column in the matrix of frequent words; -1 for all other words  # (V,)."""
    counts = terms.document_counts()
    frequent = np.argsort(-counts, kind="stable")[:MOST_COLUMNS]
    frequent = frequent[counts[frequent] > FREQUENT * n_documents]
    columns = np.full(len(counts), -1, np.int64)
    columns[frequent] = np.arange(len(frequent))
    return columns


@dataclass(frozen=True)
class _Part:
    """The weights of R documents: of frequent words as columns, of all others as a sparse matrix."""

    columns: torch.Tensor  # (R, F)
    rest: torch.Tensor  # (R, V), compressed by rows

    @classmethod
    def of(cls, terms: Terms, rows: NDArray[np.int64], column_of: NDArray[np.int64], device: str) -> _Part:
        starts, numbers, weights = terms.of(rows)
        column = column_of[numbers]
        is_frequent = column >= 0
        line = np.repeat(np.arange(len(rows)), np.diff(starts))
        columns = np.zeros((len(rows), column_of.max(initial=-1) + 1), np.float32)
        columns[line[is_frequent], column[is_frequent]] = weights[is_frequent]
        lengths = np.bincount(line[~is_frequent], minlength=len(rows))
        rest = _sparse(
            np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32),
            numbers[~is_frequent],
            weights[~is_frequent],
            (len(rows), len(column_of)),
        )
        return cls(torch.from_numpy(columns).to(device), rest.to(device))

    @cached_property
    def transposed(self) -> torch.Tensor:
        """`rest`, turned over  # (V, R), compressed by rows."""
        turned = self.rest.to_sparse_csc()
        return _sparse(turned.ccol_indices(), turned.row_indices(), turned.values(), self.rest.shape[::-1])

    @cached_property
    def spread(self) -> torch.Tensor:
        """`rest`, turned over, with all zeros  # (V, R)."""
        return self.rest.to_dense().T.contiguous()

    def add_products(self, cosines: torch.Tensor, other: _Part, share: float) -> torch.Tensor:
        """`share` x the products with the weights of other documents + (1 - `share`) x `cosines`, in the place of these
        # (R, O)."""
        cosines.mul_(1 - share).addmm_(self.columns, other.columns.T, alpha=share)
        if not self.rest.values().numel() or not other.rest.values().numel():
            return cosines
        if cosines.device.type == "cpu" and torch.backends.mkl.is_available():
            return torch.addmm(cosines, self.rest, other.transposed, alpha=share)
        return cosines.add_(torch.sparse.mm(other.rest, self.spread).T, alpha=share)


def _sparse(starts: Any, numbers: Any, values: Any, size: Sequence[int]) -> torch.Tensor:
    """A matrix that is compressed by rows."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Sparse CSR tensor support is in beta")
        parts = (torch.as_tensor(each) for each in (starts, numbers, values))
        return torch.sparse_csr_tensor(*parts, size=tuple(size), check_invariants=False)
