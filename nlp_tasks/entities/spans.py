"""Entities as places in a text, and as a tag for each unit of it: B-X begins an X, I-X continues it, O is none."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

OUTSIDE = "O"
#: (start, end) of a unit in the text.
Unit = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Entity:
    """An entity: `text[start:end]`."""

    start: int
    end: int
    label: str


def tags(units: Sequence[Unit], entities: Sequence[Entity]) -> list[str]:
    """The tag of each unit. An entity that begins or ends inside a unit takes all of it."""
    found = [OUTSIDE] * len(units)
    starts, ends = [start for start, _ in units], [end for _, end in units]
    for entity in entities:
        first, last = bisect_right(ends, entity.start), bisect_left(starts, entity.end)
        for place in range(first, last):
            found[place] = f"{'B' if place == first else 'I'}-{entity.label}"
    return found


def entities(units: Sequence[Unit], tagged: Sequence[str]) -> list[tuple[Entity, range]]:
    """The entities that tags say, each with its units. An I-X after another label begins an X."""
    found: list[tuple[Entity, range]] = []
    first, label = 0, ""
    for place, tag in enumerate([*tagged, OUTSIDE]):
        part, _, name = tag.partition("-")
        if label and (part != "I" or name != label):
            found.append((Entity(units[first][0], units[place - 1][1], label), range(first, place)))
            label = ""
        if part != OUTSIDE and not label:
            first, label = place, name
    return found


def without_overlaps(found: Sequence[Entity]) -> list[Entity]:
    """The entities by place; of two that overlap, the one that begins first, or else the longer one."""
    kept: list[Entity] = []
    for entity in sorted(found, key=lambda each: (each.start, -each.end)):
        if not kept or entity.start >= kept[-1].end:
            kept.append(entity)
    return kept


def inside(found: Sequence[Entity], start: int, end: int) -> list[Entity]:
    """The entities of a part of a text, with offsets from its start; `found` is in the order of the text and without
    overlaps."""
    first = bisect_right(found, start, key=lambda each: each.end)
    last = bisect_left(found, end, key=lambda each: each.start)
    return [Entity(each.start - start, each.end - start, each.label) for each in found[first:last]]
