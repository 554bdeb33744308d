"""A training that goes on from a model: it learns what is new, forgets nothing, and names where it comes from."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nlp_tasks.errors import TrainingError
from nlp_tasks.kind import Candidate, Document
from nlp_tasks.model_files import sha256_of
from nlp_tasks.similarity import TRAIN_SIMILARITY, TrainSimilarityParameters
from nlp_tasks.similarity import model as models
from nlp_tasks.similarity.infer_runner import inference

TOPICS = {topic: [f"{topic}{i}" for i in range(20)] for topic in ("bank", "farm", "space", "court")}
SMALL = TrainSimilarityParameters(vector_size=16, epochs=40, min_count=1, sample=0.0)


@dataclass(frozen=True)
class Documents:
    documents: list[Document]

    def __len__(self) -> int:
        return len(self.documents)

    def __iter__(self) -> Any:
        return iter(self.documents)


def _texts(topics: list[str], n: int) -> list[str]:
    """Documents of words of their topic."""
    chance = random.Random(len(topics))
    return [" ".join(chance.choices(TOPICS[topics[i % len(topics)]], k=30)) for i in range(n)]


OLD = _texts(["bank", "farm", "court"], 45)
ALL = [*OLD, *_texts(["space"], 15)]


def _train(
    folder: Path, texts: list[str], parameters: TrainSimilarityParameters
) -> list[tuple[int, int, str]]:
    folder.mkdir()
    told: list[tuple[int, int, str]] = []
    documents = Documents([Document(i, str(i), text) for i, text in enumerate(texts)])
    assert TRAIN_SIMILARITY.train is not None
    TRAIN_SIMILARITY.train(documents, parameters, "cpu", folder, lambda *step: told.append(step))
    return told


def _top_1(folder: Path) -> float:
    """The share of the documents whose nearest one is of their topic."""
    model = models.load(folder)
    vectors = inference(model, "cpu")(
        [[word for word in text.split() if word in model.numbers] for text in ALL]
    )
    unit = vectors - model.mean
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    nearest = (unit @ unit.T - 2 * np.eye(len(unit))).argmax(axis=1)
    topics = np.array([text.split()[-1].rstrip("0123456789") for text in ALL])
    return float(np.mean(topics[nearest] == topics))


@pytest.mark.parametrize(
    "chosen",
    [{"trainer": "torch"}, {"trainer": "gensim"}, {"architecture": "dm"}],
    ids=["torch", "gensim", "dm"],
)
def test_a_quarter_of_the_epochs_learns_what_is_new(chosen: dict[str, Any], tmp_path: Path) -> None:
    parameters = replace(SMALL, **chosen)
    old, new = tmp_path / "old", tmp_path / "new"
    _train(old, OLD, parameters)
    told = _train(new, ALL, replace(parameters, epochs=10, start_from=str(old)))
    done = [step for step, _, _ in told]
    assert done == sorted(done)
    assert done[-1] == told[-1][1]
    before, after = models.load(old), models.load(new)
    assert "space1" in after.numbers
    assert after.infer_epochs == before.infer_epochs
    assert after.started_from == sha256_of(old / "manifest.json")
    assert str(tmp_path) not in (new / "config.json").read_text()
    assert _top_1(new) >= 0.95
    _train(tmp_path / "again", ALL, replace(parameters, epochs=10, start_from=str(old)))
    assert sha256_of(tmp_path / "again" / "manifest.json") == sha256_of(new / "manifest.json")


def test_the_gate_shows_the_champions_quality_beside_it(tmp_path: Path) -> None:
    _train(tmp_path / "old", OLD, SMALL)
    _train(tmp_path / "new", ALL, replace(SMALL, epochs=10, start_from=str(tmp_path / "old")))
    documents = Documents([Document(i, str(i), text) for i, text in enumerate(ALL)])
    assert TRAIN_SIMILARITY.gate is not None
    metrics = {"self_rank": 0.99}
    beside = Candidate(documents, tmp_path / "new", metrics, tmp_path / "old", "cpu", {"self_rank": 0.98})
    figures = {figure.name: figure for figure in TRAIN_SIMILARITY.gate(beside)}
    assert (figures["self_rank"].value, figures["champion_self_rank"].value) == (0.99, 0.98)
    assert all(figure.passed for figure in figures.values())


def test_a_model_of_another_size_is_named_with_the_fix(tmp_path: Path) -> None:
    _train(tmp_path / "old", OLD, SMALL)
    wanted = replace(SMALL, vector_size=20, start_from=str(tmp_path / "old"))
    with pytest.raises(
        TrainingError, match="has vector_size=16, and this training 20: add -p vector_size=16"
    ):
        _train(tmp_path / "new", ALL, wanted)


def test_a_model_from_before_has_no_start(tmp_path: Path) -> None:
    _train(tmp_path / "old", OLD, SMALL)
    assert "started_from" not in json.loads((tmp_path / "old" / "config.json").read_text())
    assert models.load(tmp_path / "old").started_from is None
