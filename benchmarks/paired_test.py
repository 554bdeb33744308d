"""The corrected resampled t-test (Nadeau and Bengio 2003): is one method better than another beyond chance?

Knows scores only: one pair for each fold of a repeated cross-validation. The training sets of such folds overlap, so
that their differences are not independent, and a plain t-test finds differences where there are none. The correction
adds the ratio of the sizes of test set and training set to the 1 / n of the variance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, variance


@dataclass(frozen=True)
class Compared:
    """A mean difference, half of its 95 % interval, and the two-sided p value."""

    lead: float
    chance: float
    p: float

    @property
    def is_behind(self) -> bool:
        """Whether the whole interval is below 0."""
        return self.lead + self.chance < 0


def compare(ours: Sequence[float], theirs: Sequence[float], test_share: float) -> Compared:
    """Our lead by the scores of each fold, of whose documents `test_share` are tested and the others trained on."""
    from scipy.stats import t  # type: ignore[import-untyped, unused-ignore]

    differences = [mine - other for mine, other in zip(ours, theirs, strict=True)]
    n = len(differences)
    lead = fmean(differences)
    spread = variance(differences) if n > 1 else 0.0
    if spread == 0:
        return Compared(lead, 0.0, 1.0 if lead == 0 else 0.0)
    error = (spread * (1 / n + test_share / (1 - test_share))) ** 0.5
    return Compared(lead, float(t.ppf(0.975, n - 1)) * error, float(2 * t.sf(abs(lead) / error, n - 1)))
