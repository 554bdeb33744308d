"""Entities: marks, tags, a trained model, its gate, and what a job returns."""

from __future__ import annotations

import json
import os
import random
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from nlp_tasks import model_files
from nlp_tasks.entities import (
    ENTITIES,
    TRAIN_ENTITIES,
    EntitiesParameters,
    EntityRow,
    TrainEntitiesParameters,
)
from nlp_tasks.entities.annotations import AnnotationError, marked
from nlp_tasks.entities.architecture import Found
from nlp_tasks.entities.features import Known, features_of
from nlp_tasks.entities.metrics import measure
from nlp_tasks.entities.names_again import with_missed_mentions
from nlp_tasks.entities.redaction import redacted
from nlp_tasks.entities.spans import Entity, entities, tags, without_overlaps
from nlp_tasks.entities.units import units_of
from nlp_tasks.errors import DocumentError, ModelFileError, TrainingError
from nlp_tasks.kind import Candidate, Document, Setup

ROOT = Path(__file__).parents[2]
SHARED = Path(os.environ.get("DOCMILL_SHARED_DATA") or ROOT.parent / "shared" / "data")
KLUE = SHARED / "ko_ner_klue" / "train.jsonl"
PERSONS = ("김민수", "이영희", "박철수", "최지우", "정하늘", "Ann Lee", "Bob Ray")
PLACES = ("서울", "부산", "대전", "Busan", "Paris", "광주")
SENTENCES = (
    "{p}는 {l}에서 태어났다.", "{l}에 사는 {p}를 만났다.", "어제 {p}가 {l}로 떠났다.", "{p} moved to {l} last year.",
    "{p}의 고향은 {l}이다.", "날씨가 좋다.",
)  # fmt: skip


@dataclass(frozen=True)
class Listed:
    """Documents of a training."""

    documents: Sequence[Document]

    def __len__(self) -> int:
        return len(self.documents)

    def __iter__(self) -> Iterator[Document]:
        yield from self.documents


def example(number: int, draw: random.Random) -> Document:
    p, l = draw.choice(PERSONS), draw.choice(PLACES)  # noqa: E741
    pattern = SENTENCES[number % len(SENTENCES)]
    text = pattern.format(p=p, l=l)
    found = []
    if "{p}" in pattern:
        found = [
            {"start": text.index(each), "end": text.index(each) + len(each), "label": label, "text": each}
            for each, label in ((p, "PER"), (l, "LOC"))
        ]
    return Document(number, f"doc-{number}", text, meta={"entities": found})


def examples(n: int = 120) -> Listed:
    draw = random.Random(1)
    return Listed([example(number, draw) for number in range(n)])


def trained(folder: Path, documents: Listed | None = None, **parameters: Any) -> dict[str, float]:
    assert TRAIN_ENTITIES.train is not None
    folder.mkdir(parents=True, exist_ok=True)
    return TRAIN_ENTITIES.train(
        documents or examples(), TrainEntitiesParameters(**parameters), "cpu", folder, lambda *_: None
    )


def found_in(text: str, model_dir: Path | None = None, **parameters: Any) -> list[EntityRow]:
    runner = ENTITIES.stages[0].open(Setup(EntitiesParameters(**parameters), model_dir=model_dir))
    (rows,) = runner.run([Document(1, "a", text)])
    assert not isinstance(rows, DocumentError)
    return [row for row in rows if isinstance(row, EntityRow)]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    trained(folder)
    return folder


def test_a_model_finds_names_in_sentences_that_it_has_not_seen(model: Path) -> None:
    rows = found_in(
        "박철수는 부산에서 일한다. Ann Lee moved to Paris in May.", model, method="model", rules="none"
    )

    assert [(row.text, row.label) for row in rows] == [
        ("박철수", "PER"), ("부산", "LOC"), ("Ann Lee", "PER"), ("Paris", "LOC"),
    ]  # fmt: skip
    assert [row.rank for row in rows] == [1, 2, 3, 4]
    assert all(row.source == "model" and 0.3 < row.score <= 1 for row in rows)


@pytest.mark.parametrize("blanks", ["", "\n\n  ", "\u3000", "😀 "])
def test_offsets_are_those_of_the_text(model: Path, blanks: str) -> None:
    text = f"{blanks}박철수는 부산에서 일한다.\n{blanks}매출 1조 원. {'가나다 ' * 300}김민수가 서울로 떠났다."

    rows = found_in(text, model, method="model")

    assert {"박철수", "1조 원", "김민수"} <= {row.text for row in rows}
    assert all(text[row.start_char : row.end_char] == row.text for row in rows)
    assert [row.start_char for row in rows] == sorted(row.start_char for row in rows)


def test_the_same_documents_give_the_same_model(tmp_path: Path, model: Path) -> None:
    trained(tmp_path)

    assert (tmp_path / "model.crfsuite").read_bytes() == (model / "model.crfsuite").read_bytes()


def test_figures_are_those_of_held_out_documents(tmp_path: Path) -> None:
    metrics = trained(tmp_path, held_out=0.3)

    assert metrics["n_train"] + metrics["n_held_out"] == 120
    assert metrics["macro_f1"] > 0.8
    assert TRAIN_ENTITIES.figures is not None
    rows = TRAIN_ENTITIES.figures(tmp_path)
    assert {row.label for row in rows} == {"PER", "LOC"}  # type: ignore[attr-defined]


def test_marks_that_do_not_fit_name_the_document(tmp_path: Path) -> None:
    wrong = Document(7, "report-7", "가나다", meta={"entities": [[0, 2, "X"], [2, 9, "X"]]})

    with pytest.raises(TrainingError, match=r"document 'report-7': \[2, 9, \"X\"\] lies outside of the text"):
        trained(tmp_path, Listed([*examples(10), wrong]))


def test_a_training_without_marks_says_what_to_do(tmp_path: Path) -> None:
    plain = Listed([Document(n, f"d{n}", "가나다") for n in range(5)])

    with pytest.raises(TrainingError, match="no entity is marked in 5 documents: the field 'entities'"):
        trained(tmp_path, plain)


@pytest.mark.parametrize(
    ("meta", "found"),
    [
        ({"entities": [{"start": 0, "end": 2, "type": "PS"}]}, [Entity(0, 2, "PS")]),
        ({"entities": [[3, 5, "LC"], [0, 2, "PS"]]}, [Entity(0, 2, "PS"), Entity(3, 5, "LC")]),
        ({"entities": '[{"start": 3, "end": 5, "label": "LC"}]'}, [Entity(3, 5, "LC")]),
        ({"entities": []}, []),
        ({"tokens": ["ab", "cd"], "tags": ["B-X", "I-X"]}, [Entity(0, 5, "X")]),
        ({"tokens": ["ab", "cd"], "tags": ["I-X", "B-X"]}, [Entity(0, 2, "X"), Entity(3, 5, "X")]),
        ({}, None),
    ],
)
def test_marks_are_read_in_several_forms(meta: dict[str, Any], found: list[Entity] | None) -> None:
    assert marked("ab cd", meta, "entities") == found


@pytest.mark.parametrize(
    ("meta", "words"),
    [
        ({"entities": "["}, "is no JSON"),
        ({"entities": 3}, "is no list"),
        ({"entities": [[1, 1, "X"]]}, "lies outside"),
        ({"entities": [[True, 2, ""]]}, "has no whole numbers"),
        ({"entities": [{"start": 0, "end": 2, "label": "X", "text": "cd"}]}, "the text has 'ab' there"),
        ({"tokens": ["ab", "zz"], "tags": ["O", "O"]}, 'no token "zz" after character 2'),
        ({"tokens": ["ab"], "tags": ["PER"]}, "write O, B-X or I-X"),
        ({"tokens": ["ab"], "tags": []}, "not two lists of one length"),
    ],
)
def test_marks_that_cannot_be_read_say_why(meta: dict[str, Any], words: str) -> None:
    with pytest.raises(AnnotationError, match=words.replace("[", r"\[")):
        marked("ab cd", meta, "entities")


def test_tags_and_places_are_two_forms_of_the_same() -> None:
    draw = random.Random(0)
    text = "김민수는 2026년 ACME Inc. 서울 지사에서 1조 원을 벌었다."
    units = units_of(text)
    for _ in range(200):
        chosen = [
            Entity(units[a][0], units[min(a + draw.randrange(3), len(units) - 1)][1], draw.choice("XY"))
            for a in draw.sample(range(len(units)), 4)
        ]
        apart = without_overlaps(chosen)

        assert [each for each, _ in entities(units, tags(units, apart))] == apart


@pytest.mark.parametrize(
    ("text", "units"),
    [
        ("Kim's U.S.-based firm", ["Kim", "'s", "U.S.", "-", "based", "firm"]),
        ("O'Brien didn’t, I'll", ["O'Brien", "didn", "’t", ",", "I", "'ll"]),
        ("@ann_lee #Paris 19th 3G", ["@ann_lee", "#Paris", "19th", "3G"]),
        ("see www.example.com/a?b=1 (p. 3)", ["see", "www.example.com/a?b=1", "(", "p", ".", "3", ")"]),
        ("snake_case  — 1.5", ["snake", "_", "case", "—", "1", ".", "5"]),
        ("U.S. 3G는", ["U", ".", "S", ".", "3", "G", "는"]),
        ("東京 U.S.", ["東", "京", "U", ".", "S", "."]),
    ],
)
def test_a_sentence_of_words_has_words_as_units_and_others_have_syllables(
    text: str, units: list[str]
) -> None:
    assert [text[start:end] for start, end in units_of(text)] == units


def test_a_word_is_seen_by_its_form_and_its_neighbours() -> None:
    sentence = "Yesterday Ann Lee left"
    first, _, last_name, last = features_of(sentence, units_of(sentence), Known())

    assert {"first", "word1=ann", "title1=True", "word2=lee"} <= {*first}
    assert {"word0=lee", "word-1=ann", "word-2=yesterday", "shape=Xx", "ends=ee"} <= {*last_name}
    assert {"last", "begins=le", "title0=False"} <= {*last}
    # No feature is there twice: its weight would be regularised half as much.
    assert all(len({*each}) == len(each) for each in (first, last_name, last))


def test_a_name_before_a_hyphen_or_an_apostrophe_has_its_own_place(tmp_path: Path) -> None:
    patterns = ("{p}'s house is in {l}.", "The {l}-based firm hired {p}.", "{p} left {l}.")
    documents = []
    for number in range(60):
        p, l = f"Ann Lee{'ab'[number % 2]}", ("Busan", "Paris", "U.S.")[number % 3]  # noqa: E741
        text = patterns[number // 3 % 3].format(p=p, l=l)
        marks = [
            [text.index(each), text.index(each) + len(each), label]
            for each, label in ((p, "PER"), (l, "LOC"))
        ]
        documents.append(Document(number, f"d{number}", text, meta={"entities": marks}))
    trained(tmp_path, Listed(documents), iterations=40)

    for text in ("The U.S.-based firm hired Ann Leeb.", "Ann Leea's house is in Paris."):
        rows = found_in(text, tmp_path, method="model", rules="none")
        assert {row.text for row in rows} in ({"U.S.", "Ann Leeb"}, {"Ann Leea", "Paris"})


@pytest.mark.parametrize(
    ("text", "names", "added"),
    [
        ("Elan lost. Then Elan rose, and Elan-based firms", ["Elan"], [16, 31]),
        ("Elan lost; elan and Elans did not", ["Elan"], []),
        ("김민수는 왔다. 그리고 김민수에게 갔다. 김민수산은", ["김민수"], [13]),
        ("In 2024, and 2024", ["2024"], []),
        ("the firm of the firm", ["the firm"], []),
    ],
)
def test_a_name_that_was_found_once_is_found_elsewhere_in_the_text(
    text: str, names: list[str], added: list[int]
) -> None:
    found = [Found(Entity(text.index(each), text.index(each) + len(each), "X"), 0.8) for each in names]
    unsure = [Found(each.entity, 0.4) for each in found]

    again = with_missed_mentions(text, found)

    assert [one.entity.start for one in again if one not in found] == added
    assert all(text[one.entity.start : one.entity.end] == names[0] for one in again)
    assert {one.score for one in again} <= {0.8, 0.4}
    assert with_missed_mentions(text, unsure) == unsure


def test_a_name_with_two_labels_has_the_likelier_one_elsewhere_and_nothing_found_changes() -> None:
    text = "Ford, Ford, Ford Motor, Ford"
    found = [
        Found(Entity(0, 4, "PER"), 0.6),
        Found(Entity(6, 10, "ORG"), 0.9),
        Found(Entity(12, 22, "ORG"), 0.3),
    ]

    again = with_missed_mentions(text, found)

    assert again == [*found, Found(Entity(24, 28, "ORG"), 0.45)]


def test_rules_give_the_models_entities_their_normal_form(model: Path) -> None:
    rows = found_in("박철수는 2026년 11월 26일에 부산에서 태어났다.", model, method="model")

    assert [(row.text, row.source, row.normal) for row in rows] == [
        ("박철수", "model", None),
        ("2026년 11월 26일", "rule", "2026-11-26"),
        ("부산", "model", None),
    ]


def test_a_redacted_text_says_nothing_of_what_was_asked_for() -> None:
    text = "전화 010-1234-5678, 메일 a@b.kr, 2026-11-26"
    runner = ENTITIES.stages[0].open(Setup(EntitiesParameters(rules="date", redact="pii")))

    ((date, hidden),) = runner.run([Document(1, "a", text)])

    assert date.label == "DATE"  # type: ignore[union-attr]
    assert hidden.text == "전화 [PHONE], 메일 [EMAIL], 2026-11-26"  # type: ignore[union-attr]
    assert hidden.n_redacted == 2  # type: ignore[union-attr]


def test_redaction_joins_what_overlaps() -> None:
    assert redacted("abcdef", [Entity(1, 4, "X"), Entity(2, 5, "Y")]) == ("a[X]f", 1)
    assert redacted("abc", []) == ("abc", 0)


def test_a_blank_text_is_an_error_and_the_others_are_not_lost() -> None:
    runner = ENTITIES.stages[0].open(Setup(EntitiesParameters()))

    blank, other = runner.run([Document(1, "a", " \n"), Document(2, "b", "$5")])

    assert isinstance(blank, DocumentError)
    assert blank.code == "EMPTY_TEXT"
    assert len(other) == 1  # type: ignore[arg-type]


def test_measuring_counts_exact_matches() -> None:
    truth = [[Entity(0, 2, "A"), Entity(3, 5, "B")], [Entity(0, 1, "A")]]
    found = [[Entity(0, 2, "A"), Entity(3, 4, "B")], []]

    figures = measure(truth, found)

    a, b = figures.labels
    assert (a.precision, a.recall, a.support, b.f1) == (1.0, 0.5, 2, 0.0)
    assert figures.micro_f1 == pytest.approx(2 * 1 / (3 + 2))
    assert figures.macro_f1 == pytest.approx((2 / 3 + 0) / 2)


def test_the_gate_refuses_a_worse_model(tmp_path: Path, model: Path) -> None:
    assert TRAIN_ENTITIES.gate is not None
    few = tmp_path / "few"
    trained(few, Listed(list(examples())[:4]), iterations=2)
    every = examples(400)

    worse = TRAIN_ENTITIES.gate(Candidate(every, few, {}, model, "cpu"))
    better = TRAIN_ENTITIES.gate(Candidate(every, model, {}, few, "cpu"))
    first = TRAIN_ENTITIES.gate(Candidate(every, model, {}, None, "cpu"))

    assert not all(figure.passed for figure in worse)
    assert all(figure.passed for figure in better)
    assert first == []


def test_a_damaged_model_is_not_read(tmp_path: Path) -> None:
    trained(tmp_path)
    path = tmp_path / "model.crfsuite"
    path.write_bytes(path.read_bytes()[:-10])

    with pytest.raises(Exception, match="damaged"):
        ENTITIES.stages[0].open(Setup(EntitiesParameters(method="model"), model_dir=tmp_path))


def test_a_model_with_older_features_is_refused_and_does_not_stop_the_next_one(
    tmp_path: Path, model: Path
) -> None:
    assert TRAIN_ENTITIES.gate is not None
    older = tmp_path / "older"
    shutil.copytree(model, older)
    config = json.loads((older / "config.json").read_text(encoding="utf-8"))
    del config["features_version"]
    (older / "config.json").write_text(json.dumps(config), encoding="utf-8")
    model_files.seal(older)

    with pytest.raises(ModelFileError, match="train the model again"):
        ENTITIES.stages[0].open(Setup(EntitiesParameters(method="model"), model_dir=older))
    assert TRAIN_ENTITIES.gate(Candidate(examples(), model, {}, older, "cpu")) == []


@pytest.mark.skipif(not KLUE.is_file(), reason="needs the shared data")
def test_marks_of_real_data_survive_as_tags() -> None:
    """A mark may begin or end inside a run of digits or letters, but few do."""
    path, n, exact = KLUE, 0, 0
    for line in path.read_text(encoding="utf-8").splitlines():
        record = json.loads(line)
        found = marked(record["text"], record, "entities")
        assert found is not None
        units = units_of(record["text"])
        again = {each for each, _ in entities(units, tags(units, found))}
        n += len(found)
        exact += len(set(found) & again)
    assert exact / n > 0.98
