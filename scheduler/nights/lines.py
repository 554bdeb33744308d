"""Where each key of a TOML text stands: tomllib does not say."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from typing import Any, TypeAlias

#: The way to a value: ("step", 2, "parameters", "k").
Place: TypeAlias = "tuple[str | int, ...]"

#: A value that is longer is no value: the scan gives up on it.
_LONGEST = 2_000


def lines_of(text: str) -> dict[Place, int]:
    """The line, from 1, of each table and key of a valid text."""
    found: dict[Place, int] = {}
    counts: dict[Place, int] = {}
    table: Place = ()
    for number, statement in _statements(text):
        if statement.lstrip().startswith("["):
            table = _table(statement, counts)
            for end in range(1, len(table) + 1):
                found.setdefault(table[:end], number)
            found[table] = number
        else:
            for place in _places(tomllib.loads(statement)):
                for end in range(1, len(place) + 1):
                    found.setdefault((*table, *place[:end]), number)
    return found


def line_of(found: dict[Place, int], place: Place) -> int:
    """The line of a place, or of the nearest table around it."""
    for end in range(len(place), 0, -1):
        if place[:end] in found:
            return found[place[:end]]
    return 1


def _statements(text: str) -> Iterator[tuple[int, str]]:
    """(line, a table's head or a key with its value, which may go over several lines)"""
    lines = text.replace("\r\n", "\n").split("\n")
    at = 0
    while at < len(lines):
        for end in range(at + 1, min(len(lines), at + _LONGEST) + 1):
            statement = "\n".join(lines[at:end])
            try:
                parsed = tomllib.loads(statement)
            except tomllib.TOMLDecodeError:
                continue
            if parsed:
                yield at + 1, statement
            at = end
            break
        else:
            at += 1


def _table(head: str, counts: dict[Place, int]) -> Place:
    """The place of the table that begins here; of an array of tables, its next one."""
    value: Any = tomllib.loads(head)
    place: Place = ()
    while value:
        if isinstance(value, list):
            counts[place] = counts.get(place, -1) + 1
            return (*place, counts[place])
        (name,) = value
        place, value = (*place, name), value[name]
        if place in counts and not isinstance(value, list):
            place = (*place, counts[place])
    return place


def _places(value: Any, so_far: Place = ()) -> Iterator[Place]:
    if so_far:
        yield so_far
    if isinstance(value, dict):
        for name, one in value.items():
            yield from _places(one, (*so_far, name))
    elif isinstance(value, list):
        for number, one in enumerate(value):
            yield from _places(one, (*so_far, number))
