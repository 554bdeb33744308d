"""CSV and TSV: a broken row is named by the line it starts on and costs nothing but itself."""

from __future__ import annotations

import pytest

HEADER = b"id,text,label\n"
FIRST = "first,앞의 문서,가\n".encode()
LAST = "last,뒤의 문서,나\n".encode()
HINT = '(a quote in the text is written "")'

#: What stands in line 3 -> the report of it, after "a.csv:3: ".
BROKEN = {
    b"k,only two": "RAGGED_ROW: the row has 2 fields, the header has 3 (key k)",
    b"k,x,y,z": "RAGGED_ROW: the row has 4 fields, the header has 3 (key k)",
    b'k,"never closed,y': (
        f"UNCLOSED_QUOTE: the file ends inside a quoted field: the quote is not closed {HINT} (key k)"
    ),
    b'k,"closed" too soon,y': f"BAD_QUOTE: ',' expected after '\"' {HINT} (key k)",
    b"k,a\rb,y": "BAD_LINE_END: a field without quotes contains a carriage return: put the field in quotes (key k)",
    b"k,,y": "EMPTY_TEXT: the text is empty or blank (key k)",
    b",x,y": "EMPTY_KEY: the key is empty or blank",
    b"k,a\0b,y": "NUL: character 2 of the text is NUL, which cannot be stored (key k)",
    b"first,x,y": "DUPLICATE_KEY: an earlier document has the same key: only the first one is used (key first)",
    b"k,\xff,y": (
        "INVALID_ENCODING: byte 3 of the line (0xff) is not UTF-8; "
        "the rest of the file is UTF-8: convert the line to that, or leave it out (key k)"
    ),
}


@pytest.mark.parametrize(("row", "report"), BROKEN.items(), ids=[text[:24] for text in BROKEN.values()])
def test_a_broken_row_is_named_and_its_neighbours_are_read(reading, row, report):
    outcome = reading("a.csv", HEADER + FIRST + row + b"\n" + LAST)
    assert outcome.keys == ["first", "last"]
    assert outcome.reports == [f"a.csv:3: {report}"]


def test_an_unclosed_quote_before_a_quoted_row_costs_only_itself(reading):
    rows = b'k,"never closed,y\nm,"one\ntwo ""three""",z\n'
    outcome = reading("a.csv", HEADER + FIRST + rows + LAST)
    assert outcome.keys == ["first", "m", "last"]
    assert outcome.texts["m"] == 'one\ntwo "three"'
    assert outcome.reports == [f"a.csv:3: BAD_QUOTE: ',' expected after '\"' {HINT} (key k)"]


def test_a_quote_open_for_too_many_lines_costs_only_itself(reading):
    rows = "".join(f"d{n},글,가\n" for n in range(100_500)).encode()
    outcome = reading("a.csv", HEADER + b'k,"never closed,y\n' + rows)
    assert len(outcome.records) == 100_500
    assert outcome.reports == [
        "a.csv:2: UNCLOSED_QUOTE: the row goes on for 100001 lines inside a quoted field: "
        f"the quote is not closed {HINT} (key k)"
    ]


def test_a_file_full_of_unclosed_quotes_is_given_up(reading):
    outcome = reading("a.csv", HEADER + FIRST + b'k",,"\n' * 300)
    assert outcome.keys == ["first"]
    assert outcome.reports[-1] == (
        "a.csv: BROKEN_QUOTING: more than 100 quotes are never closed: the rest of the file was not read"
    )
    assert len(outcome.reports) == 102


def test_quoted_line_ends_and_delimiters_belong_to_the_text(reading):
    outcome = reading("a.csv", b'\xef\xbb\xbfid,text\r\nk,"one, two\r\nthree"\r\n\r\nm,4\r\n')
    assert outcome.texts == {"k": "one, two\nthree", "m": "4"}
    assert [record.source for record in outcome.records] == ["a.csv:2", "a.csv:5"]


def test_a_field_of_a_megabyte_is_read(reading):
    assert len(reading("a.csv", b"id,text\nk,%b\n" % (b"a" * 1_000_000)).texts["k"]) == 1_000_000


def test_rows_of_empty_fields_are_blank_lines(reading):
    outcome = reading("a.csv", HEADER + FIRST + b",,\n" + LAST + b",,\n")
    assert (outcome.keys, outcome.reports) == (["first", "last"], [])


def test_a_file_without_a_key_column_gets_the_line_numbers(reading):
    outcome = reading("a.csv", b'text\n"one\ntwo"\nthree\n')
    assert outcome.texts == {"a.csv#2": "one\ntwo", "a.csv#4": "three"}


HEADERS = {
    b"id,body\nk,x\n": "BAD_HEADER: the header has no field text (it has: id, body): "
    "name the right one, as in --text-field body",
    "번호,제목,본문\n1,x,y\n".encode(): "BAD_HEADER: the header has no field text (it has: 번호, 제목, 본문): "
    "name the right one, as in --text-field '본문'",
    b"id,text,text\nk,x,y\n": "BAD_HEADER: the header names the field text more than once",
    b'id,"text\nk,x\n': (
        "BAD_HEADER: the header cannot be read: the file ends inside a quoted field: "
        f"the quote is not closed {HINT}"
    ),
    b"id,text,label\n": "EMPTY_FILE: the file has a header and no rows",
    b"": "EMPTY_FILE: the file is empty",
}


@pytest.mark.parametrize(("data", "report"), HEADERS.items(), ids=[text[:40] for text in HEADERS.values()])
def test_an_unusable_header_is_one_report(reading, data, report):
    outcome = reading("a.csv", data)
    assert (outcome.keys, outcome.reports) == ([], [f"a.csv: {report}"])


def test_fields_asked_for_by_name_must_be_in_the_header(reading):
    assert reading("a.csv", b"id,text\nk,x\n", key_field="no").reports == [
        "a.csv: BAD_HEADER: the header has no field no (it has: id, text): "
        "name the right one, as in --key-field id"
    ]
    assert reading("a.csv", b"id,text\nk,x\n", label_field="sort").reports == [
        "a.csv: BAD_HEADER: the header has no field sort (it has: id, text): "
        "name the right one, as in --label-field id"
    ]


def test_the_delimiter_can_be_named(reading):
    assert reading("a.csv", b'id;text\nk;"a;b"\n', delimiter=";").texts == {"k": "a;b"}


def test_quotes_in_tsv_are_characters_like_others(reading):
    data = 'id\ttext\r\n1\t"열고 닫지 않음\r\n2\t닫기만 함"\r\n3\t"둘 다"\r\n'.encode()
    outcome = reading("a.tsv", data)
    assert outcome.texts == {"1": '"열고 닫지 않음', "2": '닫기만 함"', "3": '"둘 다"'}
    assert outcome.reports == []


def test_a_ragged_tsv_row_is_named(reading):
    outcome = reading("a.tsv", b"id\ttext\n1\ta\tb\n\n2\tc\n")
    assert outcome.keys == ["2"]
    assert outcome.reports == ["a.tsv:2: RAGGED_ROW: the row has 3 fields, the header has 2 (key 1)"]


def test_a_row_that_is_too_long_is_passed_over(reading):
    outcome = reading("a.csv", HEADER + FIRST + b"k," + b"x" * 100 + b",y\n" + LAST, max_line_bytes=64)
    assert outcome.keys == ["first", "last"]
    assert outcome.reports == ["a.csv:3: LINE_TOO_LONG: the line is longer than 64 bytes; it was skipped"]
