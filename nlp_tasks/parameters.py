"""The parameters of a kind, declared once: type, range, unit and help are in the annotation of the field.

    @parameters
    class KeywordsParameters:
        top: Annotated[int, Field(ge=1, le=100, description="keywords for each document")] = 10

Validation, error messages, `docmill kinds`, the tables in docs/kinds.md and the JSON Schema are derived from it. Knows
no particular kind.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, cast, dataclass_transform

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass as validated
from pydantic_core import CoreSchema, core_schema

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

T = TypeVar("T")

#: Marks a text parameter that may be the path of a folder on this machine: commands make it absolute.
LOCAL_FOLDER = Field(json_schema_extra={"folder": True})
#: Marks a text parameter whose text commands read from a file: from FILE for the value "@FILE" ...
TEXT_FILE = Field(json_schema_extra={"file": "@"})
#: ... or also from FILE for the value "FILE", unless it is a JSON object.
JSON_FILE = Field(json_schema_extra={"file": "json"})
#: Marks a parameter that changes no result: what a document may cost, how many go together.
CHANGES_NO_RESULT = Field(json_schema_extra={"changes_results": False})


@dataclass(frozen=True)
class OneOf:
    """Marks a text parameter with a fixed set of values, if these are computed (otherwise use Literal)."""

    choices: Iterable[str]

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> CoreSchema:
        return core_schema.literal_schema(list(self.choices))


Seed = Annotated[
    int, Field(ge=0, lt=2**31, description="the same documents, parameters and seed give the same result")
]
HeldOut = Annotated[
    float, Field(gt=0, le=0.5, description="share of the documents kept out of training to measure the model")
]


@dataclass_transform(frozen_default=True)
def parameters(cls: type[T]) -> type[T]:
    """Class decorator that makes a frozen dataclass whose values are validated.

    Every field needs a default. `__post_init__` may raise ValueError for conditions on several fields.
    """
    return cast(type[T], validated(frozen=True, config=ConfigDict(allow_inf_nan=False))(cls))


@dataclass(frozen=True, slots=True)
class Parameter:
    """The description of a parameter, for people."""

    name: str
    #: "whole number", "number", "text", "yes or no" or "one of a, b".
    type: str
    default: Any
    #: "1 to 100", "more than 0, at most 0.5"; empty if any value is allowed.
    range: str
    #: What the number counts or measures; empty for none.
    unit: str
    help: str
    #: The value may be the path of a folder on this machine.
    is_folder: bool
    #: The value may come from a file: "@" from @FILE, "json" from FILE too; empty if not.
    file: str = ""


def describe(declared: type) -> list[Parameter]:
    """The parameters of a dataclass, in its order."""
    properties = schema(declared).get("properties", {})
    return [_parameter(field.name, properties[field.name]) for field in fields(declared)]


def schema(declared: type) -> dict[str, Any]:
    """The JSON Schema of a parameters dataclass."""
    return _adapter(declared).json_schema() | {"additionalProperties": False}


def defaults(declared: type) -> dict[str, Any]:
    """Every parameter with its default."""
    return asdict(parse(declared, {}))


def without_effect(declared: type) -> frozenset[str]:
    """The parameters that change no result."""
    properties: dict[str, Any] = schema(declared).get("properties", {})
    return frozenset(name for name, told in properties.items() if not told.get("changes_results", True))


def parse(declared: type, given: Mapping[str, Any]) -> Any:
    """An instance from names and values; text is converted to the type of the field. ValueError says which parameter
    is unknown or out of range, and which values are allowed."""
    known = [field.name for field in fields(declared)]
    for name in given:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"it has: {', '.join(known) or 'none'}"
            raise ValueError(f"no parameter {name!r}: {hint}")
    try:
        return _adapter(declared).validate_python(dict(given))
    except ValidationError as error:
        raise ValueError(_words(declared, error.errors()[0])) from None


@cache
def _adapter(declared: type) -> TypeAdapter[Any]:
    return TypeAdapter(declared)


def _parameter(name: str, described: dict[str, Any]) -> Parameter:
    return Parameter(
        name=name,
        type=_type(described),
        default=described.get("default"),
        range=_range(described),
        unit=described.get("unit", ""),
        help=described.get("description", ""),
        is_folder=described.get("folder", False),
        file=described.get("file", ""),
    )


def _type(described: dict[str, Any]) -> str:
    if "enum" in described:
        return f"one of {', '.join(map(str, described['enum']))}"
    if "const" in described:
        return f"{described['const']}"
    names = {"integer": "whole number", "number": "number", "string": "text", "boolean": "yes or no"}
    return names.get(described.get("type", ""), "value")


def _range(described: dict[str, Any]) -> str:
    low, high = described.get("minimum"), described.get("maximum")
    above, below = described.get("exclusiveMinimum"), described.get("exclusiveMaximum")
    if below is not None and described.get("type") == "integer":
        high, below = below - 1, None
    if low is not None and high is not None:
        return f"{low:,} to {high:,}"
    bounds = (("more than", above), ("at least", low), ("less than", below), ("at most", high))
    return ", ".join(f"{words} {bound:,}" for words, bound in bounds if bound is not None)


def _words(declared: type, error: ErrorDetails) -> str:
    """ "top must be a whole number from 1 to 100, not 0" """
    if not error["loc"]:
        return error["msg"].removeprefix("Value error, ")
    name = str(error["loc"][0])
    told = {parameter.name: parameter for parameter in describe(declared)}.get(name)
    if told is None or error["type"] == "value_error":
        return f"{name}: {error['msg'].removeprefix('Value error, ')}"
    if error["type"] == "string_too_long":
        return f"{name} has {len(error['input']):,} characters; at most {error['ctx']['max_length']:,} are allowed"
    wanted = told.type if told.type.startswith("one of") else f"a {told.type}".replace("a text", "text")
    if told.range:
        wanted += f" {'from ' if ' to ' in told.range else ''}{told.range}"
    return f"{name} must be {wanted}, not {_short(error['input'])}"


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:59]}…"
