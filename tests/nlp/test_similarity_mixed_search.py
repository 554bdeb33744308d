"""The search by words and vectors together, against a plain computation of every score."""

from __future__ import annotations

import resource

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from nlp_tasks.similarity import mixed_search, shared_terms
from nlp_tasks.similarity.mixed_search import MixedIndex
from nlp_tasks.similarity.shared_terms import COUNT_POWER, TRUSTED_WORDS, Terms, idf

N, V, SHARE = 400, 300, 0.7


class Texts:
    """Some documents; among them equal ones, and ones without words."""

    def __init__(self) -> None:
        source = np.random.default_rng(0)
        common = 1 / np.arange(1, V + 1)
        self.words = [
            source.choice(V, source.integers(0, 90), p=common / common.sum()) for _ in range(N - 20)
        ]
        self.words += self.words[:20]
        self.matrix = source.normal(size=(N, 8)).astype(np.float32)
        self.matrix[N - 20 :] = self.matrix[:20]
        self.scales = source.uniform(0.8, 1.3, N)
        self.scales[N - 20 :] = self.scales[:20]
        self.keys = [f"{number:04}" for number in source.permutation(N)]
        counted = [np.unique(words, return_counts=True) for words in self.words]
        self.packed = [
            numbers.astype("<i4").tobytes() + counts.astype("<u2").tobytes() for numbers, counts in counted
        ]
        self.idf = idf(np.bincount(np.concatenate([n for n, _ in counted]), minlength=V), N)
        self.scores = self._scores(counted)

    def index(self) -> MixedIndex:
        return MixedIndex(self.matrix, self.keys, Terms(self.packed, self.idf), SHARE, self.scales)

    def _scores(self, counted: list[tuple[NDArray[np.int64], NDArray[np.int64]]]) -> NDArray[np.float64]:
        weights = np.zeros((N, V))
        for row, (numbers, counts) in enumerate(counted):
            weights[row, numbers] = counts**COUNT_POWER * self.idf[numbers]
        weights /= np.maximum(np.linalg.norm(weights, axis=1, keepdims=True), 1e-12)
        units = self.matrix / np.linalg.norm(self.matrix, axis=1, keepdims=True)
        trusts = np.sqrt([min(len(numbers) / TRUSTED_WORDS, 1) for numbers, _ in counted])
        of_vectors = (1 - SHARE) * np.outer(trusts, trusts)
        mixed = (1 - of_vectors) * (weights @ weights.T) + of_vectors * (units @ units.T)
        scores = 1 - (1 - mixed) * np.outer(self.scales, self.scales)
        np.fill_diagonal(scores, -np.inf)
        return np.clip(scores, -np.inf, 1)


@pytest.fixture(scope="module")
def texts() -> Texts:
    return Texts()


@pytest.mark.parametrize("has_mkl", [True, False])
def test_neighbours_are_those_of_a_plain_computation(
    texts: Texts, has_mkl: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In blocks, with and without products of two sparse matrices."""
    monkeypatch.setattr(mixed_search, "BLOCK_ROWS", 64)
    if not has_mkl:
        monkeypatch.setattr(torch.backends.mkl, "is_available", lambda: False)
    found = list(texts.index().neighbours(np.arange(N), 12))
    for row, (rows, scores) in enumerate(found):
        best = np.sort(texts.scores[row])[::-1][:12]
        np.testing.assert_allclose(scores, best, atol=1e-5)
        np.testing.assert_allclose(texts.scores[row, rows], scores, atol=1e-5)


def test_the_same_score_comes_from_every_side_and_equal_ones_are_ordered_by_key(texts: Texts) -> None:
    index = texts.index()
    lists = [dict(zip(*map(list, near), strict=True)) for near in index.neighbours(np.arange(N), N)]
    for row, scores in enumerate(lists):
        assert len(scores) == N - 1
        assert all(lists[other][row] == score for other, score in scores.items())
    for rows, scores in index.neighbours(np.arange(N), N):
        order = [(-score, texts.keys[row]) for row, score in zip(rows, scores, strict=True)]
        assert order == sorted(order)


def test_what_reaches_a_list_are_the_neighbours_above_its_limit(texts: Texts) -> None:
    index = texts.index()
    near = list(index.neighbours(np.arange(N), 10))
    new = np.arange(N - 60, N)
    limits = np.array([scores[-1] for _, scores in near], np.float32)
    limits[new] = np.inf
    old = np.arange(N - 60)
    found = list(index.entries(old, new, limits[old], 1000))
    for row, entered in zip(old.tolist(), found, strict=True):
        assert entered is not None
        rows, scores = near[row]
        wanted = {(r, s) for r, s in zip(rows.tolist(), scores.tolist(), strict=True) if r >= N - 60}
        assert set(zip(entered[0].tolist(), entered[1].tolist(), strict=True)) >= wanted
        assert {r for r in entered[0].tolist() if texts.scores[row, r] > limits[row] + 1e-5} <= set(
            rows.tolist()
        )
    reached = index.reached(new, limits).tolist()
    assert reached == [row for row, entered in enumerate(found) if entered is not None and len(entered[0])]


def _packed(words: NDArray[np.int64]) -> bytes:
    return words.astype("<i4").tobytes() + np.ones(len(words), "<u2").tobytes()


def test_a_score_below_the_lowest_one_reaches_a_list_that_takes_any() -> None:
    """The scores of two documents that are far from everything may come out below -1; they count as -1."""
    terms = Terms([_packed(np.arange(60 * i, 60 * i + 60)) for i in range(4)], np.ones(240, np.float32))
    vectors = np.array([[1, 0], [-1, 0], [-1, 0.1], [-0.9, -0.2]], np.float32)
    index = MixedIndex(vectors, ["a", "d", "c", "b"], terms, 0.8, np.full(4, 2**0.5))
    [(rows, scores)] = index.neighbours(np.array([0]), 3)
    assert (rows.tolist(), scores.tolist()) == ([3, 2, 1], [-1.0] * 3)
    lowest = np.array([-1], np.float32)
    [entered] = index.entries(np.array([0]), np.array([1, 2, 3]), lowest, 10)
    assert entered is not None
    assert (entered[0].tolist(), entered[1].tolist()) == ([1, 2, 3], [-1.0] * 3)
    assert index.reached(np.array([1]), np.array([-1, *[np.inf] * 3], np.float32)).tolist() == [0]


def test_rounding_is_bounded_for_long_documents_too() -> None:
    """Thousands of equal summands in float32 are all rounded to the same side."""
    n_words = 8000
    texts = [_packed(np.arange(3 * i, n_words)) for i in range(30)]
    texts += [_packed(np.array([n_words + i])) for i in range(400)]
    vectors = np.random.default_rng(0).normal(size=(len(texts), 8)).astype(np.float32)
    terms = Terms(texts, np.full(n_words + 400, 7.0, np.float32))
    index = MixedIndex(vectors, [f"{i:03}" for i in range(len(texts))], terms, 0.8, np.ones(len(texts)))
    some = (0, 15)
    for row, (rows, scores) in zip(some, index.neighbours(np.array(some), 29), strict=True):
        for other, score in zip(rows.tolist(), scores.tolist(), strict=True):
            limits = np.full(len(texts), np.inf, np.float32)
            limits[other] = score
            assert index.reached(np.array([row]), limits).tolist() == [other]


def test_many_equal_documents_take_little_memory_and_never_long_without_a_heartbeat(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Which of them are neighbours is found by exact scores, and only of those that may be."""
    source, numbers = np.random.default_rng(0), np.arange(20_000)
    texts = [_packed(np.sort(source.choice(numbers, 600, replace=False))) for _ in range(6000)]
    vectors = source.normal(size=(len(texts), 8)).astype(np.float32)
    texts[:50], vectors[:50] = [texts[0]] * 50, vectors[0]
    terms = Terms(texts, np.ones(len(numbers), np.float32))
    index = MixedIndex(vectors, [f"{i:05}" for i in range(len(texts))], terms, 0.8, np.ones(len(texts)))
    next(iter(index.neighbours(np.array([100]), 10)))
    at_once, beats = [0], [0]
    products = shared_terms.Terms._products

    def counted(self: Terms, rows: NDArray[np.int64], others: NDArray[np.int64]) -> object:
        at_once.append(int(self.n_words[others].sum()))
        return products(self, rows, others)

    monkeypatch.setattr(shared_terms.Terms, "_products", counted)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found = list(index.neighbours(np.arange(50), 10, lambda: beats.append(0)))
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024 < 200
    assert found[0][0].tolist() == list(range(1, 11))
    assert max(at_once) < 2 * 2**20
    assert sum(at_once) / len(beats) < 2**20
