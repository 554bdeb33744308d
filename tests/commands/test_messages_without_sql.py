"""No message that a person reads holds SQL, whatever the database says: chunk, job, outcome, commands, logs."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import text

from docmill.commands.shell import known
from tests.commands.conftest import Shell
from tests.db.builders import chunks_of, let_backoffs_pass, outcomes, sql
from workers.running import chunk_run

#: In every statement that docmill sends, or in SQLAlchemy's words about it.
SQL_WORDS = (
    "INSERT",
    "SELECT",
    "UPDATE ",
    "VALUES",
    "[SQL",
    "[parameters",
    "LINE 1",
    "DETAIL",
    "CONTEXT",
    "sqlalche.me",
)
TEXTS = ("one", "two", "hunter2", "four")


def _break(shell: Shell, table: str) -> None:
    """What an operator's slip does: a table is not there."""
    _run(shell, f"ALTER TABLE {table} RENAME TO {table}_gone")


def _repair(shell: Shell, table: str) -> None:
    _run(shell, f"ALTER TABLE {table}_gone RENAME TO {table}")


def _run(shell: Shell, statement: str) -> None:
    with shell.store.write() as session:
        if shell.store.is_sqlite:
            session.execute(text("PRAGMA legacy_alter_table = ON"))
        session.execute(text(statement))


def _holds_no_sql(said: str) -> None:
    for word in (*SQL_WORDS, "hunter2"):
        assert word not in said, said


def test_a_chunk_that_cannot_be_written_tells_why_without_sql(
    shell_on_both: Shell, caplog: pytest.LogCaptureFixture
) -> None:
    shell = shell_on_both
    shell.texts(*TEXTS)
    job_id = shell.job("oracle", "--collection", "inbox")
    [chunk] = chunks_of(shell.store, job_id)
    _break(shell, "classification")
    try:
        with caplog.at_level(logging.DEBUG, "docmill"):
            said = []
            for _ in range(2):
                let_backoffs_pass(shell.store)
                said.append(chunk_run.run(shell.process, chunk.id))
            shell.scheduler.run_once()
        [chunk] = chunks_of(shell.store, job_id)
        told = [
            *said,
            chunk.fault or "",
            caplog.text,
            shell("status", job_id).out,
            shell("doctor", status=1).out,
        ]
    finally:
        _repair(shell, "classification")

    assert all(words.startswith("put back: ") for words in said)
    assert "classification" in (chunk.fault or "")
    assert outcomes(shell.store, job_id) == {}
    for each in told:
        _holds_no_sql(each)
    shell.work(job_id)
    assert set(outcomes(shell.store, job_id).values()) == {"ok"}


def test_a_chunk_that_cannot_be_claimed_tells_why_without_sql(
    shell_on_both: Shell, caplog: pytest.LogCaptureFixture
) -> None:
    """Celery would log what is raised, with a traceback, and Flower show it."""
    shell = shell_on_both
    shell.texts(*TEXTS)
    [chunk] = chunks_of(shell.store, shell.job("oracle", "--collection", "inbox"))
    _break(shell, "chunk")
    try:
        with caplog.at_level(logging.DEBUG, "docmill"):
            said = chunk_run.run(shell.process, chunk.id)
            shell.scheduler.run_once()
    finally:
        _repair(shell, "chunk")
    assert said.startswith("not claimed: ")
    assert "cannot claim chunk" in caplog.text
    assert "trying again" in caplog.text
    for each in (said, caplog.text):
        _holds_no_sql("\n".join(line for line in each.splitlines() if not line.startswith("    ")))


def test_a_value_that_the_database_refuses_is_told_without_it(
    shell_on_both: Shell, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    import tests.kinds

    answers: dict[str, Any] = {"two": "hunter2\udc80"}
    monkeypatch.setattr(tests.kinds, "answer", lambda text: answers.get(text, text))
    shell = shell_on_both
    shell.texts("one", "two", "three")
    with caplog.at_level(logging.DEBUG, "docmill"):
        job_id = shell.done("oracle", "--collection", "inbox")
    assert outcomes(shell.store, job_id) == {"k0": "ok", "k1": "BAD_RESULT", "k2": "ok"}
    ((detail,),) = sql(shell.store, "SELECT error_detail FROM outcome WHERE error_code = 'BAD_RESULT'")
    for each in (detail, caplog.text, shell("results", job_id, "--errors").out):
        _holds_no_sql(each)


def test_a_command_tells_a_fault_of_the_database_without_sql(shell_on_both: Shell) -> None:
    shell = shell_on_both
    for fault in (_no_column, _no_table):
        error = _raised(lambda fault=fault: fault(shell))  # type: ignore[misc]
        _holds_no_sql(str(error))
        if (words := known(error)) is not None:
            _holds_no_sql(words[1])


def _raised(run: Callable[[], Any]) -> Exception:
    with pytest.raises(Exception) as caught:
        run()
    return caught.value


def _no_column(shell: Shell) -> None:
    with shell.store.write() as session:
        session.execute(text("SELECT 'hunter2' FROM job WHERE nothing = 1"))


def _no_table(shell: Shell) -> None:
    with shell.store.write() as session:
        session.execute(text("INSERT INTO nothing VALUES ('hunter2')"))
