"""Exact top k against a plain computation, with ties, few documents and zero vectors."""

import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nlp_tasks.similarity import candidate_search, rough_vectors
from nlp_tasks.similarity.exact_search import Index


def _plain(matrix: np.ndarray, keys: list[str], row: int, k: int) -> list[int]:
    """By definition: all cosines in float64, then sorted by falling score, then by key."""
    unit = matrix.astype(np.float64)
    unit /= np.maximum(np.linalg.norm(unit, axis=1, keepdims=True), 1e-12)
    scores = np.round(unit @ unit[row], 6)
    others = [other for other in range(len(matrix)) if other != row]
    return sorted(others, key=lambda other: (-scores[other], keys[other]))[:k]


#: Copies of the vectors to find candidates with.
ROUGH: tuple[tuple[str, ...], ...] = ((), ("bfloat16",))
#: Products of int8 overflow on processors without VNNI, where they are not used.
if rough_vectors.multiplies_int8():
    ROUGH += (("int8",), ("int8", "bfloat16"))


def _assert_same(one: list, other: list) -> None:
    for (found, scores), (others, other_scores) in zip(one, other, strict=True):
        assert found.tolist() == others.tolist()
        assert scores.tolist() == other_scores.tolist()


@pytest.mark.parametrize("rough", ROUGH)
@pytest.mark.parametrize("n", [9_000, 70_000])
def test_neighbours_are_those_of_a_plain_sort_over_several_tiles_and_spans(
    n: int, rough: tuple[str, ...]
) -> None:
    random = np.random.default_rng(0)
    matrix = random.normal(size=(n, 16)).astype(np.float32)
    keys = [str(number) for number in random.permutation(n)]
    rows = random.choice(n, 60 if n < 10_000 else 5, replace=False)
    found_for = Index(matrix, keys, rough=rough).neighbours(rows, 10)
    for row, (found, scores) in zip(rows, found_for, strict=True):
        assert found.tolist() == _plain(matrix, keys, row, 10)
        assert (np.diff(scores) <= 0).all()


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 60), st.integers(1, 12), st.integers(0, 2**32 - 1))
def test_equal_vectors_are_ordered_by_key(n: int, k: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    few = random.normal(size=(3, 5)).astype(np.float32)
    matrix = few[random.integers(0, 3, n)]  # most documents have equals
    keys = [f"key-{number}" for number in random.permutation(n)]
    for row, (found, _) in enumerate(Index(matrix, keys).neighbours(np.arange(n), k)):
        assert found.tolist() == _plain(matrix, keys, row, k)


@pytest.mark.parametrize("spread", [0.0, 1e-4, 0.02, 0.2])
def test_rounding_loses_no_neighbour_however_close_they_are(spread: float) -> None:
    random = np.random.default_rng(3)
    centres = random.normal(size=(30, 24)).astype(np.float32)
    matrix = np.repeat(centres, 300, axis=0) + spread * random.normal(size=(9_000, 24)).astype(np.float32)
    keys = [str(number) for number in random.permutation(9_000)]
    rows = random.choice(9_000, 100, replace=False)
    exact, *others = (list(Index(matrix, keys, rough=each).neighbours(rows, 10)) for each in ROUGH)
    for found in others:
        _assert_same(exact, found)


def test_more_equal_vectors_than_candidates_are_still_ordered_by_key() -> None:
    n = 3 * rough_vectors.TILE_ROWS + 500
    matrix = np.ones((n, 4), dtype=np.float32)
    keys = [f"{number:06}" for number in np.random.default_rng(1).permutation(n)]
    first = sorted(range(n), key=keys.__getitem__)
    found, _ = next(Index(matrix, keys).neighbours(np.array([first[0]]), 5))
    assert found.tolist() == first[1:6]


def test_the_answer_does_not_depend_on_which_rows_are_asked_together() -> None:
    matrix = np.random.default_rng(2).normal(size=(3000, 32)).astype(np.float32)
    index = Index(matrix, [str(i) for i in range(3000)])
    together = list(index.neighbours(np.arange(700), 10))
    for row in (0, 255, 256, 699):
        found, scores = next(index.neighbours(np.array([row]), 10))
        assert found.tolist() == together[row][0].tolist()
        assert scores.tolist() == together[row][1].tolist()


@pytest.mark.parametrize("n", [1, 2, 3])
def test_few_documents_give_fewer_neighbours(n: int) -> None:
    matrix = np.eye(3, dtype=np.float32)[:n]
    found = list(Index(matrix, ["a", "b", "c"][:n]).neighbours(np.arange(n), 10))
    assert [len(rows) for rows, _ in found] == [n - 1] * n


def test_no_rows_give_no_answers() -> None:
    assert list(Index(np.ones((2, 2), np.float32), ["a", "b"]).neighbours(np.empty(0, np.int64), 3)) == []


def test_a_zero_vector_has_cosine_zero() -> None:
    matrix = np.array([[0, 0], [1, 0], [-1, 0]], dtype=np.float32)
    found, scores = next(Index(matrix, ["a", "b", "c"]).neighbours(np.array([1]), 2))
    assert found.tolist() == [0, 2]
    assert scores.tolist() == [0.0, -1.0]


@pytest.mark.parametrize("rough", ROUGH)
def test_one_large_number_or_none_makes_no_copy_too_rough(rough: tuple[str, ...]) -> None:
    """A vector of one number and a zero vector round in another way than all others."""
    random = np.random.default_rng(4)
    matrix = random.normal(size=(9_001, 24)).astype(np.float32)
    matrix[10:60] = np.eye(24, dtype=np.float32)[np.arange(50) % 24]
    matrix[100:200] = 0
    keys = [str(number) for number in random.permutation(len(matrix))]
    rows = np.concatenate([np.arange(0, 220, 5), [9_000]])
    _assert_same(
        list(Index(matrix, keys, rough=()).neighbours(rows, 10)),
        list(Index(matrix, keys, rough=rough).neighbours(rows, 10)),
    )


@pytest.mark.parametrize("dimensions", [1, 2, 100, 300])
def test_no_true_product_is_above_the_bound_of_a_copy(dimensions: int) -> None:
    random = torch.Generator().manual_seed(5)
    vectors = torch.nn.functional.normalize(torch.randn(1300, dimensions, generator=random), dim=1)
    vectors[::3] = vectors[::3].sign() * (
        vectors[::3].abs() > vectors[::3].abs().amax(dim=1, keepdim=True) / 2
    )
    vectors = torch.nn.functional.normalize(vectors, dim=1)
    queries = torch.arange(0, 1300, 13)
    truth = vectors[queries].double() @ vectors.double().T
    for name in {name for names in ROUGH for name in names}:
        copy = rough_vectors.COPIES[name](vectors)
        groups, maxima, rounding = candidate_search.best_groups(copy, queries, 10**6, lambda: None)
        bounds = (maxima + rounding[:, None]).repeat_interleave(candidate_search.GROUP, dim=1)
        rows = candidate_search.members(groups)
        there = rows < len(vectors)
        places = copy.places(rows.clamp_max(len(vectors) - 1))
        assert (truth.gather(1, places)[there] <= bounds[there]).all()
        assert (maxima[maxima.isfinite()] <= 1.1).all()


def test_int8_is_not_used_where_its_products_overflow() -> None:
    """oneDNN limited to AVX2 stands for a processor without VNNI."""
    script = "from nlp_tasks.similarity.rough_vectors import fast_copies; print(fast_copies())"
    limited = os.environ | {"ONEDNN_MAX_CPU_ISA": "AVX2"}
    found = subprocess.run(
        [sys.executable, "-c", script], env=limited, capture_output=True, text=True, check=True
    )
    assert "int8" not in found.stdout
