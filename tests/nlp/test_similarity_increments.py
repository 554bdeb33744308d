"""Lists that are merged with new documents, against a search of every list; with equal cosines, removed neighbours, and
lists that are not full. Without a store: tests/commands/test_similar_increments.py has whole jobs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nlp_tasks.kind import Earlier
from nlp_tasks.similarity import SimilarityParameters
from nlp_tasks.similarity.exact_search import Index
from nlp_tasks.similarity.increments import Increment

Lists = dict[int, list[tuple[int, float]]]


@dataclass
class Documents:
    """The current documents: ids, ascending, and a key and a vector for each."""

    vectors: dict[int, np.ndarray]
    keys: dict[int, str]

    @property
    def ids(self) -> list[int]:
        return sorted(self.vectors)

    def index(self) -> Index:
        ids = self.ids
        return Index(
            np.array([self.vectors[id_] for id_ in ids], np.float32),
            [self.keys[id_] for id_ in ids],
        )


def full(documents: Documents, wanted: SimilarityParameters) -> Lists:
    """Every list, searched."""
    ids = documents.ids
    found = documents.index().neighbours(np.arange(len(ids)), wanted.k)
    return {
        id_: [
            (ids[other], score)
            for other, score in zip(others.tolist(), scores.tolist(), strict=True)
            if np.float32(score) >= np.float32(wanted.min_score)
        ]
        for id_, (others, scores) in zip(ids, found, strict=True)
    }


def earlier(lists: Lists, own: set[int]) -> Earlier:
    """What a job over the documents `own` is told about the lists of the one before."""
    others = sorted(lists.keys() - own)

    def rows(ids: Sequence[int]) -> Iterator[tuple[int, int, float]]:
        return ((id_, other, score) for id_ in ids for other, score in lists[id_])

    return Earlier(
        set(lists),
        np.array(others, np.int64),
        np.array([len(lists[id_]) for id_ in others], np.int64),
        np.array([min((s for _, s in lists[id_]), default=np.inf) for id_ in others], np.float32),
        lambda ids: (),  # noqa: ARG005
        rows,
    )


def increment(documents: Documents, before: Lists, wanted: SimilarityParameters) -> tuple[Lists, set[int]]:
    """The lists after a job over what is new and what lost a neighbour; and those of them that were searched."""
    ids, index = documents.ids, documents.index()
    now = set(ids)
    own = {id_ for id_ in ids if id_ not in before or any(other not in now for other, _ in before[id_])}
    new = [row for row, id_ in enumerate(ids) if id_ not in before]
    found = Increment(earlier(before, own), ids, [documents.keys[id_] for id_ in ids], wanted)
    written = [row for row, id_ in enumerate(ids) if id_ in own]
    written += found.changed(index, new, lambda: None) if new else []
    merged = found.merged(index, written, lambda: None)
    lists = {id_: before[id_] for id_ in ids if id_ in before}
    everything = full(documents, wanted)
    for row in written:
        lists[ids[row]] = everything[ids[row]]
        if row in merged:
            others, scores = merged[row]
            lists[ids[row]] = [
                (ids[other], score) for other, score in zip(others.tolist(), scores.tolist(), strict=True)
            ]
    return lists, {ids[row] for row in written if row not in merged}


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    k=st.sampled_from([1, 2, 5, 40]),
    min_score=st.sampled_from([-1.0, 0.2, 0.9]),
    n_texts=st.sampled_from([3, 12, 1000]),
)
def test_after_any_nights_the_lists_are_those_of_a_search(
    seed: int, k: int, min_score: float, n_texts: int
) -> None:
    """With few different texts most cosines are equal, and the order of the keys decides."""
    source = np.random.default_rng(seed)
    texts = source.normal(size=(n_texts, 4)).astype(np.float32)
    wanted = SimilarityParameters(k=k, min_score=min_score)
    documents, numbers = Documents({}, {}), iter(range(1000))

    def change(n_new: int, n_changed: int, n_gone: int) -> None:
        keys = {key: id_ for id_, key in documents.keys.items()}
        known = list(source.permutation(sorted(keys)))
        for key in known[: n_changed + n_gone]:
            del documents.vectors[keys[key]], documents.keys[keys[key]]
        for key in [*known[:n_changed], *(f"{source.integers(10**6)}" for _ in range(n_new))]:
            id_ = next(numbers)
            documents.vectors[id_] = texts[source.integers(n_texts)]
            documents.keys[id_] = str(key) if key not in documents.keys.values() else f"{key}-{id_}"

    change(30, 0, 0)
    lists = full(documents, wanted)
    for _ in range(3):
        change(*(int(source.integers(0, 5)) for _ in range(3)))
        lists, _ = increment(documents, lists, wanted)
        assert lists == full(documents, wanted)


def _spread(n: int, source: np.random.Generator) -> Documents:
    vectors = source.normal(size=(n, 8)).astype(np.float32)
    return Documents(dict(enumerate(vectors)), {id_: f"{id_:04}" for id_ in range(n)})


def test_a_list_that_a_new_document_enters_is_not_searched() -> None:
    documents = _spread(300, np.random.default_rng(1))
    wanted = SimilarityParameters(k=5)
    lists = full(documents, wanted)
    for id_ in (300, 301, 302):
        documents.vectors[id_] = documents.vectors[id_ - 300] * np.float32(1.01)
        documents.keys[id_] = f"{id_:04}"

    after, searched = increment(documents, lists, wanted)

    assert searched == {300, 301, 302}
    assert sum(after[id_] != lists[id_] for id_ in lists) > 3
    assert after == full(documents, wanted)


def test_a_list_whose_neighbour_was_edited_is_not_searched_if_it_is_as_near_as_before() -> None:
    documents = _spread(300, np.random.default_rng(2))
    wanted = SimilarityParameters(k=5)
    lists = full(documents, wanted)
    nearest = lists[0][0][0]
    vector, key = documents.vectors.pop(nearest), documents.keys.pop(nearest)
    documents.vectors[300], documents.keys[300] = vector * np.float32(1.5), key
    lost = {id_ for id_, rows in lists.items() if any(other == nearest for other, _ in rows)}

    after, searched = increment(documents, lists, wanted)

    assert 0 in lost
    assert 0 not in searched
    assert after == full(documents, wanted)


def test_a_list_that_lost_a_neighbour_is_searched() -> None:
    documents = _spread(300, np.random.default_rng(3))
    wanted = SimilarityParameters(k=5)
    lists = full(documents, wanted)
    del documents.vectors[lists[0][0][0]], documents.keys[lists[0][0][0]]
    documents.vectors[300], documents.keys[300] = -documents.vectors[0], "0300"

    after, searched = increment(documents, lists, wanted)

    assert 0 in searched
    assert after == full(documents, wanted)


def test_a_job_over_all_documents_searches_every_list() -> None:
    documents = _spread(50, np.random.default_rng(4))
    wanted = SimilarityParameters(k=5)
    before = earlier(full(documents, wanted), set(documents.ids))
    found = Increment(before, documents.ids, list(documents.keys.values()), wanted)
    assert found.merged(documents.index(), range(50), lambda: None) == {}


@pytest.mark.parametrize("n_new", [3, 400])
def test_a_list_that_many_new_documents_enter_is_searched(n_new: int) -> None:
    """Memory is bounded, however many there are."""
    documents = _spread(50, np.random.default_rng(5))
    wanted = SimilarityParameters(k=5)
    lists = full(documents, wanted)
    for id_ in range(50, 50 + n_new):
        documents.vectors[id_], documents.keys[id_] = documents.vectors[0], f"{id_:04}"

    after, searched = increment(documents, lists, wanted)

    assert (0 in searched) == (n_new == 400)
    assert after == full(documents, wanted)


def test_a_list_whose_rows_of_a_removed_document_are_gone_is_searched() -> None:
    """A removal deletes the rows that name the document: nothing on the list tells that one is missing."""
    documents = _spread(100, np.random.default_rng(3))
    wanted = SimilarityParameters(k=3)
    lists = full(documents, wanted)
    del documents.vectors[7], documents.keys[7], lists[7]
    swept = {id_: [row for row in rows if row[0] != 7] for id_, rows in lists.items()}
    assert swept != lists
    documents.vectors[100], documents.keys[100] = -documents.vectors[0], "0100"

    found, _ = increment(documents, swept, wanted)

    assert found == full(documents, wanted)
