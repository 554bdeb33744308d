"""A text without what it must not say: each place is replaced by its label in brackets."""

from __future__ import annotations

from collections.abc import Iterable

from nlp_tasks.entities.spans import Entity


def redacted(text: str, places: Iterable[Entity]) -> tuple[str, int]:
    """The text with each of these places replaced, and their number. Places that overlap or touch with one label become
    one."""
    merged: list[Entity] = []
    for place in sorted(places, key=lambda each: (each.start, -each.end)):
        if merged and place.start < merged[-1].end:
            last = merged[-1]
            merged[-1] = Entity(last.start, max(last.end, place.end), last.label)
        else:
            merged.append(place)
    parts, position = [], 0
    for place in merged:
        parts += [text[position : place.start], f"[{place.label}]"]
        position = place.end
    return "".join([*parts, text[position:]]), len(merged)
