"""A search by an index: exact in what it reads, reads little, finds the wanted share, and can be repeated."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from nlp_tasks.similarity import SimilarityParameters, inverted_lists, search_recall
from nlp_tasks.similarity.exact_search import Index
from nlp_tasks.similarity.inverted_lists import InvertedIndex


@pytest.fixture
def _one_thread() -> Iterator[None]:
    n = torch.get_num_threads()
    yield
    torch.set_num_threads(n)


def _clustered(n: int, size: int = 16) -> tuple[NDArray[np.float32], list[str]]:
    random = np.random.default_rng(0)
    centres = random.normal(size=(n // 50, size))
    matrix = centres[random.integers(0, len(centres), n)] + 0.4 * random.normal(size=(n, size))
    return matrix.astype(np.float32), [f"{number:06}" for number in random.permutation(n)]


def _indexed(matrix: NDArray[np.float32], keys: list[str], recall: float) -> InvertedIndex:
    return InvertedIndex(matrix, np.zeros(matrix.shape[1], np.float32), keys, recall)


def _found(index: Index, rows: NDArray[np.int64], k: int = 10) -> list[tuple[list[int], list[float]]]:
    return [(found.tolist(), scores.tolist()) for found, scores in index.neighbours(rows, k)]


def test_it_finds_the_wanted_share_of_the_nearest_and_reads_few_lists() -> None:
    matrix, keys = _clustered(6000)
    index = _indexed(matrix, keys, 0.9)
    assert index.n_probed < index.n_lists / 4
    rows = np.array(sorted(index.measured))
    assert len(rows) == inverted_lists.LEARNED_FROM
    exact = [set(found.tolist()) for found, _ in Index(matrix, keys).neighbours(rows, 10)]
    shares = [len(exact[i].intersection(found)) / 10 for i, (found, _) in enumerate(_found(index, rows))]
    assert np.mean(shares) >= 0.9


def test_it_finds_the_wanted_share_of_many_neighbours() -> None:
    matrix, keys = _clustered(3000)
    index = InvertedIndex(matrix, np.zeros(matrix.shape[1], np.float32), keys, 0.9, k=100)
    rows = np.array(sorted(index.measured))
    exact = [set(found.tolist()) for found, _ in Index(matrix, keys).neighbours(rows, 100)]
    found = _found(index, rows, 100)
    assert np.mean([len(exact[i].intersection(one)) / 100 for i, (one, _) in enumerate(found)]) >= 0.89
    assert index.n_probed < index.n_lists


def test_some_documents_none_of_which_is_in_the_sample_have_lists() -> None:
    matrix, keys = _clustered(6000)
    index = _indexed(matrix, keys, 0.9)
    rows = [row for row in range(600) if row not in index.measured][:256]
    lists = [*index.neighbours(np.array(rows), 10)]
    assert search_recall.measured(index, rows, lists, SimilarityParameters(), lambda: None) == {}


def test_few_candidates_are_kept_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    matrix, keys = _clustered(1000)
    index = _indexed(matrix, keys, 0.9)
    together = _found(index, np.arange(40))
    kept: list[int] = []
    in_lists = InvertedIndex._candidates

    def counted(self: InvertedIndex, queries: torch.Tensor, probed: torch.Tensor, n: int, *rest: Any) -> Any:
        kept.append(probed.numel() * n)
        return in_lists(self, queries, probed, n, *rest)

    monkeypatch.setattr(InvertedIndex, "_candidates", counted)
    monkeypatch.setattr(inverted_lists, "CANDIDATES_TOGETHER", 1000)
    assert _found(index, np.arange(40)) == together
    assert max(kept) <= 1000 + index.n_probed * (10 + 1 + 4)


@pytest.mark.parametrize("kinds", [3, 40, 5000])
def test_reading_all_lists_finds_what_an_exact_search_finds(kinds: int) -> None:
    """Ties, in the order of keys, and zero vectors included."""
    random = np.random.default_rng(kinds)
    few = random.normal(size=(kinds, 8)).astype(np.float32)
    few[0] = 0
    matrix = few[random.integers(0, kinds, 2000)]
    keys = [f"key-{number}" for number in random.permutation(2000)]
    index = _indexed(matrix, keys, 1.0)
    assert index.n_probed == index.n_lists
    rows = random.choice(2000, 60, replace=False)
    exact = [found.tolist() for found, _ in Index(matrix, keys).neighbours(rows, 7)]
    assert [found for found, _ in _found(index, rows, 7)] == exact
    assert [found.tolist() for found, _ in index.exact_neighbours(rows, 7)] == exact


@pytest.mark.usefixtures("_one_thread")
def test_neither_threads_nor_the_batch_nor_the_order_of_rows_changes_a_bit() -> None:
    matrix, keys = _clustered(5000)
    rows = np.arange(0, 5000, 71)
    torch.set_num_threads(2)
    index = _indexed(matrix, keys, 0.8)
    together = _found(index, rows)
    torch.set_num_threads(1)
    assert [_found(index, rows[i : i + 1])[0] for i in range(len(rows))] == together
    order = np.random.default_rng(1).permutation(5000)
    other = _indexed(matrix[order], [keys[row] for row in order], 0.8)
    assert (other.n_lists, other.n_probed) == (index.n_lists, index.n_probed)
    moved = _found(other, np.argsort(order)[rows])
    assert [([int(order[row]) for row in found], scores) for found, scores in moved] == together


def test_lists_with_fewer_vectors_than_wanted_are_filled_by_an_exact_search() -> None:
    matrix, keys = _clustered(400)
    index = _indexed(matrix, keys, 0.5)
    assert index.n_probed < index.n_lists
    assert _found(index, np.arange(5), 399) == _found(_indexed(matrix, keys, 1.0), np.arange(5), 399)


def test_a_list_of_more_equal_vectors_than_are_read_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inverted_lists, "ROWS_TOGETHER", 256)
    matrix, keys = _clustered(2000, 8)
    matrix[300:1300] = matrix[300]
    index = _indexed(matrix, keys, 1.0)
    exact = [found.tolist() for found, _ in Index(matrix, keys).neighbours(np.arange(290, 320), 10)]
    assert [found for found, _ in _found(index, np.arange(290, 320))] == exact
