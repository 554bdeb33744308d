"""Tables as programs write them: other delimiters, `sep=`, carriage returns, Excel's texts; found, said, overruled."""

from __future__ import annotations

import itertools

import pytest

MARKS = {",": "a comma", ";": "a semicolon", "\t": "a tab", "|": "a vertical bar"}
OWN = {"a.csv": ",", "a.tsv": "\t", "a.txt": "\t"}
ROWS = (("id", "text", "label"), ("1", "Good food; cheap, too", "x"), ("2", "나쁘다 | 비싸다", "y"))


def table(mark: str, quoted: bool = True) -> str:
    def cell(text: str) -> str:
        return f'"{text}"' if quoted and any(each in text for each in MARKS) else text

    return "".join(mark.join(map(cell, row)) + "\n" for row in ROWS)


@pytest.mark.parametrize(("name", "mark"), list(itertools.product(("a.csv", "a.tsv"), MARKS)))
def test_the_delimiter_is_found_and_said(reading, name, mark):
    outcome = reading(name, table(mark, quoted=mark != OWN[name] or name == "a.csv").encode())
    assert (outcome.texts, outcome.reports) == ({row[0]: row[1] for row in ROWS[1:]}, [])
    said = [] if mark == OWN[name] else [f"{name}: read with {MARKS[mark]} between the fields"]
    assert outcome.notices == said


@pytest.mark.parametrize("name", ["a.csv", "a.tsv"])
@pytest.mark.parametrize("asked", [r"\t", "tab", "\t"])
def test_a_tab_can_be_asked_for_by_name(reading, name, asked):
    outcome = reading(name, table("\t", quoted=False).encode(), delimiter=asked)
    assert (outcome.keys, outcome.reports, outcome.notices) == (["1", "2"], [], [])


def test_a_delimiter_that_is_asked_for_wins(reading):
    outcome = reading("a.csv", b"a;text\nb;x\n", delimiter=",", text_field="a;text")
    assert outcome.texts == {"a.csv#2": "b;x"}
    outcome = reading("a.tsv", b'id;text\n1;"a;b"\n', delimiter=";")
    assert outcome.texts == {"1": "a;b"}
    outcome = reading("a.csv", b"id,text\n1,x\n", delimiter=";")
    assert "the header has no field text (it has: id,text)" in outcome.reports[0]


@pytest.mark.parametrize(
    ("text", "texts"),
    [
        # the format's own mark has the fields: rows that are uneven with it are reported, not read otherwise
        ("id,text\n1,a;b;c\n2,d;e;f\n", {"1": "a;b;c", "2": "d;e;f"}),
        ("text\na;b\nc;d\n", {"a.csv#2": "a;b", "a.csv#3": "c;d"}),
        ('text;id\n"one;\ntwo";1\n"three ""four""";2\n', {"1": "one;\ntwo", "2": 'three "four"'}),
        ("id;text\n1;a\n2;b;c\n3;d\n", {"1": "a", "3": "d"}),
    ],
)
def test_the_delimiter_is_found_with_care(reading, text, texts):
    assert reading("a.csv", text.encode()).texts == texts


def test_a_header_without_the_text_still_lists_its_fields(reading):
    (report,) = reading("a.csv", b"id;body;n\n1;a, b, c;2\n2;d, e;3\n").reports
    assert "(it has: id, body, n): name the right one, as in --text-field body" in report
    assert reading("a.csv", text_field="body").texts == {"1": "a, b, c", "2": "d, e"}


@pytest.mark.parametrize("first", ["sep=;", "SEP=;", '"sep=;"'])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp949"])
def test_the_first_line_of_excel_names_the_delimiter(reading, first, end, encoding):
    rows = [first, "id;text", "1;좋은 음식", "2;그것은 이른 아침에 하는 일이다"]
    outcome = reading("a.csv", (end.join(rows) + end).encode(encoding))
    assert (outcome.keys, outcome.reports) == (["1", "2"], [])
    assert outcome.records[0].source == "a.csv:3"
    assert "with a semicolon between the fields" in outcome.notices[0]


def test_a_delimiter_that_is_asked_for_wins_over_the_first_line(reading):
    assert reading("a.csv", b"sep=;\nid,text\n1,a;b\n", delimiter=",").texts == {"1": "a;b"}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "cp949"])
def test_lines_that_end_in_carriage_returns_are_read(reading, encoding):
    outcome = reading("a.csv", 'id,text\r1,"하나\r둘"\r2,이것은 셋이다\r'.encode(encoding))
    assert (outcome.texts, outcome.reports) == ({"1": "하나\n둘", "2": "이것은 셋이다"}, [])
    assert "with carriage returns as line ends" in outcome.notices[0]
    assert reading("a.jsonl", b'{"id": 1, "text": "x"}\r{"id": 2, "text": "y"}\r').keys == ["1", "2"]
    assert reading("a.txt", b"one\rtwo\r").texts == {"a.txt": "one\ntwo\n"}


@pytest.mark.parametrize("name", ["a.csv", "a.tsv"])
def test_texts_of_excel_lose_their_formula(reading, name):
    mark = OWN[name]
    rows = ["id,text,label", '="001",one,="a b"', '="=1",two,=""', '"=""002""",three,x', "=x,four,="]
    data = "\n".join(rows).replace(",", mark)
    outcome = reading(name, data.encode())
    quoted = "002" if name == "a.csv" else '"=""002"""'
    assert outcome.keys == ["001", "=1", quoted, "=x"]
    assert [record.label for record in outcome.records] == ["a b", None, "x", "="]


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl"])
def test_blanks_around_keys_go_as_they_go_around_names(reading, name):
    data = '{"id": " 1", "text": "x"}\n{"id": "2 ", "text": "y"}\n{"id": " 2", "text": "z"}\n'
    outcome = reading(name, data.encode() if name == "a.jsonl" else b" id ,text\n 1,x\n2 ,y\n 2,z\n")
    assert outcome.texts == {"1": "x", "2": "y"}
    assert [bad.code for bad in outcome.bad] == ["DUPLICATE_KEY"]


def test_a_text_file_is_a_table_where_its_fields_are_asked_for(reading):
    data = 'id\tdocument\tlabel\n1\t"명작\t1\n2\t지루하다\t0\n3\t그저 그렇다\t1\n'.encode()
    outcome = reading("a.txt", data, text_field="document")
    assert outcome.texts == {"1": '"명작', "2": "지루하다", "3": "그저 그렇다"}
    assert outcome.notices == ["a.txt: read as a table"]
    outcome = reading("a.txt", data)
    assert outcome.keys == ["a.txt"]
    assert outcome.notices == [
        "a.txt: read as one document, but it looks like a table of id, document, label: "
        "to read it as one, name the text, as in --text-field document"
    ]
    outcome = reading("b.txt", b"plain\ntext\n", text_field="document")
    assert outcome.keys == ["b.txt"]
    assert "it does not start with a table that has a field document" in outcome.notices[0]
    outcome = reading("c.txt", b"id,document\n1,x\n", text_field="document", txt_tables="always")
    assert outcome.texts == {"1": "x"}
    assert "BAD_HEADER" in reading("d.txt", b"x", txt_tables="always").reports[0]


def test_a_text_with_tabs_is_no_table(reading):
    assert reading("a.txt", b"a\tb\nc\td\te\nf\n").notices == []
    assert reading("b.txt", b"a\tb\n").notices == []
