"""Files that are added while real workers run: one step for a person, and what kills a worker harms no other file."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from sqlalchemy import text

from db.store import Store
from tests.readers.extraction import builders
from tests.servers import missing_redis, until
from workers.settings import settings

pytestmark = [pytest.mark.stack, pytest.mark.slow]

ROOT = Path(__file__).parents[2]
DOCMILL = [sys.executable, "-m", "docmill.cli"]
LINE = "The central bank raised its rate."


def _docmill(*words: object, status: int = 0) -> str:
    said = subprocess.run(
        [*DOCMILL, *map(str, words)], cwd=ROOT, capture_output=True, text=True, timeout=240, check=False
    )
    assert said.returncode == status, said
    return said.stdout + said.stderr


@pytest.fixture
def up(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    if missing := missing_redis():
        pytest.skip(missing)
    log = tmp_path / "up.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [*DOCMILL, "up", "--devices", "cpu:1", "--flower-port", "0", "--no-pages"],
            cwd=ROOT, stdout=output, stderr=output, text=True,
        )  # fmt: skip
    until(lambda: "docmill is up" in log.read_text() or process.poll() is not None, "docmill up")
    assert process.poll() is None, log.read_text()
    yield process
    process.send_signal(signal.SIGINT)
    process.wait(timeout=60)


@pytest.fixture
def opened(up: subprocess.Popen[str]) -> Iterator[Store]:
    store = Store(settings().url)
    yield store
    store.close()


def _pairs(store: Store, query: str) -> dict[str, str]:
    with store.read() as session:
        return {row[0]: row[1] for row in session.execute(text(query))}


STATES = "SELECT document_key, COALESCE(error_code, state) FROM v_extractions"


def test_adding_a_folder_is_one_step(up: subprocess.Popen[str], opened: Store, tmp_path: Path) -> None:
    folder = tmp_path / "docs"
    folder.mkdir()
    page = builders.pdf(builders.pdf_text(LINE))
    (folder / "a.pdf").write_bytes(page)
    (folder / "b.docx").write_bytes(builders.docx(LINE))
    (folder / "c.hwpx").write_bytes(builders.hwpx("한국은행은 기준금리를 올렸다."))
    (folder / "d.html").write_text(f"<!doctype html><html><body><p>{LINE}</p></body></html>")
    (folder / "e.zip").write_bytes(builders.zipped({"x.pdf": page, "y.txt": b"Plain text in an archive."}))
    (folder / "f.pdf").write_bytes(page[:200])
    (folder / "g.pdf").write_bytes(builders.encrypted_pdf())
    (folder / "h.txt").write_text(LINE)

    said = _docmill("add", folder, "--collection", "inbox", "--wait", status=3)
    assert "7 files are being extracted: job 1" in said
    assert "job 1 is finished" in said
    assert _pairs(opened, STATES) == {
        "a.pdf": "ok", "b.docx": "ok", "c.hwpx": "ok", "d.html": "ok", "e.zip": "ok", "f.pdf": "CORRUPT",
        "g.pdf": "ENCRYPTED",
    }  # fmt: skip
    assert "0 differ" in _docmill("verify", "1")
    assert "7 ok, 0 failed" in _docmill("submit", "summarize", "--collection", "inbox", "--wait")
    assert "job 3" not in _docmill("add", folder, "--collection", "inbox", "--wait", status=3)

    _a_file_that_segfaults_is_poison(opened, folder)
    _a_worker_that_is_killed_loses_nothing(up, opened, tmp_path)


def _a_file_that_segfaults_is_poison(store: Store, folder: Path) -> None:
    """By a kind over files that crashes for one of them."""
    shutil.copy(folder / "a.pdf", folder / "z.pdf")
    (folder / "crash.pdf").write_text("!crash")
    _docmill("add", folder, "--collection", "inbox", "--wait", status=3)
    said = _docmill("submit", "read-files", "--collection", "inbox", "--wait", status=3)
    assert "8 ok, 1 failed" in said
    failed = "SELECT document_key, error_code FROM v_failures WHERE kind = 'read-files'"
    assert _pairs(store, failed) == {"crash.pdf": "POISON"}
    made = _pairs(
        store,
        "SELECT d.key, c.name FROM document d JOIN collection c ON c.id = d.collection_id WHERE d.key LIKE '%!read'",
    )
    assert len(made) == 8
    assert set(made.values()) == {"inbox"}


def _a_worker_that_is_killed_loses_nothing(up: subprocess.Popen[str], store: Store, tmp_path: Path) -> None:
    """Its child is killed again and again while 300 files are extracted."""
    many = tmp_path / "many"
    many.mkdir()
    pages = [builders.pdf_text(LINE)] * 40
    for n in range(300):
        (many / f"{n}.pdf").write_bytes(builders.pdf(*pages, builders.pdf_text(f"File {n}.")))
    _docmill("add", many, "--collection", "many")
    n_killed = 0
    count = "SELECT 'n', COUNT(*) FROM v_extractions WHERE collection = 'many' AND state <> 'waiting'"
    for wanted in (1, 60, 150):
        until(lambda: int(_pairs(store, count)["n"]) >= wanted, f"{wanted} outcomes")  # noqa: B023
        n_killed += _kill_a_child(up)
    until(lambda: int(_pairs(store, count)["n"]) == 300, "every outcome")
    assert n_killed
    assert set(_pairs(store, f"{STATES} WHERE collection = 'many'").values()) == {"ok"}
    documents = _pairs(
        store,
        "SELECT d.key, d.version FROM document d JOIN collection c ON c.id = d.collection_id WHERE c.name = 'many'",
    )
    assert len(documents) == 300
    assert set(documents.values()) == {1}


def _kill_a_child(up: subprocess.Popen[str]) -> int:
    """Kill the processes that run chunks: those of Celery's pool."""
    n = 0
    for process in psutil.Process(up.pid).children(recursive=True):
        try:
            if "spawn_main" in " ".join(process.cmdline()):
                os.kill(process.pid, signal.SIGKILL)
                n += 1
        except (psutil.NoSuchProcess, ProcessLookupError):
            continue
    return n
