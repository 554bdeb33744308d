"""JSON that is not in lines: arrays and objects over several lines are documents, and a broken one costs itself."""

from __future__ import annotations

import json

import pytest

from readers import ReadOptions

DOCUMENTS = [
    {"id": n, "text": f'글 {n}: "{{따옴표}}", [대괄호] \\ 끝', "more": {"a": [1, {"b": 2}]}}
    for n in range(1, 6)
]
TEXTS = {str(document["id"]): document["text"] for document in DOCUMENTS}

SHAPES = {
    "minified array": json.dumps(DOCUMENTS, ensure_ascii=False, separators=(",", ":")),
    "pretty array": json.dumps(DOCUMENTS, ensure_ascii=False, indent=2),
    "array with tabs": json.dumps(DOCUMENTS, ensure_ascii=False, indent="\t"),
    "array of lines": "[" + ",\n".join(map(json.dumps, DOCUMENTS)) + "]\n",
    "array of lines after a bracket": "[\n" + ",\n".join(map(json.dumps, DOCUMENTS)) + "\n]\n",
    "pretty objects": "\n".join(json.dumps(document, ensure_ascii=False, indent=4) for document in DOCUMENTS),
    "an object broken once": "\n".join(json.dumps(document).replace(', "text"', ',\n"text"') for document in DOCUMENTS),
    "arrays one after the other": json.dumps(DOCUMENTS[:2]) + "\n" + json.dumps(DOCUMENTS[2:], indent=1),
    "lines": "\n".join(map(json.dumps, DOCUMENTS)),
}  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", ["a.json", "a.jsonl", "a.ndjson"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp949"])
def test_every_shape_is_read(reading, name, shape, encoding):
    outcome = reading(name, SHAPES[shape].encode(encoding), encoding="cp949" if encoding == "cp949" else None)
    assert (outcome.texts, outcome.reports) == (TEXTS, [])


def test_records_are_named_by_the_line_they_start_on(reading):
    outcome = reading("a.json", SHAPES["pretty array"].encode())
    starts = [n for n, line in enumerate(SHAPES["pretty array"].split("\n"), 1) if line == "  {"]
    assert [record.source for record in outcome.records] == [f"a.json:{n}" for n in starts]


def test_objects_without_keys_are_numbered(reading):
    assert reading("a.json", b'[{"text": "x"}, {"text": "y"}]').texts == {"a.json#1": "x", "a.json#2": "y"}


#: What stands between two good objects, and the code of its report.
BROKEN = {
    '{"id": "k", "text": NaN}': "NOT_JSON",
    '{"id": "k", "text": "x" "y": 1}': "NOT_JSON",
    '{"id": "k", "text": "x", "text": "y"}': "DUPLICATE_FIELD",
    '{"id": "k", "text": null}': "TEXT_TYPE",
    '{"id": "k", "body": "x"}': "MISSING_TEXT",
    '{"id": "k", "text": "\\ud800"}': "LONE_SURROGATE",
    '{"id": "k", "n": ' + "9" * 5000 + "}": "NUMBER_TOO_LONG",
    '{"id": "k", "n": ' + "[" * 100_000 + "]" * 100_000 + "}": "NESTED_TOO_DEEP",
    '"text"': "NOT_AN_OBJECT",
    "7": "NOT_AN_OBJECT",
    "null": "NOT_AN_OBJECT",
    '{"id": "k", "text": "\udcff"}': "INVALID_ENCODING",
    '{"id": "k"}}': "NOT_JSON",
    '{"id": "first", "text": "x"}': "DUPLICATE_KEY",
}
#: Those that can be told from their neighbours only where objects start on lines of their own.
UNBALANCED = {
    '{"id": "k", "text": "x"': "NOT_JSON",
    '{"id": "k", "text": "x}': "NOT_JSON",
    '{"id": "k", "text": ["x"}': "NOT_JSON",
    '{"id": "k", te': "NOT_JSON",
    "rubbish": "NOT_JSON",
}


@pytest.mark.parametrize("inside", [*BROKEN, *UNBALANCED], ids=[*range(len(BROKEN) + len(UNBALANCED))])
def test_a_broken_object_costs_only_itself(reading, inside):
    first, last = (f'{{\n "id": "{name}",\n "text": "글"\n}}' for name in ("first", "last"))
    outcome = reading("a.json", f"[\n{first},\n{inside},\n{last}\n]".encode("utf-8", "surrogateescape"))
    assert outcome.keys == ["first", "last"]
    assert {bad.code for bad in outcome.bad} <= {(BROKEN | UNBALANCED)[inside], "MISSING_TEXT"}
    assert {bad.line for bad in outcome.bad} == {6}


def test_a_bracket_that_is_closed_late_does_not_take_the_next_object_with_it(reading):
    outcome = reading("a.json", b'[\n{"id": "k", "text": "x", "a": {\n,\n{"id": "good", "text": "y"}\n}}\n]')
    assert outcome.keys == ["good"]
    assert (outcome.bad[0].code, outcome.bad[0].line, outcome.bad[0].key) == ("NOT_JSON", 2, "k")


@pytest.mark.parametrize("inside", BROKEN, ids=range(len(BROKEN)))
def test_a_broken_object_in_one_line_of_many_costs_only_itself(reading, inside):
    data = f'[{{"id":"first","text":"x"}},{inside},{{"id":"last","text":"y"}}]'
    outcome = reading("a.json", data.encode("utf-8", "surrogateescape"))
    assert outcome.keys == ["first", "last"]
    assert outcome.reports


def test_a_file_that_is_cut_off_gives_what_it_holds(reading):
    outcome = reading("a.json", SHAPES["pretty array"].encode()[:-60])
    assert outcome.keys == ["1", "2", "3", "4"]
    (bad,) = outcome.bad
    assert (bad.code, bad.key) == ("NOT_JSON", "5")


def test_an_object_that_is_too_long_is_passed_over(reading):
    documents = [{"id": "a", "text": "x"}, {"id": "b", "text": "y" * 300_000}, {"id": "c", "text": "z"}]
    outcome = reading("a.json", json.dumps(documents, indent=1).encode(), max_line_bytes=100_000)
    assert outcome.keys == ["a", "c"]
    assert outcome.reports == [
        "a.json:6: LINE_TOO_LONG: the object is longer than 100000 characters; it was skipped (key b)"
    ]


def test_a_file_full_of_objects_without_an_end_is_given_up(reading):
    outcome = reading("a.json", b'[\n{"id": "first", "text": "x"}' + b',\n{"id": "k", "text": [' * 150)
    assert outcome.keys == ["first"]
    assert outcome.reports[-1] == (
        "a.json: BROKEN_JSON: the end of more than 100 objects was not found: the rest of the file was not read"
    )


@pytest.mark.parametrize("data", [b"[]", b"[\n]\n", b"[ ]"])
def test_an_array_of_nothing_is_an_empty_file(reading, data):
    assert reading("a.json", data).reports == ["a.json: EMPTY_FILE: the file has no objects"]


NESTED = {
    "id": "N1",
    "meta": {"title": "제목", "author.name": "x"},
    "document": [
        {
            "id": "N1.1",
            "class": "가",
            "paragraph": [{"form": "첫 문단이 여기 있다."}, {"form": "둘째 문단."}],
        },
        {"id": "N1.2", "class": "나", "paragraph": [{"form": "셋째 문단."}]},
    ],
}


@pytest.mark.parametrize("name", ["a.json", "a.jsonl"])
@pytest.mark.parametrize("indent", [None, 4])
def test_a_missing_text_lists_the_fields_there_are_by_their_paths(reading, name, indent):
    outcome = reading(name, json.dumps(NESTED, ensure_ascii=False, indent=indent).encode())
    assert outcome.reports == [
        f'{name}:1: MISSING_TEXT: the object has no field "text" (it has: id, meta.title, document[].id, '
        "document[].class, document[].paragraph[].form): name the right one, "
        "as in --text-field 'document[].paragraph[].form' (key N1)"
    ]


@pytest.mark.parametrize(
    ("options", "texts"),
    [
        ({"text_field": "meta.title"}, {"N1": "제목"}),
        ({"text_field": "document[].paragraph[].form"}, {"N1": "첫 문단이 여기 있다.\n둘째 문단.\n셋째 문단."}),
        (
            {
                "text_field": "document[].paragraph[].form",
                "key_field": "document[].id",
                "label_field": "document[].class",
            },
            {"N1.1": "첫 문단이 여기 있다.\n둘째 문단.", "N1.2": "셋째 문단."},
        ),
    ],
)  # fmt: skip
def test_nested_fields_are_read_by_their_paths(reading, options, texts):
    outcome = reading("a.json", json.dumps(NESTED, ensure_ascii=False).encode(), **options)
    assert (outcome.texts, outcome.reports) == (texts, [])
    labels = ["가", "나"] if "label_field" in options else [None]
    assert [record.label for record in outcome.records] == labels


def test_a_field_whose_name_looks_like_a_path_is_found_by_its_name(reading):
    assert reading("a.jsonl", b'{"id": 1, "a.b": "x", "a": {"b": "y"}}', text_field="a.b").texts == {"1": "x"}


@pytest.mark.parametrize(
    "options", [{"text_field": "a..b"}, {"text_field": "[]"}, {"key_field": "a[].id", "text_field": "text"}]
)
def test_paths_that_lead_nowhere_are_refused(options):
    with pytest.raises(ValueError, match=r"\[\]|path"):
        ReadOptions(**options)


@pytest.mark.parametrize("text_field", ["document[].title", "meta.body", "id.x", "document.id"])
def test_a_path_that_is_not_in_the_object_is_a_missing_text(reading, text_field):
    (bad,) = reading("a.json", json.dumps(NESTED).encode(), text_field=text_field).bad
    assert bad.code == "MISSING_TEXT"
