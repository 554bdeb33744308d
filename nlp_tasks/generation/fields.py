"""An answer with a schema as rows, one for each of its values."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from nlp_tasks.generation import GenerationFieldRow


def rows(answer: str) -> list[GenerationFieldRow]:
    """The values of a JSON text, in its order."""
    found = enumerate(_values(json.loads(answer), ""), start=1)
    return [GenerationFieldRow(rank, path, *typed) for rank, (path, typed) in found]


def _values(value: Any, path: str) -> Iterator[tuple[str, tuple[Any, ...]]]:
    if isinstance(value, dict) and value:
        for name, one in value.items():
            yield from _values(one, f"{path}.{name}" if path else name)
    elif isinstance(value, list) and value:
        for number, one in enumerate(value):
            yield from _values(one, f"{path}[{number}]")
    else:
        yield path, _typed(value)


def _typed(value: Any) -> tuple[Any, ...]:
    """(type, text, number, boolean)"""
    if isinstance(value, bool):
        return "boolean", None, None, value
    if isinstance(value, str):
        return "text", value, None, None
    if isinstance(value, int | float):
        return "number", None, float(value), None
    return ("null" if value is None else "object" if value == {} else "array"), None, None, None
