"""label set, list, remove; train with labels from a file or a query; what models show says about a classifier."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from docmill.pages import charts
from tests.commands.conftest import Shell
from tests.db.builders import sql

TEXTS = [
    "the striker scored a goal",
    "a penalty in the cup match",
    "은행이 금리를 올렸다",
    "주가와 채권이 내렸다",
]
LABELS = ["sport", "sport", "money", "money"]


@pytest.fixture
def reviews(shell: Shell) -> Shell:
    """32 documents about two topics; the labels came with them."""
    shell.texts(*[f"{text} {i}" for i in range(8) for text in TEXTS], labels=LABELS * 8, collection="reviews")
    return shell


def test_a_correction_is_shown_first_and_used_by_the_next_training(reviews: Shell) -> None:
    job_id = int(reviews("train", "classify", "--collection", "reviews", "--json").json["job"])
    reviews.work(job_id)
    reviews.done("classify", "--collection", "reviews")
    reviews("label", "set", "k0", "weather")
    assert reviews("label", "list", "--format", "jsonl").json["label"] == "weather"
    query = "SELECT label, label_source, model_label FROM v_latest_label WHERE document_key = 'k0'"
    assert sql(reviews.store, query) == [("weather", "human", "sport")]
    again = int(reviews("train", "classify", "--collection", "reviews", "--json").json["job"])
    reviews.work(again)
    learned = sql(reviews.store, "SELECT label FROM v_model_labels WHERE model_version = 2 ORDER BY label")
    assert learned == [("money",), ("sport",), ("weather",)]
    reviews("label", "remove", "k0")
    assert sql(reviews.store, query) == [("sport", "model", "sport")]


def test_a_key_in_two_collections_needs_the_collections_name(shell: Shell) -> None:
    shell.texts("a", collection="one")
    shell.texts("a", collection="two")
    assert "choose one with --collection" in shell("label", "set", "k0", "x", status=1).err
    shell("label", "set", "k0", '["x", "y"]', "--collection", "two")
    listed = shell("label", "list", "--collection", "two", "--format", "csv").out
    assert [line.split(",")[2:4] for line in listed.splitlines()[1:]] == [["1", "x"], ["2", "y"]]
    assert "no label was set yet" in shell("label", "list", "--collection", "one").out


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (("set", "nokey", "x"), 1, "no collection has a document 'nokey'"),
        (("set", "nokey", "x", "--collection", "inbox"), 1, "collection 'inbox' has no document 'nokey'"),
        (("set", "k0", " "), 2, "the label is blank"),
        (("set", "k0", "a\x07"), 2, "the label contains the control character U+0007"),
        (("remove", "k0"), 1, "document 'k0' was given no label"),
    ],
)
def test_a_slip_is_named(shell: Shell, words: tuple[str, ...], status: int, message: str) -> None:
    shell.texts("a")
    assert message in shell("label", *words, status=status).err


def test_a_key_with_a_slip_is_found(shell_on_both: Shell) -> None:
    shell = shell_on_both
    shell.texts("a", "b")
    assert "'k': did you mean 'k" in shell("label", "set", "k", "x", status=1).err
    assert "did you mean" not in shell("label", "set", "%_k0", "x", status=1).err
    assert "did you mean 'k1'?" in shell("label", "set", "k11", "x", "--collection", "inbox", status=1).err
    assert "did you mean 'k1'?" in shell("similar", "k11", status=1).err
    assert "`docmill collections` lists" in shell("similar", "zzz", status=1).err


def test_labels_from_a_file_are_stored_and_bad_rows_are_listed(shell: Shell, tmp_path: Path) -> None:
    shell.texts(*[f"{text} {i}" for i in range(8) for text in TEXTS])
    rows = [f"k{i},{label}" for i, label in enumerate(LABELS * 8)]
    file = tmp_path / "labels.csv"
    file.write_text("\n".join(["key,label", *rows, "nokey,sport", "k1, ", "k2"]) + "\n", encoding="utf-8")
    said = shell("train", "classify", "--collection", "inbox", "--labels", file, "--json")
    assert "the labels of 32 documents were set, 3 bad" in said.err
    assert f"{file}:34: NO_DOCUMENT: collection inbox has no document of this key (key nokey)" in said.err
    assert f"{file}:35: EMPTY_LABEL" in said.err
    assert f"{file}:36: RAGGED_ROW" in said.err
    shell.work(int(said.json["job"]))
    assert "finished" in shell("status", said.json["job"]).out
    assert sql(shell.store, "SELECT DISTINCT source FROM given_label WHERE document_key = 'k0'") == [
        (f"{file}:2",)
    ]


def test_labels_from_a_query_are_stored(reviews: Shell) -> None:
    # PostgreSQL names all three columns alike.
    query = "SELECT key AS a, 'about ' || label AS a, 'neither' AS a FROM document WHERE version = 1"
    said = reviews("train", "classify", "--collection", "reviews", "--labels-sql", query, "--json")
    reviews.work(int(said.json["job"]))
    learned = sql(reviews.store, "SELECT label FROM v_model_labels ORDER BY label")
    assert learned == [("about money",), ("about sport",)]
    bad = reviews(
        "train", "classify", "--collection", "reviews", "--labels-sql", "DELETE FROM document", status=2
    )
    assert "the query" in bad.err


def test_a_file_without_the_columns_trains_nothing(reviews: Shell, tmp_path: Path) -> None:
    file = tmp_path / "labels.csv"
    file.write_text("id,tag\nk1,sport\n", encoding="utf-8")
    said = reviews("train", "classify", "--collection", "reviews", "--labels", file, status=2)
    assert "has no field label (it has: id, tag): name the right one, as in --label-field tag" in said.err
    assert sql(reviews.store, "SELECT COUNT(*) FROM job") == [(0,)]


def test_models_show_tells_the_figures_by_label(reviews: Shell) -> None:
    job_id = int(
        reviews("train", "classify", "--collection", "reviews", "--model", "topics", "--json").json["job"]
    )
    reviews.work(job_id)
    [version] = reviews("models", "show", "topics", "--json").json
    assert [row["label"] for row in version["model_label_metric"]] == ["money", "sport"]
    held_out = version["metrics"]["n_held_out"]
    assert sum(row["support"] for row in version["model_label_metric"]) == held_out
    assert sum(row["n_documents"] for row in version["model_confusion"]) == held_out
    assert sum(row["n_decisions"] for row in version["model_reliability"]) == held_out
    shown = reviews("models", "show", "topics@1").out
    assert "topics@1, by label:" in shown
    assert "precision" in shown
    assert "no version '7'" in reviews("models", "show", "topics@7", status=1).err


def test_the_page_of_a_model_holds_its_figures_and_nothing_that_runs(shell: Shell, tmp_path: Path) -> None:
    nasty = '<script>alert("1")</script>&'
    labels = [nasty if label == "money" else label for label in LABELS]
    shell.texts(*[f"{text} {i}" for i in range(8) for text in TEXTS], labels=labels * 8)
    shell.work(int(shell("train", "classify", "--collection", "inbox", "--json").json["job"]))
    file = tmp_path / "page.html"
    assert shell("models", "show", "inbox", "--html", file).out == f"wrote {file}\n"
    page = file.read_text(encoding="utf-8")
    root = ElementTree.fromstring(page.removeprefix("<!DOCTYPE html>"))
    names = {element.tag for element in root.iter()}
    assert "script" not in names
    assert {"svg", "rect", "circle", "table"} <= names
    told = " ".join(text for text in root.itertext())
    assert nasty in told
    for words in ("accuracy", "held-out documents", "By label", "Confusion", "Calibration", "Versions"):
        assert words in told
    assert "http" not in page.replace("http-equiv", "")


def test_marks_of_equal_figures_do_not_hide_each_other() -> None:
    equal = {"label": "긍정", "precision": 0.8, "recall": 0.8, "f1": 0.8, "support": 5}
    drawn = ElementTree.fromstring(charts.by_label([equal]))
    heights = {}
    for mark in drawn.iter("polygon"):
        points = [tuple(map(float, point.split(","))) for point in mark.attrib["points"].split()]
        assert any(x == charts.NAME + 0.8 * charts.BAR for x, _ in points), "its tip is at the value"
        heights[mark.attrib["class"]] = [y for _, y in points]
    assert set(heights) == {"precision", "recall"}
    assert max(heights["precision"]) < min(heights["recall"])


@pytest.mark.parametrize("label", ["short", "긍정", "e" * 60, "국제 정치와 외교 안보 " * 4])
def test_a_label_fits_its_place_in_any_script(label: str) -> None:
    shown = charts.short(label)
    assert charts.width(shown) <= charts.LABEL_WIDTH
    assert shown == label or (label.startswith(shown[:-1]) and shown.endswith("…") and len(shown) > 10)


def test_the_page_shows_each_figure_of_the_gate_with_its_bar(reviews: Shell) -> None:
    for _ in range(2):
        reviews.work(int(reviews("train", "classify", "--collection", "reviews", "--json").json["job"]))
    page = reviews("models", "show", "reviews@2", "--html", "-").out
    root = ElementTree.fromstring(page.removeprefix("<!DOCTYPE html>"))
    rows = {cells[0]: cells[1:] for row in root.iter("tr") if (cells := [cell.text or "" for cell in row])}
    assert rows["figure"] == ["value", "threshold", ""]
    assert rows["n_gold_documents"][1:] == ["at least 1", "passed"]
    assert rows["macro_f1_gain_high"][1:] == ["at least 0", "passed"]
    assert rows["champion_macro_f1"][1:] == ["none", ""]


def test_the_page_of_a_job_shows_labels_terms_and_metadata(shell: Shell, tmp_path: Path) -> None:
    nasty = "<script>alert(1)</script>"
    labels = [nasty if label == "money" else label for label in LABELS]
    file = tmp_path / "in.jsonl"
    rows = [
        {"id": f"k{i}-{n}", "text": f"{text} {i}", "label": label, "company": f"<b>{label}</b>", "year": 2026}
        for i in range(8)
        for n, (text, label) in enumerate(zip(TEXTS, labels, strict=True))
    ]
    file.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    shell("add", file, "--collection", "inbox")
    shell.work(int(shell("train", "classify", "--collection", "inbox", "--json").json["job"]))
    job = shell.done("classify", "--collection", "inbox", "--model", "inbox")

    said = shell("results", job, "--html", tmp_path / "page.html", "--limit", 3)

    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert page.count("<article") == page.count("<ul>") == 3
    assert "<script" not in page
    assert "<b>" not in page
    assert "company: &lt;b&gt;" in page
    assert "year: 2026" in page
    assert page.count("<meter") >= 3
    assert f"--limit {len(rows)}" in said.err
