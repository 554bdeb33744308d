"""Lists that are merged with new documents, against a search of every list; with equal cosines, removed neighbours, and
lists that are not full. Without a store: tests/commands/test_similar_increments.py has whole jobs."""

from __future__ import annotations

import resource
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nlp_tasks.kind import Earlier
from nlp_tasks.similarity import NeighbourListRow, SimilarityParameters, exact_search, increments
from nlp_tasks.similarity.exact_search import Index
from nlp_tasks.similarity.increments import Increment, searched, size_with_spares
from nlp_tasks.similarity.mixed_search import MixedIndex
from nlp_tasks.similarity.shared_terms import Terms

Lists = dict[int, list[tuple[int, float]]]


@dataclass
class Documents:
    """The current documents: ids, ascending, and a key and a vector for each."""

    vectors: dict[int, np.ndarray]
    keys: dict[int, str]
    #: Whether they are compared by words as well.
    have_words: bool = False

    @property
    def ids(self) -> list[int]:
        return sorted(self.vectors)

    def index(self) -> Index:
        matrix = np.array([self.vectors[id_] for id_ in self.ids], np.float32)
        keys = [self.keys[id_] for id_ in self.ids]
        if not self.have_words:
            return Index(matrix, keys)
        # Some words of twelve, the same for the same vector.
        words = [np.flatnonzero(np.sin(np.outer(np.arange(1, 13), row)).sum(axis=1) > 0) for row in matrix]
        packed = [each.astype("<i4").tobytes() + (each + 1).astype("<u2").tobytes() for each in words]
        terms = Terms(packed, np.linspace(1, 3, 12, dtype=np.float32))
        return MixedIndex(matrix, keys, terms, 0.6, 1 + np.cos(matrix[:, 0].astype(np.float64)) / 4)


@dataclass
class Stored:
    """What earlier jobs have stored, as the database has it."""

    wanted: SimilarityParameters
    #: By document: the job of the newest list, and its row.
    rows: dict[int, tuple[int, NeighbourListRow]] = field(default_factory=dict)
    #: The job of each document's first result.
    since: dict[int, int] = field(default_factory=dict)
    n_jobs: int = 0

    def lists(self, documents: Documents) -> Lists:
        """What people see."""
        found = {}
        for id_ in documents.ids:
            stored = self.rows[id_][1].stored
            n = len(stored) // 12
            ids, scores = np.frombuffer(stored, "<i8", n), np.frombuffer(stored, "<f4", n, 8 * n)
            found[id_] = list(zip(ids.tolist(), scores.tolist(), strict=True))[: self.wanted.k]
        return found

    def earlier(self, own: set[int]) -> Earlier:
        """What a job over the documents `own` is told."""
        known, others = sorted(self.since), sorted(self.rows.keys() - own)
        return Earlier(
            np.array(known, np.int64),
            np.array([self.since[id_] for id_ in known], np.int64),
            np.array(others, np.int64),
            np.array([self.rows[id_][1].least for id_ in others], np.float32),
            lambda ids: (),  # noqa: ARG005
            lambda ids: ((id_, *self.rows[id_]) for id_ in ids if id_ in self.rows),
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


def job(documents: Documents, stored: Stored, own: set[int] | None = None) -> set[int]:
    """Run a job over what is new and what lost a neighbour, or over these documents; which lists were searched."""
    ids, index, wanted = documents.ids, documents.index(), stored.wanted
    now = set(ids)
    if own is None:
        before = stored.lists(Documents(dict.fromkeys(now & stored.rows.keys()), {}))  # type: ignore[arg-type]
        own = {id_ for id_ in ids if id_ not in before or any(other not in now for other, _ in before[id_])}
    found = Increment(stored.earlier(own), ids, [documents.keys[id_] for id_ in ids], wanted)
    new = [row for row, id_ in enumerate(ids) if id_ in own and found.is_new(row)]
    written = [row for row, id_ in enumerate(ids) if id_ in own]
    written += found.changed(index, new, lambda: None) if new else []
    known = found.merged(index, written, lambda: None)
    unknown = [row for row in written if row not in known]
    near = index.neighbours(np.array(unknown, np.int64), size_with_spares(wanted.k))
    known |= {row: searched(each, wanted) for row, each in zip(unknown, near, strict=True)}
    stored.n_jobs += 1
    for row in written:
        stored.rows[ids[row]] = (stored.n_jobs, found.row(known[row]))
    for id_ in own:
        stored.since.setdefault(id_, stored.n_jobs)
    return {ids[row] for row in unknown}


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    k=st.sampled_from([1, 2, 5, 40]),
    min_score=st.sampled_from([-1.0, 0.2, 0.9]),
    n_texts=st.sampled_from([3, 12, 1000]),
    n_nights=st.integers(1, 6),
    have_words=st.booleans(),
)
def test_after_any_nights_the_lists_are_those_of_a_search(
    seed: int, k: int, min_score: float, n_texts: int, n_nights: int, have_words: bool
) -> None:
    """With few different texts most cosines are equal, and the order of the keys decides."""
    source = np.random.default_rng(seed)
    texts = source.normal(size=(n_texts, 4)).astype(np.float32)
    wanted = SimilarityParameters(k=k, min_score=min_score)
    documents, numbers = Documents({}, {}, have_words), iter(range(1000))

    def change(n_new: int, n_changed: int, n_gone: int) -> None:
        keys = {key: id_ for id_, key in documents.keys.items()}
        known = list(source.permutation(sorted(keys)))
        for key in known[: n_changed + n_gone]:
            del documents.vectors[keys[key]], documents.keys[keys[key]]
        for key in [*known[:n_changed], *(f"{source.integers(10**6)}" for _ in range(n_new))]:
            id_ = next(numbers)
            documents.vectors[id_] = texts[source.integers(n_texts)]
            documents.keys[id_] = str(key) if key not in documents.keys.values() else f"{key}-{id_}"

    stored = Stored(wanted)
    change(30, 0, 0)
    job(documents, stored)
    assert stored.lists(documents) == full(documents, wanted)
    for _ in range(n_nights):
        change(*(int(source.integers(0, 5)) for _ in range(3)))
        if source.random() < 0.2:
            # Some documents again, and not the new ones.
            some = source.choice(documents.ids, 2, replace=False).tolist()
            job(documents, stored, {id_ for id_ in some if id_ in stored.rows})
        job(documents, stored)
        assert stored.lists(documents) == full(documents, wanted)


def _spread(n: int, source: np.random.Generator) -> Documents:
    vectors = source.normal(size=(n, 8)).astype(np.float32)
    return Documents(dict(enumerate(vectors)), {id_: f"{id_:04}" for id_ in range(n)})


def _first_job(documents: Documents, k: int) -> Stored:
    stored = Stored(SimilarityParameters(k=k))
    job(documents, stored)
    return stored


def test_a_list_that_a_new_document_enters_is_not_searched() -> None:
    documents = _spread(300, np.random.default_rng(1))
    stored = _first_job(documents, 5)
    lists = stored.lists(documents)
    for id_ in (300, 301, 302):
        documents.vectors[id_] = documents.vectors[id_ - 300] * np.float32(1.01)
        documents.keys[id_] = f"{id_:04}"

    searched_again = job(documents, stored)

    assert searched_again == {300, 301, 302}
    after = stored.lists(documents)
    assert sum(after[id_] != lists[id_] for id_ in lists) > 3
    assert after == full(documents, stored.wanted)


def test_a_list_that_lost_neighbours_is_filled_from_its_spare_ones() -> None:
    """As long as there are any: night after night, also with documents that came in between."""
    source = np.random.default_rng(3)
    documents = _spread(300, source)
    stored = _first_job(documents, 5)
    n_searched = 0
    for night in range(5):
        gone = stored.lists(documents)[0][0][0]
        del documents.vectors[gone], documents.keys[gone]
        # Between the last neighbour and the last spare one of many lists.
        documents.vectors[300 + night] = source.normal(size=8).astype(np.float32)
        documents.keys[300 + night] = f"{300 + night:04}"
        n_searched += 0 in job(documents, stored)
        assert stored.lists(documents) == full(documents, stored.wanted)
    assert n_searched == 0

    for gone, _ in stored.lists(documents)[0]:
        del documents.vectors[gone], documents.keys[gone]
    assert 0 in job(documents, stored)
    assert stored.lists(documents) == full(documents, stored.wanted)


def test_a_new_document_as_near_as_what_was_left_out_is_not_sure_of_its_place() -> None:
    """Of equal scores the order of the keys decides, and those of what was left out are not stored."""
    far, near, other = np.eye(3, 4, dtype=np.float32)
    vectors = {0: far} | dict.fromkeys(range(1, 8), near) | {9: other, 10: other}
    documents = Documents(vectors, {id_: f"{id_:04}" for id_ in vectors})
    stored = _first_job(documents, 1)
    for gone in range(1, 6):
        del documents.vectors[gone], documents.keys[gone]
    documents.vectors[8], documents.keys[8] = near, "0008"
    assert not job(documents, stored) >= {9, 10}
    assert stored.lists(documents)[0] == [(6, 0.0)]
    assert stored.lists(documents) == full(documents, stored.wanted)


def test_what_was_cut_off_a_full_list_is_not_forgotten() -> None:
    """Near documents come and push spare ones out of what is stored; they go, and others come, farther than those."""
    source = np.random.default_rng(6)
    documents = _spread(300, source)
    stored = _first_job(documents, 5)
    center = documents.vectors[0] / np.linalg.norm(documents.vectors[0])
    scores = [score for _, score in full(documents, replace(stored.wanted, k=9))[0]]

    def add(first: int, n: int, cosine: float) -> None:
        for id_ in range(first, first + n):
            other = source.normal(size=8)
            other -= (other @ center) * center
            other /= np.linalg.norm(other)
            documents.vectors[id_] = (cosine * center + (1 - cosine**2) ** 0.5 * other).astype(np.float32)
            documents.keys[id_] = f"{id_:04}"

    add(400, 8, 0.999)
    assert 0 not in job(documents, stored)
    for gone in range(400, 408):
        del documents.vectors[gone], documents.keys[gone]
    add(500, 4, (scores[6] + scores[7]) / 2)
    job(documents, stored)
    assert stored.lists(documents)[0] == full(documents, stored.wanted)[0]
    assert stored.lists(documents) == full(documents, stored.wanted)


def test_a_list_that_is_short_is_searched_again_only_if_it_left_something_out() -> None:
    """A removal deletes the rows that name the document; what is stored of the list still tells."""
    documents = _spread(60, np.random.default_rng(3))
    stored = Stored(SimilarityParameters(k=20, min_score=0.5))
    job(documents, stored)
    gone = stored.lists(documents)[0][0][0]
    del documents.vectors[gone], documents.keys[gone]
    documents.vectors[60], documents.keys[60] = -documents.vectors[0], "0060"
    assert job(documents, stored) == {60}
    assert stored.lists(documents) == full(documents, stored.wanted)


def test_spare_neighbours_last_as_long_as_documents_come_as_they_go() -> None:
    """1 % of the documents are edited each night: next to no list is searched again."""
    source = np.random.default_rng(4)
    documents = _spread(300, source)
    stored = _first_job(documents, 8)
    n_searched = n_written = 0
    for night in range(12):
        for gone in source.choice(documents.ids, 3, replace=False).tolist():
            id_ = 1000 + 10 * night + len(documents.ids)
            documents.vectors[id_] = source.normal(size=8).astype(np.float32)
            documents.keys[id_] = documents.keys.pop(gone)
            del documents.vectors[gone]
        n_searched += len(job(documents, stored)) - 3
        n_written += sum(made_by == stored.n_jobs for made_by, _ in stored.rows.values())
    assert stored.lists(documents) == full(documents, stored.wanted)
    assert n_written > 200
    assert n_searched < n_written / 20


def test_a_job_over_all_documents_searches_every_list() -> None:
    documents = _spread(50, np.random.default_rng(4))
    stored = _first_job(documents, 5)
    assert job(documents, stored, set(documents.ids)) == set(documents.ids)


@pytest.mark.parametrize("n_new", [3, 40])
def test_a_list_that_many_new_documents_enter_is_searched(
    n_new: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Memory is bounded, however many there are: they are compared some at a time."""
    monkeypatch.setattr(exact_search, "FULL_ROWS", 16)
    monkeypatch.setattr(increments, "CROWD", 20)
    documents = _spread(300, np.random.default_rng(5))
    stored = _first_job(documents, 5)
    for id_ in range(300, 300 + n_new):
        documents.vectors[id_], documents.keys[id_] = documents.vectors[0], f"{id_:04}"

    assert (0 in job(documents, stored)) == (n_new > 20)

    assert stored.lists(documents) == full(documents, stored.wanted)


def test_memory_does_not_grow_with_the_number_of_new_documents() -> None:
    """All of their products with these lists would take 480 MB."""
    vectors = np.random.default_rng(6).normal(size=(34_096, 8)).astype(np.float32)
    index = Index(vectors, [f"{i:06}" for i in range(len(vectors))])
    limits = np.full(4_096, 0.93, np.float32)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found = list(index.entries(np.arange(4_096), np.arange(4_096, 34_096), limits, 1_000))
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024 < 250
    for row in (0, 4_095):
        [(rows, scores)] = index.neighbours(np.array([row]), 200)
        near = zip(rows.tolist(), scores.tolist(), strict=True)
        wanted = {(other, score) for other, score in near if score >= np.float32(0.93) and other >= 4_096}
        entered = found[row]
        assert entered is not None
        assert wanted
        assert set(zip(entered[0].tolist(), entered[1].tolist(), strict=True)) == wanted
