"""Answers that a JSON Schema allows: what is supported, what is written, and how a beginning is completed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nlp_tasks.errors import DocumentError
from nlp_tasks.generation import GENERATE, GenerateParameters, closing, fields, json_schema
from nlp_tasks.kind import Document, Setup
from tests import language_models

SCHEMAS: list[dict[str, Any]] = [
    {
        "type": "object",
        "properties": {
            "이름": {"type": "string", "maxLength": 6},
            "topic": {"enum": ["money", "돈", 1, None]},
            "amount": {"type": "integer", "minimum": 10, "maximum": 250},
            "share": {"type": ["number", "null"], "minimum": -1.5, "maximum": 1},
            "tags": {
                "type": "array",
                "items": {"type": "string", "minLength": 2, "maxLength": 4},
                "maxItems": 3,
            },
            "note": {"type": "object", "properties": {"sure": {"type": "boolean"}}, "required": ["sure"]},
            "more": {"type": "string"},
        },
        "required": ["이름", "topic", "amount", "tags", "note"],
    },
    {"type": "array", "items": {"type": "integer"}, "minItems": 2, "maxItems": 4},
    {"type": "number", "minimum": 12.25, "maximum": 12.5},
    {"type": "integer", "minimum": 1_000, "maximum": 1_010},
    {"type": "string", "minLength": 3},
    {"enum": ["a", "ab", "abc"]},
    {"const": 12},
    {"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "null"}}},
    {"type": "boolean"},
]


def schema_of(given: dict[str, Any]) -> dict[str, Any]:
    return json_schema.parse(json.dumps(given))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("nonsense", "this is no JSON"),
        ({}, "needs a type"),
        ({"type": "string", "pattern": "a"}, "'pattern' is not supported with type string"),
        ({"type": "object"}, "needs properties"),
        (
            {"type": "object", "properties": {"a": {}}, "required": ["b"]},
            "a list of names that properties has",
        ),
        ({"type": "object", "properties": {"a": {"oneOf": []}}}, "property 'a' needs a type"),
        (
            {"type": "object", "properties": {"a": {"type": "null"}}, "additionalProperties": True},
            "must be false",
        ),
        ({"type": "array"}, "needs items"),
        (
            {"type": "array", "items": {"type": "string", "format": "date"}},
            "items: 'format' is not supported",
        ),
        ({"type": "integer", "minimum": 5, "maximum": 4}, "no integer is from 5 to 4"),
        ({"type": "integer", "minimum": 0.2, "maximum": 0.8}, "no integer is from 1 to 0"),
        ({"type": "string", "minLength": 5, "maxLength": 4}, "minLength is more than maxLength"),
        ({"type": "integer", "multipleOf": 3}, "'multipleOf' is not supported"),
        ({"type": [{}]}, "needs a type"),
        ('{"enum": [NaN]}', "NaN is no number"),
        ('{"enum": [1e999]}', "may hold texts, numbers"),
        ({"enum": [10**400]}, "may hold texts, numbers"),
        ({"type": "integer", "const": 10**400}, "may hold texts, numbers"),
        (r'{"enum": ["\ud800"]}', "this is no JSON"),
        (r'{"enum": ["a\u0000"]}', "the character NUL"),
        ("[" * 5_000, "this is no JSON"),
        ({"enum": []}, "enum must be a list of values"),
        ({"enum": [["a"]]}, "may hold texts, numbers, true, false and null"),
        ({"$ref": "#/$defs/a"}, "needs a type"),
    ],
)
def test_what_is_not_supported_is_refused_with_its_place(given: Any, said: str) -> None:
    text = given if isinstance(given, str) else json.dumps(given)
    with pytest.raises(ValueError, match=r"^schema: ") as refused:
        json_schema.parse(text)
    assert said in str(refused.value)


@pytest.mark.parametrize("given", SCHEMAS, ids=str)
def test_a_shortest_answer_is_valid(given: dict[str, Any]) -> None:
    jsonschema.validate(json.loads(closing.shortest(schema_of(given))), given)


def answers(node: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Values that a parsed schema allows."""
    if "anyOf" in node:
        return st.one_of(st.none(), answers(node["anyOf"][0]))
    if "enum" in node:
        return st.sampled_from(node["enum"])
    kind = node["type"]
    if kind == "object":
        required = {name: answers(node["properties"][name]) for name in node["required"]}
        others = {n: answers(one) for n, one in node["properties"].items() if n not in required}
        drawn = st.fixed_dictionaries(required, optional=others)
        return drawn.map(lambda found: {name: found[name] for name in node["properties"] if name in found})
    if kind == "array":
        least, most = node.get("minItems", 0), node.get("maxItems", 4)
        return st.lists(answers(node["items"]), min_size=least, max_size=most)
    if kind == "string":
        letters = st.characters(blacklist_categories=("Cs", "Cc"))
        return st.text(letters, min_size=node.get("minLength", 0), max_size=node.get("maxLength", 8))
    if kind == "integer":
        return st.integers(node["minimum"], node["maximum"])
    if kind == "number":
        low, high = int(node["minimum"] * 1000), int(node["maximum"] * 1000)
        return st.integers(low, high).map(lambda n: n / 1000)
    return st.booleans() if kind == "boolean" else st.none()


@given(data=st.data())
@settings(max_examples=80, deadline=None)
def test_every_beginning_of_an_answer_is_completed_to_an_answer(data: st.DataObject) -> None:
    given = data.draw(st.sampled_from(SCHEMAS))
    node = schema_of(given)
    value = data.draw(answers(node))
    text = closing.literal(value).encode()
    json_schema.check(node, value)
    beginning = text[: data.draw(st.integers(0, len(text)))]

    more = closing.rest(node, beginning)

    jsonschema.validate(json.loads(beginning + more), given)
    json_schema.check(node, json.loads(beginning + more))
    assert len(more) <= closing.longest_rest(node)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("transformers")
    pytest.importorskip("llguidance")
    torch.set_num_threads(1)
    return language_models.save(tmp_path_factory.mktemp("llama"), "llama", max_position_embeddings=512)


@pytest.mark.parametrize("temperature", [0.0, 1.5])
@pytest.mark.parametrize("given", SCHEMAS, ids=lambda one: str(one)[:40])
def test_every_answer_is_valid_however_few_tokens_it_may_have(
    folder: Path, given: dict[str, Any], temperature: float
) -> None:
    """An untrained model writes whatever is allowed."""
    node = schema_of(given)
    least = len(closing.shortest(node))
    for most in (least, 3 * least + 40):
        parameters = GenerateParameters(
            model=str(folder), schema=json.dumps(given), max_tokens=most, temperature=temperature
        )
        stage = GENERATE.stages[0].open(Setup(parameters=parameters))

        found = stage.run([Document(n, f"k{n}", "the bank " * n) for n in range(1, 4)])

        for result in found:
            assert not isinstance(result, DocumentError)
            answer = json.loads(result[0].text)  # type: ignore[union-attr]
            jsonschema.validate(answer, given)
            assert result[0].n_tokens <= most  # type: ignore[union-attr]


def test_an_answer_that_cannot_be_whole_is_an_error(folder: Path) -> None:
    schema = json.dumps({"type": "string", "minLength": 50})
    parameters = GenerateParameters(model=str(folder), schema=schema, max_tokens=5)
    [found] = GENERATE.stages[0].open(Setup(parameters=parameters)).run([Document(1, "k", "the bank")])
    assert isinstance(found, DocumentError)
    assert found.code == "ANSWER_CUT"


def test_an_answer_is_rows_of_typed_values() -> None:
    answer = {"a": {"b": [1, "x"], "c": True}, "d": [], "e": None}
    found = [
        (row.path, row.type, row.text, row.number, row.boolean) for row in fields.rows(json.dumps(answer))
    ]
    assert found == [
        ("a.b[0]", "number", None, 1.0, None),
        ("a.b[1]", "text", "x", None, None),
        ("a.c", "boolean", None, None, True),
        ("d", "array", None, None, None),
        ("e", "null", None, None, None),
    ]
