"""Signs of life from deep inside long work.

Whoever runs the work may listen (a worker keeps its lease by them); whoever works calls `beat` between any two pieces
of it that can take longer than a moment. A beat says that work went on, nothing else. It costs next to nothing, so
it belongs into loops.
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
    """Work has gone on. Raises what the listener raises: the work is to end."""
    _listener()


def beating(things: Iterable[T]) -> Iterator[T]:
    """The same things, with a beat before each."""
    for thing in things:
        _listener()
        yield thing


@contextmanager
def heard_by(listener: Callable[[], None]) -> Iterator[None]:
    """Have `listener` hear every beat of the work inside. One at a time in a process."""
    global _listener
    before, _listener = _listener, listener
    try:
        yield
    finally:
        _listener = before
