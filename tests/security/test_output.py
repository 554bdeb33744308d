"""Hostile names and texts: they come out as they went in, and neither a terminal, a spreadsheet nor a log line
is fooled by them."""

from __future__ import annotations

import csv
import io
import json
import logging
import re
import tempfile
from pathlib import Path

import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from db.store import Store
from docmill.cli import app
from docmill.commands.output import print_csv
from tests.security.leaky import ECHO
from workers.processes.process import Process
from workers.running import chunk_run
from workers.settings import settings

HOSTILE = [
    "'; DROP TABLE job; --",
    '"; DROP TABLE document; --',
    "' OR '1'='1",
    "{{7*7}}",
    "${7*7}",
    "%s %(x)s %d%",
    ":name :: \\:x",
    "<script>alert(1)</script>",
    "=cmd|' /C calc'!A1",
    "../../etc/passwd",
    "--help",
    "[bold]red[/bold] [/]",
    "한글 ' \\ % _",
]


@pytest.fixture(autouse=True)
def _echo_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCMILL_KIND_MODULES", "tests.security.leaky")


def docmill(*arguments: str, status: int = 0) -> str:
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == status, (result.output, result.exception)
    return result.stdout


def echoed(store: Store, tmp_path: Path, texts: list[str], collection: str = "texts") -> int:
    """A job that answered with each text; key, text and label of a document are the same where they can be."""
    path = tmp_path / "texts.jsonl"
    plain = [value if value.isprintable() else f"k{i}" for i, value in enumerate(texts)]
    rows = [{"id": key, "text": value, "label": key} for key, value in zip(plain, texts, strict=True)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    docmill("add", str(path), f"--collection={collection}")
    job = json.loads(
        docmill("submit", ECHO.name, f"--collection={collection}", f"--key={collection}", "--json")
    )
    with store.read() as session:
        chunks = list(session.scalars(text("SELECT id FROM chunk WHERE job_id = :job"), {"job": job["job"]}))
    with tempfile.TemporaryFile("w+") as crash_file:
        process = Process(settings(), store, crash_file)
        for chunk in chunks:
            chunk_run.run(process, chunk)
        process.watch_no_more()
    return int(job["job"])


@pytest.mark.parametrize("collection", ["'; DROP TABLE job; --", "%s {{7*7}} :name"])
def test_hostile_names_and_texts_come_out_as_they_went_in(
    store: Store, tmp_path: Path, collection: str
) -> None:
    job = echoed(store, tmp_path, HOSTILE, collection)

    rows = [json.loads(line) for line in docmill("results", str(job), "--format=jsonl").splitlines()]
    query = (
        "SELECT d.key, d.text, d.label, c.name FROM document d JOIN collection c ON c.id = d.collection_id"
    )
    stored = [json.loads(line) for line in docmill("sql", query, "--format=jsonl").splitlines()]

    assert sorted(row["document_key"] for row in rows) == sorted(HOSTILE)
    assert all(row["document_key"] == row["label"] == row["reason"] for row in rows)
    assert {(*row.values(),) for row in stored} == {(value, value, value, collection) for value in HOSTILE}
    assert json.loads(docmill("collections", "--json")) == [
        {"collection": collection, "n_documents": len(HOSTILE)}
    ]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_of_schedules_and_models(
    sqlite_store: Store, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCMILL_DATABASE_URL", sqlite_store.url.render_as_string())
    echoed(sqlite_store, tmp_path, ["a text"])

    docmill("schedule", "add", "--cron=0 2 * * *", "--job=echo --collection texts", "--", name)
    listed = [row["name"] for row in json.loads(docmill("schedule", "list", "--json"))]
    docmill("schedule", "remove", "--", name)
    docmill("submit", "classify", "--collection=texts", f"--model={name}", status=1)

    assert listed == [name]
    assert docmill("schedule", "list", "--json").strip() == "[]"


@pytest.mark.parametrize("value", HOSTILE)
def test_a_query_is_run_as_typed(store: Store, value: str) -> None:
    quoted = value.replace("'", "''")

    assert json.loads(docmill("sql", f"SELECT '{quoted}' AS it", "--format=jsonl")) == {"it": value}


@pytest.mark.parametrize(
    "query",
    [
        "DROP TABLE job",
        "DELETE FROM job",
        "SELECT 1; DROP TABLE job",
        "COMMIT; DROP TABLE job",
        "INSERT INTO collection (name) VALUES ('x')",
    ],
)
def test_a_query_can_change_nothing(store: Store, query: str) -> None:
    docmill("sql", query, status=2)

    assert docmill("status", "--json").strip() == "[]"
    assert docmill("collections", "--json").strip() == "[]"


# --- spreadsheets, terminals, logs ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "start",
    ["=", "+", "-", "@", "\t", "\r", "\n"],
)
def test_no_cell_of_csv_is_a_formula(start: str, capsys: pytest.CaptureFixture[str]) -> None:
    print_csv([{"text": f"{start}HYPERLINK(1)", "number": -1.5}])

    [row] = csv.DictReader(io.StringIO(capsys.readouterr().out, newline=""))
    assert row == {"text": f"'{start}HYPERLINK(1)", "number": "-1.5"}


TERMINAL = [
    "\x1b[31mred",
    "\x1b]0;title\x07",
    "\x9b31mred",
    "a\rb",
    "a\x08b",
    "abc\u202edef",
    "fail \x1b[2J",
    "a\x7fb",
]


def test_no_control_character_reaches_the_terminal(
    sqlite_store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCMILL_DATABASE_URL", sqlite_store.url.render_as_string())
    job = str(echoed(sqlite_store, tmp_path, TERMINAL))

    said = [
        docmill("results", job), docmill("results", job, "--errors"), docmill("status"),
        docmill("sql", "SELECT text, label FROM document"), docmill("sql", "SELECT * FROM v_failures"),
    ]  # fmt: skip

    assert r"\x1b[31mred" in said[0]
    assert r"\x1b[2J" in said[1]
    for output in said:
        assert not [char for char in output if not char.isprintable() and char != "\n"]


def test_no_message_forges_a_line_of_the_log(capsys: pytest.CaptureFixture[str]) -> None:
    from workers.app import _log_to_stderr

    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        root.handlers[:] = []
        _log_to_stderr()
        logging.getLogger("docmill").warning("key %s", "x\n2026-01-01 INFO forged\r\x1b[2K")
        try:
            raise ValueError("y\n2026-01-01 INFO forged")
        except ValueError:
            logging.getLogger("docmill").exception("that")
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)

    lines = capsys.readouterr().err.split("\n")
    assert any("forged" in line for line in lines)
    assert not [line for line in lines if re.match("2026-01-01", line)]
    assert all(line.isprintable() for line in lines)


def test_an_error_of_the_database_does_not_quote_a_text(store: Store) -> None:
    with pytest.raises(Exception, match="nowhere") as refused, store.write() as session:
        session.execute(text("INSERT INTO nowhere VALUES (:text)"), {"text": "b0dy-c4n4ry"})

    assert "b0dy-c4n4ry" not in str(refused.value)
