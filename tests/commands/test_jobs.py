"""submit, train, status, watch, results, cancel, pause, resume, retry: what they print, and how they end."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from tests.commands.conftest import Shell
from tests.db.builders import add, job_of, outcomes
from tests.kinds import answer


def test_a_job_from_submit_to_results(shell_on_both: Shell) -> None:
    shell = shell_on_both
    shell.texts("하나", "two", "drei")
    said = shell("submit", "oracle", "--collection", "inbox", "-p", "batch=2")
    assert said.out.endswith(": oracle over 3 documents\n")
    job_id = int(said.out.split()[1].rstrip(":"))
    assert "running" in shell("status").out
    shell.work(job_id)
    assert f"job {job_id} is finished" in shell("watch", job_id).out
    rows = [json.loads(line) for line in shell("results", job_id, "--format", "jsonl").out.splitlines()]
    assert [row["label"] for row in rows] == [answer("하나"), answer("two"), answer("drei")]
    assert shell("status", job_id, "--json").json["n_ok"] == 3


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (
            "oracle --collection inbox -p batches=2",
            2,
            "oracle: no parameter 'batches': did you mean 'batch'?",
        ),
        ("oracle --collection inbox -p batch=many", 2, "oracle: batch must be a whole number, not 'many'"),
        ("oracle --collection inbox -p batch", 2, "-p 'batch': write NAME=VALUE, as in -p sentences=2"),
        (
            "oracel --collection inbox",
            2,
            "there is no kind 'oracel': choose one of classify, ",
        ),
        ("oracle --collection inbox --priority 11", 2, "priority 11 is out of range: 0 (lowest) to 9"),
        ("oracle --collection inbox --priority high", 2, "Invalid value for '--priority'"),
        ("oracle --collection inbox --nosuch", 2, "No such option"),
        ("oracle", 2, "Missing option '--collection'"),
        ("oracle --collection inbo", 1, "there is no collection 'inbo' (there are: inbox)"),
        ("oracle --collection inbox --after 9", 1, "there is no job 9: `docmill status` lists the jobs"),
        ("classify --collection inbox", 1, "there is no model yet: make one with `docmill train classify`"),
        ("classify --collection inbox --model m", 1, "`docmill train classify --model m` makes it"),
        ("oracle --collection inbox --model m", 2, "oracle uses no model: omit --model"),
    ],
)
def test_a_slip_is_named_with_its_mending_and_writes_nothing(
    shell: Shell, words: str, status: int, message: str
) -> None:
    shell.texts("a")
    said = shell("submit", *words.split(), status=status)
    assert message in " ".join(said.err.split())
    assert said.out == ""
    assert shell("status", "--json").json == []


def test_the_same_key_is_one_job_and_another_request_with_it_is_refused(shell: Shell) -> None:
    shell.texts("a")
    first = shell("submit", "oracle", "--collection", "inbox", "--key", "tonight", "--json").json
    again = shell("submit", "oracle", "--collection", "inbox", "--key", "tonight", "--json").json
    assert (first["job"], first["created"]) == (again["job"], not again["created"])
    said = shell("submit", "nothing", "--collection", "inbox", "--key", "tonight", status=1)
    assert "key 'tonight' belongs to job 1" in said.err


@pytest.mark.parametrize(
    "words",
    [
        "status 9",
        "watch 9",
        "results 9",
        "cancel 9",
        "pause 9",
        "resume 9",
        "retry 9",
        "verify 9",
        "repro 9 k",
    ],
)
def test_a_job_that_is_not_there_is_an_error_of_one_line(shell: Shell, words: str) -> None:
    assert (
        shell(*words.split(), status=1).err == "docmill: there is no job 9: `docmill status` lists the jobs\n"
    )


def test_waiting_ends_with_what_became_of_the_job(shell: Shell) -> None:
    shell.texts("a", "")
    job_id = shell.done("oracle", "--collection", "inbox")
    assert "1 ok, 1 failed; why: docmill results 1 --errors" in shell("watch", job_id, status=3).out
    cancelled = shell.job("nothing", "--collection", "inbox")
    shell("cancel", cancelled)
    shell.work(cancelled)
    assert shell("watch", cancelled, "--json", status=4).json["state"] == "cancelled"


def test_wait_and_json_together_are_one_value(shell: Shell) -> None:
    shell.texts("a")
    shell.done("oracle", "--collection", "inbox", "--key", "k")
    said = shell("submit", "oracle", "--collection", "inbox", "--key", "k", "--wait", "--json").json
    assert (said["job"], said["created"], said["state"], said["n_ok"]) == (1, False, "finished", 1)


def test_results_in_every_format_and_table(shell: Shell) -> None:
    shell.texts("=cmd|' /C calc'!A0. 서울은 수도이다. It is so.")
    job_id = shell.done("summarize", "--collection", "inbox", "-p", "sentences=2")
    table = shell("results", job_id)
    assert table.lines[0].split() == ["document_key", "summary", "method", "n_document_sentences"]
    [row] = csv.DictReader(io.StringIO(shell("results", job_id, "--format", "csv").out))
    assert row["summary"].startswith("'="), "a spreadsheet must not run it"
    assert json.loads(shell("results", job_id, "--format", "jsonl").out)["summary"].startswith("=")
    sentences = shell("results", job_id, "--table", "summary_sentence", "--format", "jsonl", "--limit", 1)
    assert json.loads(sentences.out)["position"] == 1
    said = shell("results", job_id, "--table", "neighbour", status=2)
    assert "summarize has no table 'neighbour': choose one of summary, summary_sentence" in said.err
    assert "no document failed" in shell("results", job_id, "--errors").out
    shell("results", job_id, "--format", "xml", status=2)


def test_a_job_without_rows_says_why(shell: Shell) -> None:
    shell.texts("")
    job_id = shell.job("oracle", "--collection", "inbox")
    assert "no rows yet: job 1 is running, 0 of 1 documents done" in shell("results", job_id).out
    shell.work(job_id)
    assert "all 1 documents failed, see docmill results 1 --errors" in shell("results", job_id).out
    assert "EMPTY_TEXT" in shell("results", job_id, "--errors").out


def test_a_long_table_is_cut_and_says_so(shell: Shell) -> None:
    shell.texts(*map(str, range(60)))
    said = shell("results", shell.done("oracle", "--collection", "inbox"))
    assert len(said.lines) == 52
    assert "there are more rows" in said.err


def test_pause_resume_and_cancel_say_when_they_cannot(shell: Shell) -> None:
    shell.texts("a")
    job_id = shell.job("oracle", "--collection", "inbox")
    shell("pause", job_id)
    shell("pause", job_id)
    assert job_of(shell.store, job_id).state == "paused"
    shell("resume", job_id)
    shell.work(job_id)
    for command in ("pause", "resume", "cancel"):
        assert "job 1 is finished" in shell(command, job_id, status=1).err


def test_a_retry_is_a_new_job_over_what_failed(shell: Shell) -> None:
    shell.texts("a", "", "b")
    job_id = shell.job("oracle", "--collection", "inbox")
    assert "wait until it has ended" in shell("retry", job_id, status=1).err
    shell.work(job_id)
    again = shell("retry", job_id, "--json").json
    assert again["n_documents"] == 1
    shell.work(again["job"])
    assert outcomes(shell.store, again["job"]) == {"k1": "EMPTY_TEXT"}


def test_training_on_nothing_is_refused(shell: Shell) -> None:
    shell.texts("without a label")
    said = shell("train", "classify", "--collection", "inbox", status=1)
    assert "collection 'inbox' has no documents with a label" in said.err
    assert shell("status", "--json").json == []


def test_adding_reports_what_is_bad_and_how_much(shell: Shell, tmp_path: Path) -> None:
    good, bad = tmp_path / "good.txt", tmp_path / "bad.jsonl"
    good.write_text("fine")
    bad.write_text("not JSON\n")
    assert "1 new" in shell("add", good, "--collection", "inbox").out
    said = shell("add", good, bad, "--collection", "inbox", status=3)
    assert "1 unchanged, 1 bad" in said.out
    assert f"{bad}:1: NOT_JSON" in said.err
    assert shell("add", good, bad, "--collection", "inbox", "--json", status=3).json["bad"][0]["line"] == 1
    shell("add", tmp_path / "nothing", "--collection", "inbox", status=1)
    shell("add", tmp_path / "nothing", "--collection", "elsewhere", status=1)
    assert "elsewhere" not in shell("collections").out
    shell("add", good, "--collection", "a\nb", status=2)
    shell("add", good, "--collection", "inbox", "--encoding", "klingon", status=2)
    assert shell("collections", "--json").json == [{"collection": "inbox", "n_documents": 1}]


def test_sql_answers_queries_and_changes_nothing(shell_on_both: Shell) -> None:
    shell = shell_on_both
    shell.texts("a")
    shell.done("oracle", "--collection", "inbox")
    said = shell("sql", "SELECT n_ok, ':x' AS colon FROM v_job_progress", "--format", "jsonl")
    assert json.loads(said.out) == {"n_ok": 1, "colon": ":x"}
    for statement in ("DELETE FROM chunk", "SELEC", "SELECT * FROM nowhere"):
        assert "docmill: the query: " in shell("sql", statement, status=2).err
    assert shell("status", "--json").json[0]["n_chunks"] == 1


def test_a_view_with_a_slip_in_its_name_is_found(shell_on_both: Shell) -> None:
    said = shell_on_both("sql", "SELECT * FROM v_latest_lable", status=2).err
    assert said.endswith("did you mean v_latest_label?\n")
    assert "; the views are v_" in shell_on_both("sql", "SELECT * FROM xyz", status=2).err


def test_adding_into_a_pipe_says_one_line(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("fine")
    said = shell("add", tmp_path / "a.txt", "--collection", "inbox")
    assert (said.out, said.err) == ("inbox: 1 new, 0 changed, 0 unchanged\n", "")


def test_a_training_ends_with_what_became_of_its_model(shell: Shell) -> None:
    texts = [f"{text} {i}" for i in range(10) for text in ("the bank raised rates", "a goal in the cup")]
    shell.texts(*texts, labels=["money", "sport"] * 10)
    good = int(shell("train", "classify", "--collection", "inbox", "--json").json["job"])
    said = shell("watch", shell.work(good))
    assert "20 ok, 0 failed; inbox@1 is the champion now" in said.out
    nowhere = ("-p", "arch=pretrained", "-p", "pretrained=/nonexistent")
    bad = int(shell("train", "classify", "--collection", "inbox", *nowhere, "--json").json["job"])
    said = shell("watch", shell.work(bad), status=3)
    assert "0 ok, 20 failed, TRAINING_FAILED: no config.json in /nonexistent" in said.out
    assert (
        shell("status", bad, "--json")
        .json["note"]
        .startswith("failed: TRAINING_FAILED: no config.json in /nonexistent")
    )


# --- nothing to do --------------------------------------------------------------------------------------------------


def test_new_again_and_again_without_a_worker_is_one_job(shell_on_both: Shell) -> None:
    shell = shell_on_both
    shell.texts("one", "two")
    words = ("submit", "oracle", "--collection", "inbox", "--new")
    assert shell(*words).lines == [
        "job " + str(shell("status", "--json").json[0]["job_id"]) + ": oracle over 2 documents"
    ]
    (job,) = (row["job_id"] for row in shell("status", "--json").json)
    said = f"nothing to do: collection 'inbox' has no new documents: 2 are in job {job}, which has not ended"
    for _ in range(2):
        assert shell(*words).lines == [said]
    assert shell(*words, "--wait").lines == [said]
    found = shell(*words, "--json")
    left_out = {"done": 0, "planned": 2, "planned_in": [job], "quarantined": 0}
    assert found.json == {
        "job": None,
        "kind": "oracle",
        "n_documents": 0,
        "created": False,
        "left_out": left_out,
    }
    shell.texts("one", "two", "three")
    (line,) = shell(*words).lines
    assert line.endswith(f": oracle over 1 document; left out: 2 are in job {job}, which has not ended")
    shell.work(job)
    assert shell("submit", "oracle", "--collection", "inbox", "--new", "--json").json["left_out"]["done"] == 2
    assert len(shell("status", "--json").json) == 2


def test_a_job_over_an_empty_collection_is_not_made(shell_on_both: Shell) -> None:
    shell = shell_on_both
    add(shell.store, [], "empty")
    said = "nothing to do: collection 'empty' has no documents yet: add some with `docmill add`"
    assert shell("submit", "oracle", "--collection", "empty").lines == [said]
    assert shell("status", "--json").json == []


def test_a_retry_without_failures_makes_no_job(shell_on_both: Shell) -> None:
    shell = shell_on_both
    shell.texts("fine")
    job_id = shell.done("oracle", "--collection", "inbox")
    assert shell("retry", job_id, "--wait").lines == [f"nothing to do: no document failed in job {job_id}"]
    assert shell("retry", job_id, "--json").json["job"] is None
    assert len(shell("status", "--json").json) == 1


def test_a_script_is_told_that_there_is_nothing_to_do(shell: Shell) -> None:
    from db.errors import NothingToDoError
    from docmill import submit

    shell.texts("one")
    assert submit("oracle", collection="inbox", only_new=True).n_documents == 1
    with pytest.raises(NothingToDoError, match="1 is in job"):
        submit("oracle", collection="inbox", only_new=True)


def test_adding_says_once_per_file_what_looks_like_markup(shell: Shell, tmp_path: Path) -> None:
    page, note = tmp_path / "page.jsonl", tmp_path / "note.txt"
    page.write_text(
        "".join(json.dumps({"id": n, "text": f"<p>One {n}.</p><p>Two.</p>"}) + "\n" for n in range(3))
    )
    note.write_text("R&D grew, a < b and c > d, <3")

    said = shell("add", page, note, "--collection", "inbox")

    assert "4 new" in said.out
    assert said.err.count("was markup") == 1
    assert f"{page}:1: was markup" in said.err
    notices = shell("add", page, note, "--collection", "inbox", "--json").json["notices"]
    assert [notice["source"] for notice in notices] == [f"{page}:1"]
