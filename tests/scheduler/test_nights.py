"""Nights do what changed and nothing else: the plan says it before, counted outcomes after."""

from __future__ import annotations

import json
import random
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text, update

from db import documents
from db.documents import NewDocument
from db.errors import ConflictError
from db.nights import running
from db.sql import now
from db.store import Store
from db.tables import Night
from scheduler import labelling
from scheduler.nights import applying
from tests.conftest import empty
from tests.db.builders import add
from tests.scheduler.night_edits import play
from tests.scheduler.nights import NightRun, facts, night_run

ROOT = Path(__file__).parents[2]


@pytest.fixture
def night(store: Store, tmp_path: Path) -> Iterator[NightRun]:
    with night_run(store, tmp_path) as found:
        yield found


def test_the_second_night_does_nothing_and_the_third_what_changed(night: NightRun) -> None:
    texts = {f"k{i}": f"text {i}" for i in range(8)}
    night.write(texts)
    first = night.run()
    assert night.executed(first, "oracle") == dict.fromkeys(texts, "ok")
    assert night.n_outcomes() == {"oracle": 8}

    second = night.run()
    assert night.state(second) == "done"
    assert night.steps(second)["oracle"][:2] == ("skipped", None)
    assert night.n_outcomes() == {"oracle": 8}

    del texts["k7"]
    new = {"n0": "new 0", "n1": "new 1", "n2": "!raise"}
    night.write(texts | {"k0": "changed 0", "k1": "changed 1"} | new)
    plan = night.plan()
    assert facts(plan, "add") == {"unchanged": 5, "new": 3, "changed text": 2, "removed": 1}
    assert facts(plan, "oracle") == {"unchanged": 5, "new": 3, "changed text": 2}
    third = night.run(plan=plan.id)
    assert night.executed(third, "oracle") == {
        "k0": "ok",
        "k1": "ok",
        "n0": "ok",
        "n1": "ok",
        "n2": "RUNNER_ERROR",
    }
    assert night.n_outcomes() == {"oracle": 13}
    assert night.state(third) == "done"


def test_a_plan_writes_nothing_but_itself(night: NightRun) -> None:
    night.write({"k0": "text"})
    night.plan()
    with night.store.read() as session:
        for table in ("document", "job", "collection", "night", "run"):
            assert session.scalar(text(f"SELECT COUNT(*) FROM {table}")) == 0, table


def test_what_changes_no_result_makes_no_result_again(night: NightRun) -> None:
    texts = {f"k{i}": f"text {i}" for i in range(4)}
    night.write(texts, labels={"k0": "good"})
    night.run()
    # Another order of the records, another label, another order of the file's keys, a comment, a parameter as it is.
    night.write(dict(reversed(texts.items())), labels={"k0": "bad", "k1": "good"})
    cosmetic = """
        # A comment.
        missing = "remove"
        collection = "news"
        name = "news"
        [[source]]
        files = ["in"]
        [[step]]
        parameters = { batch = "32", seconds = 0 }
        do = "oracle"
    """
    plan = night.plan(cosmetic)
    assert facts(plan, "oracle") == {"unchanged": 4}
    assert plan.step("add").note == "2 get another label"
    night.run(cosmetic, plan.id)
    assert night.n_outcomes() == {"oracle": 4}
    with night.store.read() as session:
        labels = session.execute(text("SELECT key, label FROM document WHERE label IS NOT NULL ORDER BY key"))
        assert [tuple(row) for row in labels] == [("k0", "bad"), ("k1", "good")]


def test_other_parameters_and_a_newer_model_are_reasons(night: NightRun) -> None:
    night.write({f"k{i}": f"text {i}" for i in range(3)})
    night.run()
    other = night.file().text + "parameters = { seconds = 0.001 }"
    plan = night.plan(other)
    assert facts(plan, "oracle") == {"unchanged": 0, "other parameters": 3}
    assert set(night.planned(plan.id, "oracle").values()) == {"other parameters"}


@pytest.mark.parametrize(
    ("retry", "taken"), [('"passing"', {"k2"}), ('"all"', {"k1", "k2"}), ('"none"', set())]
)
def test_what_failed_is_tried_again_if_it_may_succeed(night: NightRun, retry: str, taken: set[str]) -> None:
    """RUNNER_ERROR says nothing about the text, STAGE_1 does."""
    three = night.file().text.replace('"oracle"', '"three"') + f"retry = {retry}\n"
    night.write({"k0": "text", "k1": "!error 1", "k2": "!raise 1"})
    first = night.run(three)
    assert night.executed(first, "three") == {"k0": "ok", "k1": "STAGE_1", "k2": "RUNNER_ERROR"}
    plan = night.plan(three)
    assert set(night.planned(plan.id, "three")) == taken
    assert plan.step("three").n_failed == 2 - len(taken)


def test_a_plan_is_refused_when_the_store_has_moved(night: NightRun) -> None:
    night.write({"k0": "text 0", "k1": "text 1"})
    plan = night.plan()
    night.write({"k0": "text 0", "k1": "other", "k2": "text 2"})
    with pytest.raises(ConflictError) as error:
        night.run(plan=plan.id)
    assert f"plan {plan.id} is stale" in str(error.value)
    assert "oracle: 1 is to do now and were not (k2)" in str(error.value).replace("was not", "were not")
    assert "1 is changed since (k1)" in str(error.value)
    assert night.n_outcomes() == {}
    with night.store.read() as session:
        assert session.scalar(text("SELECT COUNT(*) FROM night")) == 0


def test_a_plan_of_another_file_is_refused(night: NightRun) -> None:
    night.write({"k0": "text 0"})
    plan = night.plan()
    with pytest.raises(ConflictError, match="the file means something else"):
        night.run(night.file().text + "priority = 7", plan=plan.id)


def test_a_night_that_has_not_ended_is_the_only_one_of_its_name(night: NightRun) -> None:
    night.write({"k0": "text 0"})
    first = applying.run_latest(night.store, night.file())[0]
    with pytest.raises(ConflictError, match=f"night {first} of news has not ended"):
        applying.run_latest(night.store, night.file())
    night.finish(first)


def test_pending_work_counts_as_planned(night: NightRun) -> None:
    night.write({"k0": "text 0"})
    night.run()
    night.write({"k0": "text 0", "k1": "text 1"})
    first = applying.run_latest(night.store, night.file())[0]
    night.nights.move()
    plan = night.plan()
    assert plan.step("oracle").n_elsewhere == 1
    assert plan.step("oracle").n_to_do == 0
    night.finish(first)


def test_a_night_that_is_too_long_stops_on_time_and_the_next_one_finishes_it(night: NightRun) -> None:
    texts = {f"k{i:03}": "x" * i for i in range(1, 120)}
    night.write(texts)
    file = night.file().text + 'value = "size desc"\n'
    first = applying.run_latest(night.store, night.file(file))[0]
    night.nights.move()
    night.work(limit=1)
    with night.store.write() as session:
        session.execute(update(Night).where(Night.id == first).values(finish_by=now()))
    night.finish(first)
    done = {key for key, code in night.executed(first, "oracle").items() if code == "ok"}
    assert len(done) == 50, "one chunk"
    assert done == {f"k{i:03}" for i in range(70, 120)}, "the most valuable"
    assert night.state(first) == "carried over"
    assert night.note(first) == "carried over to the next night: 69 of oracle"
    with night.store.read() as session:
        counts = "SELECT n_error, n_cancelled FROM v_job_progress"
        assert tuple(session.execute(text(counts)).one()) == (69, 69), "nobody tried them"
        assert session.scalar(text("SELECT n_cancelled FROM v_night")) == 69
        assert session.scalar(text("SELECT COUNT(*) FROM v_night_diff WHERE change = 'failed'")) == 0

    plan = night.plan(file)
    assert facts(plan, "oracle") == {"unchanged": 50, "carried over": 69}
    night.write(texts | {"new": "y" * 200})
    second = night.run(file)
    assert night.executed(second, "oracle") == dict.fromkeys([*texts.keys() - done, "new"], "ok")
    with night.store.read() as session:
        first_chunk = session.execute(
            text(
                "SELECT document_ids FROM chunk WHERE job_id = (SELECT MAX(id) FROM job) ORDER BY seq LIMIT 1"
            )
        ).scalar_one()
    assert "new" not in str(first_chunk)


def test_a_failed_step_fails_what_needs_it_and_the_rest_goes_on(night: NightRun) -> None:
    file = (
        night.file().text
        + '[[step]]\ndo = "classify"\nmodel = "nobody"\n[[step]]\ndo = "three"\nafter = ["classify"]\n'
    )
    night.write({"k0": "text 0"})
    found = night.run(file)
    assert night.state(found) == "failed"
    steps = night.steps(found)
    assert steps["oracle"][0] == "done"
    assert steps["classify"][0] == "failed"
    assert "there is no model 'nobody'" in (steps["classify"][2] or "")
    assert steps["three"][::2] == ("failed", "classify did not succeed")
    # The next night does only what failed.
    again = night.run(file)
    assert night.steps(again)["oracle"][0] == "skipped"


def test_a_removed_document_comes_back_as_its_next_version(night: NightRun) -> None:
    night.write({"k0": "text 0", "k1": "text 1", "k2": "text 2"})
    night.run()
    night.write({"k0": "text 0", "k1": "text 1"})
    night.run()
    night.write({"k0": "text 0", "k1": "text 1", "k2": "text 2"})
    plan = night.plan()
    assert night.planned(plan.id, "oracle") == {"k2": "new"}
    night.run(plan=plan.id)
    with night.store.read() as session:
        rows = session.execute(text("SELECT version, is_latest FROM document WHERE key = 'k2' ORDER BY id"))
        assert [(version, bool(latest)) for version, latest in rows] == [(1, False), (2, True)]


def test_nothing_is_removed_with_a_source_that_cannot_be_read(night: NightRun) -> None:
    night.write({"k0": "text 0", "k1": "text 1", "k2": "text 2"})
    night.write({"m0": "text 3"}, name="b.jsonl")
    night.run()
    (night.folder / "in" / "b.jsonl").write_bytes(b'{"id": "m1"')
    (night.folder / "in" / "a.jsonl").write_text('{"id": "k0", "text": "text 0"}\n{"id": "k1", "text": ""}\n')
    plan = night.plan()
    assert night.planned(plan.id, "add") == {"k2": "removed"}


def test_a_source_that_has_lost_most_documents_removes_none(night: NightRun) -> None:
    night.write({f"k{i}": "text" for i in range(5)})
    night.run()
    night.write({"k0": "text"})
    plan = night.plan()
    assert night.planned(plan.id, "add") == {}
    assert "4 of 5 documents are in no source any more, more than half" in (plan.step("add").note or "")


def test_a_night_whose_source_is_missing_fails_once_the_others_are_read(night: NightRun) -> None:
    night.write({"k0": "text"})
    file = night.file().text.replace('files = "in"', 'files = "in"\n[[source]]\nfiles = "not mounted"', 1)
    number = night.run(file)
    with night.store.read() as session:
        found = running.by_id(session, number)
        assert found.state == "failed"
        assert "a source is missing" in (found.note or "")
        assert "NOT_FOUND" in (found.note or "")
        assert documents.count(session, documents.collection_id(session, "news")) == 1


def test_a_source_that_was_emptied_removes_nothing_that_came_of_it(night: NightRun) -> None:
    add(night.store, [NewDocument("by hand", "text", None, "by hand")])
    night.write({"k0": "text"})
    night.run()
    night.write({})
    plan = night.plan()
    assert "EMPTY_FILE" in (plan.step("add").note or "")
    assert "k0" not in night.planned(plan.id, "add")


_SOME = settings(
    max_examples=3,
    deadline=None,
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
    ],
)


@_SOME
@given(seed=st.integers(0, 10**6))
def test_planned_documents_are_the_executed_ones_on_sqlite(sqlite_template: Path, seed: int) -> None:
    """After any edits; and a plan from before an edit that matters is refused."""
    with tempfile.TemporaryDirectory(prefix="dm-edits-") as name:
        path = Path(name) / "docmill.db"
        shutil.copy(sqlite_template, path)
        store = Store(f"sqlite:///{path}")
        play(store, Path(name), random.Random(seed), 5)
        store.close()


@pytest.mark.long
@_SOME
@given(seed=st.integers(0, 10**6))
def test_planned_documents_are_the_executed_ones_on_postgresql(postgres_store: Store, seed: int) -> None:
    empty(postgres_store)
    with tempfile.TemporaryDirectory(prefix="dm-edits-") as name:
        play(postgres_store, Path(name), random.Random(seed), 5)


def test_a_step_takes_what_its_selection_means_and_the_most_valuable_first(night: NightRun) -> None:
    path = night.folder / "in" / "a.jsonl"
    records = [
        {"id": f"k{i:03}", "text": f"text {i}", "lang": "ko" if i % 2 else "en", "views": i}
        for i in range(140)
    ]
    path.write_text("".join(f"{json.dumps(one)}\n" for one in records))
    file = night.file().text + 'where = "lang = \'ko\'"\nvalue = "views desc"\n'
    first = applying.run_latest(night.store, night.file(file))[0]
    night.nights.move()
    night.work(limit=1)
    assert set(night.executed(first, "oracle")) == {f"k{i:03}" for i in range(41, 140, 2)}
    night.finish(first)
    assert len(night.executed(first, "oracle")) == 70
    assert facts(night.plan(file), "oracle") == {"unchanged": 70}
    # Other metadata for the same text: now it is meant.
    records[0]["lang"] = "ko"
    path.write_text("".join(f"{json.dumps(one)}\n" for one in records))
    second = night.run(file)
    assert night.executed(second, "oracle") == {}
    assert night.planned(night.plan(file).id, "oracle") == {"k000": "new"}


def test_folders_are_metadata_of_records_and_of_files(night: NightRun) -> None:
    source = ROOT / "examples" / "documents" / "files" / "tram.html"
    for company in ("acme", "한빛"):
        folder = night.folder / "in" / company / "2026"
        folder.mkdir(parents=True)
        (folder / f"{company}.txt").write_text(f"text of {company}")
        (folder / f"{company}.csv").write_text(f"id,text,lang\n{company}-1,text of a row of {company},ko\n")
        shutil.copy(source, folder / f"{company}.html")
    (night.folder / "in" / "top.txt").write_text("in no folder")
    file = night.file().text.replace(
        'files = "in"', 'files = "in/**/*"\nmetadata = { company = "folder:1", year = "folder:2" }'
    )
    found = night.run(file + "where = \"company = 'acme' and year = 2026\"\n")
    with night.store.read() as session:
        rows = session.execute(text("SELECT document_key, meta FROM v_documents ORDER BY document_key")).all()
    metas = {key: json.loads(meta) if isinstance(meta, str) else meta for key, meta in rows}
    assert metas["top.txt"].keys() == {"path", "modified", "size"}
    assert metas["acme-1"] == {"lang": "ko", "company": "acme", "year": "2026"}
    told = {key: (meta.get("company"), meta.get("year")) for key, meta in metas.items() if key != "top.txt"}
    assert set(told.values()) == {("acme", "2026"), ("한빛", "2026")}
    assert len(told) == 6
    assert len(night.executed(found, "oracle")) == 3, night.steps(found)


def test_a_training_is_due_by_corrections_where_its_model_is_used(night: NightRun) -> None:
    words = {"good": "splendid warm charming funny", "bad": "dull cold tedious clumsy"}
    reviews = [
        NewDocument(f"r{i}{label}", f"{told} {i}", label, "f")
        for i in range(12)
        for label, told in words.items()
    ]
    add(night.store, reviews, "reviews")
    night.write({f"k{i}": f"a splendid letter {i}" for i in range(6)})
    file = night.file().text.partition("[[step]]")[0] + (
        '[[step]]\ndo = "train classify"\ncollection = "reviews"\nmodel = "m"\n'
        'parameters = { arch = "linear", gate = "none" }\nwhen = { corrections = 2 }\n'
        '[[step]]\ndo = "classify"\nmodel = "m"\n'
    )
    night.run(file)
    for n, key in enumerate(("k0", "k1")):
        assert "not due" in (night.plan(file).step("train classify").note or ""), n
        labelling.set_label(night.store, key, "bad", "news")
    assert "2 labels were corrected" in (night.plan(file).step("train classify").note or "")
    found = night.run(file)
    assert night.steps(found)["train classify"][0] == "done"


def test_a_training_is_due_when_the_labels_of_new_documents_have_drifted(night: NightRun) -> None:
    words = {"good": "splendid warm charming funny", "bad": "dull cold tedious clumsy"}
    reviews = [
        NewDocument(f"r{i}{label}", f"{told} {i}", label, "f")
        for i in range(12)
        for label, told in words.items()
    ]
    add(night.store, reviews, "reviews")
    file = night.file().text.partition("[[step]]")[0] + (
        '[[step]]\ndo = "train classify"\ncollection = "reviews"\nmodel = "m"\n'
        'parameters = { arch = "linear", gate = "none" }\nwhen = { drift = 0.25 }\n'
        '[[step]]\ndo = "classify"\nmodel = "m"\n'
    )

    def come(n: int, text: str) -> None:
        letters.update({f"k{len(letters) + i}": f"{text} {i}" for i in range(n)})
        night.write(letters)
        night.run(file)

    letters: dict[str, str] = {}

    def told() -> str:
        return night.plan(file).step("train classify").note or ""

    come(110, words["good"])
    come(99, words["good"])
    assert told().startswith("not due")
    assert "99 new documents, too few" in told()
    come(1, words["good"])
    assert told().startswith("not due")
    assert "drifted by 0.0" in told()
    come(100, words["bad"])
    assert told().startswith("due")
    assert "drifted by" in told()
    night.run(file)
    assert told().startswith("not due")
    assert "0 new documents, too few" in told()
