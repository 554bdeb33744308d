"""`nearest`: a label from the nearest labelled documents, by Doc2Vec vectors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nlp_tasks.classification import CLASSIFY, TRAIN_CLASSIFY, ClassifyParameters, TrainParameters
from nlp_tasks.errors import TrainingError
from nlp_tasks.kind import Document, Setup
from nlp_tasks.similarity import TRAIN_SIMILARITY, TrainSimilarityParameters
from readers import label_text

TOPICS = {
    "sport": ["goal", "striker", "penalty", "match", "league", "referee", "cup", "coach", "stadium"],
    "money": ["bank", "interest", "bond", "share", "rate", "loan", "market", "price", "credit"],
}


def written(topic: str, random: np.random.Generator) -> str:
    return " ".join(random.choice(TOPICS[topic], 12))


def documents(n: int, seed: int = 0, *, several: bool = False) -> list[Document]:
    random = np.random.default_rng(seed)
    found = []
    for number in range(n):
        topics = ["sport", "money"] if several and number % 3 == 2 else [("sport", "money")[number % 2]]
        text = " ".join(written(topic, random) for topic in topics)
        found.append(
            Document(number, f"k{number}", text, label_text.canonical(topics) if several else topics[0])
        )
    return found


def train(on: list[Document], folder: Path, **parameters: Any) -> dict[str, float]:
    assert TRAIN_CLASSIFY.train is not None
    folder.mkdir()
    chosen = TrainParameters(arch="nearest", **parameters)
    return TRAIN_CLASSIFY.train(on, chosen, "cpu", folder, lambda *_: None)


def opened(folder: Path, **parameters: Any) -> Any:
    return CLASSIFY.stages[0].open(Setup(parameters=ClassifyParameters(**parameters), model_dir=folder))


@pytest.fixture(scope="module")
def vectors_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A similarity model of documents without labels."""
    assert TRAIN_SIMILARITY.train is not None
    folder = tmp_path_factory.mktemp("similarity")
    parameters = TrainSimilarityParameters(vector_size=16, epochs=20)
    TRAIN_SIMILARITY.train(documents(300, seed=9), parameters, "cpu", folder, lambda *_: None)
    return folder


@pytest.fixture(scope="module")
def model_dir(vectors_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("nearest") / "model"
    train(documents(20), folder, pretrained=str(vectors_dir))
    return folder


def test_twenty_labels_are_enough_with_vectors_from_many_documents(model_dir: Path) -> None:
    fresh = documents(40, seed=5)
    found = opened(model_dir).run(fresh)
    right = sum(rows[0].label == document.label for rows, document in zip(found, fresh, strict=True))
    assert right >= 36


def test_a_word_that_mattered_is_evidence(model_dir: Path) -> None:
    (rows,) = opened(model_dir, evidence=3).run([Document(1, "a", "goal striker penalty referee zxqv")])
    assert rows[0].label == "sport"
    assert {row.term for row in rows[1:]} <= set(TOPICS["sport"])


def test_a_text_of_unknown_words_is_undecided(model_dir: Path) -> None:
    (rows,) = opened(model_dir, top_n=2).run([Document(1, "a", "zxqv")])
    assert [row.score for row in rows] == pytest.approx([0.5, 0.5])


def test_vectors_can_be_learned_from_the_labelled_documents_alone(tmp_path: Path) -> None:
    metrics = train(documents(200), tmp_path / "model", epochs=10)
    assert metrics["accuracy"] > 0.8


def test_a_document_near_to_two_kinds_of_documents_gets_both_labels(
    vectors_dir: Path, tmp_path: Path
) -> None:
    metrics = train(
        documents(90, several=True), tmp_path / "model", pretrained=str(vectors_dir), held_out=0.3
    )
    assert metrics["micro_f1"] > 0.8


def test_a_folder_without_a_similarity_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="docmill train similarity"):
        train(documents(20), tmp_path / "model", pretrained=str(tmp_path))
