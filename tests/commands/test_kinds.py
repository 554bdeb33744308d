"""docmill kinds: the table fits a terminal, and the JSON Schema says what is accepted."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from dataclasses import asdict
from functools import cache
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DataObject, SearchStrategy

from nlp_tasks import parameters
from nlp_tasks.registry import KINDS
from tests.commands.conftest import Shell

DOCMILL = [sys.executable, "-m", "docmill.cli"]
EVERY = [
    (kind, name) for kind, declared in KINDS.items() for name in declared.parameters.__dataclass_fields__
]
TYPES = {"integer": int, "number": (int, float), "string": str, "boolean": bool}
#: What people can read is no pattern that all of JSON Schema's dialects know.
IN_NO_SCHEMA = (
    ("evaluate", "references"), ("extract", "delimiter"), ("extract", "text_field"), ("extract", "key_field"),
    ("extract", "label_field"), ("entities", "rules"), ("entities", "redact"),
    ("generate", "prompt"), ("generate", "example"), ("generate", "model"), ("generate", "schema"),
    ("generate", "stop"), ("generate", "server"),
)  # fmt: skip
#: What a JSON Schema may say that restricts nothing.
SAID = {
    "title",
    "description",
    "default",
    "unit",
    "folder",
    "type",
    "enum",
    "const",
    "changes_results",
    "file",
}


def on_a_terminal(columns: int, *words: str) -> str:
    """What a command prints on a terminal of that many columns."""
    master, terminal = pty.openpty()
    environment = os.environ | {"TERM": "dumb", "COLUMNS": str(columns), "PYTHONIOENCODING": "utf-8"}
    with subprocess.Popen([*DOCMILL, *words], stdout=terminal, env=environment) as process:
        os.close(terminal)
        said = b""
        while read := _read(master):
            said += read
    os.close(master)
    assert process.returncode == 0
    return said.decode()


def _read(master: int) -> bytes:
    try:
        return os.read(master, 65536)
    except OSError:
        # Linux says so at the end of a terminal.
        return b""


@cache
def schema(kind: str) -> dict[str, Any]:
    return parameters.schema(KINDS[kind].parameters)


def is_valid(properties: dict[str, Any], value: Any) -> bool:
    """Whether a JSON value is valid, as far as our schemas go."""
    limits = {
        "minimum": lambda bound: value >= bound,
        "maximum": lambda bound: value <= bound,
        "exclusiveMinimum": lambda bound: value > bound,
        "exclusiveMaximum": lambda bound: value < bound,
        "minLength": lambda bound: len(value) >= bound,
        "maxLength": lambda bound: len(value) <= bound,
        "pattern": lambda bound: re.search(bound, value) is not None,
        "anyOf": lambda choices: any(is_valid({"type": properties["type"]} | one, value) for one in choices),
    }
    assert not set(properties) - SAID - set(limits), "a keyword that this test does not know"
    if not _has_type(properties.get("type", "string"), value):
        return False
    if "enum" in properties and value not in properties["enum"]:
        return False
    if "const" in properties and value != properties["const"]:
        return False
    return all(check(properties[name]) for name, check in limits.items() if name in properties)


def _has_type(name: str, value: Any) -> bool:
    if name == "integer" and type(value) is float:
        # JSON Schema: a number without a fraction is an integer.
        return value.is_integer()
    return isinstance(value, TYPES[name]) and (name == "boolean" or not isinstance(value, bool))


def json_values(properties: dict[str, Any]) -> SearchStrategy[Any]:
    """Any JSON value, most often one that is nearly or barely allowed."""
    bounds = [value for name, value in properties.items() if "inimum" in name or "aximum" in name]
    near = [bound + step for bound in bounds for step in (-1, -1e-9, 0, 1e-9, 1)]
    likely = [properties.get("default"), *near, *properties.get("enum", [])]
    return st.one_of(
        st.sampled_from(likely),
        st.integers(-(2**70), 2**70),
        st.floats(allow_nan=False, allow_infinity=False),
        st.text(max_size=20),
        st.booleans(),
        st.none(),
        st.lists(st.integers(), max_size=2),
    )


@pytest.mark.parametrize(("kind", "name"), EVERY, ids=lambda value: value)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_the_schema_accepts_what_is_accepted(kind: str, name: str, data: DataObject) -> None:
    properties = schema(kind)["properties"][name]
    value = data.draw(json_values(properties))
    allowed = is_valid(properties, value)
    kept = _kept(kind, name, value)
    if isinstance(kept, ValueError):
        assert not allowed or (kind, name) in IN_NO_SCHEMA or _depends_on_others(kind, name, kept), kept
        return
    # A value of another type is read as the parameter's, as a shell has nothing but text.
    assert allowed or type(kept) is not type(value)
    assert is_valid(properties, kept)


def _kept(kind: str, name: str, value: Any) -> Any:
    """The parameter as it is read, or the ValueError."""
    try:
        return getattr(parameters.parse(KINDS[kind].parameters, {name: value}), name)
    except ValueError as refused:
        return refused


def _depends_on_others(kind: str, name: str, refused: ValueError) -> bool:
    """Whether the message names another parameter: a schema describes each alone."""
    return bool(set(re.findall(r"\w+", str(refused))) & (set(schema(kind)["properties"]) - {name}))


@pytest.mark.parametrize("kind", KINDS)
@given(name=st.text(max_size=10))
def test_the_schema_and_parse_refuse_what_is_no_parameter(kind: str, name: str) -> None:
    assume(name not in schema(kind)["properties"])
    assert schema(kind)["additionalProperties"] is False
    with pytest.raises(ValueError, match="no parameter"):
        parameters.parse(KINDS[kind].parameters, {name: 1})


@pytest.mark.parametrize("kind", KINDS)
def test_the_defaults_are_in_the_schema_and_valid(kind: str) -> None:
    properties = schema(kind)["properties"]
    for name, value in asdict(KINDS[kind].parameters()).items():
        assert properties[name]["default"] == value
        assert is_valid(properties[name], value), name


@pytest.mark.parametrize(("kind", "name"), EVERY, ids=lambda value: value)
def test_every_parameter_is_described_and_every_number_has_both_bounds(kind: str, name: str) -> None:
    said = schema(kind)["properties"][name]
    assert said["description"]
    if said.get("type") in ("integer", "number"):
        assert {"minimum", "exclusiveMinimum"} & set(said), "no lower bound"
        assert {"maximum", "exclusiveMaximum"} & set(said), "no upper bound"


# --- the command ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words", [(), *((kind,) for kind in KINDS)], ids=lambda words: " ".join(words) or "all"
)
def test_the_table_fits_80_columns(words: tuple[str, ...]) -> None:
    said = on_a_terminal(80, "kinds", *words)
    assert max(len(line) for line in said.splitlines()) <= 80
    for name in schema(words[0])["properties"] if words else KINDS:
        assert f"\n{name} " in said or f" {name}\r" in said


def test_a_small_default_is_shown_whole(shell: Shell) -> None:
    [line] = [line for line in shell("kinds", "train-similarity").lines if line.startswith("min_alpha")]
    assert line.split()[1] == "0.0001"


def test_json_has_what_the_help_says(shell: Shell) -> None:
    shown = shell("kinds", "--json").json
    assert set(KINDS) <= {kind["kind"] for kind in shown}
    [keywords] = shell("kinds", "keywords", "--json").json
    assert set(keywords) == {"kind", "summary", "parameters", "described"}
    assert keywords["parameters"]["top"] == 10
    fields = {"name", "type", "default", "range", "unit", "help", "is_folder", "file"}
    assert {frozenset(one) for one in keywords["described"]} == {frozenset(fields)}
    said = shell("kinds", "--help").out
    assert {word for word in (*keywords, *fields) if f"`{word}`" not in said} == set()


def test_the_schema_is_printed_by_kind(shell: Shell) -> None:
    assert shell("kinds", "keywords", "--schema").json == {
        "keywords": json.loads(json.dumps(schema("keywords")))
    }
    assert set(KINDS) <= set(shell("kinds", "--schema").json)


def test_a_kind_that_is_not_there_is_refused_with_those_that_are(shell: Shell) -> None:
    assert "choose one of" in shell("kinds", "nonsense", "--schema", status=None).err
