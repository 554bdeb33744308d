"""Exact nearest neighbours by a weighted mean of two cosines: of the vectors, and of the tf-idf weights of the words.
Distances (1 - this mean) are multiplied by a scale of each of both documents.

The score of two documents depends on these two alone, so that lists are updated as those of the cosine are. All pairs
of queries and documents are scored approximately, by matrix products: of the vectors, of the weights of frequent words
as dense columns, and of the weights of the other words as sparse matrices. The best ones are scored exactly.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray

from nlp_tasks import heartbeat
from nlp_tasks.similarity.exact_search import PAIRS, REFINED_ROWS, SLACK, Index
from nlp_tasks.similarity.rough_vectors import ROUNDING
from nlp_tasks.similarity.shared_terms import MOST_SCALE, Terms
from nlp_tasks.similarity.term_products import Part

#: Documents whose products with the queries are computed at a time.
BLOCK_ROWS = 8192
#: A word that more than this share of the documents contain is a column of a dense matrix: that is then faster ...
FREQUENT = 1 / 12
#: ... unless there are more such words: memory is 4 bytes for each and each document.
MOST_COLUMNS = 256
#: What a word may add to the rounding error of a float32 sum of at most 1.
WORD_ROUNDING = 2.0**-25


class MixedIndex(Index):
    """Documents to search in, by `share` x the cosine of their words + (1 - `share`) x the cosine of their vectors, or
    less of the latter for short documents (`Terms.trusts`)."""

    def __init__(
        self,
        matrix: NDArray[np.float32],
        keys: Sequence[str],
        terms: Terms,
        share: float,
        scales: NDArray[np.float64],
        device: str = "cpu",
    ) -> None:
        """`terms` and `scales`: of the same documents, in the order of `matrix`; a scale is at most MOST_SCALE."""
        super().__init__(matrix, keys, device, rough=())
        self._scales = torch.from_numpy(scales[self._rows]).to(device)  # (N,)
        self._terms = terms
        #: For each document, an upper bound of the rounding error of `_products`: that of a sum of at most 1 grows with
        #: the number of words.
        error = ROUNDING + WORD_ROUNDING * terms.n_words[self._rows]
        self._errors = torch.from_numpy((MOST_SCALE**2 * error).astype(np.float32)).to(device)  # (N,)
        self._share = share
        self._columns = _columns(terms, len(keys))

    def _products(self, places: torch.Tensor, queries: torch.Tensor) -> torch.Tensor:
        wanted = self._part(queries)
        return torch.cat([self._block(some, queries, wanted) for some in torch.split(places, BLOCK_ROWS)])

    def _rounding(self, places: torch.Tensor) -> torch.Tensor:
        return self._errors[places]

    def _block(self, places: torch.Tensor, queries: torch.Tensor, wanted: Part) -> torch.Tensor:
        mixed = self._part(places).mixed(super()._products(places, queries), wanted, self._share)
        return _scaled(mixed, self._scales[places], self._scales[queries])

    def _part(self, places: torch.Tensor) -> Part:
        return Part.of(
            self._terms, self._rows[places.cpu().numpy()], self._columns, str(self._vectors.device)
        )

    @cached_property
    def _blocks(self) -> list[Part]:
        """All documents, BLOCK_ROWS at a time."""
        places = torch.split(torch.arange(len(self)), BLOCK_ROWS)
        return [self._part(each) for each in heartbeat.beating(places)]

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
        unsure = torch.nonzero(best[:, -1] + self._rounding(queries) >= scores[:, -1]).flatten()
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
            mixed = self._rough_scores(queries, wanted, start, block)
            some, chosen = mixed.topk(min(n, mixed.shape[1]), dim=1)
            best, places = torch.cat([best, some], dim=1), torch.cat([places, chosen + start], dim=1)
            best, order = best.topk(min(n, best.shape[1]), dim=1)
            places = places.gather(1, order)
            beat()
        return best, places

    def _by_all(self, queries: torch.Tensor, n: int, beat: Callable[[], None]) -> torch.Tensor:
        """Only what may be among the n best is scored exactly."""
        rough = self._all_products(queries, beat)
        lowest = rough.topk(n, dim=1).values[:, -1] - 2 * self._rounding(queries)
        best = []
        for query, scores, limit in zip(queries, rough, lowest, strict=True):
            near = torch.nonzero(scores >= limit)[:, 0]  # in the order of keys
            parts = []
            for some in torch.split(near, PAIRS):
                parts.append(self._cosines(query[None], some[None])[0])
                beat()
            order = torch.cat(parts).sort(descending=True, stable=True).indices[:n]
            best.append(near[order])
        return torch.stack(best)

    def _all_products(self, queries: torch.Tensor, beat: Callable[[], None]) -> torch.Tensor:
        """The approximate scores of queries with all documents  # (Q, N)."""
        wanted = self._part(queries)
        blocks = []
        for start, block in zip(range(0, len(self), BLOCK_ROWS), self._blocks, strict=True):
            blocks.append(self._rough_scores(queries, wanted, start, block))
            beat()
        return torch.cat(blocks, dim=1)

    def _rough_scores(self, queries: torch.Tensor, wanted: Part, start: int, block: Part) -> torch.Tensor:
        """The approximate scores of queries with the documents of a block, which begins at `start`  # (Q, B)."""
        stop = start + BLOCK_ROWS
        mixed = wanted.mixed(self._vectors[queries] @ self._vectors[start:stop].T, block, self._share)
        return _scaled(mixed, self._scales[queries], self._scales[start:stop])

    def _cosines(self, queries: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
        return self._mixed(queries, places, self._vector_cosines(queries, places))

    def _mixed(self, queries: torch.Tensor, places: torch.Tensor, by_vectors: torch.Tensor) -> torch.Tensor:
        rows, others = (self._rows[each.cpu().numpy()] for each in (queries, places))
        by_words = torch.from_numpy(self._terms.cosines(rows, others)).to(by_vectors.device)
        trusts = torch.from_numpy(self._terms.trusts[rows][:, None] * self._terms.trusts[others])
        mixed = by_words + (1 - self._share) * trusts.to(by_words.device) * (by_vectors - by_words)
        scales = self._scales[queries][:, None] * self._scales[places]
        return (1 - (1 - mixed) * scales).float().clamp(-1, 1)


def _scaled(mixed: torch.Tensor, left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    """Scores, in the place of mixed cosines  # (L, R), (L,), (R,)."""
    return mixed.sub_(1).mul_(left.float()[:, None]).mul_(right.float()).add_(1).clamp_(-1, 1)


def _columns(terms: Terms, n_documents: int) -> NDArray[np.int64]:
    """For each word, its column in the matrix of frequent words; -1 for all other words  # (V,)."""
    counts = terms.document_counts()
    frequent = np.argsort(-counts, kind="stable")[:MOST_COLUMNS]
    frequent = frequent[counts[frequent] > FREQUENT * n_documents]
    columns = np.full(len(counts), -1, np.int64)
    columns[frequent] = np.arange(len(frequent))
    return columns
