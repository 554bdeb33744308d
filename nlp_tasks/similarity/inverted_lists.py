"""Nearest neighbours among millions of vectors, most of which are not compared: an inverted file (Jégou, Douze and
Schmid 2011), which faiss calls IVF.

Each vector is in the list of its nearest centroid, and a search reads only the lists whose centroids are nearest to the
query. Among what it reads it is exact, ties in the order of keys. How many lists that are is learned: as few as find
the wanted share of the neighbours that an exact search finds for a sample. Everything depends on the vectors and their
keys alone, not on threads, blocks or the device, so that a search can be repeated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray

from nlp_tasks.similarity import centroids
from nlp_tasks.similarity.block_threads import Blocks, blocks
from nlp_tasks.similarity.exact_search import PAIRS, REFINED_ROWS, SLACK, Index
from nlp_tasks.similarity.rough_vectors import ROUNDING

#: With fewer vectors an exact search is as fast.
INDEXED_FROM = 10_000
#: Vectors for each list that the centroids are trained on.
SAMPLED = 64
#: Vectors that are normalised and put into lists at a time.
ROWS_TOGETHER = 2**14
#: Documents by which the number of lists to read is learned, and as many others by which a search is measured.
LEARNED_FROM = 400
#: Standard errors by which the learned recall is above the wanted one.
MARGIN = 2.0
#: Neighbours that the number of lists is learned from, at least: with fewer, chance counts for more.
NEIGHBOURS = 10
#: Candidates that are kept at a time, of all queries and of all lists that they read (12 bytes each).
CANDIDATES_TOGETHER = 2**21
#: Bytes for each vector beside its numbers: its key, its places in several orders.
BYTES_EACH = 200
#: Blocks of lists for each thread: a thread that is done takes the next one.
BLOCKS = 64


def memory(n: int, size: int) -> int:
    """About how many bytes a search among n vectors takes while its index is built, with the vectors as they were read.
    Of that, 4 n x size are free again afterwards."""
    return n * (2 * 4 * size + BYTES_EACH)


class InvertedIndex(Index):
    """Vectors in lists."""

    def __init__(
        self,
        matrix: NDArray[np.float32],
        mean: NDArray[np.float32],
        keys: Sequence[str],
        recall: float,
        device: str = "cpu",
        beat: Callable[[], None] = lambda: None,
        k: int = NEIGHBOURS,
    ) -> None:
        """`mean` is subtracted from each vector first. `recall`: the share of the `k` nearest documents to find."""
        self._rough, self._rougher = None, []
        beat()
        by_key = np.array(sorted(range(len(keys)), key=keys.__getitem__), dtype=np.int64)
        beat()
        unit = _Units(matrix, mean, device)
        n_lists = round(len(keys) ** 0.5)
        of_sample = np.unique(np.linspace(0, len(keys) - 1, SAMPLED * n_lists).astype(np.int64))
        sample = torch.cat([centroids.whole(some) for some in unit.of(by_key[of_sample])])
        self._centroids = centroids.trained(sample, n_lists, beat)
        del sample
        lists = self._nearest(unit.of(by_key), beat)
        order = np.argsort(lists, kind="stable")
        #: From a place, list by list and in the order of keys, to the row of `matrix`, and back.
        self._rows = by_key[order]  # (N,)
        self._places = np.empty_like(self._rows)
        self._places[self._rows] = np.arange(len(self._rows))
        #: From a place to its place in the order of keys.
        self._by_key = torch.from_numpy(order).to(device)  # (N,)
        #: Where each list begins.
        self._begins = np.searchsorted(lists[order], np.arange(len(self._centroids) + 1))  # (C + 1,)
        self._vectors = torch.empty(matrix.shape, device=device)
        for part, units in zip(_parts(len(keys)), unit.of(self._rows), strict=True):
            self._vectors[part] = units
            beat()
        # Documents in between learn and measure in turn.
        taken = np.linspace(0, len(keys) - 1, min(2 * LEARNED_FROM, len(keys))).astype(np.int64)
        self.measured = set(by_key[taken[1::2]].tolist())
        self.n_probed = self._learned(by_key[taken[::2]], max(k, NEIGHBOURS), recall, beat)

    @property
    def n_lists(self) -> int:
        return len(self._centroids)

    def exact_neighbours(
        self, rows: NDArray[np.int64], k: int, beat: Callable[[], None] = lambda: None
    ) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
        """As `neighbours`, but compared with every vector."""
        if not len(rows):
            return
        k = min(k, len(self) - 1)
        places = torch.from_numpy(self._places[rows]).to(self._vectors.device)
        found, scores = self._surely(places, k, k + 1 + SLACK, beat)
        for one_found, one_scores in zip(found.cpu().numpy(), scores.cpu().numpy(), strict=True):
            yield self._rows[one_found], one_scores

    def _nearest(self, units: Iterator[torch.Tensor], beat: Callable[[], None]) -> NDArray[np.int32]:
        """The list of each vector  # (N,)."""
        found = [
            centroids.nearest(centroids.whole(some), self._centroids, beat).int().cpu().numpy()
            for each in units
            for some in torch.split(each, centroids.TOGETHER)
        ]
        return np.concatenate(found)

    def _learned(self, rows: NDArray[np.int64], k: int, recall: float, beat: Callable[[], None]) -> int:
        """How many lists have to be read for the k neighbours of each of these rows. Some may be missed beside the
        sample unless all are."""
        if recall >= 1:
            return self.n_lists
        near = np.stack([found for found, _ in self.exact_neighbours(rows, k, beat)])  # (S, k)
        lists = np.searchsorted(self._begins, self._places[near], side="right") - 1  # (S, k)
        queries = self._vectors[torch.from_numpy(self._places[rows]).to(self._vectors.device)]
        ranked = centroids.ranked(centroids.whole(queries), self._centroids, self.n_lists).cpu().numpy()
        places = np.empty_like(ranked)
        np.put_along_axis(places, ranked, np.arange(self.n_lists)[None], axis=1)
        needed = np.take_along_axis(places, lists, axis=1)  # (S, k), from 0
        for n in range(1, self.n_lists):
            shares = (needed < n).mean(axis=1)
            if shares.mean() - MARGIN * shares.std() / len(shares) ** 0.5 >= recall:
                return n
        return self.n_lists

    def _in_key_order(self, places: torch.Tensor) -> torch.Tensor:
        return places.gather(1, self._by_key[places].argsort(dim=1))

    def _search(
        self, queries: torch.Tensor, k: int, beat: Callable[[], None]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        found = queries.new_empty(len(queries), k)
        scores = self._vectors.new_empty(len(queries), k)
        n = k + 1 + SLACK
        with blocks(self._vectors.device.type) as run:
            n_together = CANDIDATES_TOGETHER // (n * self.n_probed) + 1
            for part in torch.split(torch.arange(len(queries), device=queries.device), n_together):
                found[part], scores[part] = self._in_lists(queries[part], k, n, run, beat)
        return found, scores

    def _in_lists(
        self, queries: torch.Tensor, k: int, n: int, run: Blocks, beat: Callable[[], None]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """The k nearest in the lists that are nearest to each query  # (Q, k), (Q, k)."""
        probed = centroids.ranked(centroids.whole(self._vectors[queries]), self._centroids, self.n_probed)
        best, places = self._candidates(queries, probed, n, run)
        found, scores = queries.new_empty(len(queries), k), best.new_empty(len(queries), k)
        for part in torch.split(torch.arange(len(queries), device=queries.device), REFINED_ROWS):
            found[part], scores[part] = self._exact(queries[part], places[part], k)
            beat()
        if not k:
            return found, scores
        few = torch.nonzero(scores[:, -1] == -torch.inf).flatten()
        if len(few):  # fewer than k vectors were read
            found[few], scores[few] = self._surely(queries[few], k, n, beat)
        unsure = (best[:, -1] > -torch.inf) & (best[:, -1] + ROUNDING >= scores[:, -1])
        for row in torch.nonzero(unsure).flatten().tolist():
            found[row], scores[row] = self._all_in(queries[row], probed[row], k, beat)
        return found, scores

    def _candidates(
        self, queries: torch.Tensor, probed: torch.Tensor, n: int, run: Blocks
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """The n largest products with vectors of the lists that each query reads, in descending order, and their
        places. If there are fewer, -inf and the query itself  # (Q,), (Q, P) -> (Q, n), (Q, n)."""
        n_queries, n_probed = probed.shape
        best = self._vectors.new_full((n_queries * n_probed, n), -torch.inf)
        places = queries.repeat_interleave(n_probed)[:, None].repeat(1, n)
        pairs = probed.flatten().argsort(stable=True)
        lists, starts = np.unique(probed.flatten()[pairs].cpu().numpy(), return_index=True)
        bounds = [*starts.tolist(), len(pairs)]
        wanted = self._vectors[queries]
        each = [*zip(lists.tolist(), pairwise(bounds), strict=True)]

        def read(some: list[tuple[int, tuple[int, int]]]) -> None:
            for number, (start, stop) in some:
                those = pairs[start:stop]
                of_list = wanted[those // n_probed]
                for begin in range(int(self._begins[number]), int(self._begins[number + 1]), ROWS_TOGETHER):
                    end = min(begin + ROWS_TOGETHER, int(self._begins[number + 1]))
                    values, at = (of_list @ self._vectors[begin:end].T).topk(min(n, end - begin), dim=1)
                    at += begin
                    if begin > self._begins[number]:
                        values, at = torch.cat([best[those], values], 1), torch.cat([places[those], at], 1)
                        values, chosen = values.topk(n, dim=1)
                        at = at.gather(1, chosen)
                    best[those, : values.shape[1]], places[those, : at.shape[1]] = values, at

        for _ in run.map(read, [each[start::BLOCKS] for start in range(min(BLOCKS, len(each)))]):
            pass
        best, chosen = best.view(n_queries, -1).topk(n, dim=1)
        return best, places.view(n_queries, -1).gather(1, chosen)

    def _all_in(
        self, query: torch.Tensor, lists: torch.Tensor, k: int, beat: Callable[[], None]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """The k nearest in these lists, where products in float32 cannot tell which they are  # (k,), (k,)."""
        parts = [torch.arange(*self._begins[one : one + 2].tolist()) for one in lists.tolist()]
        places = torch.cat(parts).to(query.device)
        places = places[places != query]
        own = self._vectors[query]
        products = torch.cat([self._vectors[some] @ own for some in torch.split(places, ROWS_TOGETHER)])
        near = places[products >= products.topk(k).values[-1] - 2 * ROUNDING]
        near = self._in_key_order(near[None])
        scores = []
        for some in torch.split(near, PAIRS, dim=1):
            scores.append(self._cosines(query[None], some)[0])
            beat()
        best, order = torch.cat(scores).sort(descending=True, stable=True)
        return near[0, order[:k]], best[:k]


class _Units:
    """Vectors less their mean, with length 1, some at a time. A zero vector stays zero."""

    def __init__(self, matrix: NDArray[np.float32], mean: NDArray[np.float32], device: str) -> None:
        self._matrix, self._mean, self._device = matrix, mean, device

    def of(self, rows: NDArray[np.int64]) -> Iterator[torch.Tensor]:
        """Of some rows, ROWS_TOGETHER at a time. The length is computed in float64: no device rounds it to another
        float32  # (B, D)."""
        for part in _parts(len(rows)):
            vectors = torch.from_numpy(self._matrix[rows[part]] - self._mean).to(self._device)
            lengths = vectors.double().norm(dim=1, keepdim=True).clamp_min_(1e-12)
            yield (vectors / lengths).float()


def _parts(n: int) -> list[slice]:
    return [slice(start, start + ROWS_TOGETHER) for start in range(0, n, ROWS_TOGETHER)]
