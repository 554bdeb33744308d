"""Heartbeats from deep inside long work.

Long work calls `beat` between any two steps that may take more than a moment. The caller of the work may listen: a
worker keeps its lease this way. A heartbeat says that the work makes progress, nothing else. It costs almost nothing,
so that it can be called in loops.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")


def _nobody() -> None:
    """Nobody listens."""


_listener: Callable[[], None] = _nobody


def beat() -> None:
    """Say that the work makes progress. Raises what the listener raises, to stop the work."""
    _listener()


def beating(things: Iterable[T], every: int = 1) -> Iterator[T]:
    """The same items, with a heartbeat before each, or before each `every` items where one takes no time."""
    for number, thing in enumerate(things):
        if number % every == 0:
            _listener()
        yield thing


@contextmanager
def heard_by(listener: Callable[[], None]) -> Iterator[None]:
    """Call `listener` at every heartbeat inside the context. One listener at a time in a process."""
    global _listener
    before, _listener = _listener, listener
    try:
        yield
    finally:
        _listener = before
