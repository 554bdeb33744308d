"""Exact nearest neighbours by cosine, in tiles, on any torch device.

If the processor multiplies int8 or bfloat16 faster than float32, candidates are found with such a copy of the vectors,
and queries whose neighbours could have been lost in rounding are searched again with float32: the result is the same.
Memory, beside the vectors, is bounded, whatever their number. Knows vectors and rows only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from nlp_tasks.similarity.candidate_search import best_groups, members
from nlp_tasks.similarity.rough_vectors import COPIES, ROUNDING, Copy, FloatCopy, fast_copies

#: Queries that are searched at a time: enough for matrix products to run at full speed.
QUERY_ROWS = 1024
#: Queries whose candidates are compared at a time: their vectors stay in the cache.
REFINED_ROWS = 32
#: Candidates beyond k and the query itself, so that rounding rarely loses a neighbour.
SLACK = 4
#: For comparisons with every vector: vectors at a time, and the cosines that are kept (64 MiB).
FULL_ROWS = 16_384
FULL_SCORES = 2**24
#: Pairs whose cosines are computed at a time: their vectors stay in the cache.
PAIRS = 1024
#: A copy in few bits is used with at least this many vectors, and until this share of the queries had to be searched
#: again.
ROUGH_FROM = 8192
UNSURE_SHARE = 0.4


class Index:
    """Normalised vectors to search in. A zero vector stays zero: all its cosines are 0."""

    def __init__(
        self,
        matrix: NDArray[np.float32],
        keys: Sequence[str],
        device: str = "cpu",
        rough: Sequence[str] | None = None,
    ) -> None:
        """`rough`: the copies (of COPIES) to find candidates with, the next one if one is too rough for these vectors;
        None for those that the processor is fast at."""
        #: From the place in the order of keys to the row of `matrix`, and back.
        self._rows = np.array(sorted(range(len(keys)), key=keys.__getitem__), dtype=np.int64)
        self._places = np.empty_like(self._rows)
        self._places[self._rows] = np.arange(len(self._rows))
        ordered = torch.from_numpy(np.asarray(matrix[self._rows], dtype=np.float32)).to(device)
        self._vectors = torch.nn.functional.normalize(ordered, dim=1)  # (N, D)
        if rough is None:
            rough = fast_copies() if device == "cpu" else ()
        self._rougher = list(rough) if len(keys) >= ROUGH_FROM else []
        self._rough = self._next_rough()

    def __len__(self) -> int:
        return len(self._rows)

    def _next_rough(self) -> Copy | None:
        return COPIES[self._rougher.pop(0)](self._vectors) if self._rougher else None

    def neighbours(
        self, rows: NDArray[np.int64], k: int, beat: Callable[[], None] = lambda: None
    ) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
        """For each of these rows, its k nearest other rows and the cosines, nearest first, ties ordered by key.

        Fewer than k if there are no more. `beat` is called often.
        """
        k = min(k, len(self) - 1)
        for start in range(0, len(rows), QUERY_ROWS):
            places = torch.from_numpy(self._places[rows[start : start + QUERY_ROWS]])
            found, scores = self._search(places.to(self._vectors.device), k, beat)
            for one_found, one_scores in zip(found.cpu().numpy(), scores.cpu().numpy(), strict=True):
                yield self._rows[one_found], one_scores

    def reached(
        self, rows: NDArray[np.int64], limits: NDArray[np.float32], beat: Callable[[], None] = lambda: None
    ) -> NDArray[np.int64]:
        """The rows whose cosine with at least one of `rows` is at or above their own limit, in ascending order. An
        infinite limit is never reached; `rows` themselves must have one. The cosines are those of `neighbours`, to the
        last bit  # (N,) limits. `beat` is called often."""
        device = self._vectors.device
        ordered = torch.from_numpy(np.asarray(limits[self._rows], np.float32)).to(device)  # (N,)
        hit = torch.zeros(len(self), dtype=torch.bool, device=device)
        listed = torch.nonzero(ordered.isfinite()).flatten()
        if not len(listed) or not len(rows):
            return np.zeros(0, np.int64)
        for queries in torch.split(torch.from_numpy(self._places[rows]).to(device), QUERY_ROWS):
            for part in torch.split(listed, FULL_ROWS):
                best = self._products(part, queries).amax(dim=1)  # (P,)
                rounding = self._rounding(part)
                hit[part[best - rounding >= ordered[part]]] = True
                near = part[(best + rounding >= ordered[part]) & ~hit[part]]
                beat()
                for some in torch.split(near, QUERY_ROWS) if len(near) else ():
                    found = self._pairs(some, queries, ordered[some], len(queries), beat)[0]
                    hit[some[found]] = True
        return np.sort(self._rows[torch.nonzero(hit).flatten().cpu().numpy()])

    def entries(
        self,
        rows: NDArray[np.int64],
        others: NDArray[np.int64],
        limits: NDArray[np.float32],
        most: int,
        beat: Callable[[], None] = lambda: None,
    ) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]] | None]:
        """For each of `rows`, those of `others` whose cosine is at or above its limit, but not itself, in no order, and
        the cosines, which are those of `neighbours` to the last bit. None where more than about `most` are
        # (R,) limits. `beat` is called often."""
        device = self._vectors.device
        places, queries = (torch.from_numpy(self._places[each]).to(device) for each in (rows, others))
        needed = torch.from_numpy(limits).to(device)
        n_together = FULL_SCORES // FULL_ROWS
        for part in torch.split(torch.arange(len(places), device=device), n_together) if len(places) else ():
            left, right, cosines, crowded = self._entries(places[part], queries, needed[part], most, beat)
            bounds = np.searchsorted(left, np.arange(len(part) + 1)).tolist()
            for place, is_crowded in enumerate(crowded.tolist()):
                own = slice(bounds[place], bounds[place + 1])
                yield None if is_crowded else (others[right[own]], cosines[own])

    def _entries(
        self,
        places: torch.Tensor,
        queries: torch.Tensor,
        limits: torch.Tensor,
        most: int,
        beat: Callable[[], None],
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32], NDArray[np.bool_]]:
        """`_pairs` with any number of queries, some at a time."""
        counts = torch.zeros(len(places), dtype=torch.int64, device=places.device)
        found = []
        for first in range(0, len(queries), FULL_ROWS):
            open_ = torch.nonzero(counts <= most).flatten()
            some = queries[first : first + FULL_ROWS]
            left, right, cosines, crowded = self._pairs(places[open_], some, limits[open_], most, beat)
            found.append((open_[left], right + first, cosines))
            counts += torch.bincount(open_[left], minlength=len(counts))
            counts[open_[crowded]] = most + 1
        if not found:
            found = [(counts[:0], counts[:0], limits[:0])]
        left, right, cosines = (torch.cat(each) for each in zip(*found, strict=True))
        order = left.argsort(stable=True)
        order = order[counts[left[order]] <= most]
        parts = (each.cpu().numpy() for each in (left[order], right[order], cosines[order], counts > most))
        return tuple(parts)  # type: ignore[return-value]

    def _pairs(
        self,
        places: torch.Tensor,
        queries: torch.Tensor,
        limits: torch.Tensor,
        most: int,
        beat: Callable[[], None],
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        """The pairs of a place and a query whose cosine is at or above the place's limit, but none with itself: index
        of the place, ascending, index of the query, cosine; and whether a place has more than `most`, and so no pairs
        # (P,), (P,), (P,), (N,)."""
        is_near = self._products(places, queries) >= (limits - self._rounding(places))[:, None]  # (N, Q)
        crowded = is_near.sum(dim=1) > most
        is_near[crowded] = False
        near = torch.nonzero(is_near)
        near = near[places[near[:, 0]] != queries[near[:, 1]]]
        scores = limits.new_empty(len(near))
        for start in range(0, len(near), PAIRS):
            left, right = near[start : start + PAIRS].T
            scores[start : start + PAIRS] = self._cosines(places[left], queries[right][:, None])[:, 0]
            beat()
        reached = scores >= limits[near[:, 0]]
        return near[reached, 0], near[reached, 1], scores[reached], crowded

    def _products(self, places: torch.Tensor, queries: torch.Tensor) -> torch.Tensor:
        """The scores of some places with some queries, to within the rounding error  # (P, Q)."""
        return self._vectors[places] @ self._vectors[queries].T

    def _rounding(self, places: torch.Tensor) -> torch.Tensor:
        """An upper bound of the rounding error of `_products`, for each of some places  # (P,)."""
        return self._vectors.new_full(places.shape, ROUNDING)

    def _search(
        self, queries: torch.Tensor, k: int, beat: Callable[[], None]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Places and cosines of the k nearest of these places  # (Q, k), (Q, k)."""
        n = k + 1 + SLACK
        if self._rough is not None:
            found, scores, unsure = self._try(self._rough, queries, k, n, 2 * n, beat)
            if len(unsure) > UNSURE_SHARE * len(queries):
                self._rough = self._next_rough()
            if len(unsure):
                found[unsure], scores[unsure] = self._surely(queries[unsure], k, n, beat)
            return found, scores
        return self._surely(queries, k, n, beat)

    def _surely(
        self, queries: torch.Tensor, k: int, n: int, beat: Callable[[], None]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """The same in float32; in float64, with every vector, if float32 cannot distinguish the neighbours."""
        found, scores, unsure = self._try(FloatCopy(self._vectors), queries, k, n, n, beat)
        self._search_fully(unsure, queries, found, scores, n, beat)
        return found, scores

    def _search_fully(
        self,
        unsure: torch.Tensor,
        queries: torch.Tensor,
        found: torch.Tensor,
        scores: torch.Tensor,
        n: int,
        beat: Callable[[], None],
    ) -> None:
        """Compare these of the queries with every vector, and write what is found in their place."""
        n_together = max(FULL_SCORES // len(self), 1)
        for part in torch.split(unsure, n_together) if len(unsure) else ():
            places = self._by_all(queries[part], min(n, len(self)), beat)
            for few, near in zip(
                torch.split(part, REFINED_ROWS), torch.split(places, REFINED_ROWS), strict=True
            ):
                found[few], scores[few] = self._exact(queries[few], near, scores.shape[1])
                beat()

    def _by_all(self, queries: torch.Tensor, n: int, beat: Callable[[], None]) -> torch.Tensor:
        """The n best places of all vectors for each query, ties in the order of keys  # (Q, n)."""
        starts = range(0, len(self), FULL_ROWS)
        scores = torch.cat([self._in_double(queries, start, beat) for start in starts], dim=1)
        lowest = scores.topk(n, dim=1).values[:, -1:]
        best = []
        for row, limit in zip(scores, lowest, strict=True):
            above = self._in_key_order(torch.nonzero(row >= limit).T)[0]
            best.append(above[row[above].sort(descending=True, stable=True).indices[:n]])
        return torch.stack(best)

    def _in_double(self, queries: torch.Tensor, start: int, beat: Callable[[], None]) -> torch.Tensor:
        """The scores of queries with FULL_ROWS places from `start` on, computed in float64  # (Q, P)."""
        beat()
        part = self._vectors[start : start + FULL_ROWS]
        return (self._vectors[queries].double() @ part.double().T).float()

    def _try(
        self,
        copy: Copy,
        queries: torch.Tensor,
        k: int,
        n: int,
        n_groups: int,
        beat: Callable[[], None],
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """The k best of the n best in `n_groups` groups of `copy`, and the queries that may have lost a neighbour:
        those whose k-th neighbour is not clearly above what was left out  # (Q, k), (Q, k), (U,)."""
        groups, maxima, rounding = best_groups(copy, queries, n_groups, beat)
        n_places = min(n, len(self))
        found = queries.new_empty(len(queries), k)
        scores = maxima.new_empty(len(queries), k)
        lowest = maxima.new_empty(len(queries))
        for start in range(0, len(queries), REFINED_ROWS):
            part = slice(start, start + REFINED_ROWS)
            places, lowest[part] = self._best_places(copy, queries[part], groups[part], n_places)
            found[part], scores[part] = self._exact(queries[part], places, k)
            beat()
        if k == 0 or n_places == len(self):
            return found, scores, queries.new_empty(0)
        bound = lowest + ROUNDING
        if maxima.shape[1] == n_groups:  # otherwise every group was searched
            bound = torch.maximum(bound, maxima[:, -1] + rounding)
        return found, scores, torch.nonzero(bound >= scores[:, -1]).flatten()

    def _best_places(
        self, copy: Copy, queries: torch.Tensor, groups: torch.Tensor, n: int
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """The n best places in the groups of each query, and the lowest of their products  # (Q, n), (Q,)."""
        every = members(groups)  # (Q, n * GROUP)
        places = copy.places(every.clamp_max(len(self) - 1))
        products = torch.bmm(self._vectors[queries][:, None], _rows(self._vectors, places).transpose(1, 2))
        scores = products[:, 0].masked_fill_(every >= len(self), -torch.inf)
        scores, chosen = scores.topk(n, dim=1)
        return places.gather(1, chosen), scores[:, -1]

    def _exact(
        self, queries: torch.Tensor, places: torch.Tensor, k: int
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """The best k of the candidate places, by cosines that do not depend on the place of a vector in a tile."""
        places = self._in_key_order(places)  # which a stable sort by score keeps
        scores = self._cosines(queries, places)  # (Q, C)
        scores.masked_fill_(places == queries[:, None], -torch.inf)  # a document is not its own neighbour
        scores, order = scores.sort(dim=1, descending=True, stable=True)
        return places.gather(1, order)[:, :k], scores[:, :k]

    def _in_key_order(self, places: torch.Tensor) -> torch.Tensor:
        """Places in each row in the order of their keys  # (Q, C)."""
        return places.sort(dim=1).values

    def _cosines(self, queries: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
        """The score of each query with each of its places. It depends on these two alone: neither the number of vectors
        nor the device changes a bit  # (Q, C)."""
        return self._vector_cosines(queries, places).float().clamp(-1, 1)

    def _vector_cosines(self, queries: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
        """In float64: halves are added to halves  # (Q, C)."""
        products = _rows(self._vectors, places).double() * self._vectors[queries][:, None]  # (Q, C, D)
        size = products.shape[2]
        while size > 1:
            half = size // 2
            products[:, :, :half] += products[:, :, size - half : size]
            size -= half
        return products[:, :, 0]


def _rows(vectors: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
    """vectors[places], in the faster of two ways  # (Q, n, D)."""
    return vectors.index_select(0, places.flatten()).view(*places.shape, -1)
