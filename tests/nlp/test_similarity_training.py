"""Training in torch: it follows gensim's descent in expectation, and depends neither on threads nor on blocks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from nlp_tasks.kind import Document
from nlp_tasks.similarity import TRAIN_SIMILARITY, TrainSimilarityParameters, sides, sparse_rows
from nlp_tasks.similarity import model as models
from nlp_tasks.similarity.corpus import Corpus, read
from nlp_tasks.similarity.inference import DbowInference, keep_chances
from nlp_tasks.similarity.noise_sample import probabilities
from nlp_tasks.similarity.trainer import first_vectors, fit

SMALL = TrainSimilarityParameters(trainer="torch", vector_size=16, epochs=40, min_count=1, sample=0.0)
N_TOPICS = 4


class Texts(list[Document]):
    """Documents that can be counted and read again."""


def made(n_documents: int = 40, n_words: int = 25) -> Texts:
    """Documents on one topic each, with words of any topic between."""
    random = np.random.default_rng(7)
    texts = Texts()
    for i in range(n_documents):
        own = [f"t{i % N_TOPICS}w{n}" for n in random.zipf(1.6, n_words) % 30]
        common = [f"w{n}" for n in random.zipf(1.4, n_words) % 50]
        texts.append(Document(i, str(i), " ".join(own + common)))
    return texts


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    return read(made(), 1, lambda _: None)


@pytest.fixture
def threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def trained(
    corpus: Corpus, parameters: TrainSimilarityParameters = SMALL
) -> tuple[models.Model, NDArray[np.float32]]:
    return fit(corpus, parameters, lambda *_: None)


def test_the_number_of_threads_changes_no_bit(
    corpus: Corpus, threads: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sides.BLOCK_PAIRS, "cpu", 256)
    found = []
    for n_threads in (1, 2, 3):
        torch.set_num_threads(n_threads)
        model, vectors = trained(corpus)
        found.append((model.output.tobytes(), vectors.tobytes()))
        assert torch.get_num_threads() == n_threads
    assert found[0] == found[1] == found[2]


def test_the_size_of_a_block_changes_nothing(corpus: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    model, vectors = trained(corpus)
    monkeypatch.setitem(sides.BLOCK_PAIRS, "cpu", 64)
    monkeypatch.setitem(sides.BLOCK_ROWS, "cpu", 3)
    other, other_vectors = trained(corpus)
    # Up to a rotation that is common to both sides: the sign of an eigenvector is anybody's choice.
    np.testing.assert_allclose(other_vectors @ other.output.T, vectors @ model.output.T, atol=1e-4)
    np.testing.assert_allclose(other_vectors @ other_vectors.T, vectors @ vectors.T, atol=1e-4)


def test_the_result_is_that_of_gensims_descent_in_expectation(corpus: Corpus) -> None:
    thinned = replace(SMALL, sample=6 / int(corpus.counts.sum()))  # the default
    model, vectors = trained(corpus, thinned)
    exact = by_small_steps(corpus, thinned)
    found = vectors @ model.output.T
    assert np.corrcoef(found.ravel(), exact.ravel())[0, 1] > 0.98
    assert np.abs(found).mean() == pytest.approx(np.abs(exact).mean(), rel=0.1)


def by_small_steps(corpus: Corpus, parameters: TrainSimilarityParameters) -> NDArray[np.float64]:
    """The activations u.v after the whole gradient flow, in many small steps over dense matrices  # (N, V)."""
    counts = np.zeros((len(corpus), len(corpus.words)))
    for row, words in enumerate(corpus):
        np.add.at(counts[row], [corpus.words.index(word) for word in words], 1.0)
    counts *= keep_chances(corpus.counts, parameters.sample)
    drawn = parameters.negative * probabilities(corpus.counts)
    weights = counts + drawn * (counts.sum(axis=1, keepdims=True) - counts)
    v = first_vectors(len(corpus), parameters).astype(np.float64)
    u = np.zeros((len(corpus.words), parameters.vector_size))
    n_steps = 1000
    duration = parameters.epochs * (parameters.alpha + parameters.min_alpha) / 2 / n_steps
    for _ in range(n_steps):
        gradient = counts - weights / (1 + np.exp(-v @ u.T))
        v, u = v + duration * gradient @ u, u + duration * gradient.T @ v
    return np.asarray(v @ u.T)


@pytest.mark.parametrize("trainer", ["torch", "gensim"])
def test_documents_on_one_topic_are_near(corpus: Corpus, trainer: str) -> None:
    model, _ = trained(corpus, replace(SMALL, trainer=trainer))
    vectors = DbowInference(model)(list(corpus)) - model.mean
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    nearest = (vectors @ vectors.T - 2 * np.eye(len(vectors))).argmax(axis=1)
    assert np.mean(nearest % N_TOPICS == np.arange(len(vectors)) % N_TOPICS) > 0.9


def test_products_are_the_same_with_and_without_a_compressed_matrix() -> None:
    generator = torch.Generator().manual_seed(0)
    x, y = (torch.randn(rows, 8, generator=generator) for rows in (3, 5))
    pattern = sparse_rows.Pattern(
        torch.tensor([0, 2, 2, 5]), torch.tensor([1, 4, 0, 2, 3], dtype=torch.int32)
    )
    rows = torch.tensor([0, 0, 2, 2, 2])
    expected = (x[rows] * y[pattern.partners]).sum(dim=1)
    torch.testing.assert_close(pattern.products(x, y), expected)
    torch.testing.assert_close(pattern.gathered(x, y), expected)


def test_a_document_without_known_words_has_a_finite_vector() -> None:
    texts = Texts([*made(8), Document(8, "8", "once"), Document(9, "9", "")])
    corpus = read(texts, 2, lambda _: None)
    model, vectors = trained(corpus)
    assert np.isfinite(vectors).all()
    assert np.isfinite(model.output).all()


def test_gensim_is_still_a_choice_and_trains_as_before(corpus: Corpus) -> None:
    model, _ = trained(corpus, replace(SMALL, trainer="gensim"))
    again, _ = trained(corpus, replace(SMALL, trainer="gensim"))
    ours, _ = trained(corpus)
    assert model.output.tobytes() == again.output.tobytes() != ours.output.tobytes()


def test_a_model_from_before_the_choice_of_a_trainer_loads(tmp_path: Path) -> None:
    assert TRAIN_SIMILARITY.train is not None
    TRAIN_SIMILARITY.train(made(), replace(SMALL, trainer="gensim"), "cpu", tmp_path, lambda *_: None)
    model = models.load(tmp_path)
    config, tensors = models.packed(model)
    del config["parameters"]["trainer"]
    old = models.unpacked(json.loads(json.dumps(config)), tensors)
    words = [["w1", "w2", "t0w1"]]
    assert DbowInference(old)(words).tobytes() == DbowInference(model)(words).tobytes()
