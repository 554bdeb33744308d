"""What two files of a night mean differently."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from scheduler.nights.reading import NightFile


def differences(before: NightFile, now: NightFile) -> list[str]:
    """A line for each difference; empty if they mean the same."""
    lines = list(_changes("", _told(before), _told(now)))
    old, new = ({step.name: step.meaning for step in file.steps} for file in (before, now))
    for name in (*old, *(name for name in new if name not in old)):
        if name not in new:
            lines.append(f"step {name} is gone")
        elif name not in old:
            lines.append(f"step {name} is new")
        else:
            lines += _changes(f"step {name}", old[name], new[name])
    return lines


def _told(file: NightFile) -> dict[str, Any]:
    return file.definition.model_dump(mode="json", exclude={"step"})


def _changes(place: str, before: Any, now: Any) -> Iterator[str]:
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        for name in sorted({*before, *now}):
            yield from _changes(f"{place}.{name}" if place else name, before.get(name), now.get(name))
    elif before != now:
        yield f"{place}: {before!r} -> {now!r}"
