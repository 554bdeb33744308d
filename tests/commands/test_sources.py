"""docmill add with stdin, patterns, queries and URLs; files of storage are extracted by workers."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from docmill import Client
from docmill.errors import InvalidRequestError
from readers.remote import buckets, fetching
from tests.commands.conftest import Shell
from tests.db.builders import chunks_of, job_of, let_backoffs_pass
from tests.readers.extraction import builders
from tests.storage import Storage, storage_server
from workers.running import chunk_run, runners
from workers.settings import settings

LINES = ("The central bank raised its rate.", "Markets had expected that.")


def _pdf(*lines: str) -> bytes:
    return builders.pdf(builders.pdf_text(*lines))


def documents(shell: Shell, collection: str = "inbox") -> dict[str, str]:
    query = (
        "SELECT d.key, d.text FROM document d JOIN collection c ON c.id = d.collection_id "
        f"WHERE c.name = '{collection}' AND d.is_latest"
    )
    with shell.store.read() as session:
        return {row.key: row.text for row in session.execute(text(query))}


# --- stdin, patterns, queries ---------------------------------------------------------------------------------


def test_stdin_is_added(shell: Shell) -> None:
    said = shell(
        "add", "-", "--collection", "inbox", stdin=b'{"id": "a", "text": "one"}\n{"id": "b"}\n', status=3
    )

    assert said.lines == ["inbox: 1 new, 0 changed, 0 unchanged, 1 bad"]
    assert "stdin:2: MISSING_TEXT" in said.err
    shell("add", "-", "--format", "csv", "--collection", "inbox", stdin="id;text\nc;셋\n".encode("cp949"))
    assert documents(shell) == {"a": "one", "c": "셋"}


def test_a_pattern_is_added_and_nothing_found_is_an_error(shell: Shell, tmp_path: Path) -> None:
    for name in ("in/a.txt", "in/x/b.txt", "in/x/c.csv"):
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).write_text("text")

    shell("add", tmp_path / "in/**/*.{txt,text}", "--collection", "inbox")

    assert documents(shell).keys() == {"a.txt", "x/b.txt"}
    assert "NO_MATCH" in shell("add", tmp_path / "in/*.pdf", "--collection", "inbox", status=1).err


def test_a_query_is_added(shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with sqlite3.connect(tmp_path / "news.db") as connection:
        connection.execute("CREATE TABLE news (id, body)")
        connection.executemany("INSERT INTO news VALUES (?, ?)", [(n, f"text {n}") for n in range(4_500)])
    connection.close()
    monkeypatch.setenv("NEWS_URL", f"sqlite:///{tmp_path}/news.db")
    words = (
        "add",
        "--sql",
        "SELECT id, body AS text FROM news",
        "--database",
        "env:NEWS_URL",
        "--collection",
        "inbox",
    )

    assert shell(*words).lines == ["inbox: 4,500 new, 0 changed, 0 unchanged"]
    assert shell(*words).lines == ["inbox: 0 new, 0 changed, 4,500 unchanged"]
    report = Client(shell.store.url.render_as_string(hide_password=False)).add_query(
        "SELECT id, body AS text FROM news WHERE id < :n",
        database="env:NEWS_URL",
        values={"n": 7},
        collection="few",
    )
    assert report.n_new == 7


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "say what to add"),
        (("--sql", "SELECT 1"), "--sql and --database belong together"),
        (("a.txt", "--sql", "SELECT 1", "--database", "env:X"), "--sql is instead of files"),
        (("--sql", "SELECT 1", "--database", "env:NONE_SUCH"), "NONE_SUCH is not set"),
        (("--sql", "DROP TABLE x", "--database", "sqlite:////x.db"), "must be one SELECT"),
        (("a.txt", "--format", "csv"), "format is about stdin"),
        (("a.txt", "--as", "pdf"), "as text, html or auto"),
    ],
)
def test_wrong_options_say_what_is_right(shell: Shell, words: tuple[str, ...], said: str) -> None:
    assert said in _error(shell, *words)


def _error(shell: Shell, *words: str) -> str:
    return shell("add", *words, "--collection", "inbox", status=2).err


def test_the_client_takes_a_dataframe(shell: Shell) -> None:
    import pandas as pd

    client = Client(shell.store.url.render_as_string(hide_password=False))
    frame = pd.DataFrame({"id": [1, 2], "text": ["one", None], "company": ["X", "Y"]})

    report = client.add_records(frame, collection="inbox")

    assert (report.n_new, [each.line for each in report.bad]) == (1, [2])
    with pytest.raises(InvalidRequestError, match="not a single dictionary"):
        client.add_records({"id": "a", "text": "b"}, collection="inbox")


# --- storage --------------------------------------------------------------------------------------------------


@pytest.fixture
def storage(monkeypatch: pytest.MonkeyPatch) -> Iterator[Storage]:
    """As S3 and as a web server; workers may read both."""
    monkeypatch.setattr(fetching, "_PAUSE_SECONDS", 0.01)
    monkeypatch.setitem(buckets._RETRY, "max_retries", 1)
    with storage_server() as server:
        for name, value in {
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "CANARY",
            "AWS_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": server.web.rstrip("/"),
            "DOCMILL_REMOTE_FILES": f"s3://bucket/ {server.web}",
        }.items():
            monkeypatch.setenv(name, value)
        settings.cache_clear()
        buckets._store.cache_clear()
        yield server
        buckets._store.cache_clear()


def _work_once(shell: Shell, job: int) -> None:
    let_backoffs_pass(shell.store)
    for chunk in chunks_of(shell.store, job):
        chunk_run.run(shell.process, chunk.id)
    shell.scheduler.mover.move_jobs()


@pytest.fixture
def on_storage(storage: Storage, shell_on_both: Shell, monkeypatch: pytest.MonkeyPatch) -> Shell:
    """A worker that has read the settings of the storage."""
    monkeypatch.setattr(shell_on_both.process, "settings", settings())
    runners.resident.cache_clear()
    return shell_on_both


def _outcomes(shell: Shell) -> dict[str, Any]:
    query = "SELECT document_key, COALESCE(error_code, state) AS state FROM v_extractions WHERE collection = 'inbox'"
    with shell.store.read() as session:
        return {row.document_key: row.state for row in session.execute(text(query))}


def test_objects_are_registered_by_url_and_extracted_by_workers(on_storage: Shell, storage: Storage) -> None:
    shell = on_storage
    storage.objects = {
        "bucket/in/a.pdf": _pdf(*LINES),
        "bucket/in/b.docx": builders.docx(*LINES),
        "bucket/in/c.txt": b"A text.",
        "bucket/in/broken.pdf": b"%PDF-1.4",
        "bucket/in/gone.pdf": _pdf("x"),
        "bucket/in/changed.pdf": _pdf("y"),
    }
    said = shell("add", "s3://bucket/in/", "--collection", "inbox")
    assert said.lines[0] == "inbox: 1 new, 0 changed, 0 unchanged"
    assert "5 files are being extracted: job" in said.out
    job = int(said.out.split()[-1])
    # Their names say that they are documents: nothing of them was fetched.
    assert storage.n_requests("GET bucket/in/a.pdf") == 0
    del storage.objects["bucket/in/gone.pdf"]
    storage.objects["bucket/in/changed.pdf"] = _pdf("z")

    shell.work(job)

    assert _outcomes(shell) == {
        "a.pdf": "ok", "b.docx": "ok", "broken.pdf": "CORRUPT", "gone.pdf": "FILE_MISSING",
        "changed.pdf": "FILE_CHANGED",
    }  # fmt: skip
    found = documents(shell)
    assert found["b.docx"] == "\n".join(LINES)
    assert all(line in found["a.pdf"] for line in LINES)

    # What did not change is seen by its ETag: not fetched, not extracted again.
    storage.requests.clear()
    said = shell("add", "s3://bucket/in/", "--collection", "inbox", "--json")
    assert said.json["files"]["n_to_read"] == 1
    assert storage.n_requests("GET bucket/in/") == storage.n_requests("GET bucket/in/c.txt") == 1
    shell.work(said.json["files"]["job"])
    assert _outcomes(shell)["changed.pdf"] == "ok"
    with shell.store.read() as session:
        for table in ("document", "outcome", "job"):
            assert "CANARY" not in str(session.execute(text(f"SELECT * FROM {table}")).all())


def test_storage_that_is_away_blames_no_file(on_storage: Shell, storage: Storage) -> None:
    shell = on_storage
    storage.objects = {"bucket/a.pdf": _pdf(*LINES)}
    job = shell("add", "s3://bucket/a.pdf", "--collection", "inbox", "--json").json["files"]["job"]
    for fault in (503, 403):
        storage.faults = [fault] * 1_000
        _work_once(shell, job)
        assert job_of(shell.store, job).state == "running"
        assert _outcomes(shell) == {"a.pdf": "waiting"}
        with shell.store.read() as session:
            fault_told = str(session.scalar(text("SELECT fault FROM v_job_progress")))
        assert "s3://bucket/a.pdf cannot be fetched" in fault_told
        assert "CANARY" not in fault_told
    storage.faults = []

    shell.work(job)

    assert _outcomes(shell) == {"a.pdf": "ok"}


def test_a_worker_that_may_not_read_urls_blames_no_file(
    on_storage: Shell, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    shell = on_storage
    storage.objects = {"bucket/a.pdf": _pdf(*LINES)}
    job = shell("add", "s3://bucket/a.pdf", "--collection", "inbox", "--json").json["files"]["job"]
    monkeypatch.setattr(shell.process, "settings", settings().model_copy(update={"remote_files": ""}))
    runners.resident.cache_clear()
    _work_once(shell, job)
    assert _outcomes(shell) == {"a.pdf": "waiting"}

    monkeypatch.setattr(shell.process, "settings", settings())
    runners.resident.cache_clear()
    shell.work(job)

    assert _outcomes(shell) == {"a.pdf": "ok"}


@pytest.mark.parametrize("has_etags", [True, False])
def test_files_of_a_web_server(on_storage: Shell, storage: Storage, has_etags: bool) -> None:
    shell = on_storage
    storage.has_etags = storage.has_dates = has_etags
    storage.objects = {"files/a.pdf": _pdf(*LINES), "files/b.jsonl": b'{"id": "k", "text": "one"}\n'}
    urls = [f"{storage.web}files/{name}" for name in ("a.pdf", "b.jsonl", "none.txt")]

    said = shell("add", *urls, "--collection", "inbox", "--json", status=3)

    assert [each["code"] for each in said.json["bad"]] == ["NOT_FOUND"]
    shell.work(said.json["files"]["job"])
    assert documents(shell).keys() == {"k", "a.pdf"}
    again = shell("add", *urls[:2], "--collection", "inbox", "--json").json
    assert (again["unchanged"], again["files"]["n_unchanged"], again["files"]["job"]) == (1, 1, None)


def test_urls_are_not_read_unless_somebody_says_so(shell: Shell) -> None:
    said = shell("add", "s3://bucket/in/", "--collection", "inbox", status=1)

    assert "set DOCMILL_REMOTE_FILES=s3://bucket/" in said.err
    assert json.dumps(documents(shell)) == "{}"
