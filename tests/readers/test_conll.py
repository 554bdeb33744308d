"""Files of tokens and tags: CoNLL, and KLUE's characters."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from readers import BadRecord, Notice, ReadOptions, Record, read

CONLL = """-DOCSTART- -X- O O

Kim B-PER
lives O
in O
New B-LOC
York I-LOC
. O

Busan\tNNP\tB-LOC
is\tVBZ\tO
Kim B-PER
Lee B-PER

# a comment
# O
1 B-RANK
"""
SPELLED = "김민수는 <서울> 간다."
TAGS = ["B-PS", "I-PS", "I-PS", "O", "O", "O", "B-LC", "I-LC", "O", "O", "O", "O", "O"]
KLUE = (
    f"## klue-ner-v1_dev_00001\t{SPELLED}\n"
    + "".join(f"{char}\t{tag}\n" for char, tag in zip(SPELLED, TAGS, strict=True))
    + "\n"
)


def found_in(tmp_path: Path, name: str, text: str | bytes) -> list[Record | BadRecord]:
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    notices: list[Notice] = []
    return list(read([path], ReadOptions(), notices.append))


def marks(record: Record | BadRecord) -> list[tuple[str, str]]:
    assert isinstance(record, Record), record
    assert record.meta is not None
    return [(record.text[e["start"] : e["end"]], e["label"]) for e in record.meta["entities"]]


@pytest.mark.parametrize("name", ["a.conll", "a.bio", "a.iob2", "a.conll.gz"])
def test_each_sentence_is_a_document_with_its_entities(tmp_path: Path, name: str) -> None:
    data = gzip.compress(CONLL.encode()) if name.endswith(".gz") else CONLL.encode()

    first, second, third = found_in(tmp_path, name, data)

    assert isinstance(first, Record)
    assert first.text == "Kim lives in New York ."
    assert first.key == f"{name}#1"
    assert marks(first) == [("Kim", "PER"), ("New York", "LOC")]
    assert marks(second) == [("Busan", "LOC"), ("Kim", "PER"), ("Lee", "PER")]
    assert isinstance(third, Record)
    assert (third.text, marks(third)) == ("# 1", [("1", "RANK")])


def test_characters_of_klue_keep_the_text(tmp_path: Path) -> None:
    (found,) = found_in(tmp_path, "klue.tsv", KLUE)

    assert isinstance(found, Record)
    assert (found.key, found.text) == ("klue-ner-v1_dev_00001", "김민수는 <서울> 간다.")
    assert marks(found) == [("김민수", "PS"), ("서울", "LC")]


def test_a_table_is_still_a_table(tmp_path: Path) -> None:
    (found,) = found_in(tmp_path, "a.tsv", "id\ttext\n1\thello\n")

    assert isinstance(found, Record)
    assert found.text == "hello"


@pytest.mark.parametrize(
    ("text", "code", "line"),
    [
        ("Kim B-PER\nlives\n\nYork B-LOC\n", "NO_TAG", 2),
        ("Kim PER\n\nYork B-LOC\n", "BAD_TAG", 1),
        ("Kim B-\n\nYork B-LOC\n", "BAD_TAG", 1),
        ("## a\tKim\nK\tB-PS\nx\tI-PS\n\nYork B-LOC\n", "TOKEN_NOT_IN_TEXT", 1),
    ],
)
def test_a_wrong_line_costs_its_sentence_only(tmp_path: Path, text: str, code: str, line: int) -> None:
    bad, good = found_in(tmp_path, "a.conll", text)

    assert isinstance(bad, BadRecord)
    assert (bad.code, bad.line) == (code, line)
    assert marks(good) == [("York", "LOC")]


@pytest.mark.parametrize("text", ["", "\n\n", "-DOCSTART- -X- O O\n\n"])
def test_an_empty_file_is_said(tmp_path: Path, text: str) -> None:
    (bad,) = found_in(tmp_path, "a.conll", text)

    assert isinstance(bad, BadRecord)
    assert bad.code == "EMPTY_FILE"


def test_korean_of_windows_is_read(tmp_path: Path) -> None:
    (found,) = found_in(tmp_path, "a.bio", "김민수 B-PER\n만남 O\n".encode("cp949"))

    assert marks(found) == [("김민수", "PER")]
