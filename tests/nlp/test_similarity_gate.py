"""The gate of similarity: what it measures of a good model, of a bad one, and of one that has forgotten."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from nlp_tasks.kind import Candidate, Document, Figure
from nlp_tasks.similarity import TRAIN_SIMILARITY, TrainSimilarityParameters

TOPICS = {
    "은행": "은행 대출 금리 예금 이자 고객 계좌 송금 환율 신용",
    "농업": "농부 벼 수확 비료 논 밭 씨앗 트랙터 가뭄 작물",
    "space": "rocket orbit satellite launch engine astronaut moon payload gravity telescope",
    "court": "judge lawyer appeal verdict court statute hearing plaintiff witness evidence",
}


@dataclass(frozen=True)
class Documents:
    documents: list[Document]

    def __len__(self) -> int:
        return len(self.documents)

    def __iter__(self) -> Iterator[Document]:
        return iter(self.documents)


def _documents(topics: list[str], n: int = 40) -> Documents:
    """Texts of 40 words; the first words of each are its own, so that it can be told from the others."""
    documents = []
    for i in range(n):
        chance = random.Random(i)
        words = TOPICS[topics[i % len(topics)]].split()
        documents.append(Document(i, str(i), " ".join([f"w{i}a"] * 8 + chance.choices(words, k=40))))
    return Documents(documents)


ALL = _documents(list(TOPICS))


def _train(folder: Path, documents: Documents = ALL, **parameters: float) -> dict[str, float]:
    assert TRAIN_SIMILARITY.train is not None
    folder.mkdir(exist_ok=True)
    chosen = {"vector_size": 24, "epochs": 60, "min_count": 1, "sample": 0.0} | parameters
    return TRAIN_SIMILARITY.train(
        documents,
        TrainSimilarityParameters(**chosen),  # type: ignore[arg-type]
        "cpu",
        folder,
        lambda *_: None,
    )


def _judge(
    folder: Path,
    metrics: dict[str, float],
    champion: Path | None,
    documents: Documents = ALL,
    champion_self_rank: float = 1.0,
) -> dict[str, Figure]:
    assert TRAIN_SIMILARITY.gate is not None
    theirs = {"self_rank": champion_self_rank} if champion is not None else {}
    figures = TRAIN_SIMILARITY.gate(Candidate(documents, folder, metrics, champion, "cpu", theirs))
    return {figure.name: figure for figure in figures}


@pytest.fixture(scope="module")
def champion(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("champion")
    _train(folder)
    return folder


def test_the_same_training_from_another_seed_passes(champion: Path, tmp_path: Path) -> None:
    figures = _judge(tmp_path, _train(tmp_path, seed=1), champion)
    assert all(figure.passed for figure in figures.values())
    assert figures["self_rank"].value > 0.9
    assert 0.4 < figures["neighbours_kept"].value <= 1


def test_a_model_keeps_every_neighbour_of_itself(champion: Path) -> None:
    assert _judge(champion, {"self_rank": 1.0}, champion)["neighbours_kept"].value == 1


def test_a_model_that_has_hardly_been_trained_is_refused(champion: Path, tmp_path: Path) -> None:
    figures = _judge(tmp_path, _train(tmp_path, epochs=1, alpha=0.001), champion)
    assert not figures["self_rank"].passed


@pytest.mark.parametrize(
    ("champions", "own", "passes"),
    [(1.0, 0.5, True), (1.0, 0.49, False), (0.52, 0.48, True), (0.2, 0.16, True), (0.2, 0.14, False)],
)
def test_a_model_has_to_know_its_own_documents_only_as_well_as_the_champion_did(
    champion: Path, champions: float, own: float, passes: bool
) -> None:
    figures = _judge(champion, {"self_rank": own}, champion, champion_self_rank=champions)
    assert figures["self_rank"].passed == passes


def test_a_model_that_finds_other_neighbours_is_refused(champion: Path, tmp_path: Path) -> None:
    # It has never seen the words that make documents alike.
    own = Documents([Document(i, str(i), " ".join([f"w{i}a"] * 20)) for i in range(len(ALL))])
    figures = _judge(tmp_path, _train(tmp_path, own), champion)
    assert not figures["neighbours_kept"].passed
    assert figures["neighbours_kept"].value < 0.4


def test_a_model_that_knows_fewer_words_than_the_champion_is_refused(champion: Path, tmp_path: Path) -> None:
    metrics = _train(tmp_path, _documents(["은행", "농업"], 20))
    figures = _judge(tmp_path, metrics, champion)
    assert not figures["unknown_share"].passed
    assert figures["unknown_share"].value > 0.4


def test_without_a_champion_nothing_is_compared(champion: Path) -> None:
    figures = _judge(champion, {"self_rank": 1.0}, None)
    assert set(figures) == {"self_rank", "unknown_share"}
    assert all(figure.passed for figure in _judge(champion, {"self_rank": 0.0}, None).values())
