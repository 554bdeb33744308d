"""Documents that are near to everything: their scores are scaled down, by what the model stores."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from nlp_tasks.kind import Document, Setup, Vectors
from nlp_tasks.similarity import (
    SIMILARITY,
    TRAIN_SIMILARITY,
    NeighbourRow,
    SimilarityParameters,
    TrainSimilarityParameters,
    VectorRow,
)
from nlp_tasks.similarity import model as models

TOPICS = [[f"t{topic}w{i}" for i in range(12)] for topic in range(8)]


def _text(source: np.random.Generator, topic: int, n: int = 6) -> str:
    return " ".join(source.choice(TOPICS[topic], n))


@pytest.fixture(scope="module")
def model_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, source = tmp_path_factory.mktemp("model"), np.random.default_rng(0)
    texts = [Document(i, str(i), _text(source, i % 8)) for i in range(160)]
    parameters = TrainSimilarityParameters(vector_size=8, epochs=10, min_count=1, sample=0.0)
    assert TRAIN_SIMILARITY.train is not None
    TRAIN_SIMILARITY.train(texts, parameters, "cpu", folder, lambda *_: None)  # type: ignore[arg-type]
    return folder


def _inferred(folder: Path, documents: list[Document]) -> list[VectorRow]:
    found = SIMILARITY.stages[0].open(Setup(SimilarityParameters(), model_dir=folder)).run(documents)
    return [result[0] for result in found]  # type: ignore[index,misc]


def _nearest(folder: Path, documents: list[Document]) -> list[list[NeighbourRow]]:
    rows = _inferred(folder, documents)
    vectors = Vectors(
        np.array([document.id for document in documents]),
        [document.key for document in documents],
        np.stack([np.frombuffer(row.vector, "<f4") for row in rows]),
        [row.terms for row in rows],
        np.array([1.0 if row.scale is None else row.scale for row in rows]),
    )
    parameters = SimilarityParameters(k=5, terms=0)
    runner = SIMILARITY.stages[1].open(Setup(parameters, model_dir=folder, corpus=lambda: vectors))
    return [list(result) for result in runner.run(documents)]  # type: ignore[arg-type]


def test_a_document_near_to_many_has_a_larger_scale_than_one_apart(model_dir: Path) -> None:
    """Distances from it are made longer. The scale depends on the document and the model alone."""
    source = np.random.default_rng(1)
    hub = Document(1, "hub", " ".join(word for topic in TOPICS[:2] for word in topic))
    apart = Document(2, "apart", " ".join(topic[0] for topic in TOPICS))
    alone = [row.scale for row in (*_inferred(model_dir, [hub]), *_inferred(model_dir, [apart]))]
    others = [Document(i, str(i), _text(source, i % 8)) for i in range(3, 20)]
    together = [row.scale for row in _inferred(model_dir, [hub, *others, apart])]
    assert alone[0] is not None
    assert alone[1] is not None
    assert alone[0] > alone[1]
    assert (together[0], together[-1]) == pytest.approx(tuple(alone), abs=1e-5)


def test_texts_that_are_equal_have_the_score_1(model_dir: Path) -> None:
    source = np.random.default_rng(2)
    documents = [Document(i, str(i), _text(source, i % 8)) for i in range(24)]
    documents += [Document(100, "copy", documents[0].text)]
    found = _nearest(model_dir, documents)
    assert (found[0][0].neighbour_id, found[-1][0].neighbour_id) == (100, 0)
    assert found[0][0].score == pytest.approx(1.0, abs=1e-5)
    assert all(-1 <= row.score <= 1 for rows in found for row in rows)


def test_the_references_are_stored_with_the_model_and_a_model_without_scales_nothing(
    model_dir: Path, tmp_path: Path
) -> None:
    model = models.load(model_dir)
    assert model.references is not None
    assert len(model.references.terms) == len(model.references.vectors) == 160
    config, tensors = models.packed(model)
    again = models.unpacked(config, tensors).references
    assert again is not None
    assert (again.terms, again.distance) == (model.references.terms, model.references.distance)

    few = [Document(i, str(i), _text(np.random.default_rng(i), i % 8)) for i in range(20)]
    parameters = TrainSimilarityParameters(vector_size=8, epochs=10, min_count=1, sample=0.0)
    assert TRAIN_SIMILARITY.train is not None
    TRAIN_SIMILARITY.train(few, parameters, "cpu", tmp_path, lambda *_: None)  # type: ignore[arg-type]
    assert models.load(tmp_path).references is None
    assert {row.scale for row in _inferred(tmp_path, few)} == {None}


def test_the_number_of_threads_changes_no_bit_of_a_model(tmp_path: Path) -> None:
    source = np.random.default_rng(3)
    words = np.array([f"w{i}" for i in range(2000)])
    chances = 1 / np.arange(1, 2001)
    chances /= chances.sum()
    texts = [
        Document(i, str(i), " ".join(source.choice(words, source.integers(30, 300), p=chances)))
        for i in range(400)
    ]
    parameters = TrainSimilarityParameters(vector_size=100, epochs=2)
    before = torch.get_num_threads()
    assert TRAIN_SIMILARITY.train is not None
    try:
        for n_threads in (1, 2):
            torch.set_num_threads(n_threads)
            (tmp_path / str(n_threads)).mkdir()
            TRAIN_SIMILARITY.train(texts, parameters, "cpu", tmp_path / str(n_threads), lambda *_: None)  # type: ignore[arg-type]
            assert torch.get_num_threads() == n_threads
    finally:
        torch.set_num_threads(before)
    for file in (tmp_path / "1").iterdir():
        assert file.read_bytes() == (tmp_path / "2" / file.name).read_bytes(), file.name
