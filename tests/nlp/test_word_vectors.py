"""Word2Vec: the descent of gensim bit for bit, whatever interrupts it; units, spelling, the text format, the gate."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gensim.models import Word2Vec
from numpy.typing import NDArray

from nlp_tasks import model_files
from nlp_tasks.checkpoint import FOLDER, Checkpoint
from nlp_tasks.errors import ModelFileError, TrainingError
from nlp_tasks.kind import Candidate, Document
from nlp_tasks.similarity.corpus import Corpus, read
from nlp_tasks.word_vectors import TRAIN_WORDS, TrainWordsParameters, descent, queries, spelling, text_format
from nlp_tasks.word_vectors import model as models
from nlp_tasks.word_vectors.model import Model
from nlp_tasks.word_vectors.units import Units

SMALL = TrainWordsParameters(vector_size=12, epochs=3, min_count=2, window=3)
BOTH = ("skip-gram", "cbow")


class Texts(list[Document]):
    """Documents that can be counted and read again."""


def made(n: int = 20, n_words: int = 300, n_different: int = 300, longest: int = 11_000) -> Texts:
    """Documents of made-up words, some rare and some frequent; one is empty, and one longer than a batch."""
    random = np.random.default_rng(5)
    sizes = [n_words] * n + [0, longest]
    return Texts(
        Document(i, str(i), " ".join(f"w{number % n_different}" for number in random.zipf(1.3, size)))
        for i, size in enumerate(sizes)
    )


def train(
    folder: Path, documents: Texts, parameters: TrainWordsParameters = SMALL, heard: Any = None
) -> Model:
    folder.mkdir(exist_ok=True)
    assert TRAIN_WORDS.train is not None
    TRAIN_WORDS.train(documents, parameters, "cpu", folder, heard or (lambda *_: None))
    return models.load(folder)


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    return read(made(), 2, lambda _: None)


def by_gensim(corpus: Corpus, parameters: TrainWordsParameters) -> NDArray[np.float32]:
    """The vectors of gensim's own training on one thread, on the same words in the same order."""
    sentences = [sentence for batch in descent.batches(corpus, 10_000) for sentence in batch]
    texts = [[corpus.words[number] for number in sentence] for sentence in sentences]
    model = Word2Vec(
        sg=int(parameters.arch == "skip-gram"), vector_size=parameters.vector_size, window=parameters.window,
        negative=parameters.negative, sample=parameters.sample, alpha=parameters.alpha, seed=parameters.seed,
        min_alpha=parameters.min_alpha, epochs=parameters.epochs, min_count=1, sorted_vocab=0, workers=1,
    )  # fmt: skip
    model.build_vocab_from_freq(dict(zip(corpus.words, corpus.counts.tolist(), strict=True)))
    model.train(texts, total_examples=len(texts), epochs=parameters.epochs)
    vectors: NDArray[np.float32] = model.wv.vectors
    return vectors


@pytest.mark.parametrize("arch", BOTH)
def test_the_vectors_are_those_of_gensim(corpus: Corpus, arch: Any, tmp_path: Path) -> None:
    parameters = replace(SMALL, arch=arch, seed=4)
    found = descent.fit(corpus, parameters, lambda *_: None, Checkpoint(tmp_path, "x"))
    assert found.tobytes() == by_gensim(corpus, parameters).tobytes()


@pytest.mark.parametrize("arch", BOTH)
def test_an_interrupted_training_resumes_to_the_same_vectors(
    arch: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parameters, documents = replace(SMALL, arch=arch), made()
    whole = train(tmp_path / "whole", documents, parameters)
    monkeypatch.setattr(Checkpoint, "is_due", lambda _: True)
    folder = tmp_path / "interrupted"

    class KilledError(Exception):
        pass

    def dies(at: str) -> Any:
        def heard(done: int, total: int, note: str) -> None:
            del done, total
            if note.startswith(at):
                raise KilledError

        return heard

    for at in ("epoch 1 ", "epoch 3 "):
        with pytest.raises(KilledError):
            train(folder, documents, parameters, dies(at))
        assert any((folder / FOLDER).iterdir())
    resumed = train(folder, documents, parameters)
    assert resumed.vectors.tobytes() == whole.vectors.tobytes()
    assert not (folder / FOLDER).exists()
    assert model_files.sha256_of(folder / "manifest.json") == model_files.sha256_of(
        tmp_path / "whole" / "manifest.json"
    )


def test_a_checkpoint_of_other_documents_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Checkpoint, "is_due", lambda _: True)
    monkeypatch.setattr(shutil, "rmtree", lambda *_, **__: None)
    train(tmp_path / "model", made(10))
    monkeypatch.undo()
    other = train(tmp_path / "model", made(12))
    assert other.vectors.tobytes() == train(tmp_path / "fresh", made(12)).vectors.tobytes()


@pytest.mark.parametrize(
    ("units", "known", "unknown"),
    [
        ("morphemes", ("은행", "금리", "올리다", "bank"), ("은행은", "은")),
        ("words", ("은행은", "금리를", "bank"), ("은행", "올리다")),
        ("bpe", ("▁은행은", "▁bank"), ("은행",)),
    ],
)
def test_each_unit_has_its_words(
    units: Any, known: tuple[str, ...], unknown: tuple[str, ...], tmp_path: Path
) -> None:
    documents = Texts(Document(i, str(i), "은행은 금리를 올린다. The Bank raises rates.") for i in range(20))
    parameters = TrainWordsParameters(units=units, vector_size=4, epochs=1)
    model = train(tmp_path / "model", documents, parameters)
    assert set(known) <= set(model.words)
    assert not set(unknown) & set(model.words)
    assert queries.known(model, "BANK") == queries.known(model, "bank")
    # From the file, the units cut as they did.
    assert list(model.units.cut("은행은 금리를")) == list(model.units.cut_query("은행은 금리를"))
    assert set(model.units.cut("은행은 금리를")) <= set(model.words)


def test_what_no_model_can_be_trained_on_is_said(tmp_path: Path) -> None:
    for texts, parameters, said in (
        (["", " "], SMALL, "no document has any words to train on: add documents"),
        (["one two"], SMALL, "no word occurs at least 2 times: add documents, or lower min_count"),
        (["one one"], SMALL, "only one word occurs at least 2 times: add documents, or lower min_count"),
    ):
        documents = Texts(Document(i, str(i), text) for i, text in enumerate(texts))
        with pytest.raises(TrainingError, match=said):
            train(tmp_path / "model", documents, parameters)
    with pytest.raises(ValueError, match="min_alpha must be at most alpha"):
        TrainWordsParameters(alpha=0.01, min_alpha=0.02)


def simple(words: list[str], vectors: list[list[float]]) -> Model:
    counts = np.arange(len(words), 0, -1)
    return Model(SMALL, Units("words"), words, counts, np.array(vectors, dtype=np.float32))


def test_nearest_words_and_analogies_by_hand() -> None:
    model = simple(
        ["man", "woman", "king", "queen", "x"], [[1, 0, 0], [1, 1, 0], [1, 0, 3], [1, 1, 3], [-1, 0, 0]]
    )
    assert [each.word for each in queries.analogy(model, "man", "woman", "king", 2)] == ["queen", "x"]
    # Both of king and queen have a cosine of about 0.3 with man.
    assert [each.word for each in queries.nearest(model, ["man"], 10)] == ["woman", "king", "queen", "x"]
    found = queries.nearest(model, ["king"], 1)
    assert (found[0].rank, found[0].word, found[0].count) == (1, "queen", 2)
    assert found[0].score == pytest.approx(10 / (10**0.5 * 11**0.5))
    assert queries.nearest(model, ["man", "x"], 3)[0].score == pytest.approx(0.0, abs=1e-6)


def test_spelling_knows_jamo_and_letters() -> None:
    words = ["은행", "운행", "은행나무", "금리", "interest", "interests", "rate"]
    assert spelling.alike("은핸", words, 2) == ["은행", "운행"]
    assert spelling.alike("intrest", words, 5) == ["interest", "interests"]
    assert spelling.alike("zzz", words, 5) == []
    assert spelling.alike("", words, 5) == []


def test_the_text_format_gives_the_same_vectors_to_gensim(tmp_path: Path) -> None:
    from gensim.models import KeyedVectors

    random = np.random.default_rng(1)
    words = ["a", "b\u00a0c", "은행", "_"]
    model = simple(words, (random.standard_normal((4, 7)) * 10.0 ** random.integers(-9, 9, (4, 7))).tolist())
    text_format.write(model, tmp_path / "v.txt")
    read = KeyedVectors.load_word2vec_format(str(tmp_path / "v.txt"))
    assert read.index_to_key == ["a", "b_c", "은행", "_"]
    assert read.vectors.tobytes() == model.vectors.tobytes()


def test_the_gate_refuses_a_model_with_other_neighbours_and_fewer_words(tmp_path: Path) -> None:
    documents = made(30, 100, 60, longest=100)
    train(tmp_path / "champion", documents)
    shuffled = models.load(tmp_path / "champion")
    random = np.random.default_rng(2)
    worse = replace(
        shuffled, words=shuffled.words[10:], counts=shuffled.counts[10:],
        vectors=random.standard_normal(shuffled.vectors[10:].shape, dtype=np.float32),
    )  # fmt: skip
    models.save(worse, tmp_path / "worse")
    assert TRAIN_WORDS.gate is not None
    beats: list[None] = []

    def judged(name: str, champion: str | None) -> dict[str, tuple[float, bool]]:
        beside = tmp_path / champion if champion else None
        candidate = Candidate(documents, tmp_path / name, {}, beside, "cpu", {}, lambda: beats.append(None))
        assert TRAIN_WORDS.gate is not None
        return {each.name: (each.value, each.passed) for each in TRAIN_WORDS.gate(candidate)}

    assert judged("champion", None) == {"unknown_share": (pytest.approx(0.0, abs=0.01), True)}
    assert judged("champion", "champion")["neighbours_kept"] == (1.0, True)
    found = judged("worse", "champion")
    assert not found["neighbours_kept"][1]
    assert not found["unknown_share"][1]
    assert len(beats) > 3 * len(documents)


def test_another_models_folder_is_refused(tmp_path: Path) -> None:
    model_files.save(tmp_path, {"format": "docmill doc2vec 2"}, {"x": np.zeros(1)})
    with pytest.raises(ModelFileError, match="not 'docmill word2vec 1': train the model again"):
        models.load(tmp_path)
