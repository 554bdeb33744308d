"""docmill batches: batches and files of programs are listed, cancelled and removed; retention prunes old ones."""

from __future__ import annotations

from sqlalchemy import text

from db import api_files
from scheduler import retention
from tests.commands.conftest import Shell
from tests.db.builders import create_batch, sql
from tests.web.mill import jsonl, request


def created(shell: Shell, *texts: str, collection: str | None = None) -> str:
    """A batch as the web server makes it; its id."""
    content = jsonl([request(f"r{n}", {"input": each}) for n, each in enumerate(texts)])
    return create_batch(shell.store, content, collection=collection)


def finish(shell: Shell) -> None:
    """What scheduler and worker do until every batch has ended."""
    while sql(shell.store, "SELECT 1 FROM request_batch WHERE phase <> 'done'"):
        shell.scheduler.batches.move()
        for (job_id,) in sql(shell.store, "SELECT id FROM job WHERE state = 'running'"):
            shell.work(job_id)


def counts(shell: Shell) -> dict[str, int]:
    tables = ("request_batch", "request_group", "request_line", "api_file", "api_file_block", "document")
    return {table: sql(shell.store, f"SELECT count(*) FROM {table}")[0][0] for table in tables}


def test_batches_are_listed_and_removed_with_all_that_is_theirs(shell: Shell) -> None:
    assert "docs/openai.md" in shell("batches", "list").out
    own, named = created(shell, "a", "b", "!raise"), created(shell, "c", collection="mine")
    assert "cancel it" in shell("batches", "remove", own, "--yes", status=1).err
    finish(shell)
    [second, first] = shell("batches", "list", "--json").json
    assert (first["batch"], first["state"], first["total"], first["completed"], first["failed"]) == (
        own, "completed", 3, 2, 1,
    )  # fmt: skip
    assert second["collection"] == "mine"
    files = shell("batches", "files", "--json").json
    assert [file["purpose"] for file in files].count("batch_output") == 3
    assert "3 requests" in shell("batches", "remove", own).out
    assert counts(shell)["request_line"] == 4
    said = shell("batches", "remove", own, "--yes").out
    assert "3 documents" in said
    assert "was removed" in said
    assert "there is no batch" in shell("batches", "remove", own, "--yes", status=1).err
    assert "mine stay" in shell("batches", "remove", named, "--yes").out
    shell.scheduler.batches.move()
    shell.scheduler.batches.move()
    left = counts(shell)
    assert sql(shell.store, "SELECT text FROM document WHERE text <> ''") == [("c",)]
    assert {table: n for table, n in left.items() if n and table != "document"} == {}


def test_a_batch_is_cancelled_and_a_file_removed(shell: Shell) -> None:
    batch = created(shell, "a")
    assert "being cancelled" in shell("batches", "cancel", batch).out
    finish(shell)
    assert "nothing left to cancel" in shell("batches", "cancel", batch, status=1).err
    [error_file, input_file] = [file["file"] for file in shell("batches", "files", "--json").json]
    assert "would be removed" in shell("batches", "remove", error_file).out
    shell("batches", "remove", error_file, "--yes")
    shell("batches", "remove", error_file, "--yes", status=1)
    assert [file["file"] for file in shell("batches", "files", "--json").json] == [input_file]


def test_retention_prunes_old_batches_with_their_files_step_by_step(shell: Shell) -> None:
    created(shell, *map(str, range(30)))
    finish(shell)
    created(shell, "still open")
    with shell.store.write() as session:
        file = api_files.begin(session, "b.pdf", "user_data", "programs")
        api_files.complete(session, file.id, None, None)
        for table, column in (("request_batch", "ended_at"), ("api_file", "created_at")):
            session.execute(text(f"UPDATE {table} SET {column} = '2020-01-01 00:00:00.000000'"))
    policy = retention.parse("[batches]\nolder_than = '30 d'", "p")
    wanted = {"batches": 1, "requests": 30, "uploaded files": 1}
    assert dict(retention.plan(shell.store, policy)) == wanted
    assert dict(retention.run(shell.store, policy, shell.store.file or "")) == wanted  # type: ignore[arg-type]
    assert dict(retention.plan(shell.store, policy)) == {}
    finish(shell)
    assert counts(shell)["request_batch"] == 1
