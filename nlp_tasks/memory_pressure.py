"""Room in the memory of a device, for work that ran out of it.

Work that runs out of memory calls `relieve` before it gives up or makes its batches smaller. Whoever keeps other models
in the same memory may listen, and let go of one of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager


def _nobody() -> bool:
    """Nobody keeps anything."""
    return False


_maker: Callable[[], bool] = _nobody


def relieve() -> bool:
    """Make room; whether there is more than before, so that the same work is worth another try. Call it after the
    `except` block: the exception's frames hold what was allocated."""
    return _maker()


@contextmanager
def relieved_by(maker: Callable[[], bool]) -> Iterator[None]:
    """Call `maker` for room inside the context. One at a time in a process."""
    global _maker
    before, _maker = _maker, maker
    try:
        yield
    finally:
        _maker = before
