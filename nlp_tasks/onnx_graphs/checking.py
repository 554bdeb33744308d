"""Whether a graph gives what torch gives, on texts of several lengths, alone and together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

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
    #: Of vectors: 1 where none has turned. None for scores.
    lowest_cosine: float | None
    #: Of scores: the share of texts, or of units in them, that get another label. None for vectors.
    changed_labels: float | None = None

    @property
    def is_equal(self) -> bool:
        """Whether they are the same numbers, but for rounding, and lead to the same labels."""
        return self.largest_difference <= MOST_DIFFERENCE and not self.changed_labels


def batches(compute: Callable[[Sequence[str]], NDArray[np.float32]]) -> NDArray[np.float32]:
    """What a model makes of the sample, all texts together and each alone  # (M, K)."""
    return np.concatenate([compute(SAMPLE), *(compute([text]) for text in SAMPLE)])


def compared(
    expected: NDArray[np.float32],
    found: NDArray[np.float32],
    decided: Callable[[NDArray[np.float32]], NDArray[Any]] | None,
) -> Check:
    """Numbers of torch (M, K) beside those of a graph. `decided`: the labels that scores lead to (M, ...); None for
    vectors."""
    difference = float(np.abs(found - expected).max(initial=0.0))
    if not len(found):
        return Check(0.0, 1.0) if decided is None else Check(0.0, None, 0.0)
    if decided is None:
        return Check(difference, float(_cosines(expected, found).min()))
    changed = (decided(found) != decided(expected)).reshape(len(found), -1).any(axis=1)
    if difference <= MOST_DIFFERENCE:
        changed &= ~_is_close(expected)
    return Check(difference, None, float(changed.mean()))


def best(scores: NDArray[np.float32]) -> NDArray[np.int64]:
    """The largest of each row (M,)."""
    found: NDArray[np.int64] = scores.argmax(axis=1)
    return found


def _is_close(scores: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Rows whose two largest scores are equal but for the difference that is allowed: either label is right."""
    if scores.shape[1] < 2:
        return np.zeros(len(scores), bool)
    two = np.partition(scores, -2, axis=1)[:, -2:]
    close: NDArray[np.bool_] = two[:, 1] - two[:, 0] <= 2 * MOST_DIFFERENCE
    return close


def _cosines(expected: NDArray[np.float32], found: NDArray[np.float32]) -> NDArray[np.float32]:
    lengths = np.linalg.norm(found, axis=1) * np.linalg.norm(expected, axis=1)
    cosines: NDArray[np.float32] = (found * expected).sum(axis=1) / np.maximum(lengths, 1e-12)
    return cosines
