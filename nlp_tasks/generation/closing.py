"""The shortest text that completes the beginning of an answer, so that one which has few tokens left ends in time.

Works on schemas as `json_schema.parse` returns them, and on JSON without blanks between its parts, whose properties are
in the schema's order: what the masks of `constraint` let through.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from decimal import ROUND_CEILING, Context, Decimal
from typing import Any

Node = Mapping[str, Any]

_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?")
_NUMBER_SO_FAR = re.compile(r"-?[0-9]*\.?[0-9]*")
#: Digits before and after a number's point are fewer, and computed exactly.
_MOST_DIGITS = 18
_EXACT = Context(prec=60)
#: Fills strings that are too short.
_FILL = "x"
#: In UTF-8, the first byte that continues a character, and the first that begins one of several bytes.
_CONTINUES, _LEADS = "\x80", "\xc0"


class _EndError(Exception):
    """The text ends here; what completes it."""

    def __init__(self, rest: str) -> None:
        super().__init__()
        self.rest = rest


def shortest(node: Node) -> bytes:
    """A shortest answer."""
    return _shortest(node).encode("latin-1")


def longest_rest(node: Node) -> int:
    """No beginning of an answer needs more bytes than this to be completed."""
    if "anyOf" in node:
        return max(longest_rest(one) for one in node["anyOf"])
    if "enum" in node:
        return max(len(_literal(one)) for one in node["enum"])
    if node["type"] == "object":
        return 2 + sum(
            len(_literal(name)) + 2 + longest_rest(one) for name, one in node["properties"].items()
        )
    if node["type"] == "array":
        return 2 + (_least(node, "minItems") + 1) * (longest_rest(node["items"]) + 1)
    # A string's quotes, its fill, and the rest of a character or an escape; a number's digits.
    return 6 + _least(node, "minLength") if node["type"] == "string" else 2 * _MOST_DIGITS


def rest(node: Node, beginning: bytes) -> bytes:
    """What completes an answer's beginning, shortly; nothing if it is whole. It may end inside a character. ValueError
    if it cannot be completed."""
    text = beginning.decode("latin-1")
    try:
        end = _value(node, text, 0)
    except _EndError as found:
        return found.rest.encode("latin-1")
    if end != len(text):
        raise ValueError("more than an answer")
    return b""


def literal(value: Any) -> str:
    """A value as JSON without blanks."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


# From here on, a text has a character for each byte of UTF-8, since it may end between two of them.


def _literal(value: Any) -> str:
    return literal(value).encode().decode("latin-1")


def _shortest(node: Node) -> str:
    if "anyOf" in node:
        return min((_shortest(one) for one in node["anyOf"]), key=len)
    if "enum" in node:
        return min(map(_literal, node["enum"]), key=len)
    found: str = _SHORTEST[node["type"]](node)
    return found


def _value(node: Node, text: str, start: int) -> int:
    """The end of the value that begins at `start`; _EndError if the text ends before it does."""
    if start == len(text):
        raise _EndError(_shortest(node))
    if "anyOf" in node:
        is_null = text.startswith("n", start)
        chosen = next(one for one in node["anyOf"] if (one.get("type") == "null") == is_null)
        return _value(chosen, text, start)
    if "enum" in node:
        return _one_of([_literal(one) for one in node["enum"]], text, start)
    end: int = _VALUES[node["type"]](node, text, start)
    return end


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
            raise _EndError("n" + _fill(node, n + 1) + '"')
        n += not _CONTINUES <= text[place] < _LEADS
        place += 2 if text[place] == "\\" else 1
    raise _EndError(_end_of_character(text, start) + _fill(node, n) + '"')


def _fill(node: Node, n: int) -> str:
    return _FILL * (_least(node, "minLength") - n)


def _least(node: Node, name: str) -> int:
    return int(node.get(name, 0))


def _end_of_character(text: str, start: int) -> str:
    """The bytes that the last character lacks: any that UTF-8 allows."""
    for n_there in range(1, min(4, len(text) - start)):
        lead = text[-n_there]
        if lead >= _LEADS:
            size = 2 if lead < "\xe0" else 3 if lead < "\xf0" else 4
            first = {"\xe0": "\xa0", "\xf0": "\x90"}.get(lead, _CONTINUES)
            return ((first if n_there == 1 else _CONTINUES) + _CONTINUES * 2)[: size - n_there]
        if lead < _CONTINUES:
            break
    return ""


def _number(node: Node, text: str, start: int) -> int:
    found = _NUMBER_SO_FAR.match(text, start)
    assert found is not None
    if found.end() < len(text):
        return found.end()
    if _fits(node, found[0]):
        return found.end()
    raise _EndError(_rest_of_number(node, found[0]))


def _fits(node: Node, text: str) -> bool:
    return _NUMBER.fullmatch(text) is not None and node["minimum"] <= float(text) <= node["maximum"]


def _rest_of_number(node: Node, begun: str) -> str:
    """The fewest digits that make a number within the bounds of one that is begun, if only with a sign. ValueError if
    none do."""
    sign = "-" if begun.startswith("-") else ""
    low, high = (Decimal(repr(node[name])) for name in ("minimum", "maximum"))
    if sign:
        low, high = -high, -low
    for n_more, n_decimals in _ways(begun, whole=node["type"] == "integer"):
        least, above = _range(begun.removeprefix("-"), n_more)
        number = max(least, low).quantize(Decimal(1).scaleb(-n_decimals), ROUND_CEILING, _EXACT)
        if number < above and number <= high:
            return f"{sign}{number:f}"[len(begun) :]
    raise ValueError("no number within the bounds")


def _ways(begun: str, *, whole: bool) -> list[tuple[int, int]]:
    """(digits to add before the point, digits after it), the shortest additions first."""
    digits, point, decimals = begun.removeprefix("-").partition(".")
    if point:
        return [(0, n) for n in range(max(1, len(decimals)), _MOST_DIGITS)]
    more = range(0, 1) if digits == "0" else range(0 if digits else 1, _MOST_DIGITS)
    ways = [(m, n) for m in more for n in (range(1) if whole else range(_MOST_DIGITS))]
    return sorted(ways, key=lambda way: (way[0] + way[1] + (way[1] > 0), way))


def _range(begun: str, n_more: int) -> tuple[Decimal, Decimal]:
    """The numbers from the first up to below the second begin so, with that many more digits before the point."""
    digits, point, decimals = begun.partition(".")
    if point:
        first = Decimal(f"{digits}.{decimals}0")
        return first, first + Decimal(1).scaleb(-len(decimals))
    if not digits:
        return Decimal(0 if n_more == 1 else 10 ** (n_more - 1)), Decimal(10**n_more)
    return Decimal(int(digits) * 10**n_more), Decimal((int(digits) + 1) * 10**n_more)


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
    return ",".join([_shortest(item)] * n)


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
        written = _literal(name) + ":"
        if text.startswith(written, place):
            return name, place + len(written)
    begun = [name for name in possible if (_literal(name) + ":").startswith(text[place:])]
    if not begun:
        raise ValueError("none of the properties")
    rests = [
        (_literal(name) + ":")[len(text) - place :]
        + _shortest(node["properties"][name])
        + _members(node, names[names.index(name) + 1 :])
        + "}"
        for name in begun
    ]
    raise _EndError(min(rests, key=len))


def _members(node: Node, names: list[str]) -> str:
    """The required properties among these, each with its shortest value, after a comma."""
    return "".join(
        f",{_literal(name)}:{_shortest(node['properties'][name])}"
        for name in names
        if name in node["required"]
    )


def _shortest_object(node: Node) -> str:
    return "{" + _members(node, list(node["properties"])).removeprefix(",") + "}"


def _shortest_number(node: Node) -> str:
    if node["minimum"] <= 0 <= node["maximum"]:
        return "0"
    sign = "-" if node["maximum"] < 0 else ""
    return sign + _rest_of_number(node, sign)


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
