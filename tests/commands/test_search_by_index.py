"""A similarity job that searches by an index: its recall is stored, and verify repeats it."""

from __future__ import annotations

import pytest

from nlp_tasks.similarity import search_runner
from tests.commands.conftest import Shell
from tests.db.builders import sql

TOPICS = ("서울 강 다리 물", "profit loss market share", "cat dog bird fish", "goal match cup penalty")
TRAIN = ("train", "similarity", "--collection", "inbox", "--model", "m", "-p", "vector_size=8", "--json")
SUBMIT = ("similarity", "--collection", "inbox", "--model", "m", "-p", "method=doc2vec", "-p", "k=3")
INDEX = (*SUBMIT, "-p", "search=index")


def test_the_recall_of_a_job_is_stored_and_verify_repeats_it(
    shell_on_both: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    shell = shell_on_both
    monkeypatch.setattr(search_runner, "INDEXED_FROM", 20)
    shell.texts(*[f"{topic} {i % 5} {topic}" for i in range(9) for topic in TOPICS])
    shell.work(shell(*TRAIN, "-p", "epochs=5").json["job"])
    job_id = shell.done(*INDEX)
    [said] = shell("sql", "SELECT * FROM v_search_recall", "--json").json
    assert (said["job_id"], said["n_documents"], said["n_lists"]) == (job_id, 18, 6)
    assert 0.5 <= said["recall"] <= 1
    [found] = sql(shell.store, "SELECT COUNT(*) FROM neighbour WHERE job_id = :j", j=job_id)
    assert found == (108,)
    assert shell("verify", job_id, "--json").json["differences"] == []
    assert shell("results", job_id, "--table", "neighbour_recall", "--json").json[0]["n_nearest"] == 3
    # A list that was merged with new documents would not be what an index finds: all documents are taken.
    shell.texts(*[f"{topic} {i % 5} {topic}" for i in range(9) for topic in TOPICS], "cat dog")
    again = shell.done(*INDEX, "--new")
    assert shell("status", again, "--json").json["n_documents"] == 37
    assert shell("verify", again, "--json").json["differences"] == []


def test_few_documents_are_compared_with_each_other(shell: Shell) -> None:
    shell.texts(*[f"{topic} {topic}" for topic in TOPICS])
    shell.work(shell(*TRAIN, "-p", "epochs=1").json["job"])
    shell.done(*INDEX)
    assert shell("sql", "SELECT * FROM v_search_recall", "--json").json == []


def test_an_index_does_not_compare_words(shell: Shell) -> None:
    shell.texts("a")
    said = shell("submit", "similarity", "--collection", "inbox", "-p", "search=index", status=2).err
    assert "search=index compares vectors alone, and method=hybrid words as well: use method=doc2vec" in said
