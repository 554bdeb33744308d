"""Whether a graph gives what torch gives, on texts of several lengths, alone and together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

#: The largest difference of a number between ONNX Runtime and torch.
MOST_DIFFERENCE = 1e-4
#: Texts that graphs are checked with: of several lengths, in two languages, and longer than any window.
SAMPLE = (
    "a",
    "The bank raised interest rates.",
    "한국은행이 기준금리를 올렸다.",
    "Heavy rain closed two roads in the north of the city, and trains were late all morning.",
    "어제 저녁 서울에서 열린 경기에서 홈 팀이 두 골 차로 이겼고, 관중은 경기가 끝난 뒤에도 자리를 뜨지 않았다.",
    "The committee will publish its report on school funding in March. " * 60,
)


@dataclass(frozen=True)
class Check:
    """How far the numbers of a graph are from those of torch."""

    largest_difference: float
    #: Of vectors: 1 where none has turned.
    lowest_cosine: float
    #: Of scores: the share of texts, or of units in them, whose largest score is that of another label. None for vectors.
    changed_labels: float | None = None

    @property
    def is_equal(self) -> bool:
        """Whether they are the same numbers, but for rounding, and lead to the same labels."""
        return self.largest_difference <= MOST_DIFFERENCE and not self.changed_labels


def batches(compute: Callable[[Sequence[str]], NDArray[np.float32]]) -> NDArray[np.float32]:
    """What a model makes of the sample, all texts together and each alone  # (M, K)."""
    return np.concatenate([compute(SAMPLE), *(compute([text]) for text in SAMPLE)])


def compared(expected: NDArray[np.float32], found: NDArray[np.float32], *, decides: bool) -> Check:
    """Numbers of torch (M, K) beside those of a graph. Where two scores of torch are equal up to the difference that is
    allowed, either label is right."""
    if not expected.size:
        return Check(0.0, 1.0, 0.0 if decides else None)
    lengths = np.linalg.norm(found, axis=1) * np.linalg.norm(expected, axis=1)
    cosines = (found * expected).sum(axis=1) / np.maximum(lengths, 1e-12)
    changed = float(_lost(expected, found).mean()) if decides else None
    return Check(float(np.abs(found - expected).max()), float(cosines.min()), changed)


def _lost(expected: NDArray[np.float32], found: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Rows in which the graph chooses another label, which torch gives a lower score."""
    chosen = np.take_along_axis(expected, found.argmax(axis=1)[:, None], axis=1)[:, 0]
    lost: NDArray[np.bool_] = expected.max(axis=1) - chosen > 2 * MOST_DIFFERENCE
    return lost
