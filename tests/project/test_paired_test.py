"""The paired test of the benchmarks: chance is not taken for a difference."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("scipy")

from benchmarks import classification_calibration, paired_test


def test_the_interval_is_that_of_nadeau_and_bengio() -> None:
    ours, theirs = [0.82, 0.80, 0.84, 0.81, 0.83], [0.80, 0.80, 0.81, 0.80, 0.80]
    found = paired_test.compare(ours, theirs, test_share=0.2)
    differences = np.array(ours) - np.array(theirs)
    error = (differences.var(ddof=1) * (1 / 5 + 0.25)) ** 0.5
    assert found.lead == pytest.approx(differences.mean())
    assert found.chance == pytest.approx(2.776445 * error, rel=1e-5)
    assert 0.05 < found.p < 0.2, "a plain t-test would find 0.024"


def test_behind_is_only_what_chance_does_not_explain() -> None:
    even = [0.80, 0.81, 0.79, 0.80, 0.82]
    assert not paired_test.compare(even, [0.81, 0.80, 0.80, 0.79, 0.83], 0.2).is_behind
    assert paired_test.compare(
        even, [each + 0.05 + place / 1e3 for place, each in enumerate(even)], 0.2
    ).is_behind
    assert not paired_test.compare(even, even, 0.2).is_behind


def test_a_perfect_model_has_the_error_that_chance_makes() -> None:
    random = np.random.default_rng(0)
    confidence = random.uniform(0.4, 1, 300)
    found = classification_calibration.figures(confidence, random.random(300) < confidence)
    assert found["error"] == pytest.approx(found["error of a perfect model"], abs=0.03)
    assert found["error by mass of a perfect model"] > 0.04
