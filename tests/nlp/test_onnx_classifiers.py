"""Classifiers as ONNX: the rows of torch by ONNX Runtime, and folders for other programs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from nlp_tasks.classification import CLASSIFY, TRAIN_CLASSIFY, ClassifyParameters, TrainParameters
from nlp_tasks.classification.runner import LabelRunner
from nlp_tasks.classification.transformers.encoder import EncoderClassifier
from nlp_tasks.errors import ModelFileError
from nlp_tasks.kind import Document, Setup
from nlp_tasks.onnx_graphs.slot import Slot
from readers import label_text
from tests import encoder_folders

TOPICS = {"sport": ["goal", "striker", "골을", "match"], "money": ["bank", "rates", "금리를", "loan"]}
NEURAL = ("cnn", "gru", "lstm", "transformer")
FROM_FOLDER = ("pretrained", "pretrained with a prompt", "encoder", "zero-shot", "zero-shot by embedding")

POOLING = ("cls", "max", "mean", "mean_sqrt_len_tokens", "weightedmean", "lasttoken")


def documents(n: int = 60, *, several: bool = False) -> list[Document]:
    random = np.random.default_rng(3)
    found = []
    for number in range(n):
        topics = ["sport", "money"] if several and number % 3 == 2 else [("sport", "money")[number % 2]]
        size = int(random.integers(2, 40))
        words = [
            *random.choice([w for t in topics for w in TOPICS[t]], size),
            *random.choice(["the", "a"], 3),
        ]
        label = label_text.canonical(topics) if several else topics[0]
        found.append(Document(number, f"k{number}", " ".join(random.permutation(words)), label))
    return found


def train(arch: str, folder: Path, *, several: bool = False, **parameters: Any) -> Path:
    assert TRAIN_CLASSIFY.train is not None
    model_dir = folder / "model"
    model_dir.mkdir()
    if arch in FROM_FOLDER:
        made = encoder_folders.transformer(folder / "source")
        if "prompt" in arch:
            settings = {"prompts": {"query": "query: "}, "default_prompt_name": "query"}
            pooling = {"pooling_mode": POOLING}
            made = encoder_folders.sentence_transformer(folder / "source", pooling, settings=settings)
        if arch == "zero-shot":
            encoder_folders.inference(made)
        parameters["pretrained"] = str(made)
    chosen = TrainParameters(arch=arch.partition(" ")[0], epochs=1, seed=3, **parameters)
    TRAIN_CLASSIFY.train(documents(several=several), chosen, "cpu", model_dir, lambda *_: None)
    return model_dir


def rows(model_dir: Path, graphs: Path | None, **parameters: Any) -> list[Any]:
    setup = Setup(ClassifyParameters(**parameters), "cpu", model_dir, graphs=graphs)
    return list(CLASSIFY.stages[0].open(setup).run([*documents(), Document(99, "odd", "! ?")]))


@pytest.mark.long
@pytest.mark.parametrize("arch", [*NEURAL, *FROM_FOLDER])
def test_onnx_runtime_gives_the_rows_of_torch_and_so_does_a_folder_for_other_programs(
    arch: str, tmp_path: Path
) -> None:
    pytest.importorskip("onnxruntime")
    several = arch == "gru"
    model_dir = train(arch, tmp_path, several=several)
    top = 0 if several else 2

    torch_rows = rows(model_dir, None, top_n=top)
    graph_rows = rows(model_dir, tmp_path / "graphs", top_n=top)

    assert [[row.label for row in each] for each in graph_rows] == [
        [row.label for row in each] for each in torch_rows
    ]
    scores = [np.array([row.score for each in found for row in each]) for found in (torch_rows, graph_rows)]
    np.testing.assert_allclose(scores[1], scores[0], atol=1e-4)
    # The second worker finds the graph that the first has made, and explains by torch.
    [made] = [path for path in (tmp_path / "graphs").iterdir() if path.is_dir()]
    written = made.stat().st_ino
    again = rows(model_dir, tmp_path / "graphs", top_n=top, evidence=2)
    assert made.stat().st_ino == written
    assert [each[0].label for each in again] == [each[0].label for each in torch_rows]
    is_exported(arch, model_dir, documents(several=several), tmp_path)


def is_exported(arch: str, model_dir: Path, on: list[Document], tmp_path: Path) -> None:
    from nlp_tasks.classification import onnx_export

    written = onnx_export.export(model_dir, tmp_path / "out", int8=True, documents=on)

    assert written.float32.largest_difference <= 1e-4
    assert written.float32.changed_labels == 0
    assert written.int8 is not None
    assert written.n_documents > 0
    about = json.loads((tmp_path / "out" / "docmill.json").read_text())
    assert about["labels"] == ["money", "sport"]
    if arch.startswith("pretrained"):
        assert about["prompt"] == ("query: " if "prompt" in arch else "")
    assert about["int8"]["documents"] == written.n_documents
    assert about["int8"]["changed_labels"] == written.int8.changed_labels
    beside = "buckets.safetensors" if arch in NEURAL else "tokenizer.json"
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "model.onnx", "model.int8.onnx", "docmill.json", beside,
    }  # fmt: skip
    assert [line.partition(":")[0] for line in written.lines()] == [
        str(tmp_path / "out" / "model.onnx"), str(tmp_path / "out" / "model.int8.onnx"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("arch", "why"),
    [
        ("linear", "counts n-grams"),
        ("nearest", "by training on it"),
        ("ensemble", "train arch cnn by itself"),
    ],
)
def test_a_classifier_that_is_no_network_is_refused_with_the_reason(
    arch: str, why: str, tmp_path: Path
) -> None:
    from nlp_tasks import model_files
    from nlp_tasks.classification import onnx_export

    model_files.save(tmp_path / "model", {"arch": arch}, {"x": np.zeros(1)})
    with pytest.raises(
        ModelFileError, match=rf"arch {arch} cannot be written as ONNX: .*{why}.*leave --onnx out"
    ):
        onnx_export.export(tmp_path / "model", tmp_path / "out", int8=False, documents=None)
    assert not (tmp_path / "out").exists()


def test_models_without_networks_are_in_memory_once(tmp_path: Path) -> None:
    model_dir = train("linear", tmp_path)
    setup = Setup(ClassifyParameters(evidence=2), "cpu", model_dir, graphs=tmp_path / "graphs")
    runner = CLASSIFY.stages[0].open(setup)
    assert isinstance(runner, LabelRunner)
    assert runner.explained is runner.classifier


def test_vectors_by_a_graph_have_one_place_in_the_cache_whoever_made_the_graph() -> None:
    put: list[object] = []

    class OfOneNetwork:
        def slots(self) -> list[Slot]:
            return [Slot("encoder", None, put.append)]  # type: ignore[arg-type]

    made, opened = (EncoderClassifier(OfOneNetwork(), "digest", None) for _ in range(2))  # type: ignore[arg-type]
    for classifier, times in ((made, 2), (opened, 1)):  # who makes a graph tries it first
        for _ in range(times):
            [slot] = classifier.slots()
            slot.put(torch.nn.Identity())
    assert made.digest == opened.digest != "digest"
    assert len(put) == 3
