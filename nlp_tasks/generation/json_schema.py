"""The part of JSON Schema that answers can be held to. Everything else is refused in a sentence.

Objects (properties, required), arrays (items, minItems, maxItems), strings (minLength, maxLength), integers and numbers
(minimum, maximum), booleans, null, enum and const; `type` may be a list of one type and "null". Objects have no other
properties than those named.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

#: Keywords that restrict nothing.
_NOTES = ("title", "description", "default", "examples", "$schema", "$id", "$comment")
_KEYWORDS: Mapping[str, tuple[str, ...]] = {
    "object": ("properties", "required", "additionalProperties"),
    "array": ("items", "minItems", "maxItems"),
    "string": ("minLength", "maxLength"),
    "integer": ("minimum", "maximum"),
    "number": ("minimum", "maximum"),
    "boolean": (),
    "null": (),
}
_COUNTS = ("minItems", "maxItems", "minLength", "maxLength")
#: Bounds of numbers that have none: integers that every program reads exactly, and numbers without an exponent.
MOST_INTEGER = 2**53 - 1
MOST_NUMBER = 10**15
#: A schema is at most this deep, and its text this long.
_MOST_DEPTH, MOST_CHARS = 12, 20_000


def parse(text: str) -> dict[str, Any]:
    """The schema of a text, with every default written out. ValueError says what is not supported, and where."""
    try:
        found = json.loads(text, parse_constant=_no_number)
        is_writable = "\\u0000" not in json.dumps(found, ensure_ascii=False).encode().decode()
    except (ValueError, RecursionError) as error:
        raise ValueError(
            f"schema: this is no JSON: {error}; give a JSON Schema, or the path of its file"
        ) from None
    if not is_writable:
        raise ValueError("schema: it has the character NUL, which no answer may have")
    return _node(found, "the schema", 0)


def _no_number(word: str) -> Any:
    raise ValueError(f"{word} is no number")


def _node(given: Any, where: str, depth: int) -> dict[str, Any]:
    if not isinstance(given, dict):
        raise ValueError(f'schema: {where} must be an object such as {{"type": "string"}}')
    if depth > _MOST_DEPTH:
        raise ValueError(f"schema: {where} is nested more than {_MOST_DEPTH} deep")
    for choice in ("enum", "const"):
        if choice in given:
            return _choice(given, choice, where)
    kind, is_nullable = _type(given, where)
    for name in given:
        if name not in (*_NOTES, "type", *_KEYWORDS[kind]):
            known = ", ".join((*_KEYWORDS[kind], "enum", "const"))
            raise ValueError(
                f"schema: {where}: {name!r} is not supported with type {kind}: there are {known}"
            )
    node = {"type": kind} | _BUILDERS[kind](given, where, depth)
    return {"anyOf": [node, {"type": "null"}]} if is_nullable else node


def _type(given: Mapping[str, Any], where: str) -> tuple[str, bool]:
    """(type, whether null is allowed too)"""
    named = given.get("type")
    types = named if isinstance(named, list) else [named]
    others = [one for one in types if one != "null"] or types[:1]
    kind = others[0] if len(others) == 1 else None
    if not isinstance(kind, str) or kind not in _KEYWORDS:
        raise ValueError(
            f"schema: {where} needs a type: one of {', '.join(_KEYWORDS)}, or a list of one of them and null"
        )
    return kind, len(types) > len(others)


def _choice(given: Mapping[str, Any], name: str, where: str) -> dict[str, Any]:
    values = given["enum"] if name == "enum" else [given["const"]]
    for other in given:
        if other not in (*_NOTES, "type", name):
            raise ValueError(f"schema: {where}: {other!r} is not supported beside {name}")
    if not isinstance(values, list) or not values:
        raise ValueError(f"schema: {where}: enum must be a list of values")
    if not all(one is None or isinstance(one, str | int | float) for one in values) or math.inf in map(
        _size, values
    ):
        raise ValueError(f"schema: {where}: {name} may hold texts, numbers, true, false and null")
    if "type" in given:
        kind, is_nullable = _type(given, where)
        allowed = (kind, "null") if is_nullable else (kind,)
        values = [one for one in values if any(_is_of(one, each) for each in allowed)]
        if not values:
            raise ValueError(f"schema: {where}: no value of {name} has the type {kind}")
    return {"enum": values}


def _size(value: Any) -> float:
    """How large a number is; infinite if a float cannot hold it."""
    try:
        return abs(float(value)) if isinstance(value, int | float) else 0.0
    except OverflowError:
        return math.inf


def _is_of(value: Any, kind: str) -> bool:
    """Whether a value that is no object and no array has this type."""
    if isinstance(value, bool) or value is None:
        return kind == ("null" if value is None else "boolean")
    if isinstance(value, str):
        return kind == "string"
    if not isinstance(value, int | float):
        return False
    return kind == "number" or (kind == "integer" and (isinstance(value, int) or value.is_integer()))


def _object(given: Mapping[str, Any], where: str, depth: int) -> dict[str, Any]:
    properties = given.get("properties", {})
    required = given.get("required", [])
    if given.get("additionalProperties", False) not in (False, None):
        raise ValueError(
            f"schema: {where}: additionalProperties must be false: answers have named properties only"
        )
    if not isinstance(properties, dict) or not properties:
        raise ValueError(f"schema: {where} needs properties: at least one")
    if not isinstance(required, list) or not set(map(str, required)) <= set(properties):
        raise ValueError(f"schema: {where}: required must be a list of names that properties has")
    return {
        "properties": {
            name: _node(node, f"{where}, property {name!r}", depth + 1) for name, node in properties.items()
        },
        "required": [name for name in properties if name in required],
        "additionalProperties": False,
    }


def _array(given: Mapping[str, Any], where: str, depth: int) -> dict[str, Any]:
    if "items" not in given:
        raise ValueError(f"schema: {where} needs items: the schema of its elements")
    node = {"items": _node(given["items"], f"{where}, items", depth + 1)}
    return node | _counts(given, where, "minItems", "maxItems")


def _string(given: Mapping[str, Any], where: str, _: int) -> dict[str, Any]:
    return _counts(given, where, "minLength", "maxLength")


def _counts(given: Mapping[str, Any], where: str, low: str, high: str) -> dict[str, Any]:
    found = {name: given[name] for name in (low, high) if name in given}
    for name, value in found.items():
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= 100_000:
            raise ValueError(f"schema: {where}: {name} must be a whole number from 0 to 100,000")
    if found.get(low, 0) > found.get(high, 100_000):
        raise ValueError(f"schema: {where}: {low} is more than {high}")
    return found


def _bounded(given: Mapping[str, Any], where: str, _: int) -> dict[str, Any]:
    is_whole = "integer" in given["type"]
    most = MOST_INTEGER if is_whole else MOST_NUMBER
    low, high = given.get("minimum", -most), given.get("maximum", most)
    for name, value in (("minimum", low), ("maximum", high)):
        if not isinstance(value, int | float) or isinstance(value, bool) or not -most <= value <= most:
            raise ValueError(f"schema: {where}: {name} must be a number from -{most:,} to {most:,}")
    if is_whole:
        low, high = -int(-low // 1), int(high // 1)
    if low > high:
        raise ValueError(f"schema: {where}: no {given['type']} is from {low} to {high}")
    return {"minimum": low, "maximum": high}


def _nothing(*_: Any) -> dict[str, Any]:
    return {}


_BUILDERS = {
    "object": _object,
    "array": _array,
    "string": _string,
    "integer": _bounded,
    "number": _bounded,
    "boolean": _nothing,
    "null": _nothing,
}


def check(node: Mapping[str, Any], value: Any, where: str = "the answer") -> None:
    """ValueError unless a schema that `parse` returned allows the value."""
    if "anyOf" in node:
        if value is not None:
            check(node["anyOf"][0], value, where)
        return
    if "enum" in node:
        if not any(type(value) is type(one) and value == one for one in node["enum"]):
            raise ValueError(f"{where} is not one of the values of its enum")
        return
    kind = node["type"]
    if not _is_of(value, kind) and not (isinstance(value, dict | list) and kind == _CONTAINERS[type(value)]):
        raise ValueError(f"{where} has not the type {kind}")
    if isinstance(value, dict):
        _check_object(node, value, where)
    elif isinstance(value, list):
        _check_count(node, len(value), where, "minItems", "maxItems")
        for number, one in enumerate(value):
            check(node["items"], one, f"{where}[{number}]")
    elif isinstance(value, str):
        _check_count(node, len(value), where, "minLength", "maxLength")
    elif kind in ("integer", "number") and not node["minimum"] <= value <= node["maximum"]:
        raise ValueError(f"{where} is outside its bounds")


_CONTAINERS: Mapping[type, str] = {dict: "object", list: "array"}


def _check_object(node: Mapping[str, Any], value: Mapping[str, Any], where: str) -> None:
    for name in node["required"]:
        if name not in value:
            raise ValueError(f"{where} lacks {name!r}")
    for name, one in value.items():
        if name not in node["properties"]:
            raise ValueError(f"{where} has {name[:50]!r}, which the schema does not name")
        check(node["properties"][name], one, f"{where}.{name}")


def _check_count(node: Mapping[str, Any], n: int, where: str, low: str, high: str) -> None:
    if not node.get(low, 0) <= n <= node.get(high, n):
        raise ValueError(f"{where} is too short or too long")
