"""Labels that are given where a model is used reach its next training."""

from __future__ import annotations

import random

import pytest

from db.documents import NewDocument
from db.labels import corrections_since
from docmill import Client
from docmill.commands.schedules import as_words, parse_job
from docmill.errors import InvalidRequestError
from tests.commands.conftest import Shell
from tests.db.builders import add, chunks_of, job_of, sql
from workers.training.equal_texts import without_equal_texts

GOOD, BAD = (
    ["splendid", "warm", "charming", "funny", "lovely"],
    ["dull", "cold", "tedious", "clumsy", "boring"],
)
TRAIN = ("train", "classify", "--collection", "reviews", "--model", "sentiment", "-p", "arch=linear")


def store_with_a_model(shell: Shell) -> None:
    """A model of the reviews, used in the inbox: the README's own flow."""
    source = random.Random(0)
    reviews = [
        NewDocument(f"r{i}", " ".join(source.choices(words, k=4)), label, "f")
        for i in range(40)
        for label, words in [("good", GOOD) if i % 2 else ("bad", BAD)]
    ]
    add(shell.store, reviews, "reviews")
    mail = [f"a {word} quibbling letter" for word in (*GOOD, *BAD)]
    add(shell.store, [NewDocument(f"m{i}", text, None, "f") for i, text in enumerate(mail)], "inbox")
    shell.work(shell(*TRAIN, "--json").json["job"])
    shell.done("classify", "--collection", "inbox", "--model", "sentiment")


def corrections(shell: Shell) -> int:
    with shell.store.read() as session:
        return corrections_since(session, "sentiment")


def keys(shell: Shell, job_id: int) -> set[str]:
    rows = sql(
        shell.store,
        "SELECT d.key FROM outcome o JOIN document d ON d.id = o.document_id WHERE job_id = :j",
        j=job_id,
    )
    return {key for (key,) in rows}


def test_labels_given_where_a_model_is_used_are_learned_and_counted(shell_on_both: Shell) -> None:
    shell = shell_on_both
    store_with_a_model(shell)
    assert corrections(shell) == 0
    shell("label", "set", "m0", "bad", "--collection", "inbox")
    shell("label", "set", "m1", "good", "--collection", "inbox")
    shell("label", "set", "r3", "bad", "--collection", "reviews")
    shell("label", "set", "m2", "sport", "--collection", "inbox")
    shell("label", "set", "m3", '["good", "bad"]', "--collection", "inbox")
    shell("label", "set", "m4", "[]", "--collection", "inbox")
    assert corrections(shell) == 6

    said = shell(*TRAIN)

    assert "train-classify over 42 documents; with 2 corrections from inbox; left out: " in said.out
    assert (
        "1 correction with the label 'sport', which no training document has (they have 'bad', 'good')"
        in said.out
    )
    assert "1 correction with several labels" in said.out
    assert "1 correction with no label" in said.out
    job_id = max(row["job_id"] for row in shell("status", "--json").json)
    shell.work(job_id)
    assert {"m0", "m1"} < keys(shell, job_id)
    assert not {"m2", "m3", "m4"} & keys(shell, job_id)
    assert corrections(shell) == 0

    facts = shell(*TRAIN, "--no-corrections", "--json").json
    assert (facts["n_documents"], facts.get("corrections")) == (40, None)
    shell.work(facts["job"])


def test_a_correction_is_learned_by_the_model(shell: Shell) -> None:
    shell_of = shell
    store_with_a_model(shell_of)
    for n in range(5):
        shell_of("label", "set", f"m{n}", "bad", "--collection", "inbox")
    job_id = shell_of.work(shell_of(*TRAIN, "-p", "gate=none", "--json").json["job"])
    chunk = chunks_of(shell_of.store, job_id)[0]
    job = job_of(shell_of.store, job_id)
    learned = without_equal_texts(shell_of.store, chunk.document_ids, job.collection_id)
    assert {d.label for d in learned if d.key in {f"m{n}" for n in range(5)}} == {"bad"}


def test_a_text_that_two_collections_have_is_in_one_part_with_the_label_that_was_given(
    shell_on_both: Shell,
) -> None:
    """Otherwise the same text could be trained on and held out, under two keys."""
    shell = shell_on_both
    add(
        shell.store,
        [NewDocument(f"r{i}", f"text {i}", "bad" if i % 2 else "good", "f") for i in range(6)],
        "a",
    )
    twice = [NewDocument("x0", "text 0", "good", "f"), NewDocument("x7", "text 7", "bad", "f")]
    add(shell.store, twice, "b")
    shell("label", "set", "x0", "bad", "--collection", "b")
    words = (
        "train",
        "classify",
        "--collection",
        "a",
        "--collection",
        "b",
        "--collection",
        "a",
        "--model",
        "s",
    )

    job_id = shell(*words, "--json").json["job"]

    assert job_of(shell.store, job_id).n_documents == 8
    chunk = chunks_of(shell.store, job_id)[0]
    learned = list(
        without_equal_texts(shell.store, chunk.document_ids, job_of(shell.store, job_id).collection_id)
    )
    assert {d.key: d.label for d in learned} == {
        "r0": "bad", "r1": "bad", "r2": "good", "r3": "bad", "r4": "good", "r5": "bad", "x7": "bad"
    }  # fmt: skip


def test_a_further_collection_that_is_not_there_is_named(shell: Shell) -> None:
    shell.texts("one", labels=["x"])
    assert (
        "there is no collection 'nowhere'"
        in shell(*TRAIN[:2], "--collection", "inbox", "--collection", "nowhere", status=1).err
    )


def test_a_schedule_keeps_the_collections_of_a_training(shell: Shell) -> None:
    shell.texts("one", collection="a")
    shell.texts("two", collection="b")
    job = "train classify --collection a --collection b --model s --no-corrections"
    request = parse_job(job)
    assert (request.collection, request.also, request.corrections) == ("a", ["b"], False)
    assert as_words(request.as_json()) == job
    assert parse_job("train classify --collection a").corrections
    missing = job.replace("collection b", "collection c")
    said = shell("schedule", "add", "weekly", "--cron", "@weekly", "--tz", "UTC", "--job", missing, status=1)
    assert "there is no collection 'c'" in said.err


def test_the_client_trains_on_several_collections(shell: Shell) -> None:
    shell.texts("one", "two", labels=["x", "y"], collection="a")
    shell.texts("three", labels=["x"], collection="b")
    with Client() as client:
        job = client.submit("train-classify", collection=["a", "b"], model="s")
        assert job.n_documents == 3
        with pytest.raises(InvalidRequestError, match="submit a job for each"):
            client.submit("oracle", collection=["a", "b"])
