"""Paths of fields inside JSON objects: `content.body`, `document[].paragraph[].form`.

A dot enters an object, `[]` each element of an array. A field whose own name has dots or brackets takes precedence.
Knows objects, not files.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

#: Limits for listing the fields of an object: the depth, and the number of fields and elements.
_MAX_DEPTH = 8
_MAX_LISTED = 20
_MAX_ELEMENTS = 50


def check(key_field: str, text_field: str) -> None:
    """Raise ValueError for an invalid path, or if the keys and the texts are in different arrays."""
    for field in (key_field, text_field):
        if is_path(field) and not all(step.removesuffix("[]") for step in field.split(".")):
            raise ValueError(
                f"{field!r} is not the path of a field: write it as content.body or document[].text"
            )
    if not text_field.startswith(array_of(key_field)):
        raise ValueError(
            f"there is a key for each {array_of(key_field)}, and the text {text_field!r} is not in it: "
            f"name a text in {array_of(key_field)}, or a key outside of it"
        )


def is_path(field: str) -> bool:
    """Whether the name is a valid path."""
    return "." in field or field.endswith("[]")


def array_of(field: str) -> str:
    """The path of the array whose elements have this field: "a[].b[]" for "a[].b[].c"; empty if there is none."""
    before, bracket, _ = field.rpartition("[]")
    return before + bracket


def elements(record: dict[str, Any], array: str) -> list[Any]:
    """The elements of the array of this path."""
    return list(_values(record, array.split(".")))


def value(inside: Any, field: str) -> Any:
    """The value of the field; KeyError if there is none. Texts of several array elements are joined by line feeds."""
    if not isinstance(inside, dict):
        raise KeyError(field)
    if field in inside:
        return inside[field]
    if not is_path(field):
        raise KeyError(field)
    found = list(_values(inside, field.split(".")))
    if not found:
        raise KeyError(field)
    if "[]" not in field:
        return found[0]
    wrong = next((each for each in found if not isinstance(each, str)), None)
    return "\n".join(found) if wrong is None else wrong


def _values(inside: Any, steps: list[str]) -> Iterator[Any]:
    if not steps:
        yield inside
        return
    step, rest = steps[0], steps[1:]
    if not isinstance(inside, dict):
        return
    if not step.endswith("[]"):
        if step in inside:
            yield from _values(inside[step], rest)
        return
    elements = inside.get(step.removesuffix("[]"))
    for element in elements if isinstance(elements, list) else ():
        yield from _values(element, rest)


def texts(record: dict[str, Any]) -> dict[str, tuple[int, int]]:
    """The paths of the strings and numbers in a record, with their numbers of blanks and characters (0 for numbers)."""
    found: dict[str, tuple[int, int]] = {}
    for path, leaf in _leaves(record, "", 0):
        if path in found or len(found) < _MAX_LISTED:
            n_blanks, n_chars = found.get(path, (0, 0))
            text = leaf if isinstance(leaf, str) else ""
            found[path] = (n_blanks + text.count(" "), n_chars + len(text))
    return found


def _leaves(inside: Any, path: str, depth: int) -> Iterator[tuple[str, Any]]:
    if depth > _MAX_DEPTH:
        return
    if isinstance(inside, dict):
        for name, each in list(inside.items())[:_MAX_ELEMENTS]:
            if path and is_path(name):
                continue  # not reachable by a path
            yield from _leaves(each, f"{path}.{name}" if path else name, depth + 1)
    elif isinstance(inside, list) and path.endswith("[]"):
        return
    elif isinstance(inside, list) and path:
        for each in inside[:_MAX_ELEMENTS]:
            yield from _leaves(each, f"{path}[]", depth + 1)
    elif path:
        yield path, inside
