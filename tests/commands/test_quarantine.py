"""Documents that harm workers: listed, shown, left out of jobs over new documents, tried again, released."""

from __future__ import annotations

import pytest

from db.documents import NewDocument
from tests.commands.conftest import Shell
from tests.db.builders import add, outcomes

SUBMIT = ("oracle", "--collection", "inbox")


@pytest.mark.parametrize("code", ["POISON", "TIMEOUT"])
def test_a_harmful_document_is_listed_and_shown(shell_on_both: Shell, code: str) -> None:
    shell = shell_on_both
    shell.texts("a", "!crash", "c")
    job_id = shell.poison(*SUBMIT, key=1, code=code)
    [row] = shell("quarantine", "list", "--json").json
    assert (row["job"], row["document_key"], row["code"]) == (job_id, "k1", code)
    assert code in shell("quarantine", "list", "--collection", "inbox").out
    shown = shell("quarantine", "show", job_id, "k1", "--json").json
    assert (shown["source"], shown["chunk_n_crashes"], shown["body_chars"]) == ("f:1", 4, 6)
    assert f"docmill repro {job_id} k1" in shell("quarantine", "show", job_id, "k1").out
    assert "nothing is in quarantine" in shell("quarantine", "list", "--job", job_id + 1).out


def test_what_failed_harmlessly_is_not_in_quarantine(shell: Shell) -> None:
    shell.texts("a", "", "!raise")
    job_id = shell.done(*SUBMIT)
    assert shell("quarantine", "list", "--json").json == []
    assert (
        "no document 'k1' of job 1 is in quarantine"
        in shell("quarantine", "show", job_id, "k1", status=1).err
    )
    shell("quarantine", "retry", job_id, status=1)


def test_a_document_that_needs_too_much_memory_is_in_quarantine(shell: Shell) -> None:
    shell.texts("a", "!toobig")
    shell.done(*SUBMIT)
    assert [row["code"] for row in shell("quarantine", "list", "--json").json] == ["MEMORY"]


def test_jobs_over_new_documents_leave_out_what_is_in_quarantine_until_its_release(
    shell_on_both: Shell,
) -> None:
    shell = shell_on_both
    shell.texts("a", "!crash", "")
    job_id = shell.poison(*SUBMIT, key=1)
    assert outcomes(shell.store, job_id) == {"k0": "ok", "k1": "POISON", "k2": "EMPTY_TEXT"}
    new = shell("submit", *SUBMIT, "--new", "--json").json
    assert new["n_documents"] == 1, "the blank one"
    assert shell("submit", "nothing", "--collection", "inbox", "--new", "--json").json["n_documents"] == 3
    assert "1 document is released" in shell("quarantine", "release", job_id, "k1").out
    assert shell("quarantine", "list", "--json").json == []
    again = shell("submit", *SUBMIT, "--new", "--json").json
    assert (again["n_documents"], again["left_out"]["planned_in"]) == (1, [new["job"]]), "the released one"
    assert outcomes(shell.store, job_id)["k1"] == "POISON", "outcomes are final"
    shell("quarantine", "release", job_id, "k1", status=1)


def test_a_retry_that_succeeds_ends_the_quarantine(shell_on_both: Shell) -> None:
    shell = shell_on_both
    shell.texts("a", "harmless after all", "")
    job_id = shell.poison(*SUBMIT, key=1)
    again = shell("quarantine", "retry", job_id, "--json").json
    assert again["n_documents"] == 1, "the blank one failed too, and is not in quarantine"
    shell.work(again["job"])
    assert outcomes(shell.store, again["job"]) == {"k1": "ok"}
    assert shell("quarantine", "list", "--json").json == []


def test_a_changed_text_leaves_quarantine(shell: Shell) -> None:
    shell.texts("a", "!crash")
    shell.poison(*SUBMIT, key=1)
    add(shell.store, [NewDocument("k1", "changed", None, "f")], "inbox")
    assert shell("quarantine", "list", "--json").json == []
    assert shell("submit", *SUBMIT, "--new", "--json").json["n_documents"] == 1


def test_a_second_death_after_a_release_is_quarantine_again(shell: Shell) -> None:
    shell.texts("!crash")
    shell("quarantine", "release", shell.poison(*SUBMIT))
    second = shell.poison(*SUBMIT)
    assert [row["job"] for row in shell("quarantine", "list", "--json").json] == [second]
