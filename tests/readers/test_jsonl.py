"""JSON Lines: a broken line is named exactly and costs nothing but itself."""

from __future__ import annotations

import json

import pytest

FIRST = '{"id": "first", "text": "앞의 문서"}\n'.encode()
LAST = '{"id": "last", "text": "뒤의 문서"}\n'.encode()
CUT = "it is the last line and has no line end: the file seems to be truncated"

#: What stands in line 2 -> the report of it, after "a.jsonl:2: ".
BROKEN = {
    b'{"id": "k", "text": "x"': "NOT_JSON: at character 24: expecting ',' delimiter (key k)",
    b"hello": "NOT_JSON: at character 1: expecting value",
    b"{'id': 'k'}": "NOT_JSON: at character 2: expecting property name enclosed in double quotes",
    b'{"id": "k", "text": "a\tb"}': "NOT_JSON: at character 23: invalid control character (key k)",
    b'{"id": "k", "text": "a\0b"}': "NUL: at character 23 there is a NUL, which cannot be stored (key k)",
    rb'{"id": "k", "text": "a\u0000b"}': "NUL: character 2 of the text is NUL, which cannot be stored (key k)",
    rb'{"id": "k", "text": "ab\ud83d"}': (
        "LONE_SURROGATE: character 3 of the text is U+D83D, half of a surrogate pair, which is not a character (key k)"
    ),
    rb'{"id": "\udc00", "text": "ab"}': (
        "LONE_SURROGATE: character 1 of the key is U+DC00, half of a surrogate pair, which is not a character"
        r" (key \udc00)"
    ),
    b'{"id": "k", "text": "x", "score": NaN}': (
        "NOT_JSON: NaN is not JSON: write null, or leave out the field (key k)"
    ),
    b'{"id": "k", "text": "x", "score": -Infinity}': (
        "NOT_JSON: -Infinity is not JSON: write null, or leave out the field (key k)"
    ),
    b'{"id": "k", "text": "x", "n": ' + b"9" * 5000 + b"}": (
        "NUMBER_TOO_LONG: a number has too many digits: write it as a string (key k)"
    ),
    b'{"id": "k", "text": ' + b"[" * 100_000: (
        "NESTED_TOO_DEEP: the arrays and objects are nested too deeply (key k)"
    ),
    b'{"id": "k", "text": "x", "text": "y"}': (
        'DUPLICATE_FIELD: the object has the field "text" more than once (key k)'
    ),
    b'["k", "x"]': 'NOT_AN_OBJECT: a document must be an object such as {"id": "a", "text": "..."}',
    b"null": 'NOT_AN_OBJECT: a document must be an object such as {"id": "a", "text": "..."}',
    b'{"id": "k", "body": "x"}': (
        'MISSING_TEXT: the object has no field "text" (it has: id, body): add it, or leave out the object (key k)'
    ),
    b'{"id": "k", "text": null}': "TEXT_TYPE: the text must be a string, not null (key k)",
    b'{"id": "k", "text": 12}': "TEXT_TYPE: the text must be a string, not a number (key k)",
    b'{"id": "k", "text": ["x"]}': "TEXT_TYPE: the text must be a string, not an array (key k)",
    b'{"id": "k", "text": ""}': "EMPTY_TEXT: the text is empty or blank (key k)",
    b'{"id": "k", "text": " \\n\\t "}': "EMPTY_TEXT: the text is empty or blank (key k)",
    b'{"text": "x"}': 'MISSING_KEY: the object has no field "id" (it has: text): add it, or leave out the object',
    b'{"id": "", "text": "x"}': "EMPTY_KEY: the key is empty or blank",
    b'{"id": ' + b"7" * 600 + b', "text": "x"}': (
        f"KEY_TOO_LONG: the key has 600 characters; at most 512 are allowed (key {'7' * 80}…)"
    ),
    b'{"id": null, "text": "x"}': "KEY_TYPE: the key must be a string or a whole number, not null",
    b'{"id": 1.5, "text": "x"}': "KEY_TYPE: the key must be a string or a whole number, not a number",
    b'{"id": true, "text": "x"}': "KEY_TYPE: the key must be a string or a whole number, not true or false",
    b'{"id": {"a": 1}, "text": "x"}': "KEY_TYPE: the key must be a string or a whole number, not an object",
    b'{"id": "' + b"k" * 3000 + b'", "text": "x"}': (
        f"KEY_TOO_LONG: the key has 3000 characters; at most 512 are allowed (key {'k' * 80}…)"
    ),
    rb'{"id": "a\nb", "text": "x"}': r"KEY_CONTROL: the key contains the control character U+000A (key a\nb)",
    rb'{"id": "\u001b[31mred", "text": "x"}': (
        r"KEY_CONTROL: the key contains the control character U+001B (key \x1b[31mred)"
    ),
    rb'{"id": "a\u202eb", "text": "x"}': (
        r"KEY_CONTROL: the key contains the control character U+202E (key a\u202eb)"
    ),
    b'{"id": "first", "text": "x"}': (
        "DUPLICATE_KEY: an earlier document has the same key: only the first one is used (key first)"
    ),
    b'{"id": "k", "text": "x", "label": {"a": 1}}': (
        "LABEL_TYPE: the label must be a string, a whole number or an array of them, not an object (key k)"
    ),
    b'{"id": "k", "text": "x", "label": ["a", ["b"]]}': (
        "LABEL_TYPE: the label must be a string, a whole number or an array of them, not an array (key k)"
    ),
    b'{"id": "k", "text": "x", "label": "a\\u0007"}': (
        "LABEL_CONTROL: the label contains the control character U+0007 (key k)"
    ),
    b'{"id": "k", "text": "x", "label": "' + b"l" * 600 + b'"}': (
        "LABEL_TOO_LONG: the label has 600 characters; at most 512 are allowed (key k)"
    ),
}


@pytest.mark.parametrize(("line", "report"), BROKEN.items(), ids=[text[:24] for text in BROKEN.values()])
def test_a_broken_line_is_named_and_its_neighbours_are_read(reading, line, report):
    outcome = reading("a.jsonl", FIRST + line + b"\n" + LAST)
    assert outcome.keys == ["first", "last"]
    assert outcome.reports == [f"a.jsonl:2: {report}"]


def test_a_truncated_last_line_says_that_the_file_seems_cut_off(reading):
    outcome = reading("a.jsonl", FIRST + b'{"id": "k", "te')
    assert outcome.keys == ["first"]
    assert outcome.reports == [
        f"a.jsonl:2: NOT_JSON: at character 13: unterminated string starting; {CUT} (key k)"
    ]


def test_a_last_line_without_a_line_end_is_read(reading):
    assert reading("a.jsonl", FIRST + LAST.rstrip()).keys == ["first", "last"]


def test_blank_lines_and_crlf_are_no_records(reading):
    outcome = reading("a.jsonl", b"\r\n" + FIRST.replace(b"\n", b"\r\n") + b"\n  \n" + LAST)
    assert (outcome.keys, outcome.reports) == (["first", "last"], [])
    assert [record.source for record in outcome.records] == ["a.jsonl:2", "a.jsonl:5"]


def test_only_a_line_feed_ends_a_line(reading):
    text = "가\u2028나\u2029다\x85라"
    line = json.dumps({"id": "k", "text": text}, ensure_ascii=False).encode()
    assert reading("a.jsonl", line).texts == {"k": text}


def test_odd_keys_are_just_strings(reading):
    keys = [
        "../../x",
        "=cmd|' /C calc'!A0",
        "<script>",
        "'; DROP TABLE document;--",
        "{{7*7}}",
        "%s",
        "한글 키",
        "-",
    ]
    lines = "".join(json.dumps({"id": key, "text": key}) + "\n" for key in keys)
    outcome = reading("a.jsonl", lines.encode())
    assert (outcome.keys, outcome.reports) == (keys, [])
    assert list(outcome.texts.values()) == keys


def test_whole_numbers_are_keys_and_labels(reading):
    (record,) = reading("a.jsonl", b'{"id": 7, "text": "x", "label": 1}').records
    assert (record.key, record.label) == ("7", "1")


@pytest.mark.parametrize(
    ("label", "stored"),
    [
        (b'["b", " a", "b"]', '["a", "b"]'),
        (b'"[\\"b\\", \\"a\\"]"', '["a", "b"]'),
        ('["정치", 7]'.encode(), '["7", "정치"]'),
        (b"[]", "[]"),
        (b'"[sic]"', "[sic]"),
    ],
)
def test_several_labels_are_stored_as_one_list(reading, label, stored):
    (record,) = reading("a.jsonl", b'{"id": 1, "text": "x", "label": ' + label + b"}").records
    assert record.label == stored


@pytest.mark.parametrize(
    ("label", "detail"),
    [
        (b'"[\\"a\\", \\"b\\""', "not a JSON list of strings"),
        (b"\"['a', 'b']\"", "not a JSON list of strings"),
        (b'["a", ""]', "one of the document's labels is empty"),
        (b"[null]", "one of the document's labels is empty"),
    ],
)
def test_what_looks_like_a_list_of_labels_and_is_none_is_refused(reading, label, detail):
    (bad,) = reading("a.jsonl", b'{"id": 1, "text": "x", "label": ' + label + b"}").bad
    assert bad.code == "LABEL_TYPE"
    assert detail in bad.detail


def test_blank_labels_are_no_labels(reading):
    data = b'{"id": 1, "text": "x", "label": null}\n{"id": 2, "text": "x", "label": " "}\n{"id": 3, "text": "x"}\n'
    assert [record.label for record in reading("a.jsonl", data).records] == [None, None, None]


def test_a_file_without_keys_gets_the_line_numbers(reading):
    outcome = reading("a.jsonl", b'{"text": "x"}\n\n{"text": "y"}\n')
    assert (outcome.keys, outcome.reports) == (["a.jsonl#1", "a.jsonl#3"], [])


def test_a_key_field_asked_for_by_name_must_be_there(reading):
    outcome = reading("a.jsonl", b'{"id": "k", "text": "x"}\n{"no": "1", "text": "x"}\n', key_field="no")
    assert outcome.keys == ["1"]
    assert outcome.reports == [
        'a.jsonl:1: MISSING_KEY: the object has no field "no" (it has: id, text): name the right one, '
        "as in --key-field id"
    ]


def test_other_fields_can_be_named(reading):
    data = '{"번호": 3, "본문": "글", "분류": "가"}'.encode()
    (record,) = reading("a.jsonl", data, key_field="번호", text_field="본문", label_field="분류").records
    assert (record.key, record.text, record.label) == ("3", "글", "가")


def test_a_text_of_exactly_the_limit_is_read_and_one_byte_more_is_not(reading):
    data = '{"id": "a", "text": "가가"}\n{"id": "b", "text": "가가."}\n'.encode()
    outcome = reading("a.jsonl", data, max_text_bytes=6)
    assert outcome.keys == ["a"]
    assert outcome.reports == [
        "a.jsonl:2: TEXT_TOO_LONG: the text is longer than 6 bytes of UTF-8: split it (key b)"
    ]


def test_a_line_of_exactly_the_limit_is_read_and_one_byte_more_is_passed_over(reading):
    data = FIRST + FIRST.replace(b"first", b"k0001.") + LAST
    outcome = reading("a.jsonl", data, max_line_bytes=len(FIRST) - 1)
    assert outcome.keys == ["first", "last"]
    limit = len(FIRST) - 1
    assert outcome.reports == [
        f"a.jsonl:2: LINE_TOO_LONG: the line is longer than {limit} bytes; it was skipped"
    ]


def test_an_empty_file_is_reported(reading):
    assert reading("a.jsonl", b"").reports == ["a.jsonl: EMPTY_FILE: the file is empty"]


def test_json_lines_under_the_name_json_are_read(reading):
    assert reading("a.json", FIRST + LAST).keys == ["first", "last"]
