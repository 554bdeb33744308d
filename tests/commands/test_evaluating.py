"""docmill evaluate: a job's summaries judged by labels, or by a file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.commands.conftest import Shell

TEXTS = ("The bridge is open. It rained.", "다리가 열렸다. 비가 왔다.", "Nothing is known.")


def summarized(shell: Shell, *labels: str | None) -> int:
    shell.texts(*TEXTS, labels=labels)
    return shell.done("summarize", "--collection", "inbox", "-p", "sentences=1", "-p", "method=lead")


def test_labels_are_the_references_and_documents_without_one_are_errors(shell_on_both: Shell) -> None:
    shell = shell_on_both
    job = summarized(shell, "The bridge is closed.", "다리가 열렸다.", None)

    evaluation = shell.work(shell("evaluate", job, "--json").json["job"])

    rows = [json.loads(line) for line in shell("results", evaluation, "--format", "jsonl").out.splitlines()]
    assert [(row["document_key"], row["summary_job_id"]) for row in rows] == [("k0", job), ("k1", job)]
    assert (rows[0]["rouge_1"], rows[0]["rouge_2"], rows[0]["rouge_l"]) == (75, pytest.approx(200 / 3), 75)
    assert rows[1]["rouge_l"] == 100
    assert rows[1]["n_tokens"] == rows[1]["n_reference_tokens"] > 2  # morphemes
    assert "NO_REFERENCE" in shell("results", evaluation, "--errors", "--format", "jsonl").out
    (mean,) = shell("sql", "SELECT * FROM v_evaluation", "--format", "jsonl").out.splitlines()
    assert json.loads(mean)["rouge_l"] == 87.5
    assert json.loads(mean)["n_documents"] == 2


def test_a_file_of_references_may_be_long_and_stays_as_it_was(shell: Shell, tmp_path: Path) -> None:
    job = summarized(shell)
    long = "The bridge is open.\n" + "Much more is known of it. " * 100
    path = tmp_path / "gold.jsonl"
    records = [
        {"id": "k0", "summary": long},
        {"id": "k2", "summary": "Nothing is known."},
        {"id": "else", "summary": "x"},
    ]
    path.write_text("\n".join(map(json.dumps, records)))

    said = shell("evaluate", job, "--references", path, "--json")
    evaluation = shell.work(said.json["job"])
    path.write_text(json.dumps({"id": "k0", "summary": "Something else."}))
    other = shell.work(shell("evaluate", job, "--references", path, "--json").json["job"])

    assert "3 references, 2 of documents in inbox" in said.err
    rows = [json.loads(line) for line in shell("results", evaluation, "--format", "jsonl").out.splitlines()]
    assert [row["document_key"] for row in rows] == ["k0", "k2"]
    assert rows[0]["n_reference_tokens"] == 4 + 600
    assert rows[1]["rouge_2"] == 100
    (row,) = shell("results", other, "--format", "jsonl").out.splitlines()
    assert json.loads(row)["rouge_1"] == 0
    assert shell("verify", evaluation).status == 0


def test_a_new_version_of_a_document_has_no_summary_to_judge(shell: Shell) -> None:
    job = summarized(shell, "a", "b", "c")
    shell.texts("Changed.", labels=["a"])

    evaluation = shell.work(shell("evaluate", job, "--json").json["job"])

    assert "NO_SUMMARY" in shell("results", evaluation, "--errors", "--format", "jsonl").out


def test_slips_are_named(shell: Shell, tmp_path: Path) -> None:
    job = summarized(shell)
    path = tmp_path / "gold.jsonl"
    path.write_text(json.dumps({"id": "nobody", "summary": "x"}))

    assert "no job 99" in shell("evaluate", 99, status=1).err
    assert "--key-field" in shell("evaluate", job, "--references", path, status=1).err
    keywords = shell.done("keywords", "--collection", "inbox")
    assert "needs a summarize job" in shell("evaluate", keywords, status=2).err


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        ("", 2, "evaluate: say which summarize job: -p job=JOB"),
        ("-p job=99", 1, "there is no job 99"),
        ("-p job=2", 2, "job 2 is a keywords job: evaluate needs a summarize job"),
        ("-p job=3", 2, "job 3 is over the collection 'elsewhere': use --collection elsewhere"),
        ("-p job=1 -p references=gold", 1, "there are no references 'gold'"),
    ],
)
def test_an_evaluation_of_nothing_is_refused(shell: Shell, words: str, status: int, message: str) -> None:
    summarized(shell)
    shell.done("keywords", "--collection", "inbox")
    shell.texts("It is so.", collection="elsewhere")
    shell.done("summarize", "--collection", "elsewhere")

    said = shell("submit", "evaluate", "--collection", "inbox", *words.split(), status=status)

    assert message in said.err
    assert len(shell("status", "--json").json) == 3
