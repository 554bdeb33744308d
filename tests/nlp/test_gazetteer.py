"""Names of a user's list in texts: forms, boundaries, particles, files, and beside a model and rules."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from nlp_tasks.entities import (
    ENTITIES,
    TRAIN_GAZETTEER,
    EntitiesParameters,
    EntityRow,
    TrainGazetteerParameters,
    gazetteer,
    gazetteer_files,
)
from nlp_tasks.entities.architecture import Found
from nlp_tasks.entities.merging import merged
from nlp_tasks.entities.rules.find import find
from nlp_tasks.entities.spans import Entity
from nlp_tasks.errors import DocumentError, ModelFileError, TrainingError
from nlp_tasks.kind import Document, Setup

NAMES = (
    ("삼성전자", "ORG"), ("SK 하이닉스", "ORG"), ("김 철수", "PER"), ("IBM", "ORG"), ("New York", "LOC"),
    ("New York Times", "ORG"), ("서", "PER"), ("갤럭시", "PRODUCT"), ("Yahoo!", "ORG"), ("ＬＧ전자", "ORG"),
    ("C++", "LANGUAGE"),
)  # fmt: skip


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("삼성전자는 오늘", ["삼성전자"]),
        ("삼성전자에서도, 삼성전자와의", ["삼성전자", "삼성전자"]),
        ("삼성전자서비스는", []),
        ("그삼성전자", []),
        ("sk  하이닉스가", ["sk  하이닉스"]),
        ("ＳＫ\u3000하이닉스", ["ＳＫ\u3000하이닉스"]),
        ("김\n철수씨에게", ["김\n철수"]),
        ("LG전자의", ["LG전자"]),
        ("the NEW YORK TIMES, New Yorker, New York.", ["NEW YORK TIMES", "New York"]),
        ("IBMer, IBM-compatible, IBM과", ["IBM", "IBM"]),
        ("서울에서 서가", ["서"]),
        ("갤럭시S21", ["갤럭시"]),
        ("Yahoo!는 C++로", ["Yahoo!", "C++"]),
        ("", []),
        ("😀삼성전자😀", ["삼성전자"]),
    ],
)
def test_a_name_is_found_in_every_form_and_not_inside_of_a_word(text: str, found: Sequence[str]) -> None:
    entities = gazetteer.made_of(NAMES).find(text)

    assert [text[each.start : each.end] for each in entities] == found


def test_time_is_linear() -> None:
    names = gazetteer.made_of([(f"name {'x' * n}", "X") for n in range(1, 190)])

    def seconds(n: int) -> float:
        text = "name xxxx " * n
        started = time.process_time()
        names.find(text)
        return time.process_time() - started

    assert seconds(8_000) < 30 * max(seconds(1_000), 0.005)


def test_names_are_read_from_files_of_several_forms(tmp_path: Path) -> None:
    contents = {
        "a.csv": "name,label\n삼성전자,ORG\n",
        "b.tsv": "label\ttext\nORG\t삼성전자\n",
        "c.jsonl": '{"name": "삼성전자", "label": "ORG", "note": 1}\n',
    }
    for name, content in contents.items():
        (tmp_path / name).write_text(content, encoding="utf-8")

        assert gazetteer_files.opened(str(tmp_path / name), TrainingError).label_of == {"삼성전자": "ORG"}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("name,label\n삼성전자,\n", r"names\.csv:2: '삼성전자' has no label"),
        ("who,label\n삼성전자,ORG\n", r"names\.csv"),
        (None, "there is no gazetteer"),
        ("name,label\n", r"names\.csv: EMPTY_FILE: the file has a header and no rows"),
        (f"name,label\n{'x' * 300},ORG\n", "has no name of at most 200 characters"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(tmp_path: Path, content: str | None, words: str) -> None:
    path = tmp_path / "names.csv"
    if content is not None:
        path.write_text(content, encoding="utf-8")

    with pytest.raises(ModelFileError, match=words):
        gazetteer_files.opened(str(path), ModelFileError)


def test_of_several_labels_in_a_file_the_first_one_counts(tmp_path: Path) -> None:
    path = tmp_path / "names.jsonl"
    path.write_text('{"name": "Kim", "label": ["NAME", "PER"]}\n', encoding="utf-8")

    assert gazetteer_files.opened(str(path), ModelFileError).label_of == {"kim": "NAME"}


@pytest.mark.parametrize(("text", "found"), [("½ of 2", [(5, 6)]), ("㈜가 (주)나", [(0, 1), (3, 6)])])
def test_a_part_of_one_character_is_no_name(text: str, found: list[tuple[int, int]]) -> None:
    names = gazetteer.made_of([("1", "N"), ("2", "N"), ("주", "X"), ("(주)", "Y")])

    assert [(one.start, one.end) for one in names.find(text)] == found


class Listed(list[Document]):
    """Documents of a training."""


def made(folder: Path, names: Sequence[tuple[str, str]] = NAMES) -> dict[str, float]:
    assert TRAIN_GAZETTEER.train is not None
    documents = Listed(Document(n, f"n{n}", name, label) for n, (name, label) in enumerate(names))
    return TRAIN_GAZETTEER.train(documents, TrainGazetteerParameters(), "cpu", folder, lambda *_: None)


def test_a_gazetteer_is_made_of_documents_and_used_without_a_model(tmp_path: Path) -> None:
    metrics = made(tmp_path)
    parameters = EntitiesParameters(gazetteer=str(tmp_path))
    runner = ENTITIES.stages[0].open(Setup(parameters))

    (rows,) = runner.run([Document(1, "a", "2026년 11월 26일 삼성전자는 1조 원을 벌었다.")])

    assert metrics == {"n_names": 11.0, "n_labels": 5.0}
    assert not isinstance(rows, DocumentError)
    found = [row for row in rows if isinstance(row, EntityRow)]
    assert [(row.rank, row.text, row.label, row.source) for row in found] == [
        (1, "2026년 11월 26일", "DATE", "rule"), (2, "삼성전자", "ORG", "gazetteer"), (3, "1조 원", "MONEY", "rule"),
    ]  # fmt: skip


def test_a_gazetteer_without_names_is_refused_with_the_fix(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"no name in 1 documents: .*--text-field name"):
        made(tmp_path, [("x" * 300, "ORG")])


def test_a_damaged_gazetteer_is_not_read(tmp_path: Path) -> None:
    made(tmp_path)
    path = tmp_path / gazetteer.FILE
    path.write_text(path.read_text(encoding="utf-8").replace("ORG", "PER"), encoding="utf-8")

    with pytest.raises(ModelFileError, match="damaged"):
        gazetteer_files.opened(str(tmp_path), ModelFileError)


def test_a_name_stands_unless_the_model_knows_more_and_rules_give_normal_forms() -> None:
    text = "삼성전자 서비스센터, 삼성전자, 2026년, IBM 5%"
    centre, company, year, ibm = (text.index(each) for each in ("삼성", "삼성전자,", "2026", "IBM"))
    learned = [
        Found(Entity(centre, centre + 10, "LOC"), 0.9),
        Found(Entity(company, company + 2, "PER"), 0.9),
        Found(Entity(year, year + 5, "DT"), 0.8),
        Found(Entity(ibm, ibm + 3, "LOC"), 0.7),
    ]
    names = [
        Entity(centre, centre + 4, "ORG"), Entity(company, company + 4, "ORG"), Entity(ibm, ibm + 3, "ORG"),
    ]  # fmt: skip

    rows = merged(text, learned, names, find(text))

    assert [(row.text, row.label, row.source, row.normal) for row in rows] == [
        ("삼성전자 서비스센터", "LOC", "model", None),
        ("삼성전자", "ORG", "gazetteer", None),
        ("2026년", "DT", "model", "2026"),
        ("IBM", "ORG", "gazetteer", None),
        ("5%", "PERCENT", "rule", "5"),
    ]
