"""The same program with a store and over HTTP: the same results, of the same types, and the same errors."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from db import model_versions
from db.progress import JobProgress
from db.states import JobState
from docmill import Client, Job
from docmill.errors import (
    ConflictError,
    DocmillError,
    InvalidRequestError,
    NotFoundError,
    NothingToDoError,
    UnsupportedError,
    WaitTimeoutError,
)
from scheduler.search.indexing import index_all
from tests.client.conftest import STORE, Way

TEXTS = [
    {"id": f"k{i}", "text": f"First {i}. Second {i}. Third {i}. Fourth {i}.", "company": "X" if i else "Y"}
    for i in range(3)
]
MIXED = [{"id": "good", "text": "fine"}, {"id": "bad", "text": "!raise"}]


def test_from_records_to_results(way_on_both: Way) -> None:
    with way_on_both.client() as client:
        assert client.add(TEXTS, collection="in/box 1").n_new == 3
        assert client.add(TEXTS, collection="in/box 1").n_unchanged == 3
        job = client.submit("oracle", collection="in/box 1", parameters={"batch": 2}, key="once")
        again = client.submit("oracle", collection="in/box 1", parameters={"batch": 2}, key="once")
        assert (again, again.created) == (job, False)
        with pytest.raises(WaitTimeoutError, match=f"job {job.id} is running after 0 s: 0 of 3 documents"):
            job.wait(timeout_seconds=0, poll_seconds=0)
        way_on_both.work(job.id)

        done = job.wait()
        assert (type(done), done.state, done.n_ok) == (JobProgress, JobState.FINISHED, 3)
        assert isinstance(done.created_at, datetime)
        assert done.created_at.tzinfo is not None
        rows = list(job.results())
        assert [row["document_key"] for row in rows] == ["k0", "k1", "k2"]
        assert list(rows[0]) == ["document_key", "rank", "label", "score", "reason"]
        assert list(job.results("classification")) == rows
        assert len(list(job.results(limit=2))) == 2
        assert list(job.results(limit=0)) == []
        assert list(job.errors()) == []
        assert client.job(job.id) == job
    # Closed connections are opened again.
    assert client.job(job.id).progress() == done
    client.close()


def test_failures_are_retried(way_on_both: Way) -> None:
    with way_on_both.client() as client:
        client.add(MIXED, collection="inbox")
        job = client.submit("oracle", collection="inbox")
        with pytest.raises(ConflictError, match="wait until it has ended"):
            job.retry()
        way_on_both.work(job.id)
        [error] = job.errors()
        assert (error["document_key"], error["source"] != "") == ("bad", True)
        assert set(error) == {"document_key", "error_code", "error_detail", "source"}

        client.add([{"id": "bad", "text": "fine now"}], collection="inbox")
        again = job.retry()
        assert (again.n_documents, again.created) == (1, True)
        way_on_both.work(again.id)
        with pytest.raises(NothingToDoError, match="no document"):
            again.retry()
        assert [one.job_id for one in client.jobs()] == [again.id, job.id]


def test_a_job_is_paused_resumed_and_cancelled(way: Way, client: Client) -> None:
    client.add(TEXTS, collection="inbox")
    job = client.submit("oracle", collection="inbox")

    job.pause()
    job.pause()
    assert job.progress().state == JobState.PAUSED
    job.resume()
    assert job.progress().state == JobState.RUNNING
    job.cancel()
    job.cancel()
    way.work(job.id)

    ended = job.wait()
    assert (ended.state, ended.n_cancelled) == (JobState.CANCELLED, 3)
    for change in (job.cancel, job.pause, job.resume):
        with pytest.raises(ConflictError):
            change()


def test_jobs_are_listed_by_what_they_are(way: Way, client: Client) -> None:
    client.add(TEXTS, collection="one")
    client.add(MIXED, collection="two")
    first = client.submit("oracle", collection="one", priority=7)
    second = client.submit("oracle", collection="two", where=None, submitter="somebody")
    third = client.submit("summarize", collection="one", after=first.id)
    way.work(second.id)

    def numbers(**chosen: Any) -> list[int]:
        return [one.job_id for one in client.jobs(**chosen)]

    assert numbers() == [third.id, second.id, first.id]
    assert numbers(limit=1) == [third.id]
    assert numbers(kind="oracle") == [second.id, first.id]
    assert numbers(collection="one") == [third.id, first.id]
    assert numbers(state="open") == [third.id, first.id]
    assert numbers(state="waiting") == [third.id]
    assert numbers(state="failing") == [second.id]
    assert numbers(before=third.id, limit=1) == [second.id]
    assert numbers(kind="oracle", before=second.id) == [first.id]
    assert client.jobs() == [client.job(number).progress() for number in numbers()]
    assert (client.jobs()[1].submitter, client.jobs()[2].priority) == ("somebody", 7)
    with pytest.raises(InvalidRequestError, match="choose one of open, failing, waiting"):
        client.jobs(state="done")


def test_labels_are_set_listed_and_removed(client: Client) -> None:
    client.add(TEXTS, collection="inbox")
    client.add(TEXTS[:1], collection="other")
    client.set_label("k1", "good")
    client.set_label("k0", '["b", "a"]', collection="inbox")
    with pytest.raises(ConflictError, match="each have a document 'k0'"):
        client.set_label("k0", "good")

    rows = list(client.labels())
    assert [(row["document_key"], row["rank"], row["label"]) for row in rows] == [
        ("k0", 1, "a"),
        ("k0", 2, "b"),
        ("k1", 1, "good"),
    ]
    assert list(rows[0]) == ["collection", "document_key", "rank", "label", "source", "given_at"]
    assert isinstance(rows[0]["given_at"], datetime)
    assert list(client.labels("other")) == []
    with pytest.raises(NotFoundError, match="no collection 'none'"):
        list(client.labels("none"))
    assert len(list(client.labels(limit=1))) == 1
    client.remove_label("k1")
    with pytest.raises(NotFoundError, match="was given no label"):
        client.remove_label("k1", collection="inbox")
    with pytest.raises(NotFoundError, match="'k9'"):
        client.set_label("k9", "good")


def test_documents_are_listed_and_shown(way: Way, client: Client) -> None:
    client.add(TEXTS, collection="inbox")
    client.add([TEXTS[1] | {"text": "Another."}], collection="inbox")
    client.set_label("k1", "good")
    job = client.submit("oracle", collection="inbox")
    way.work(job.id)

    rows = list(client.documents("inbox", where="company = 'X'"))
    assert {row["document_key"] for row in rows} == {"k1", "k2"}
    assert list(rows[0]) == ["document_key", "version", "body_chars", "label", "source", "added_at", "meta"]
    assert isinstance(rows[0]["added_at"], datetime)
    assert len(list(client.documents("inbox", limit=1))) == 1
    one = client.document("k1", collection="inbox")
    assert (one["text"], one["version"], one["given_labels"]) == ("Another.", 2, ["good"])
    assert [(each["job"], each["outcome"]) for each in one["outcomes"]] == [(job.id, "ok")]
    assert isinstance(one["outcomes"][0]["written_at"], datetime)
    assert client.document("k1") == one
    assert rows[0]["meta"] == {"company": "X"}
    assert one["meta"] == {"company": "X"}
    assert [row["collection"] for row in client.collections()] == ["inbox"]
    assert client.collection("inbox") == client.collections()[0] | {"n_documents": 3}
    with pytest.raises(NotFoundError, match="no collection 'none'"):
        client.collection("none")


def test_collections_and_documents_are_removed_and_renamed(client: Client) -> None:
    client.add(TEXTS, collection="inbox")

    planned = client.remove("k1", "k9", collection="inbox")
    assert (planned.done, planned.found.n_documents, list(planned.unknown)) == (False, 1, ["k9"])
    removed = client.remove("k1", "k9", collection="inbox", dry_run=False)
    assert (removed.done, removed.found.n_documents) == (True, 1)
    assert client.remove(where="company = 'Y'", collection="inbox", dry_run=False).found.n_documents == 1
    client.rename_collection("inbox", "outbox")
    assert [row["collection"] for row in client.collections()] == ["outbox"]
    assert client.collection("outbox")["n_documents"] == 1
    assert client.remove_collection("outbox", dry_run=False).found.n_documents == 1
    assert client.collections() == []


def test_models_are_listed_promoted_and_rolled_back(way: Way, client: Client) -> None:
    labelled = [{"id": f"d{i}", "text": f"a text {i}", "label": f"l{i % 2}"} for i in range(20)]
    client.add(labelled, collection="inbox")
    for version in (1, 2):
        job = client.submit("train-classify", collection="inbox", model="topic", priority=version)
        with way.shell.store.write() as session:
            model_versions.register(session, job.id, f"topic/{version}", "0" * 64, {"macro_f1": 0.5})
        job.cancel()
    listed = client.models("topic")
    assert [(row["model"], row["version"]) for row in listed] == [("topic", 2), ("topic", 1)]
    assert listed == client.models()
    assert isinstance(listed[0]["created_at"], datetime)
    assert "champion" in listed[0]["aliases"]
    assert client.promote("topic@1") == "topic@1"
    assert client.rollback("topic") == "topic@2"
    with pytest.raises(NotFoundError, match="no model 'nothing'"):
        client.models("nothing")
    with pytest.raises(ConflictError, match="never stood"):
        client.rollback("topic", alias="second")


def _calls(client: Client, job: Job) -> dict[str, tuple[type[DocmillError], Callable[[], Any]]]:
    return {
        "an unknown kind": (InvalidRequestError, lambda: client.submit("nonsense", collection="inbox")),
        "an unknown parameter": (
            InvalidRequestError,
            lambda: client.submit("summarize", collection="inbox", parameters={"x": 1}),
        ),
        "a priority out of range": (
            InvalidRequestError,
            lambda: client.submit("summarize", collection="inbox", priority=12),
        ),
        "a selection that is none": (
            InvalidRequestError,
            lambda: client.submit("summarize", collection="inbox", where="a ="),
        ),
        "a collection without a name": (InvalidRequestError, lambda: client.add([], collection=" ")),
        "no records": (InvalidRequestError, lambda: client.add({"id": "a"}, collection="inbox")),
        "another table": (InvalidRequestError, lambda: list(job.results("keyword"))),
        "another form": (InvalidRequestError, lambda: job.results(as_="excel")),  # type: ignore[call-overload]
        "no such field": (InvalidRequestError, lambda: list(job.results(meta=["nothing"]))),
        "no such collection": (NotFoundError, lambda: client.submit("summarize", collection="none")),
        "no such collection's documents": (NotFoundError, lambda: list(client.documents("none"))),
        "no such job": (NotFoundError, lambda: client.job(99)),
        "no such document": (NotFoundError, lambda: client.document("k9", collection="inbox")),
        "no such model": (
            NotFoundError,
            lambda: client.submit("classify", collection="inbox", model="none"),
        ),
        "nothing to do": (
            NothingToDoError,
            lambda: client.submit("summarize", collection="inbox", where="company = 'Z'"),
        ),
        "a key of another request": (
            ConflictError,
            lambda: client.submit("summarize", collection="inbox", parameters={"sentences": 2}, key="k"),
        ),
        "both keys and a selection": (
            InvalidRequestError,
            lambda: client.remove("k1", collection="inbox", where="company = 'Y'"),
        ),
        "a name that is taken": (ConflictError, lambda: client.rename_collection("inbox", "taken")),
    }


WRONG = sorted(_calls(None, None))  # type: ignore[arg-type]


@pytest.fixture
def prepared(way: Way) -> Iterator[tuple[Client, Job]]:
    with way.client() as client:
        client.add(TEXTS, collection="inbox")
        client.add(TEXTS, collection="taken")
        yield client, client.submit("summarize", collection="inbox", key="k")


def test_the_same_errors_are_raised(prepared: tuple[Client, Job]) -> None:
    client, job = prepared
    for name, (kind, call) in _calls(client, job).items():
        with pytest.raises(DocmillError) as caught:
            call()
        assert type(caught.value) is kind or kind in type(caught.value).__bases__, (name, caught.value)


def test_what_is_not_possible_over_http_names_the_way(way: Way, client: Client, tmp_path: Path) -> None:
    client.add(TEXTS, collection="inbox")
    if way.name == STORE:
        assert client.sql("SELECT count(*) AS n FROM document") == [{"n": 3}]
        assert client.export("v_documents", to=tmp_path / "a.jsonl").n_rows == 3
        return
    with pytest.raises(UnsupportedError, match="postgresql://"):
        client.sql("SELECT 1")
    with pytest.raises(UnsupportedError, match="docmill export"):
        client.export("v_documents", to=tmp_path / "a.jsonl")


def test_metadata_of_the_documents_stands_beside_the_results(way: Way, client: Client) -> None:
    client.add(TEXTS, collection="inbox")
    job = client.submit("oracle", collection="inbox")
    way.work(job.id)

    rows = list(job.results(meta=["company"]))

    assert [(row["document_key"], row["company"]) for row in rows] == [("k0", "Y"), ("k1", "X"), ("k2", "X")]
    assert list(rows[0])[:2] == ["document_key", "company"]


def test_bad_records_are_reported_with_their_place(client: Client, tmp_path: Path) -> None:
    file = tmp_path / "in.jsonl"
    file.write_text(
        '{"id": "a", "text": "fine"}\nno json\n{"id": "b"}\n{"id": "a", "text": "again"}\n', encoding="utf-8"
    )
    report = client.add(file, collection="inbox")
    assert (report.n_new, [(bad.line, bad.code) for bad in report.bad]) == (
        1,
        [(2, "NOT_JSON"), (3, "MISSING_TEXT"), (4, "DUPLICATE_KEY")],
    )
    records = [{"id": "x", "text": "fine"}, {"id": "y", "text": 7}, "none", {"id": "x", "text": "again"}]
    bad = client.add(records, collection="inbox").bad
    assert [(each.source, each.line, each.code) for each in bad] == [
        ("records", 2, "TEXT_TYPE"),
        ("records", 3, "NOT_AN_OBJECT"),
        ("records", 4, "DUPLICATE_KEY"),
    ]


def test_metadata_and_labels_arrive_as_they_are(client: Client) -> None:
    record = {
        "key": "k", "body": "A text.", "tags": ["b", "a"], "id": 5, "text": "a field", "label": "another",
        "_id": "a third", "nested": {"x": [1, 2.5, None, True]}, "날짜": "2026-01-01", "empty": None,
    }  # fmt: skip
    from docmill import ReadOptions

    options = ReadOptions(key_field="key", text_field="body", label_field="tags")
    assert client.add([record], collection="inbox", options=options).n_new == 1
    [row] = client.documents("inbox", where="id = 5 and text = 'a field' and _id = 'a third'")
    assert (row["document_key"], json.loads(row["label"])) == ("k", ["a", "b"])
    assert client.document("k")["text"] == "A text."
    assert client.add([record], collection="inbox", options=options).n_unchanged == 1


def test_a_search_finds_the_same(way_on_both: Way) -> None:
    with way_on_both.client() as client:
        client.add([*TEXTS, {"id": "ko", "text": "금리를 인상했다."}], collection="inbox")
        index_all(way_on_both.shell.store)

        (found,) = client.search("인상")
        assert (found["document_key"], found["rank"], found["collection"]) == ("ko", 1, "inbox")
        (start, end) = found["marks"][0]
        assert found["excerpt"][start:end].startswith("인상")
        assert isinstance(found["added_at"], datetime)
        assert len(client.search("second", collection="inbox", where="company = 'X'", limit=1)) == 1
        with pytest.raises(NotFoundError):
            client.search("x", collection="nowhere")
        with pytest.raises(InvalidRequestError):
            client.search('"open')
