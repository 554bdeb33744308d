"""Whatever the bytes, reading raises nothing, and the good neighbours of rubbish are read."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scheduler.readers import BadRecord, ReadOptions, Record, read
from scheduler.readers.label_files import LabelRecord, read_labels
from scheduler.readers.options import ENCODINGS

ANY_FILE = settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)

#: Bytes near the edges of the formats.
PIECES = st.sampled_from(
    [b'"', b",", b"\t", b"\n", b"\r", b"\r\n", b"\0", b"\\", b"{", b"}", b"[", b":", b'"id"', b'"text"', b"id", b"text",
     b"1", b"NaN", b"\\ud800",
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
@given(data=RUBBISH, encoding=st.sampled_from(ENCODINGS))
def test_any_bytes_are_read_or_reported(tmp_path: Path, name: str, data: bytes, encoding: str):
    path = tmp_path / name
    path.write_bytes(data)
    items = list(read([path], ReadOptions(encoding=encoding, max_line_bytes=100)))
    check(items)
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


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.csv.gz", "a.tsv.gz"])
@pytest.mark.parametrize("header", [b"", b"key,label\n", b"key\tlabel\n"])
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
