"""Compares a new model with the champion on the same documents, as gates do.

The difference of their macro F1 comes with a confidence interval from a paired bootstrap over the documents (Efron &
Tibshirani 1993; Koehn 2004), so that a difference by chance does not decide. Independent of the kind of model.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nlp_tasks.kind import Figure

#: Bootstrap samples, and how many are drawn at a time.
SAMPLES, TOGETHER = 1_000, 50
#: The percentiles of a 95 % confidence interval.
LOW, HIGH = 2.5, 97.5
#: The smallest difference that counts as better.
LEAST_GAIN = 0.0001


@dataclass(frozen=True)
class Counts:
    """What a model found in N documents, by L labels."""

    #: What is right.
    hits: NDArray[np.float64]  # (N, L)
    #: What the documents have, and what the model gave, together.
    sizes: NDArray[np.float64]  # (N, L)

    def macro_f1(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """Macro F1 (B,) of each bootstrap sample; `weights` (B, N) say how often a document is in it."""
        hits, sizes = weights @ self.hits, weights @ self.sizes
        f1 = 2 * hits / np.maximum(sizes, 1)
        # A label that no document has or was given does not count. If no label counts, the F1 is 0.
        mean: NDArray[np.float64] = f1.sum(axis=1) / np.maximum((sizes > 0).sum(axis=1), 1)
        return mean


def compare(mine: Counts, champions: Counts, rule: str, beat: Callable[[], None]) -> list[Figure]:
    """The figures of a gate. With the rule `better`, the new model has to be significantly better; with `not-worse`, it
    must not be significantly worse."""
    n = len(mine.hits)
    every = np.ones((1, n))
    low, high = np.percentile(_gains(mine, champions, beat), (LOW, HIGH))
    must_beat = rule == "better"
    return [
        Figure("n_gold_documents", n, at_least=1),
        Figure("macro_f1", float(mine.macro_f1(every)[0])),
        Figure("champion_macro_f1", float(champions.macro_f1(every)[0])),
        Figure("macro_f1_gain_low", float(low), at_least=LEAST_GAIN if must_beat else None),
        Figure("macro_f1_gain_high", float(high), at_least=None if must_beat else 0.0),
    ]


def _gains(mine: Counts, champions: Counts, beat: Callable[[], None]) -> NDArray[np.float64]:
    """The macro F1 of the new model minus that of the champion in each bootstrap sample (SAMPLES,)."""
    random = np.random.default_rng(0)
    n, gains = len(mine.hits), []
    for _ in range(0, SAMPLES, TOGETHER):
        weights = random.multinomial(n, np.full(n, 1 / n), size=TOGETHER).astype(float)
        gains.append(mine.macro_f1(weights) - champions.macro_f1(weights))
        beat()
    return np.concatenate(gains)
