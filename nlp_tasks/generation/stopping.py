"""Where a text ends before the model ends it: at a stop string."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

#: Tokens that are decoded beside those of a stop string: it may begin inside one.
_BESIDE = 8


def strings_of(value: str) -> tuple[str, ...]:
    """The stop strings of a parameter: a JSON array of strings, or a single one. ValueError for another array."""
    if not value.startswith("["):
        return (value,) if value else ()
    try:
        found = json.loads(value)
    except (ValueError, RecursionError):
        raise ValueError('stop: write one string, or a JSON array such as ["\\n\\n", "END"]') from None
    if not all(isinstance(one, str) and one for one in found):
        raise ValueError("stop: every entry of the array must be a string that is not empty")
    return tuple(found)


def has_stopped(ids: Sequence[int], stops: Sequence[str], decode: Callable[[Sequence[int]], str]) -> bool:
    """Whether the last tokens complete a stop string. A token has at least one byte: few need to be looked at."""
    if not stops:
        return False
    n = max(len(stop.encode()) for stop in stops) + _BESIDE
    end = decode(ids[-n:])
    return any(stop in end for stop in stops)


def before(text: str, stops: Sequence[str]) -> str:
    """The text before the first stop string."""
    places = [place for stop in stops if (place := text.find(stop)) >= 0]
    return text[: min(places)] if places else text
