"""Calibration: probabilities are as high as the share of labels that are right, and the order of labels stays."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nlp_tasks import model_files
from nlp_tasks.classification import (
    CLASSIFY,
    TRAIN_CLASSIFY,
    ClassifyParameters,
    TrainParameters,
    calibration,
)
from nlp_tasks.classification.architecture import Examples, Training
from nlp_tasks.classification.calibration import Calibration
from nlp_tasks.classification.linear import linear
from nlp_tasks.classification.metrics import expected_error, reliability, softmax
from nlp_tasks.classification.runner import LabelRunner
from nlp_tasks.kind import Document, Setup

#: How the true probabilities follow from the scores of the tests.
TRUE = Calibration(1.0, 0.5, 1.6, 0.4)


def misjudged(n: int, seed: int, *, several: bool) -> tuple[np.ndarray, np.ndarray]:
    """Scores (N, 4), and labels thrown by probabilities that no temperature makes of them."""
    random = np.random.default_rng(seed)
    logits = (random.normal(size=(n, 4)) * random.choice([0.5, 3.0], (n, 1)) - 1).astype(np.float32)
    true = TRUE.probabilities(logits, several=several)
    if several:
        return logits, (random.random((n, 4)) < true).astype(np.int64)
    thrown = (true.cumsum(axis=1) < random.random((n, 1))).sum(axis=1)
    return logits, np.minimum(thrown, 3)


def error(probabilities: np.ndarray, labels: np.ndarray) -> float:
    if labels.ndim > 1:
        return expected_error(reliability(probabilities.ravel(), labels.ravel() > 0))
    return expected_error(reliability(probabilities.max(axis=1), probabilities.argmax(axis=1) == labels))


@pytest.mark.parametrize("several", [False, True])
def test_scores_are_calibrated_where_one_temperature_is_not_enough(several: bool) -> None:
    fitted = calibration.fit(*misjudged(1_500, 1, several=several))
    logits, labels = misjudged(5_000, 2, several=several)
    plain = Calibration(calibration.temperature(logits, labels))
    assert error(plain.probabilities(logits, several=several), labels) > 0.03
    assert error(fitted.probabilities(logits, several=several), labels) < 0.025


@pytest.mark.parametrize("several", [False, True])
def test_calibration_keeps_the_order_of_labels(several: bool) -> None:
    logits, labels = misjudged(300, 3, several=several)
    found = calibration.fit(logits, labels).probabilities(logits, several=several)
    assert (np.argsort(found, axis=1, kind="stable") == np.argsort(logits, axis=1, kind="stable")).all()
    assert np.isfinite(found).all()


@pytest.mark.parametrize("n", [0, 1, 3, 8])
def test_with_few_documents_the_map_stays_near_the_identity_and_nothing_is_certain(n: int) -> None:
    logits = np.tile(np.array([[3.0, 0.0, 0.0]], np.float32), (n, 1))
    fitted = calibration.fit(logits, np.zeros(n, np.int64))
    assert 0.3 < fitted.rise < 3
    assert 0.3 < fitted.fall < 3
    assert fitted.probabilities(np.array([[3.0, 0.0, 0.0]]), several=False).max() < 0.999


@pytest.mark.parametrize("n_labels", [2, 3, 40])
def test_the_best_label_gets_the_mapped_confidence(n_labels: int) -> None:
    random = np.random.default_rng(n_labels)
    logits = random.normal(size=(200, n_labels)) * random.choice([0.3, 3.0, 9.0], (200, 1))
    for mapped in (
        Calibration(1.0, 2.0, 0.5, 0.3),
        Calibration(0.5, 0.4, 0.7, 0.5),
        Calibration(2.0, 1, 1, -0.5),
    ):
        best = softmax(logits / mapped.temperature).max(axis=1).clip(0, 1 - calibration.EDGE)
        raised = best**mapped.rise * (1 - best) ** -mapped.fall * np.exp(mapped.shift)
        wanted = np.maximum(raised / (1 + raised), 1 / n_labels)
        found = mapped.probabilities(logits, several=False)
        assert found.sum(axis=1) == pytest.approx(1)
        is_near_a_tie = np.sort(logits, axis=1)[:, -1] - np.sort(logits, axis=1)[:, -2] < 0.2
        assert found.max(axis=1)[~is_near_a_tie] == pytest.approx(wanted[~is_near_a_tie], abs=0.01)


@pytest.mark.parametrize("wanted", [0.3, 0.5, 0.9, 0.999])
def test_the_mapped_confidence_is_found_however_far_the_scores_are_from_it(wanted: float) -> None:
    random = np.random.default_rng(0)
    scores = random.normal(size=(20_000, 40)) * random.choice([0.01, 0.1, 1.0, 10.0], (20_000, 1)) * 3
    constant = Calibration(1.0, 1e-9, 1e-9, float(np.log(wanted / (1 - wanted))))
    margins = scores.max(axis=1, keepdims=True) - scores
    lowest, highest = (softmax(-factor * margins).max(axis=1) for factor in calibration.FACTORS)
    found = constant.probabilities(scores, several=False).max(axis=1)
    assert found == pytest.approx(np.clip(wanted, lowest, highest), abs=1e-4)


@pytest.mark.parametrize("thresholds", [None, [0.0, 0.0, 0.0]])
@pytest.mark.parametrize("scores", [[20.0, 30.0, 25.0], [-2_000.0, 0.0, -1_000.0]])
def test_labels_are_ordered_by_score_where_their_probabilities_are_equal(
    scores: list[float], thresholds: list[float] | None
) -> None:
    class Fixed:
        batch_documents = batch_chars = 1

        def logits(self, texts: Sequence[str], beat: Callable[[], None]) -> np.ndarray:
            beat()
            return np.array([scores] * len(texts), np.float32)

    config: dict[str, Any] = {
        "labels": ["a", "b", "c"],
        "temperature": 1.0,
        "confidence_map": [0.5, 0.5, 0.1],
    }
    config["thresholds"] = thresholds
    classifier: Any = Fixed()
    runner = LabelRunner(classifier, config, Setup(parameters=ClassifyParameters(top_n=3)))
    [rows] = runner.label(["x"])
    assert [row.label for row in rows] == ["b", "c", "a"]


def test_equal_scores_are_equally_probable() -> None:
    even = np.zeros((5, 3), np.float32)
    found = calibration.fit(even, np.array([0, 1, 2, 0, 1])).probabilities(even, several=False)
    assert found == pytest.approx(1 / 3)


def noisy(n: int) -> list[Document]:
    """Two labels by one word each, of which a quarter is wrong."""
    random = np.random.default_rng(0)
    found = []
    for number in range(n):
        label = int(random.integers(2))
        shown = label if random.random() < 0.75 else 1 - label
        words = random.choice([f"word{i}" for i in range(50)], 5)
        found.append(
            Document(
                number, f"k{number}", " ".join([*words, ("goal", "bank")[shown]]), ("sport", "money")[label]
            )
        )
    return found


def test_linear_is_calibrated_by_all_documents_that_are_not_held_out() -> None:
    documents = noisy(60)
    texts, labels = [d.text for d in documents], np.array([d.label == "money" for d in documents], np.int64)
    examples = Examples(texts[:50], labels[:50], texts[50:], labels[50:], ["s", "m"], np.ones(2, np.float32))
    fitted = linear.fit(examples, Training(TrainParameters(), "cpu", lambda *_: None))
    assert fitted.unseen is not None
    assert fitted.unseen.labels.tolist() == labels.tolist()
    assert fitted.unseen.logits.shape == (60, 2)
    assert fitted.unseen.logits[50:] == pytest.approx(fitted.validation_logits)


def test_a_model_of_an_earlier_version_has_a_temperature_alone(tmp_path: Path) -> None:
    assert TRAIN_CLASSIFY.train is not None
    folder = tmp_path / "model"
    folder.mkdir()
    TRAIN_CLASSIFY.train(noisy(120), TrainParameters(), "cpu", folder, lambda *_: None)
    config, tensors = model_files.load(folder)
    assert len(config.pop("confidence_map")) == 3
    evaluation = json.loads((folder / "evaluation.json").read_text(encoding="utf-8"))
    assert evaluation["temperature"] == config["temperature"]
    older = tmp_path / "older"
    older.mkdir()
    model_files.save(older, config, tensors)
    model_files.seal(older)
    runner = CLASSIFY.stages[0].open(Setup(parameters=ClassifyParameters(), model_dir=older))
    found: Any = runner.run([Document(1, "a", "goal goal")])
    [(row,)] = found
    assert row.label == "sport"
