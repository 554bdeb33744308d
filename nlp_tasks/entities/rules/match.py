"""What a rule finds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Match:
    """A part of a text: `text[start:end]`."""

    start: int
    end: int
    #: One of labels.LABELS.
    label: str
    #: Its value in one form for all ways to write it; None if the text does not say enough.
    normal: str | None = None
    #: From 0 to 1: below 1 where the form alone decides, without a checksum.
    score: float = 1.0
