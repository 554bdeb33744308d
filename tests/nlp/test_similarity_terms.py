"""Term vectors against a plain computation, and what a search says about neighbours: Korean and English words."""

from __future__ import annotations

import math

import numpy as np
import pytest

from nlp_tasks.kind import Document, Setup, Vectors
from nlp_tasks.similarity import (
    SIMILARITY,
    TRAIN_SIMILARITY,
    NeighbourRow,
    NeighbourTermRow,
    SimilarityParameters,
    TrainSimilarityParameters,
    VectorRow,
)
from nlp_tasks.similarity.shared_terms import COUNT_POWER, Terms, idf, packed
from nlp_tasks.similarity.word_counts import count

WORDS = ["비", "바다", "sea", "rain", "wind"]
DOCUMENT_COUNTS = np.array([9, 2, 4, 1, 3])
N_DOCUMENTS = 10
DOCUMENTS = [["비", "비", "sea"], ["sea", "sea", "wind", "비"], [], ["rain"], ["비", "비", "sea"]]


def _terms() -> Terms:
    counted = count(DOCUMENTS, {word: number for number, word in enumerate(WORDS)})
    return Terms(packed(counted), idf(DOCUMENT_COUNTS, N_DOCUMENTS))


def _plain(document: list[str]) -> dict[str, float]:
    """By definition."""
    weights = {
        word: document.count(word) ** COUNT_POWER
        * (math.log((1 + N_DOCUMENTS) / (1 + DOCUMENT_COUNTS[WORDS.index(word)])) + 1)
        for word in document
    }
    norm = math.sqrt(sum(weight**2 for weight in weights.values()))
    return {word: weight / norm for word, weight in weights.items()}


def test_cosines_are_those_of_a_plain_computation() -> None:
    terms = _terms()
    for row, document in enumerate(DOCUMENTS):
        others = np.array([other for other in range(len(DOCUMENTS)) if other != row])
        expected = [
            sum(_plain(document).get(word, 0) * weight for word, weight in _plain(DOCUMENTS[other]).items())
            for other in others
        ]
        np.testing.assert_allclose(terms.cosines(np.array([row]), others[None])[0], expected, atol=1e-6)


def test_shared_words_come_heaviest_first_and_add_up_to_the_cosine() -> None:
    terms = _terms()
    others = np.array([1, 2, 3, 4])
    shared = terms.shared(np.zeros(len(others), np.int64), others, 10)
    assert [[WORDS[number] for number, _ in each] for each in shared] == [
        ["sea", "비"],
        [],
        [],
        ["sea", "비"],
    ]
    sums = [sum(weight for _, weight in each) for each in shared]
    np.testing.assert_allclose(sums, terms.cosines(np.zeros(1, np.int64), others[None])[0], atol=1e-6)
    assert [each[:1] for each in shared] == terms.shared(np.zeros(len(others), np.int64), others, 1)


def test_counts_past_the_largest_that_is_stored_stop_there() -> None:
    counted = count([["비"] * 70_000], {"비": 0})
    assert len(packed(counted)[0]) == 6
    one = np.zeros(1, np.int64)
    assert Terms(packed(counted), np.ones(1, np.float32)).cosines(one, one[None]) == pytest.approx(1.0)


TEXTS = [
    "해군 함대가 태평양에서 훈련을 했다",
    "태평양에서 해군의 함대 훈련이 끝났다",
    "the central bank raised interest rates again",
    "interest rates were raised by the bank",
    "가을 하늘이 맑고 바람이 불었다",
    "농부가 벼를 수확했다 the harvest was good",
]


@pytest.fixture(scope="module")
def search_of(tmp_path_factory: pytest.TempPathFactory):  # type: ignore[no-untyped-def]
    """A search over the texts with some parameters: rows by key."""
    folder = tmp_path_factory.mktemp("model")
    documents = [Document(i, str(i), text) for i, text in enumerate(TEXTS)]
    parameters = TrainSimilarityParameters(vector_size=8, epochs=20, min_count=1, sample=0.0)
    assert TRAIN_SIMILARITY.train is not None
    TRAIN_SIMILARITY.train(documents, parameters, "cpu", folder, lambda *_: None)  # type: ignore[arg-type]
    infer = SIMILARITY.stages[0].open(Setup(SimilarityParameters(), model_dir=folder))
    rows: list[VectorRow] = [result[0] for result in infer.run(documents)]  # type: ignore[index,misc]

    def search(**wanted: object) -> list[list[object]]:
        chosen = SimilarityParameters(**wanted)  # type: ignore[arg-type]
        matrix = np.stack([np.frombuffer(row.vector, "<f4") for row in rows])
        vectors = Vectors(
            np.arange(len(rows)),
            [d.key for d in documents],
            matrix,
            [row.terms for row in rows] if chosen.needs_terms else (),
        )
        runner = SIMILARITY.stages[1].open(Setup(chosen, model_dir=folder, corpus=lambda: vectors))
        return [list(result) for result in runner.run(documents)]  # type: ignore[arg-type]

    return search


def test_hybrid_puts_first_what_shares_the_rare_words(search_of) -> None:  # type: ignore[no-untyped-def]
    nearest = [found[0].neighbour_id for found in search_of(method="hybrid", k=2)]
    assert nearest[:4] == [1, 0, 3, 2]


def test_neighbours_come_with_the_words_of_both_languages_that_they_share(search_of) -> None:  # type: ignore[no-untyped-def]
    found = search_of(method="hybrid", k=1, terms=3)
    words = [{row.term for row in rows if isinstance(row, NeighbourTermRow)} for rows in found]
    assert words[0] <= {"해군", "함대", "태평양", "훈련"}
    assert len(words[0]) == 3
    assert words[2] <= {"bank", "raised", "interest", "rates", "the"}
    for rows in found:
        evidence = [row for row in rows if isinstance(row, NeighbourTermRow)]
        assert [row.rank for row in evidence] == list(range(1, len(evidence) + 1))
        assert {row.neighbour_rank for row in evidence} <= {1}
        weights = [row.weight for row in evidence]
        assert weights == sorted(weights, reverse=True)


def test_no_words_are_told_or_read_when_none_are_asked_for(search_of) -> None:  # type: ignore[no-untyped-def]
    assert not SimilarityParameters(method="doc2vec", terms=0).needs_terms
    for method in ("doc2vec", "hybrid"):
        found = search_of(method=method, terms=0)
        assert {type(row) for rows in found for row in rows} == {NeighbourRow}
