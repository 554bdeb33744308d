"""`encoder`: a logistic regression on the vectors of a frozen encoder, here a tiny one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nlp_tasks.classification import CLASSIFY, TRAIN_CLASSIFY, ClassifyParameters, TrainParameters
from nlp_tasks.classification.transformers import encoder as encoder_classifier
from nlp_tasks.classification.transformers import logistic, vector_cache
from nlp_tasks.errors import TrainingError
from nlp_tasks.kind import Document, Setup
from readers import label_text
from tests import encoder_folders

pytest.importorskip("transformers")

TOPICS = {"sport": ["goal", "striker", "골을", "match"], "money": ["bank", "rates", "금리를", "loan"]}


def documents(n: int, seed: int = 0, *, several: bool = False) -> list[Document]:
    random = np.random.default_rng(seed)
    found = []
    for number in range(n):
        topics = ["sport", "money"] if several and number % 3 == 2 else [("sport", "money")[number % 2]]
        words = [word for topic in topics for word in random.choice(TOPICS[topic], 4)]
        text = " ".join([*words, *random.choice(["the", "a", "today"], 2)])
        found.append(
            Document(number, f"k{number}", text, label_text.canonical(topics) if several else topics[0])
        )
    return found


def train(on: list[Document], folder: Path, encoder: Path, **parameters: Any) -> dict[str, float]:
    assert TRAIN_CLASSIFY.train is not None
    chosen = TrainParameters(arch="encoder", pretrained=str(encoder), **parameters)
    return TRAIN_CLASSIFY.train(on, chosen, "cpu", folder, lambda *_: None)


def opened(folder: Path, **parameters: Any) -> Any:
    return CLASSIFY.stages[0].open(Setup(parameters=ClassifyParameters(**parameters), model_dir=folder))


@pytest.mark.parametrize("make", [encoder_folders.sentence_transformer, encoder_folders.model2vec])
def test_a_model_needs_nothing_but_its_own_folder(make: Any, tmp_path: Path) -> None:
    encoder = make(tmp_path / "encoder")
    metrics = train(documents(160), tmp_path / "model", encoder)
    assert metrics["accuracy"] > 0.6
    encoder.rename(tmp_path / "gone")
    fresh = documents(40, seed=5)
    found = opened(tmp_path / "model").run(fresh)
    assert sum(rows[0].label == each.label for rows, each in zip(found, fresh, strict=True)) >= 30

    (rows,) = opened(tmp_path / "model", evidence=2).run([Document(1, "a", "goal striker today")])
    assert {row.term for row in rows[1:]} <= {"goal", "striker", "today"}


def test_the_same_documents_give_the_same_model_and_texts_are_embedded_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = encoder_folders.model2vec(tmp_path / "encoder")
    vector_cache._caches.clear()
    put: list[str] = []
    plain = vector_cache.Cache.put

    def counted(cache: vector_cache.Cache, texts: list[str], vectors: Any) -> None:
        put.extend(texts)
        plain(cache, texts, vectors)

    monkeypatch.setattr(vector_cache.Cache, "put", counted)
    train(documents(60), tmp_path / "one", encoder)
    assert sorted(put) == sorted({each.text for each in documents(60)})
    train(documents(60), tmp_path / "two", encoder)
    assert len(put) == len({each.text for each in documents(60)})
    first, second = ((tmp_path / name / "weights.safetensors").read_bytes() for name in ("one", "two"))
    assert first == second


def test_a_cache_that_is_too_small_loses_nothing_that_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vector_cache, "MOST_BYTES", 4 * 2 * 3)
    cache = vector_cache.Cache(2)
    for texts in ([f"t{n}" for n in range(8)], [f"t{n}" for n in range(4, 12)]):
        missing = cache.missing(texts)
        cache.put(missing, np.array([[float(each[1:]), 1] for each in missing], np.float32))
        assert cache.get([*texts, texts[0]])[:, 0].tolist() == [
            float(each[1:]) for each in [*texts, texts[0]]
        ]


def test_lists_of_labels_are_learned(tmp_path: Path) -> None:
    encoder = encoder_folders.model2vec(tmp_path / "encoder")
    metrics = train(documents(200, several=True), tmp_path / "model", encoder)
    assert metrics["micro_f1"] > 0.6


def test_the_regression_is_the_minimum_of_its_loss() -> None:
    random = np.random.default_rng(0)
    rows = random.normal(size=(60, 5)).astype(np.float32)
    labels = (rows[:, 0] + random.normal(size=60) > 0).astype(np.int64) + (rows[:, 1] > 1)
    weights = np.ones(3, np.float32)

    def loss(matrix: Any, bias: Any, model: logistic.Logistic) -> float:
        scores = (rows - model.mean) / model.scale @ matrix + bias
        shifted = scores - scores.max(axis=1, keepdims=True)
        logs = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
        return float(-logs[np.arange(60), labels].mean() + 0.01 / 2 * (matrix**2).sum())

    model = logistic.fit(rows, labels, weights, 0.01, lambda: None)
    matrix, bias = model.matrix.astype(np.float64), model.bias.astype(np.float64)
    best = loss(matrix, bias, model)
    for _ in range(20):
        step = random.normal(size=matrix.shape) * 0.02
        assert loss(matrix + step, bias + random.normal(size=3) * 0.02, model) > best


def test_a_folder_without_an_encoder_is_named(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"needs the folder of an encoder.*config\.json is missing"):
        train(documents(20), tmp_path / "model", tmp_path)
    with pytest.raises(ValueError, match="an imported model, or the local folder"):
        TrainParameters(arch="encoder")


def test_an_encoder_of_16_bits_is_kept_with_its_tokenizers_model(tmp_path: Path) -> None:
    import torch
    from safetensors.torch import load_file, save_file

    encoder = encoder_folders.transformer(tmp_path / "encoder")
    weights = encoder / "model.safetensors"
    half = {name: tensor.to(torch.bfloat16) for name, tensor in load_file(weights).items()}
    save_file(half, weights, metadata={"format": "pt"})
    (encoder / "spiece.model").write_bytes(b"\x00\xff pieces")
    train(documents(60), tmp_path / "model", encoder)
    assert opened(tmp_path / "model").run([Document(1, "a", "goal striker")])[0][0].label in TOPICS

    files, tensors = encoder_classifier._packed(encoder)
    encoder_classifier._unpack(files, tensors, tmp_path / "again")
    assert (tmp_path / "again" / "spiece.model").read_bytes() == b"\x00\xff pieces"
    again = load_file(tmp_path / "again" / "model.safetensors")
    assert all(torch.equal(again[name], tensor.float()) for name, tensor in half.items())


def test_evidence_leaves_out_whole_words_in_any_case() -> None:
    text = "The Bank has art in a party: BANK"
    places = encoder_classifier._places(text)
    assert encoder_classifier._without(text, places["bank"]) == "The   has art in a party:  "
    assert encoder_classifier._without(text, places["art"]) == "The Bank has   in a party: BANK"
