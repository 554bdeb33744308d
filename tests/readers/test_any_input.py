"""Whatever the bytes, reading raises nothing, and the good neighbours of rubbish are read."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from readers import BadRecord, Notice, ReadOptions, Record, read
from readers.label_files import LabelRecord, read_labels
from readers.options import ENCODINGS

ANY_FILE = settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)

#: Bytes near the edges of the formats.
PIECES = st.sampled_from(
    [b'"', b",", b"\t", b"\n", b"\r", b"\r\n", b"\0", b"\\", b"{", b"}", b"[", b":", b'"id"', b'"text"', b"id", b"text",
     b"1", b"NaN", b"\\ud800",
     b";", b"|", b"sep=;\n", b'="', b"]", b"},\n{", b"key", b"label", b"a.b", b"\x1b$B", b"\x1b$)C", b"\x0e",
     b"\xef\xbb\xbf", b"\xff\xfe", b"\x1f\x8b", "가".encode(), "가".encode("cp949"), b"\xed\xa0"]
)  # fmt: skip
RUBBISH = st.one_of(st.binary(max_size=200), st.lists(PIECES, max_size=40).map(b"".join))
NAMES = [f"a{suffix}{gz}" for suffix in (".txt", ".jsonl", ".json", ".csv", ".tsv") for gz in ("", ".gz")]


def check(items: list[Record | BadRecord]) -> None:
    """Everything that the store and the reports rely on."""
    keys = [item.key for item in items if isinstance(item, Record)]
    assert len(keys) == len(set(keys))
    for item in items:
        if isinstance(item, Record):
            assert item.text.strip()
            assert 1 <= len(item.key) <= 512
            for value in (item.key, item.text, item.label or "", item.source):
                assert "\0" not in value
                assert unicodedata.is_normalized("NFC", value.encode().decode())
        else:
            assert str(item).isprintable()
            assert item.code.isupper()


@pytest.mark.parametrize("name", NAMES)
@ANY_FILE
@given(
    data=RUBBISH,
    encoding=st.sampled_from([None, *ENCODINGS]),
    delimiter=st.sampled_from([None, ",", ";", "tab"]),
    text_field=st.sampled_from(["text", "a.b", "text[].a"]),
    start=st.sampled_from([b"", b"[", b"[{", b"[\n{", b"{\n", b"id;text\n", b"sep=|\nid|text\n"]),
)
def test_any_bytes_are_read_or_reported(
    tmp_path: Path,
    name: str,
    data: bytes,
    encoding: str | None,
    delimiter: str | None,
    text_field: str,
    start: bytes,
):
    path = tmp_path / name
    data = start + data
    path.write_bytes(data)
    options = ReadOptions(encoding=encoding, delimiter=delimiter, text_field=text_field, max_line_bytes=100)
    notices: list[Notice] = []
    items = list(read([path], options, notices.append))
    check(items)
    assert all(str(notice).isprintable() for notice in notices)
    assert items or not data.strip(), "neither read nor reported"


GOOD = json.dumps({"id": "good", "text": "좋은 문서"}, ensure_ascii=False).encode()


@ANY_FILE
@given(before=RUBBISH, after=RUBBISH)
def test_a_good_line_among_rubbish_is_read(tmp_path: Path, before: bytes, after: bytes):
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"id": "first", "text": "x"}\n' + before + b"\n" + GOOD + b"\n" + after)
    items = list(read([path]))
    check(items)
    assert {"first", "good"} <= {item.key for item in items if isinstance(item, Record)}


@ANY_FILE
@given(before=RUBBISH, after=RUBBISH)
def test_a_good_object_among_rubbish_in_an_array_is_read(tmp_path: Path, before: bytes, after: bytes):
    path = tmp_path / "a.json"
    path.write_bytes(
        b'[\n{"id": "first", "text": "x"},\n' + before + b",\n" + GOOD + b",\n" + after + b"\n]\n"
    )
    items = list(read([path]))
    check(items)
    assert {"first", "good"} <= {item.key for item in items if isinstance(item, Record)}


@ANY_FILE
@given(before=RUBBISH, after=RUBBISH)
def test_a_good_tsv_row_among_rubbish_is_read(tmp_path: Path, before: bytes, after: bytes):
    path = tmp_path / "a.tsv"
    rows = [b"id\ttext", before, "good\t좋은 문서".encode(), after]
    path.write_bytes(b"\n".join(rows))
    items = list(read([path]))
    check(items)
    assert "good" in {item.key for item in items if isinstance(item, Record)}


@ANY_FILE
@given(row=RUBBISH.map(lambda row: row.replace(b"\n", b"")))
def test_good_csv_rows_next_to_one_of_rubbish_are_read(tmp_path: Path, row: bytes):
    """A row, not rows: a quote may well open in one and close in another, which is no error."""
    path = tmp_path / "a.csv"
    good = 'good,"좋은 ""문서"""'.encode()
    path.write_bytes(b"\n".join([b"id,text", b"first,x", row, good, b"last,y\n"]))
    items = list(read([path]))
    check(items)
    assert {"first", "good", "last"} <= {item.key for item in items if isinstance(item, Record)}


@ANY_FILE
@given(texts=st.dictionaries(st.text("가나다abc-_/#%", min_size=1), st.text(min_size=1), max_size=5))
def test_what_json_writes_is_read_back(tmp_path: Path, texts: dict[str, str]):
    storable = {key: text for key, text in texts.items() if text.strip() and "\0" not in text}
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps({"id": key, "text": text}) + "\n" for key, text in storable.items()))
    expected = {key: unicodedata.normalize("NFC", text) for key, text in storable.items()}
    assert {item.key: item.text for item in read([path]) if isinstance(item, Record)} == expected


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.csv.gz", "a.txt", "a.jsonl", "a.json.gz"])
@pytest.mark.parametrize("header", [b"", b"key,label\n", b"key\tlabel\n", b'[{"key": 1, "label": "x"},'])
@ANY_FILE
@given(data=RUBBISH)
def test_any_bytes_are_labels_or_reported(tmp_path: Path, name: str, header: bytes, data: bytes):
    path = tmp_path / name
    path.write_bytes(header + data)
    for item in read_labels(path):
        if isinstance(item, LabelRecord):
            for value in (item.key, item.label):
                assert value.strip()
                assert "\0" not in value
                assert unicodedata.is_normalized("NFC", value.encode().decode())
        else:
            assert str(item).isprintable()
            assert item.code.isupper()


@ANY_FILE
@given(row=RUBBISH.map(lambda row: row.replace(b"\n", b"")))
def test_good_labels_next_to_a_row_of_rubbish_are_read(tmp_path: Path, row: bytes):
    path = tmp_path / "a.csv"
    path.write_bytes(b"\n".join([b"key,label", b"first,x", row, b'good,"y"', b"last,z\n"]))
    found = {item.key: item.label for item in read_labels(path) if isinstance(item, LabelRecord)}
    assert found.items() >= {"first": "x", "good": "y", "last": "z"}.items()
