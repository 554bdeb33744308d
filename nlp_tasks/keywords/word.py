"""One word of a text and its place."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Word:
    """A word and its place: `text[start:end]`, with `name` in lower case."""

    name: str
    start: int
    end: int
