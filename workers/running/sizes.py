"""How many documents of one length go through a model together: learnt while the work goes on.

A batch that runs out of memory sets a limit for its length and all greater ones, which is never tried again. On a
device that gets faster with larger batches (a GPU), the limit is doubled as long as that pays. Lengths are bucketed by
powers of two. Independent of the store and of the clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from statistics import median

from db.batch_sizes import Learnt

#: A larger size is worth it if it is faster by this factor, judged by this many batches of each.
FASTER, SAMPLES = 1.05, 3
#: At most this many times what the runner asks for ...
MOST_TIMES = 16
#: ... and none that takes longer than this many seconds: a worker that is told to stop ends its batch first.
LONGEST_SECONDS = 2.0
#: A batch is judged if it is at least so full.
FULL = 0.9


@dataclass
class _Trial:
    """The speeds seen at the size that is tried now, and the best size so far with its speed."""

    speeds: list[float] = field(default_factory=list)
    best: tuple[int, float] | None = None


class Sizes:
    """What one model on one sort of device takes."""

    def __init__(self, known: Mapping[int, Learnt], *, grows: bool) -> None:
        self.grows = grows
        self._known = dict(known)
        self._changed: dict[int, Learnt] = {}
        self._trials: dict[int, _Trial] = {}

    def limits(self, longest: int, documents: int, chars: int) -> tuple[int, int]:
        """(most documents, most characters with padding) of a batch whose longest document has `longest` characters.
        `documents` and `chars` are what the runner asks for."""
        learnt = self._known.get(bucket_of(longest))
        most = learnt.most if learnt is not None else documents
        if failed := self._least_failed(longest):
            most = min(most, max(1, failed // 2))
        if most <= documents:
            return max(1, most), chars
        return most, chars * most // documents

    def ran_out(self, longest: int, n: int, documents: int) -> int:
        """A batch of `n` ran out of memory. Returns how many are tried from now on."""
        bucket = bucket_of(longest)
        before = self._known.get(bucket, Learnt(documents))
        failed = n if before.failed is None else min(n, before.failed)
        self._set(bucket, Learnt(max(1, failed // 2), failed, settled=True))
        return max(1, failed // 2)

    def ran(self, longest: int, n: int, n_chars: int, seconds: float, documents: int, chars: int) -> None:
        """A batch was run in `seconds`. Larger ones are tried where that may pay."""
        most, most_chars = self.limits(longest, documents, chars)
        bucket = bucket_of(longest)
        learnt = self._known.get(bucket, Learnt(documents))
        is_full = n >= FULL * most or (n + 1) * longest >= FULL * most_chars
        if not self.grows or learnt.settled or not is_full or seconds <= 0:
            return
        trial = self._trials.setdefault(bucket, _Trial())
        trial.speeds.append(n_chars / seconds)
        if len(trial.speeds) < SAMPLES:
            return
        speed, trial.speeds = median(trial.speeds), []
        if trial.best is not None and speed < FASTER * trial.best[1]:
            self._set(bucket, replace(learnt, most=trial.best[0], settled=True))
            return
        trial.best = (most, speed)
        if self._may_double(longest, most, seconds, documents):
            self._set(bucket, replace(learnt, most=2 * most))
        else:
            self._set(bucket, replace(learnt, most=most, settled=True))

    def changes(self) -> dict[int, Learnt]:
        """What was learnt since the last call, and can be kept: no size that is still being tried."""
        changed = {bucket: each for bucket, each in self._changed.items() if each.settled}
        self._changed = {}
        return changed

    def _may_double(self, longest: int, most: int, seconds: float, documents: int) -> bool:
        failed = self._least_failed(longest)
        fits = failed is None or 2 * most < failed
        return fits and 2 * seconds <= LONGEST_SECONDS and 2 * most <= MOST_TIMES * documents

    def _least_failed(self, longest: int) -> int | None:
        """The smallest batch that ran out of memory with documents as short as these, or shorter."""
        bucket = bucket_of(longest)
        failures = [
            each.failed for other, each in self._known.items() if other <= bucket and each.failed is not None
        ]
        return min(failures, default=None)

    def _set(self, bucket: int, learnt: Learnt) -> None:
        self._known[bucket] = self._changed[bucket] = learnt


def bucket_of(n_chars: int) -> int:
    """The power of two that is greater than a length."""
    return n_chars.bit_length()
