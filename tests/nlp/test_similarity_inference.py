"""Inference as a gradient flow: near to what gensim does on average, the same in any company, exact on disk."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nlp_tasks.errors import ModelFileError
from nlp_tasks.similarity import TrainSimilarityParameters, integrators
from nlp_tasks.similarity import model as models
from nlp_tasks.similarity.gensim_descent import Descent, infer
from nlp_tasks.similarity.inference import SCHEMES, DbowInference, keep_chances
from nlp_tasks.similarity.model import Model
from nlp_tasks.similarity.noise_sample import draw
from nlp_tasks.similarity.word_counts import blocks, count

N_WORDS, N_TOPICS, SIZE = 600, 6, 16


def _document(topic: int, length: int, random: np.random.Generator) -> list[str]:
    """Words by Zipf's law, half of them from the topic's own."""
    ranks = np.minimum(random.zipf(1.3, length) - 1, N_WORDS // N_TOPICS - 1)
    owners = np.where(random.random(length) < 0.5, topic, random.integers(0, N_TOPICS, length))
    return [f"단어{owner}x{rank}" for owner, rank in zip(owners.tolist(), ranks.tolist(), strict=True)]


def _trained(epochs: int = 20) -> Model:
    random = np.random.default_rng(0)
    documents = [_document(i % N_TOPICS, 80, random) for i in range(150)]
    words, counts = np.unique(np.concatenate(documents), return_counts=True)
    order = np.argsort(-counts, kind="stable")
    vocabulary, counts = words[order].tolist(), counts[order].astype(np.int64)
    parameters = TrainSimilarityParameters(vector_size=SIZE, epochs=epochs, min_count=1, sample=1e-2)
    gensim = models.untrained(parameters, vocabulary, counts)
    vectors = (random.random((150, SIZE), dtype=np.float32) - 0.5) / SIZE
    descent = Descent(gensim, vectors, learn_model=True)
    for alpha in np.linspace(0.025, 0.001, epochs):
        for row, document in enumerate(documents):
            descent.step(row, document, float(alpha))
    return Model(
        parameters, vocabulary, counts, gensim.syn1neg, None, vectors, 150, counts, vectors.mean(axis=0)
    )


MODEL = _trained()


def _mean_of_gensim(model: Model, document: list[str], runs: int) -> np.ndarray:
    gensim = models.as_gensim(model)
    return np.mean([gensim.infer_vector(document, epochs=model.infer_epochs) for _ in range(runs)], axis=0)


def _with_epochs(epochs: int) -> Model:
    return dataclasses.replace(MODEL, parameters=dataclasses.replace(MODEL.parameters, infer_epochs=epochs))


@pytest.mark.parametrize(("length", "epochs"), [(5, 10), (80, 10), (80, 40), (400, 20), (4000, 10)])
def test_vectors_are_near_the_mean_of_many_gensim_runs(length: int, epochs: int) -> None:
    model = _with_epochs(epochs)
    documents = [_document(topic, length, np.random.default_rng(100 + topic)) for topic in range(3)]
    runs = 100 if length < 100 else 20
    for ours, document in zip(DbowInference(model)(documents), documents, strict=True):
        theirs = _mean_of_gensim(model, document, runs)
        cosine = ours @ theirs / np.linalg.norm(ours) / np.linalg.norm(theirs)
        assert cosine > 0.98
        assert np.linalg.norm(ours) == pytest.approx(np.linalg.norm(theirs), rel=0.15)


@pytest.mark.parametrize("directions", [4, 6])
def test_blocks_of_the_jacobian_give_what_the_whole_gives(
    directions: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert integrators.BLOCK_DIRECTIONS >= SIZE
    documents = [_document(topic, 4000, np.random.default_rng(100 + topic)) for topic in range(3)]
    flow = DbowInference(_with_epochs(10))
    whole = flow(documents)
    monkeypatch.setattr(integrators, "BLOCK_DIRECTIONS", directions)
    in_blocks = flow(documents)
    assert np.abs(in_blocks - whole).max() > 1e-6
    lengths = np.linalg.norm(in_blocks, axis=1) * np.linalg.norm(whole, axis=1)
    assert ((in_blocks * whole).sum(axis=1) / lengths).min() > 0.99


def test_a_vector_is_the_same_alone_and_among_documents_of_all_lengths() -> None:
    random = np.random.default_rng(3)
    documents = [
        _document(i % N_TOPICS, length, random)
        for i, length in enumerate([1, 3, 20, 80, 90, 300, 2000, 5000])
    ]
    flow = DbowInference(_with_epochs(10))
    together = flow(documents)
    for row, document in enumerate(documents):
        np.testing.assert_allclose(flow([document])[0], together[row], atol=1e-5)
    np.testing.assert_array_equal(flow(documents), together)


def test_long_documents_use_all_their_words_in_any_order() -> None:
    document = _document(0, 6000, np.random.default_rng(4)) + _document(1, 6000, np.random.default_rng(5))
    flow = DbowInference(_with_epochs(5))
    np.testing.assert_allclose(flow([document]), flow([document[::-1]]), atol=1e-6)
    assert np.abs(flow([document]) - flow([document[:10_000]])).max() > 1e-3


def test_documents_of_all_schemes_are_tested() -> None:
    flow = DbowInference(_with_epochs(10))
    kept = [
        5 * flow._time * float(flow._eigenvalues[-1]) / 4 * length for length in (5, 80, 400, 4000, 20_000)
    ]
    assert np.searchsorted([scheme.stiffness for scheme in SCHEMES], kept).max() >= 3


def test_a_document_without_known_words_is_zero_and_disturbs_none() -> None:
    good = _document(2, 50, np.random.default_rng(6))
    flow = DbowInference(MODEL)
    vectors = flow([["낯선"], good, [], good])
    assert not vectors[[0, 2]].any()
    np.testing.assert_allclose(vectors[1], flow([good])[0], atol=1e-5)
    np.testing.assert_allclose(vectors[1], vectors[3], atol=1e-5)


def test_no_documents_give_no_vectors() -> None:
    assert DbowInference(MODEL)([]).shape == (0, SIZE)


@pytest.mark.parametrize("architecture", ["dbow", "dm"])
def test_a_saved_model_infers_bit_for_bit_what_it_did(architecture: str, tmp_path: Path) -> None:
    parameters = dataclasses.replace(MODEL.parameters, architecture=architecture)
    trained = models.untrained(parameters, MODEL.words, MODEL.counts)
    trained.syn1neg[:] = MODEL.output
    word_vectors = trained.wv.vectors * 50 if architecture == "dm" else None
    if word_vectors is not None:
        trained.wv.vectors[:] = word_vectors
    models.save(dataclasses.replace(MODEL, parameters=parameters, word_vectors=word_vectors), tmp_path)
    rebuilt = models.rebuild(tmp_path)
    document = _document(3, 100, np.random.default_rng(7))
    assert infer(rebuilt, document, 10).tobytes() == infer(trained, document, 10).tobytes()
    for one in (rebuilt, trained):
        one.random.seed(5)
    assert rebuilt.infer_vector(document).tobytes() == trained.infer_vector(document, epochs=20).tobytes()


def test_a_folder_of_another_kind_of_model_is_refused(tmp_path: Path) -> None:
    from nlp_tasks import model_files

    model_files.save(tmp_path, {"format": "else"}, {"x": np.zeros(1, np.float32)})
    with pytest.raises(ModelFileError, match="else"):
        models.load(tmp_path)


@pytest.mark.parametrize("sample", [0.0, 1e-4, 1e-2])
def test_down_sampling_is_gensims(sample: float) -> None:
    parameters = dataclasses.replace(MODEL.parameters, sample=sample)
    chances = models.untrained(parameters, MODEL.words, MODEL.counts).wv.expandos["sample_int"] / (2**32 - 1)
    np.testing.assert_allclose(keep_chances(MODEL.counts, sample), chances, atol=1e-6)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.lists(st.sampled_from(["a", "b", "c", "가", "?"]), max_size=40), max_size=12))
def test_counts_are_those_of_a_plain_count(documents: list[list[str]]) -> None:
    vocabulary = {"a": 0, "b": 1, "c": 2, "가": 3}
    counted = count(documents, vocabulary)
    for i, document in enumerate(documents):
        part = slice(counted.starts[i], counted.starts[i + 1])
        expected = {number: document.count(word) for word, number in vocabulary.items() if word in document}
        assert (
            dict(zip(counted.numbers[part].tolist(), counted.counts[part].tolist(), strict=True)) == expected
        )


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 2)), max_size=40), st.integers(1, 200))
def test_blocks_hold_every_row_once_and_keep_to_the_budget(rows: list[tuple[int, int]], budget: int) -> None:
    sizes, classes = (np.array([row[i] for row in rows], dtype=np.int64) for i in (0, 1))
    seen = []
    for which, block in blocks(sizes, classes, budget):
        assert set(classes[block]) == {which}
        assert len(block) == 1 or sizes[block].max() * len(block) <= budget
        seen += block.tolist()
    assert sorted(seen) == list(range(len(rows)))


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(1e-6, 1e3), min_size=1, max_size=200), st.integers(1, 60))
def test_a_draw_estimates_sums_without_bias_by_size(importance: list[float], size: int) -> None:
    values = np.array(importance)
    rows, chances = draw(values, size)
    assert len(set(rows.tolist())) == len(rows) <= max(size, 1)
    assert ((chances > 0) & (chances <= 1)).all()
    if size >= len(values):
        assert (values[rows] / chances).sum() == pytest.approx(values.sum())
