"""`docmill submit keywords`, down to the view, on both databases."""

from __future__ import annotations

from tests.commands.conftest import Shell


def test_keywords_of_the_newest_job_stand_in_the_view(shell_on_both: Shell) -> None:
    shell = shell_on_both
    shell.texts(
        "The stone bridge and the stone ferry. The stone bridge stays.", "다리를 놓는다. 다리는 길다."
    )
    shell.done("keywords", "--collection", "inbox", "-p", "top=5")

    job = shell.done("keywords", "--collection", "inbox", "-p", "top=1")

    rows = shell(
        "sql", "SELECT * FROM v_keywords ORDER BY document_key", "--format", "jsonl"
    ).out.splitlines()
    assert len(rows) == 2
    assert f'"job_id": {job}' in rows[0]
    assert '"rank": 1, "term": "stone bridge", "score": 1.0' in rows[0]
    assert '"term": "다리"' in rows[1]
