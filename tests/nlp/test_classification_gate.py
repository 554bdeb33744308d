"""The gate: a new classifier beside the champion on documents that neither was trained on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nlp_tasks.classification import TRAIN_CLASSIFY, TrainParameters, gate
from nlp_tasks.kind import Candidate, Document, Figure
from readers import label_text

WORDS = {"sport": ["goal", "striker", "골을", "경기에서"], "money": ["bank", "interest", "은행이", "금리를"]}


def documents(n: int, *, noise: float = 0.0, lists: bool = False) -> list[Document]:
    """Documents of which a share has the wrong label."""
    random = np.random.default_rng(3)
    found = []
    for number in range(n):
        label = ("sport", "money")[number % 2]
        text = " ".join([*random.choice(WORDS[label], 2), f"number {number}"])
        told = ("money" if label == "sport" else "sport") if random.random() < noise else label
        found.append(Document(number, f"key-{number}", text, label_text.canonical([told]) if lists else told))
    return found


def trained(folder: Path, on: list[Document], **parameters: object) -> Path:
    assert TRAIN_CLASSIFY.train is not None
    folder.mkdir()
    chosen = TrainParameters(arch="naive-bayes", held_out=0.3, **parameters)  # type: ignore[arg-type]
    TRAIN_CLASSIFY.train(on, chosen, "cpu", folder, lambda *_: None)
    return folder


def judged(candidate: Path, champion: Path | None, on: list[Document]) -> dict[str, Figure]:
    assert TRAIN_CLASSIFY.gate is not None
    return {each.name: each for each in TRAIN_CLASSIFY.gate(Candidate(on, candidate, {}, champion, "cpu"))}


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained(tmp_path_factory.mktemp("gate") / "good", documents(200))


@pytest.fixture(scope="module")
def bad(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained(tmp_path_factory.mktemp("gate") / "bad", documents(200, noise=0.9))


def test_a_worse_candidate_is_refused_with_its_figures(good: Path, bad: Path) -> None:
    found = judged(bad, good, documents(200))
    assert not found["macro_f1_gain_high"].passed
    assert found["macro_f1"].value < 0.5 < found["champion_macro_f1"].value
    assert found["macro_f1_gain_low"].value <= found["macro_f1_gain_high"].value < 0
    assert 30 < found["n_gold_documents"].value < 90


def test_an_equal_candidate_passes_unless_it_has_to_be_better(good: Path, tmp_path: Path) -> None:
    assert all(each.passed for each in judged(good, good, documents(200)).values())
    strict = trained(tmp_path / "strict", documents(200), gate="better")
    found = judged(strict, good, documents(200))
    assert [each.name for each in found.values() if not each.passed] == ["macro_f1_gain_low"]


def test_where_no_document_has_a_label_nothing_was_found() -> None:
    none = np.zeros((3, 2), np.bool_)
    some = np.array([[True, False]] * 3)
    assert gate.counts(none, none).macro_f1(np.ones((1, 3))).tolist() == [0.0]
    assert gate.counts(some, some).macro_f1(np.ones((1, 3))).tolist() == [1.0]


def test_a_better_candidate_passes(good: Path, bad: Path) -> None:
    assert all(each.passed for each in judged(good, bad, documents(200)).values())


def test_nothing_is_compared_without_a_champion_or_without_a_gate(
    good: Path, bad: Path, tmp_path: Path
) -> None:
    assert judged(bad, None, documents(200)) == {}
    free = trained(tmp_path / "free", documents(200, noise=0.9), gate="none")
    assert judged(free, good, documents(200)) == {}


def test_macro_f1_is_that_of_the_definition() -> None:
    truth = np.array([[1, 0], [1, 0], [0, 1]], bool)
    given = np.array([[1, 0], [0, 1], [0, 1]], bool)
    assert gate.counts(truth, given).macro_f1(np.ones((1, 3)))[0] == pytest.approx((2 / 3 + 2 / 3) / 2)
    assert gate.counts(truth, given).macro_f1(np.array([[1.0, 0.0, 2.0]]))[0] == 1.0
