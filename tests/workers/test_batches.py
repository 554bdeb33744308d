"""Documents into batches, and the search for the one that raises."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nlp_tasks.kind import Document
from workers.running.batches import by_length, halving


def _documents(*lengths: int) -> list[Document]:
    return [Document(i, f"k{i}", "x" * length) for i, length in enumerate(lengths)]


@given(
    lengths=st.lists(st.integers(0, 50), max_size=60),
    max_documents=st.integers(1, 10),
    max_chars=st.integers(1, 200),
)
def test_every_document_is_in_one_batch_within_the_limits(
    lengths: list[int], max_documents: int, max_chars: int
) -> None:
    batches = by_length(_documents(*lengths), max_documents, max_chars)
    assert sorted(document.id for batch in batches for document in batch) == list(range(len(lengths)))
    for batch in batches:
        assert 1 <= len(batch) <= max_documents
        longest = max(len(document.text) for document in batch)
        assert len(batch) == 1 or longest * len(batch) <= max_chars


def test_the_longest_come_first_so_that_memory_peaks_at_the_start() -> None:
    batches = by_length(_documents(1, 9, 5), 1, 100)
    assert [len(batch[0].text) for batch in batches] == [9, 5, 1]


def _blame(document: Document, error: Exception) -> str:
    return f"{document.key}: {error}"


def _runs(bad: set[int], seen: list[int]):  # type: ignore[no-untyped-def]
    def run(batch: Sequence[Document]) -> list[str]:
        seen.append(len(batch))
        if found := [document.id for document in batch if document.id in bad]:
            raise ValueError(f"cannot read {found[0]}")
        return [document.key for document in batch]

    return run


@given(bad=st.sets(st.integers(0, 15)))
def test_only_the_documents_that_raise_are_blamed_and_the_order_is_kept(bad: set[int]) -> None:
    results = halving(_runs(bad, []), _documents(*[1] * 16), _blame, lambda _: False)
    assert results == [f"k{i}: cannot read {i}" if i in bad else f"k{i}" for i in range(16)]


def test_one_bad_document_costs_few_runs() -> None:
    seen: list[int] = []
    halving(_runs({5}, seen), _documents(*[1] * 256), _blame, lambda _: False)
    assert len(seen) <= 2 * 8 + 1


def test_an_error_that_is_not_the_documents_blames_none() -> None:
    with pytest.raises(ValueError, match="cannot read 3"):
        halving(_runs({3}, []), _documents(*[1] * 8), _blame, lambda error: isinstance(error, ValueError))


def test_a_runner_that_returns_too_few_results_is_found_out() -> None:
    results = halving(lambda batch: ["one"] * (len(batch) - 1), _documents(1, 1), _blame, lambda _: False)
    assert all("returned 0 results for 1 documents" in result for result in results)
