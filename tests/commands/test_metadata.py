"""Metadata from files to selections and results, by the commands, on both databases."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from docmill.commands.schedules import as_words, parse_job
from readers import ReadOptions
from scheduler import adding
from tests.commands.conftest import Shell
from tests.readers.extraction import builders

NEWS = [
    {"id": "n1", "text": "One. Two.", "published": "2026-01-05", "company": "Acme", "n": 3, "label": "a"},
    {"id": "n2", "text": "Three. Four.", "published": "2026-02-05", "company": "Acme", "n": 12, "label": "b"},
    {"id": "n3", "text": "Five. Six.", "published": "2026-02-06", "company": "Beta", "n": "7"},
]


@pytest.fixture
def news(tmp_path: Path) -> Path:
    path = tmp_path / "news.jsonl"
    path.write_text("".join(json.dumps(each) + "\n" for each in NEWS))
    return path


def metas(shell: Shell) -> dict[str, Any]:
    with shell.store.read() as session:
        rows = session.execute(text("SELECT document_key, meta FROM v_documents ORDER BY document_key")).all()
    return {key: json.loads(meta) if isinstance(meta, str) else meta for key, meta in rows}


def test_a_job_takes_what_is_selected_and_another_time_looks_anew(shell_on_both: Shell, news: Path) -> None:
    shell = shell_on_both
    shell("add", news, "--collection", "inbox")
    where = "published >= '2026-01-31' and company = 'Acme'"
    said = shell("submit", "summarize", "--collection", "inbox", "--where", where)
    assert said.lines == ["job 1: summarize over 1 document"]
    shell.work(1)
    assert shell("status", "1", "--json").json["where_clause"] == where
    # New documents only, among those that are selected.
    said = shell("submit", "summarize", "--collection", "inbox", "--new", "--where", "company = 'Acme'")
    assert said.lines == ["job 2: summarize over 1 document; left out: 1 has its result"]
    shell.work(2)
    said = shell("submit", "summarize", "--collection", "inbox", "--new", "--where", where)
    assert "has no new documents where published" in said.out
    said = shell("submit", "summarize", "--collection", "inbox", "--where", "n > 100")
    assert said.lines == ["nothing to do: collection 'inbox' has no documents where n > 100"]
    # Training takes those with a label among them.
    said = shell(
        "train", "classify", "--collection", "inbox", "--where", "n > 0 and published > '2026-02-01'"
    )
    assert "over 1 document" in said.out
    # The same key with another selection is another request.
    shell("submit", "keywords", "--collection", "inbox", "--key", "k", "--where", "n > 5")
    again = shell("submit", "keywords", "--collection", "inbox", "--key", "k", "--where", "n > 6", status=1)
    assert "other settings" in again.err


def test_a_mistake_in_a_selection_is_told_with_its_place(shell: Shell, news: Path) -> None:
    shell("add", news, "--collection", "inbox")
    said = shell("submit", "summarize", "--collection", "inbox", "--where", "compny = 'Acme'", status=2)
    assert "no document has the field 'compny': did you mean company?" in said.err
    assert "\n  compny = 'Acme'\n  ^" in said.err
    job = 'summarize --collection inbox --where "company = Acme and"'
    said = shell("schedule", "add", "x", "--cron", "@daily", "--job", job, status=2)
    assert "at character 19" in said.err


def test_a_schedule_keeps_its_selection(shell: Shell, news: Path) -> None:
    shell("add", news, "--collection", "inbox")
    job = "summarize --collection inbox --new --where 'published >= '\"'\"'2026-02-01'\"'\"''"
    assert as_words(parse_job(job).as_json()) == job
    shell("schedule", "add", "nightly", "--cron", "@daily", "--job", job)
    assert "jobs 1" in shell("schedule", "run", "nightly").out
    assert shell("status", "1", "--json").json["n_documents"] == 2


def test_a_retry_evaluates_the_selection_anew(shell: Shell, news: Path) -> None:
    shell("add", news, "--collection", "inbox")
    job = shell.job("summarize", "--collection", "inbox", "--where", "company = 'Acme'")
    shell("cancel", str(job))
    shell.scheduler.mover.move_jobs()
    shell.work(job)
    changed = [{**each, "company": "Gamma"} if each["id"] == "n1" else each for each in NEWS]
    news.write_text("".join(json.dumps(each) + "\n" for each in changed))
    said = shell("add", news, "--collection", "inbox")
    assert said.lines == ["inbox: 0 new, 0 changed, 2 unchanged, 1 with new metadata"]
    assert "summarize over 1 document" in shell("retry", str(job)).out
    said = shell("retry", str(job), "--where", "n > 100")
    assert "no document that the selection means failed" in said.out


def test_fields_are_chosen_and_renamed(shell: Shell, news: Path) -> None:
    shell("add", news, "--collection", "inbox", "--meta", "company", "--meta", "date=published")
    assert metas(shell)["n1"] == {"company": "Acme", "date": "2026-01-05"}
    shell("add", news, "--collection", "inbox", "--no-meta")
    assert metas(shell)["n1"] == {"company": "Acme", "date": "2026-01-05"}
    said = shell("add", news, "--collection", "inbox", "--no-meta", "--meta", "company", status=2)
    assert "use one of them" in said.err


def test_results_show_metadata_beside_them(shell: Shell, news: Path) -> None:
    shell("add", news, "--collection", "inbox")
    job = shell.done("summarize", "--collection", "inbox")
    rows = shell("results", str(job), "--meta", "company,published", "--format", "csv").out.splitlines()
    assert rows[0].startswith("document_key,company,published,")
    assert rows[1].startswith("n1,Acme,2026-01-05,")
    assert shell("results", str(job), "--meta", "company", "--json").json[2]["company"] == "Beta"
    said = shell("results", str(job), "--meta", "compny", status=2)
    assert "no document has the field 'compny': did you mean company?" in said.err


def test_documents_inherit_what_is_known_of_their_file(shell_on_both: Shell, tmp_path: Path) -> None:
    shell, folder = shell_on_both, tmp_path / "docs"
    folder.mkdir()
    (folder / "a.docx").write_bytes(builders.docx("A heading", "Some text of the file."))
    mail = b"From: Kim <kim@example.com>\nDate: Mon, 5 Jan 2026 09:00:00 +0900\nSubject: Rates\n\nThe bank raised it.\n"
    (folder / "b.zip").write_bytes(builders.zipped({"m.eml": mail}))
    for path in folder.iterdir():
        os.utime(path, (86_400, 86_400))
    shell("add", folder, "--collection", "inbox")
    shell.work(1)
    found = metas(shell)
    assert found["a.docx"].items() >= {
        "path": str(folder / "a.docx"), "modified": "1970-01-02T00:00:00+00:00",
        "size": (folder / "a.docx").stat().st_size,
    }.items()  # fmt: skip
    assert "wordprocessingml" in found["a.docx"]["media_type"]
    inside = found["b.zip!m.eml"]
    assert (inside["title"], inside["author"], inside["created"]) == (
        "Rates", "Kim <kim@example.com>", "2026-01-05T09:00:00+09:00",
    )  # fmt: skip
    # A file that was touched passes its time on, and is not read again.
    os.utime(folder / "b.zip", (2 * 86_400, 2 * 86_400))
    again = shell("add", folder, "--collection", "inbox")
    assert "2 files are extracted already" in again.out
    assert metas(shell)["b.zip!m.eml"] == inside | {"modified": "1970-01-03T00:00:00+00:00"}
    # The choice holds for what the extraction finds, too.
    shell("add", folder, "--collection", "chosen", "--meta", "by=author,size")
    shell.work(2)
    shell("add", folder, "--collection", "none", "--no-meta")
    shell.work(3)
    with shell.store.read() as session:
        rows = session.execute(text("SELECT collection, document_key, meta FROM v_documents")).all()
    by_place = {(where, key): json.loads(m) if isinstance(m, str) else m for where, key, m in rows}
    assert by_place["chosen", "b.zip!m.eml"] == {
        "by": "Kim <kim@example.com>", "size": (folder / "b.zip").stat().st_size,
    }  # fmt: skip
    assert by_place["none", "b.zip!m.eml"] == {}
    said = shell("submit", "summarize", "--collection", "inbox", "--where", "author ilike '%KIM%'")
    assert "over 1 document" in said.out


def test_records_of_python_keep_what_the_store_can_keep(shell: Shell) -> None:
    records = [{"id": 1, "text": "t", "x": b"no", "y": float("nan"), "z": 2**70}]
    found = adding.add_records(lambda: shell.store, records, collection="inbox", options=ReadOptions())
    assert metas(shell) == {"1": {"z": str(2**70)}}
    assert "binary data" in found.notices[0].detail
