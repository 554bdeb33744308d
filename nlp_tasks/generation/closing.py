"""The shortest text that completes the beginning of an answer, so that one which has few tokens left ends in time.

Works on schemas as `json_schema.parse` returns them, and on JSON without blanks between its parts, whose properties are in the
schema's order: what the masks of `constraint` let through.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any

Node = Mapping[str, Any]

_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?")
_NUMBER_SO_FAR = re.compile(r"-?[0-9]*\.?[0-9]*")
#: Digits that are tried to complete a number.
_DIGITS = "0123456789"
#: Fills strings that are too short.
_FILL = "x"


class _EndError(Exception):
    """The text ends here; what completes it."""

    def __init__(self, rest: str) -> None:
        super().__init__()
        self.rest = rest


def shortest(node: Node) -> str:
    """A shortest answer."""
    if "anyOf" in node:
        return min((shortest(one) for one in node["anyOf"]), key=len)
    if "enum" in node:
        return min(map(literal, node["enum"]), key=len)
    return _SHORTEST[node["type"]](node)


def longest_rest(node: Node) -> int:
    """No beginning of an answer needs more bytes than this to be completed."""
    if "anyOf" in node:
        return max(longest_rest(one) for one in node["anyOf"])
    if "enum" in node:
        return max(len(literal(one).encode()) for one in node["enum"])
    if node["type"] == "object":
        return 2 + sum(
            len(literal(name).encode()) + 2 + longest_rest(one) for name, one in node["properties"].items()
        )
    if node["type"] == "array":
        return 2 + (node.get("minItems", 0) + 1) * (longest_rest(node["items"]) + 1)
    # A string's quotes, its fill, and the rest of a character or an escape; a number of 20 places.
    return 6 + node.get("minLength", 0) if node["type"] == "string" else 24


def rest(node: Node, text: str) -> str:
    """What completes the text, shortly; "" if it is whole. ValueError if it cannot be completed."""
    try:
        end = _value(node, text, 0)
    except _EndError as found:
        return found.rest
    if end != len(text):
        raise ValueError("more than an answer")
    return ""


def literal(value: Any) -> str:
    """A value as JSON without blanks."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _value(node: Node, text: str, start: int) -> int:
    """The end of the value that begins at `start`; _EndError if the text ends before it does."""
    if start == len(text):
        raise _EndError(shortest(node))
    if "anyOf" in node:
        is_null = text.startswith("n", start)
        chosen = next(one for one in node["anyOf"] if (one.get("type") == "null") == is_null)
        return _value(chosen, text, start)
    if "enum" in node:
        return _one_of([literal(one) for one in node["enum"]], text, start)
    return _VALUES[node["type"]](node, text, start)


def _one_of(choices: list[str], text: str, start: int) -> int:
    whole = [one for one in choices if text.startswith(one, start)]
    if whole:
        end = start + len(max(whole, key=len))
        if end < len(text) or len(max(whole, key=len)) == len(text) - start:
            return end
    left = len(text) - start
    longer = [one for one in choices if one.startswith(text[start:])]
    if not longer:
        raise ValueError("none of the values")
    raise _EndError(min(longer, key=len)[left:])


def _boolean(_: Node, text: str, start: int) -> int:
    return _one_of(["true", "false"], text, start)


def _null(_: Node, text: str, start: int) -> int:
    return _one_of(["null"], text, start)


def _string(node: Node, text: str, start: int) -> int:
    place, n = start + 1, 0
    while place < len(text):
        if text[place] == '"':
            return place + 1
        if text[place] == "\\" and place + 1 == len(text):
            raise _EndError("n" + _FILL * (node.get("minLength", 0) - n - 1) + '"')
        place += 2 if text[place] == "\\" else 1
        n += 1
    raise _EndError(_FILL * (node.get("minLength", 0) - n) + '"')


def _number(node: Node, text: str, start: int) -> int:
    found = _NUMBER_SO_FAR.match(text, start)
    assert found is not None
    if found.end() < len(text):
        return found.end()
    for more in _digits(whole=node["type"] == "integer"):
        if _fits(node, found[0] + more):
            if not more:
                return found.end()
            raise _EndError(more)
    raise ValueError("no number within the bounds")


def _digits(*, whole: bool) -> Iterator[str]:
    yield ""
    for n in (1, 2):
        for chosen in product(_DIGITS, repeat=n):
            yield "".join(chosen)
            if not whole:
                yield "." + "".join(chosen)
    # A number with high bounds needs many: 9007199254740990 has sixteen.
    for n in range(3, 17):
        for fill in "0159":
            yield fill * n


def _fits(node: Node, text: str) -> bool:
    return _NUMBER.fullmatch(text) is not None and node["minimum"] <= float(text) <= node["maximum"]


def _array(node: Node, text: str, start: int) -> int:
    item, least = node["items"], node.get("minItems", 0)
    place, n = start + 1, 0
    if text.startswith("]", place):
        return place + 1
    if place == len(text):
        raise _EndError(_items(item, least) + "]")
    while True:
        try:
            place = _value(item, text, place)
        except _EndError as end:
            more = "," if least > n + 1 else ""
            raise _EndError(end.rest + more + _items(item, least - n - 1) + "]") from None
        n += 1
        if place == len(text):
            raise _EndError(("," if least > n else "") + _items(item, least - n) + "]")
        if text[place] == "]":
            return place + 1
        place += 1


def _items(item: Node, n: int) -> str:
    return ",".join([shortest(item)] * n)


def _object(node: Node, text: str, start: int) -> int:
    names = list(node["properties"])
    place, after = start + 1, 0
    if text.startswith("}", place):
        return place + 1
    while True:
        name, place = _name(node, names, after, text, place, is_first=after == 0)
        after = names.index(name) + 1
        try:
            place = _value(node["properties"][name], text, place)
        except _EndError as end:
            raise _EndError(end.rest + _members(node, names[after:]) + "}") from None
        if place == len(text):
            raise _EndError(_members(node, names[after:]) + "}")
        if text[place] == "}":
            return place + 1
        place += 1


def _name(
    node: Node, names: list[str], after: int, text: str, place: int, *, is_first: bool
) -> tuple[str, int]:
    """(name of the property whose name begins at `place`, where its value begins)"""
    possible = []
    for name in names[after:]:
        possible.append(name)
        if name in node["required"]:
            break
    if place == len(text) and is_first and not node["required"]:
        raise _EndError("}")
    for name in possible:
        written = literal(name) + ":"
        if text.startswith(written, place):
            return name, place + len(written)
    begun = [name for name in possible if (literal(name) + ":").startswith(text[place:])]
    if not begun:
        raise ValueError("none of the properties")
    rests = [
        (literal(name) + ":")[len(text) - place :]
        + shortest(node["properties"][name])
        + _members(node, names[names.index(name) + 1 :])
        + "}"
        for name in begun
    ]
    raise _EndError(min(rests, key=len))


def _members(node: Node, names: list[str]) -> str:
    """The required properties among these, each with its shortest value, after a comma."""
    return "".join(
        f",{literal(name)}:{shortest(node['properties'][name])}" for name in names if name in node["required"]
    )


def _shortest_object(node: Node) -> str:
    return "{" + _members(node, list(node["properties"])).removeprefix(",") + "}"


def _shortest_number(node: Node) -> str:
    low, high = node["minimum"], node["maximum"]
    if low <= 0 <= high:
        return "0"
    candidates = {low, high, *(10**n for n in range(16)), *(-(10**n) for n in range(16)), *range(-9, 10)}
    fitting = [one for one in candidates if low <= one <= high]
    return min((_plain(one) for one in fitting), key=len)


def _plain(number: float) -> str:
    return str(number) if isinstance(number, int) else f"{number:.15f}".rstrip("0").rstrip(".")


_SHORTEST: Mapping[str, Any] = {
    "object": _shortest_object,
    "array": lambda node: "[" + _items(node["items"], node.get("minItems", 0)) + "]",
    "string": lambda node: '"' + _FILL * node.get("minLength", 0) + '"',
    "integer": _shortest_number,
    "number": _shortest_number,
    "boolean": lambda _: "true",
    "null": lambda _: "null",
}
_VALUES: Mapping[str, Any] = {
    "object": _object,
    "array": _array,
    "string": _string,
    "integer": _number,
    "number": _number,
    "boolean": _boolean,
    "null": _null,
}
