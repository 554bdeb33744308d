"""Exact top k against a plain computation, with ties, few documents and zero vectors."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nlp_tasks.similarity import candidate_search
from nlp_tasks.similarity.exact_search import Index


def _plain(matrix: np.ndarray, keys: list[str], row: int, k: int) -> list[int]:
    """By definition: all cosines in float64, then sorted by falling score, then by key."""
    unit = matrix.astype(np.float64)
    unit /= np.maximum(np.linalg.norm(unit, axis=1, keepdims=True), 1e-12)
    scores = np.round(unit @ unit[row], 6)
    others = [other for other in range(len(matrix)) if other != row]
    return sorted(others, key=lambda other: (-scores[other], keys[other]))[:k]


@pytest.mark.parametrize("rough", [False, True])
@pytest.mark.parametrize("n", [9_000, 70_000])
def test_neighbours_are_those_of_a_plain_sort_over_several_tiles_and_spans(n: int, rough: bool) -> None:
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
def test_bfloat16_loses_no_neighbour_however_close_they_are(spread: float) -> None:
    random = np.random.default_rng(3)
    centres = random.normal(size=(30, 24)).astype(np.float32)
    matrix = np.repeat(centres, 300, axis=0) + spread * random.normal(size=(9_000, 24)).astype(np.float32)
    keys = [str(number) for number in random.permutation(9_000)]
    rows = random.choice(9_000, 100, replace=False)
    exact, rough = (list(Index(matrix, keys, rough=each).neighbours(rows, 10)) for each in (False, True))
    for (found, scores), (other, other_scores) in zip(exact, rough, strict=True):
        assert found.tolist() == other.tolist()
        assert scores.tolist() == other_scores.tolist()


def test_more_equal_vectors_than_candidates_are_still_ordered_by_key() -> None:
    n = 3 * candidate_search.TILE_ROWS + 500
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
