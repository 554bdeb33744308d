"""docmill add with files that a job has to read: every file has one outcome, and its text is a document."""

from __future__ import annotations

import bz2
import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text, update

from db import chunks, files
from db.chunks import Written
from db.documents import NewDocument
from db.errors import FencedError
from db.store import Store
from db.tables import Base
from readers.extraction.isolated import Parser
from tests.commands.conftest import Said, Shell
from tests.db.builders import LEASE, chunks_of, crash, held, job_of, let_backoffs_pass
from tests.readers.extraction import builders
from workers.running import chunk_run

LINES = ("The central bank raised its rate.", "Markets had expected that.", "The decision was unanimous.")
KOREAN = "한국은행은 기준금리를 올렸다."


def _pdf(*lines: str) -> bytes:
    return builders.pdf(builders.pdf_text(*lines))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """One file of several sorts, three of which hold no text."""
    made = tmp_path / "docs"
    made.mkdir()
    (made / "a.pdf").write_bytes(_pdf(*LINES))
    (made / "b.docx").write_bytes(builders.docx(*LINES))
    (made / "sub").mkdir()
    (made / "sub" / "c.hwpx").write_bytes(builders.hwpx(KOREAN))
    page = "".join(f"<p>{line}</p>" for line in LINES)
    (made / "d.html").write_text(
        f"<!doctype html><html><head><title>Rates</title></head><body>{page}</body></html>"
    )
    members = {"x.pdf": _pdf(*LINES), "y.txt": b"Plain text in an archive.", "z.pdf": b"%PDF-1.4 broken"}
    (made / "e.zip").write_bytes(builders.zipped(members))
    (made / "broken.pdf").write_bytes(_pdf(*LINES)[:300])
    (made / "secret.pdf").write_bytes(builders.encrypted_pdf())
    (made / "empty.pdf").write_bytes(b"")
    (made / "plain.txt").write_text(" ".join(LINES))
    return made


def _rows(shell: Shell, query: str) -> list[dict[str, Any]]:
    with shell.store.read() as session:
        return [dict(row) for row in session.execute(text(query)).mappings()]


def _documents(shell: Shell) -> dict[str, str]:
    """The latest texts of the collection inbox, by key."""
    query = (
        "SELECT d.key, d.text FROM document d JOIN collection c ON c.id = d.collection_id "
        "WHERE c.name = 'inbox' AND d.is_latest"
    )
    return {row["key"]: row["text"] for row in _rows(shell, query)}


def _job(said: Said) -> int:
    """The number of the job that `docmill add` has printed."""
    found = re.search(r"being extracted: job (\d+)", said.out)
    assert found, said
    return int(found[1])


def _states(shell: Shell) -> dict[str, str]:
    query = "SELECT document_key, COALESCE(error_code, state) AS state FROM v_extractions WHERE collection = 'inbox'"
    return {row["document_key"]: row["state"] for row in _rows(shell, query)}


def test_every_file_has_one_outcome_and_its_texts_are_documents(shell_on_both: Shell, folder: Path) -> None:
    shell = shell_on_both
    said = shell("add", folder, "--collection", "inbox")
    job = _job(said)
    assert said.lines == ["inbox: 1 new, 0 changed, 0 unchanged", f"8 files are being extracted: job {job}"]
    assert set(_states(shell).values()) == {"waiting"}

    shell.work(job)
    assert _states(shell) == {
        "a.pdf": "ok", "b.docx": "ok", "sub/c.hwpx": "ok", "d.html": "ok", "e.zip": "ok",
        "broken.pdf": "CORRUPT", "secret.pdf": "ENCRYPTED", "empty.pdf": "EMPTY",
    }  # fmt: skip
    documents = _documents(shell)
    assert documents.keys() == {
        "a.pdf", "b.docx", "sub/c.hwpx", "d.html", "e.zip!x.pdf", "e.zip!y.txt", "plain.txt",
    }  # fmt: skip
    assert documents["b.docx"] == "\n".join(LINES)
    assert documents["sub/c.hwpx"] == KOREAN
    assert all(line in documents["a.pdf"] for line in LINES)
    shell.done("summarize", "--collection", "inbox")
    assert len(_rows(shell, "SELECT * FROM v_latest_summary WHERE collection = 'inbox'")) == 7


def test_figures_and_warnings_are_rows(shell: Shell, folder: Path) -> None:
    shell("add", folder, "--collection", "inbox")
    shell.work(1)
    zipped = _rows(shell, "SELECT * FROM v_extractions WHERE document_key = 'e.zip'")[0]
    assert (zipped["n_documents"], zipped["n_warnings"], zipped["warnings"]) == (2, 1, "z.pdf: CORRUPT")
    assert zipped["path"] == str(folder / "e.zip")
    warnings = _rows(shell, "SELECT member, code FROM extraction_warning")
    assert warnings == [{"member": "z.pdf", "code": "CORRUPT"}]
    shown = shell("results", "1", "--format", "csv").out
    assert "d.html,Rates," in shown
    assert "ENCRYPTED" in shell("results", "1", "--errors").out
    texts = shell("results", "1", "--table", "extraction_text", "--format", "csv").out
    assert "e.zip!y.txt" in texts


def test_the_structure_of_a_text_can_be_queried(shell_on_both: Shell, folder: Path) -> None:
    shell = shell_on_both
    table = [["Year", "Sales"], ["2025", "1,500"]]
    report = builders.docx(*LINES, heading="Of rates and markets: the year as a whole.", table=table)
    (folder / "e.zip").write_bytes(builders.zipped({"report.docx": report, "a.pdf": _pdf(*LINES)}))
    shell.work(_job(shell("add", folder, "--collection", "inbox")))
    assert _rows(shell, "SELECT document_key, title, level, start_char, file_key FROM v_sections") == [
        {
            "document_key": "e.zip!report.docx", "title": "Of rates and markets: the year as a whole.", "level": 1,
            "start_char": 0, "file_key": "e.zip",
        }
    ]  # fmt: skip
    rows = _rows(
        shell, "SELECT cells FROM v_table_rows WHERE document_key = 'e.zip!report.docx' ORDER BY line"
    )
    assert [json.loads(row["cells"]) for row in rows] == table
    pages = _rows(shell, "SELECT document_key, page, n_chars FROM v_pages ORDER BY document_key")
    assert [(row["document_key"], row["page"]) for row in pages] == [("a.pdf", 1), ("e.zip!a.pdf", 1)]
    assert all(row["n_chars"] > 50 for row in pages)
    assert [row["n_rows"] for row in _rows(shell, "SELECT n_rows FROM v_tables")] == [2]
    shell.done("summarize", "--collection", "inbox")
    summaries = _rows(shell, "SELECT summary FROM v_latest_summary WHERE document_key = 'e.zip!report.docx'")
    assert "as a whole" not in summaries[0]["summary"]
    (folder / "e.zip").write_bytes(builders.zipped({"report.docx": builders.docx(*LINES)}))
    shell.work(_job(shell("add", folder, "--collection", "inbox")))
    assert _rows(shell, "SELECT * FROM v_tables") == [], "what came of an older version is history"


def test_what_was_read_is_not_read_again(shell_on_both: Shell, folder: Path) -> None:
    shell = shell_on_both
    job = _job(shell("add", folder, "--collection", "inbox"))
    again = shell("add", folder, "--collection", "inbox")
    assert again.lines[1:] == [f"8 files are still being extracted: job {job}"]
    shell.work(job)
    again = shell("add", folder, "--collection", "inbox")
    assert again.lines == ["inbox: 0 new, 0 changed, 1 unchanged"]
    assert f"3 failed before, and did not change: `docmill results {job} --errors` says why" in again.err
    assert len(_rows(shell, "SELECT * FROM job")) == 1

    moved = folder.rename(folder.with_name("moved"))
    facts = shell("add", moved, "--collection", "inbox", "--json").json["files"]
    assert (facts["job"], facts["n_unchanged"], facts["n_changed"]) == (None, 8, 0)


def test_a_changed_file_is_a_new_version(shell_on_both: Shell, folder: Path) -> None:
    shell = shell_on_both
    job = _job(shell("add", folder, "--collection", "inbox"))
    shell.work(job)
    (folder / "a.pdf").write_bytes(_pdf("Something else was decided."))
    (folder / "broken.pdf").write_bytes(_pdf(*LINES))
    job = _job(shell("add", folder, "--collection", "inbox"))
    assert job_of(shell.store, job).n_documents == 2
    shell.work(job)
    documents = _documents(shell)
    assert "Something else was decided." in documents["a.pdf"]
    assert "broken.pdf" in documents
    versions = _rows(
        shell, "SELECT version FROM document WHERE key = 'a.pdf' ORDER BY collection_id, version"
    )
    assert [row["version"] for row in versions] == [1, 2, 1, 2]
    assert shell("submit", "summarize", "--collection", "inbox", "--json").json["n_documents"] == 8


def test_a_file_that_is_gone_or_changed_is_an_error_of_its_own(shell: Shell, folder: Path) -> None:
    shell("add", folder, "--collection", "inbox")
    (folder / "a.pdf").unlink()
    (folder / "b.docx").write_bytes(b"something else")
    shell.work(1)
    states = _states(shell)
    assert (states["a.pdf"], states["b.docx"], states["d.html"]) == ("FILE_MISSING", "FILE_CHANGED", "ok")
    # Neither says anything about what is in the file: both are read once they are added again.
    (folder / "a.pdf").write_bytes(_pdf(*LINES))
    (folder / "b.docx").write_bytes(builders.docx(*LINES))
    assert "2 files are being extracted: job 2" in shell("add", folder, "--collection", "inbox").out
    shell.work(2)
    assert (_states(shell)["a.pdf"], _states(shell)["b.docx"]) == ("ok", "ok")


def test_a_folder_that_is_not_mounted_is_no_file_s_fault(shell: Shell, folder: Path) -> None:
    shell("add", folder, "--collection", "inbox")
    away = folder.rename(folder.with_name("away"))
    [chunk] = chunks_of(shell.store, 1)
    said = chunk_run.run(shell.process, chunk.id)
    assert "put back: StorageError" in said
    assert f"the folder {folder} is not there" in shell("status", "1", "--json").json["fault"]
    folder.mkdir()
    let_backoffs_pass(shell.store)
    assert "put back" in chunk_run.run(shell.process, chunk.id), "an empty mount point"
    folder.rmdir()
    away.rename(folder)
    shell.work(1)
    assert _states(shell)["a.pdf"] == "ok"


def test_files_that_moved_before_they_were_read(shell_on_both: Shell, folder: Path) -> None:
    shell = shell_on_both
    job = _job(shell("add", folder, "--collection", "inbox"))
    moved = folder.rename(folder.with_name("moved"))
    shell("cancel", job)
    shell.work(job)
    again = _job(shell("add", moved, "--collection", "inbox"))
    assert job_of(shell.store, again).n_documents == 8
    shell.work(again)
    assert _states(shell)["a.pdf"] == "ok"


RECORDS = [
    {
        "no": "a",
        "body": "The bank raised its rate.",
        "label": "economy",
        "published": "2026-01-02",
        "by": {"desk": "x"},
    },
    {"no": "b", "body": "한국은행은 기준금리를 올렸다.", "published": "2025-01-02", "by": {"desk": "y"}},
    {"no": "c"},
]


@pytest.mark.parametrize("meta", [(), ("--meta", "day=published,desk=by.desk"), ("--no-meta",)])
def test_records_in_an_archive_are_documents_with_label_and_metadata(
    shell_on_both: Shell, tmp_path: Path, meta: tuple[str, ...]
) -> None:
    shell = shell_on_both
    lines = "".join(json.dumps(row) + "\n" for row in RECORDS).encode()
    table = b"no;body;label\n1;A row of a table.;sport\n"
    parts = {
        "news/2026.jsonl": lines,
        "t.csv": table,
        "sales.csv": b"year,sales\n2025,1\n",
        "y.pdf": _pdf(*LINES),
    }
    (tmp_path / "e.zip").write_bytes(builders.zipped(parts))
    add = ("add", tmp_path / "e.zip", "--collection", "inbox")
    shell.work(_job(shell(*add, *meta)))
    assert _documents(shell).keys() == {"e.zip!t.csv", "e.zip!sales.csv", "e.zip!y.pdf"}
    said = _rows(shell, "SELECT member, code, detail FROM extraction_warning")
    assert [(row["member"], row["code"]) for row in said] == [("news/2026.jsonl", "NO_RECORDS")]
    assert "as in --text-field body; say so to `docmill add`, with --extract-again" in said[0]["detail"]

    job = shell.done("extract", "--collection", "inbox", "-p", "text_field=body", "-p", "key_field=no")
    documents = _documents(shell)
    assert documents["e.zip!news/2026.jsonl#b"] == RECORDS[1]["body"]
    assert documents["e.zip!t.csv#1"] == "A row of a table."
    assert (
        shell("results", job, "--table", "extraction_warning", "--format", "csv").out.count("MISSING_TEXT")
        == 1
    )
    figures = _rows(shell, f"SELECT n_documents, n_warnings FROM extraction WHERE job_id = {job}")
    assert figures == [{"n_documents": 5, "n_warnings": 1}]
    labels = _rows(shell, "SELECT key, label FROM document WHERE label IS NOT NULL ORDER BY key")
    assert [(row["key"], row["label"]) for row in labels] == [
        ("e.zip!news/2026.jsonl#a", "economy"), ("e.zip!t.csv#1", "sport"),
    ]  # fmt: skip
    wanted = {
        "": "published >= '2026-01-01' and by.desk = 'x'",
        "--meta": "day >= '2026-01-01' and desk = 'x'",
    }
    if (where := wanted.get(meta[0] if meta else "")) is not None:
        found = shell(
            "documents", "list", "--collection", "inbox", "--where", where, "--format", "jsonl"
        ).lines
        assert [json.loads(row)["document_key"] for row in found] == ["e.zip!news/2026.jsonl#a"]


def test_the_options_of_add_reach_records_in_archives(shell: Shell, tmp_path: Path) -> None:
    lines = "".join(json.dumps(row) + "\n" for row in RECORDS).encode()
    folder = tmp_path / "docs"
    folder.mkdir()
    for name in ("a", "b"):
        (folder / f"{name}.jsonl.bz2").write_bytes(bz2.compress(lines))
    fields = ("--text-field", "body", "--key-field", "no")
    shell.work(_job(shell("add", folder / "a.jsonl.bz2", "--collection", "inbox", *fields)))
    assert _documents(shell).keys() == {"a.jsonl.bz2#a", "a.jsonl.bz2#b"}
    # A file that failed for want of them is read again with them.
    shell.work(_job(shell("add", folder / "b.jsonl.bz2", "--collection", "inbox")))
    assert _states(shell)["b.jsonl.bz2"] == "NO_RECORDS"
    shell.work(_job(shell("add", folder, "--collection", "inbox", *fields, "--extract-again")))
    assert len(_documents(shell)) == 4
    said = shell("add", folder, "--collection", "inbox", "--text-field", "a.", status=2).err
    assert "is not the path of a field" in said


def test_extract_again_takes_what_an_older_extractor_has_read(shell_on_both: Shell, folder: Path) -> None:
    shell = shell_on_both
    job = _job(shell("add", folder, "--collection", "inbox"))
    shell.work(job)
    extraction = Base.metadata.tables["extraction"]
    with shell.store.write() as session:
        session.execute(update(extraction).values(extractor=0))
    told = shell("add", folder, "--collection", "inbox")
    assert "5 were extracted by an older version: --extract-again extracts them again" in told.err
    assert told.lines[1:] == []
    again = shell("add", folder, "--collection", "inbox", "--extract-again")
    assert again.lines[1:] == [f"8 files are being extracted: job {_job(again)}"]
    shell.work(_job(again))
    # The same texts: nothing is a new version.
    assert {row["version"] for row in _rows(shell, "SELECT version FROM document")} == {1}
    assert "older" not in shell("add", folder, "--collection", "inbox").err


def test_people_do_not_see_the_collection_of_files(shell_on_both: Shell, folder: Path) -> None:
    shell = shell_on_both
    job = _job(shell("add", folder, "--collection", "inbox"))
    assert shell("collections", "--json").json == [{"collection": "inbox", "n_documents": 1}]
    assert shell("status", job, "--json").json["collection"] == "inbox"
    shell.work(job)
    assert {row["collection"] for row in _rows(shell, "SELECT collection FROM v_failures")} == {"inbox"}
    with shell.store.read() as session:
        name = session.execute(text("SELECT name FROM collection WHERE files_of_id IS NOT NULL")).scalar_one()
    assert "(there are: inbox)" in shell("submit", "summarize", "--collection", name, status=1).err
    assert "not a valid collection name" in shell("add", folder, "--collection", name, status=2).err


def test_the_kind_can_be_submitted_over_all_files(shell: Shell, folder: Path) -> None:
    shell("add", folder, "--collection", "inbox")
    shell.work(1)
    job = shell.done("extract", "--collection", "inbox", "-p", "html=whole")
    assert job_of(shell.store, job).n_documents == 8
    assert shell("submit", "extract", "--collection", "inbox", "--new", "--json").json["n_documents"] == 3
    shell.texts("one", collection="other")
    assert (
        "no file of collection 'other' is read by extract"
        in shell("submit", "extract", "--collection", "other").out
    )


def test_a_wrong_parameter_is_refused_before_anything_is_stored(shell: Shell, folder: Path) -> None:
    said = shell("add", folder, "--collection", "inbox", "-p", "html=some", status=2)
    assert "html must be one of auto, main, whole" in said.err
    assert shell("collections", "--json").json == []


def test_what_is_no_document_is_reported_as_before(shell: Shell, tmp_path: Path) -> None:
    folder = tmp_path / "mixed"
    folder.mkdir()
    (folder / "a.py").write_text("print('no document')")
    (folder / "b.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (folder / "c").write_bytes(_pdf(*LINES))
    (folder / "d.txt").write_bytes(_pdf(*LINES))
    said = shell("add", folder, "--collection", "inbox", status=3)
    assert "1 file ending in .png was skipped" in said.err
    assert "1 file ending in .py was skipped" in said.err
    # Content counts, not the name.
    assert "2 files are being extracted: job 1" in said.out
    shell.work(1)
    assert _documents(shell).keys() == {"c", "d.txt"}


def test_two_files_of_one_key(shell: Shell, folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    shutil.copy(folder / "a.pdf", other)
    said = shell("add", folder, other, "--collection", "inbox", status=3)
    assert "DUPLICATE_KEY: an earlier file has the same key" in said.err


# --- the promise ----------------------------------------------------------------------------------------------


def test_a_killed_worker_leaves_one_outcome_and_one_document_each(shell_on_both: Shell, folder: Path) -> None:
    shell = shell_on_both
    job = _job(shell("add", folder, "--collection", "inbox"))
    [chunk] = chunks_of(shell.store, job)
    dead = held(shell.store, chunk.id)
    crash(shell.store)
    shell.work(job)
    before = _documents(shell)
    late = Written(
        ok_ids=dead.document_ids, made=[(dead.document_ids[0], NewDocument("late", "x", None, "s"))]
    )
    with pytest.raises(FencedError), shell.store.write() as session:
        chunks.write(session, dead, late, LEASE, close=True)
    assert _documents(shell) == before
    outcomes = _rows(
        shell, f"SELECT document_id, COUNT(*) AS n FROM outcome WHERE job_id = {job} GROUP BY document_id"
    )
    assert [row["n"] for row in outcomes] == [1] * 8


def test_an_outdated_version_read_late_undoes_nothing(shell_on_both: Shell, folder: Path) -> None:
    shell = shell_on_both
    older = _job(shell("add", folder / "a.pdf", "--collection", "inbox"))
    shell("pause", older)
    kept = folder / "kept.pdf"
    shutil.copy(folder / "a.pdf", kept)
    (folder / "a.pdf").write_bytes(_pdf("The newer text."))
    shell.work(_job(shell("add", folder / "a.pdf", "--collection", "inbox")))
    # The older bytes are back in their place when the older job goes on.
    kept.replace(folder / "a.pdf")
    shell("resume", older)
    shell.work(older)
    assert job_of(shell.store, older).n_ok == 1
    assert "The newer text." in _documents(shell)["a.pdf"]


def test_made_documents_of_one_key_are_versions(store: Store) -> None:
    from tests.db.builders import add

    collection = add(store, [NewDocument("k", "t", None, "s")])
    with store.write() as session:
        [origin] = session.execute(text("SELECT id FROM document")).scalars()
        twice = [(origin, NewDocument("k!m", each, None, "s")) for each in ("one", "two")]
        files.add_made(session, collection, twice)
        found = session.execute(text("SELECT text FROM document WHERE key = 'k!m' AND is_latest")).scalars()
        assert list(found) == ["two"]


def test_a_file_that_kills_workers_is_poison_and_its_neighbours_are_read(shell: Shell, folder: Path) -> None:
    shell("add", folder, "--collection", "inbox")
    job = shell.poison("extract", "--collection", "inbox", key=0)
    found = {
        row["error_code"] for row in _rows(shell, f"SELECT error_code FROM v_failures WHERE job_id = {job}")
    }
    assert "POISON" in found
    assert job_of(shell.store, job).n_ok == 4
    [entry] = shell("quarantine", "list", "--collection", "inbox", "--json").json
    assert entry["collection"] == "inbox"


def test_the_same_bytes_under_two_keys_are_extracted_once(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names: list[str] = []

    def counted(parser: Parser, path: str, limits: object, name: str, **how: Any) -> object:
        names.append(name)
        return parser_extract(parser, path, limits, name, **how)

    parser_extract: Any = Parser.extract
    monkeypatch.setattr(Parser, "extract", counted)
    folder = tmp_path / "docs"
    folder.mkdir()
    for name in ("a.pdf", "copy of a.pdf", "z.pdf"):
        (folder / name).write_bytes(_pdf(*LINES))
    (folder / "other.pdf").write_bytes(_pdf("Something else."))
    (folder / "other name.zip").write_bytes(builders.zipped({"x.pdf": _pdf(*LINES)}))

    shell.work(_job(shell("add", folder, "--collection", "inbox")))

    # Which of the copies comes first is not said.
    assert len(names) == 3
    assert {"other name.zip", "other.pdf"} < {*names}
    found = _documents(shell)
    assert found["a.pdf"] == found["copy of a.pdf"] == found["z.pdf"] == found["other name.zip!x.pdf"]
    assert set(_states(shell).values()) == {"ok"}
