"""The curve of a training: what the loss, and figures on documents left out, were after each epoch.

A trainer calls `record` after each epoch, or each step of a training without epochs. The caller of the training may
listen: a worker stores the points with the model, and writes them for TensorBoard. Without a listener nothing happens.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import isfinite
from typing import ClassVar, TypeAlias


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """A figure after an epoch. Its table has a row for each."""

    table: ClassVar[str] = "model_curve"
    key: ClassVar[tuple[str, ...]] = ("series", "epoch")

    #: Which figure: "loss", "validation_loss", "validation_accuracy".
    series: str
    #: From 1.
    epoch: int
    value: float


Listener: TypeAlias = Callable[[CurvePoint], None]
_listener: Listener | None = None


def record(epoch: int, **figures: float) -> None:
    """Note figures after an epoch, counted from 1. A training that resumes may note an epoch again: the last counts. A
    figure that is not finite is left out."""
    if _listener is None:
        return
    for series, value in figures.items():
        if isfinite(value):
            _listener(CurvePoint(series, epoch, float(value)))


@contextmanager
def heard_by(listener: Listener) -> Iterator[None]:
    """Call `listener` with every point inside the context. One listener at a time in a process."""
    global _listener
    before, _listener = _listener, listener
    try:
        yield
    finally:
        _listener = before
