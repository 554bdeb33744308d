"""Loaded runners, kept within a budget of memory: the least recently used one leaves first.

What a runner takes is measured, not declared: the memory in use before and after it was opened, and what is added while
it works (an index that it loads with its first batch). Independent of torch: how memory is measured and given back, its
caller says.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass

from nlp_tasks.kind import Runner

log = logging.getLogger("docmill.worker")

#: However small they are, at most this many runners are kept.
MOST = 16
#: Sizes of runners that have left are remembered, so that room is made before they are opened again.
REMEMBERED = 256


@dataclass
class Kept:
    """A runner, and the bytes it was measured to take."""

    runner: Runner
    n_bytes: int


class Resident:
    """The runners of one process."""

    def __init__(self, used: Callable[[], int], release: Callable[[], None], budget: int) -> None:
        self.budget = budget
        self.n_opened = 0
        self._used, self._release = used, release
        self._kept: OrderedDict[Hashable, Kept] = OrderedDict()
        self._sizes: OrderedDict[Hashable, int] = OrderedDict()
        self._seen = 0

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def n_bytes(self) -> int:
        """What all of them take."""
        return sum(kept.n_bytes for kept in self._kept.values())

    def get(self, key: Hashable) -> Runner | None:
        """The runner of this key, which is the most recently used one from now on."""
        self._settle()
        if key not in self._kept:
            return None
        self._kept.move_to_end(key)
        self._keep_within(self.budget)
        return self._kept[key].runner

    def open(
        self,
        key: Hashable,
        opener: Callable[[], Runner],
        expected: int,
        ran_out: Callable[[BaseException], bool],
    ) -> Runner:
        """Open a runner and keep it. Others leave first if it is expected not to fit beside them, and one after
        another if memory runs out. `expected` bytes are what is known of one that was never measured."""
        self._settle()
        room = self.budget - self._sizes.get(key, expected)
        while self._kept and (self.n_bytes > room or len(self._kept) >= MOST):
            self._evict()
        runner = self._tried(opener, ran_out)
        before, self._seen = self._seen, self._used()
        self._kept[key] = Kept(runner, max(0, self._seen - before))
        self.n_opened += 1
        self._keep_within(self.budget)
        log.info(
            "%d models are loaded, %.0f MB of at most %.0f MB",
            len(self),
            self.n_bytes / 1e6,
            self.budget / 1e6,
        )
        return runner

    def make_room(self) -> bool:
        """Let the least recently used runner go, but not the one in use; whether there was one."""
        self._settle()
        if len(self._kept) < 2:
            self._release()
            return False
        self._evict()
        return True

    def clear(self) -> None:
        self._kept.clear()

    def _tried(self, opener: Callable[[], Runner], ran_out: Callable[[BaseException], bool]) -> Runner:
        while True:
            try:
                return opener()
            except Exception as error:
                if not ran_out(error) or not self._kept:
                    raise
            # Here the exception and its frames are gone, which held what was loaded so far.
            self._evict()

    def _settle(self) -> None:
        """What was added since the last look belongs to the runner that was used last."""
        now = self._used()
        if self._kept:
            last = next(reversed(self._kept.values()))
            last.n_bytes = max(0, last.n_bytes + now - self._seen)
        self._seen = now

    def _keep_within(self, n_bytes: int) -> None:
        while len(self._kept) > 1 and self.n_bytes > n_bytes:
            self._evict()

    def _evict(self) -> None:
        key, kept = self._kept.popitem(last=False)
        self._sizes[key] = kept.n_bytes
        self._sizes.move_to_end(key)
        if len(self._sizes) > REMEMBERED:
            self._sizes.popitem(last=False)
        freed = kept.n_bytes
        del kept
        self._release()
        self._seen = self._used()
        log.info("a model that was not used for longest leaves: %.0f MB", freed / 1e6)
