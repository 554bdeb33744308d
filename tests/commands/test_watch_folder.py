"""docmill watch-folder: files are taken when they are complete, once, also after a restart."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from db.store import Store
from readers import BadRecord
from scheduler.watched_folder import WatchedFolder
from tests.commands.conftest import Shell
from tests.readers.extraction import builders
from tests.servers import until


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "in"
    made.mkdir()
    return made


def nothing_bad() -> Iterator[BadRecord]:
    return iter(())


def test_a_file_is_taken_once_it_has_not_changed_for_a_while(folder: Path) -> None:
    watched = WatchedFolder(folder, settle_seconds=5)
    file = folder / "sub" / "a.txt"
    file.parent.mkdir()
    file.write_text("one")
    assert not watched.look(100)
    assert not watched.look(104)
    with file.open("a") as growing:
        growing.write(" more")
    assert not watched.look(106)
    ready = watched.look(111)
    assert [*ready] == ["sub/a.txt"]

    watched.taken(ready, nothing_bad)

    assert not watched.look(200)
    assert not watched.growing
    file.write_text("changed once more")
    assert not watched.look(201)
    assert [*watched.look(206)] == ["sub/a.txt"]


def test_a_file_that_replaces_another_is_another(folder: Path) -> None:
    watched = WatchedFolder(folder, settle_seconds=5)
    (folder / "a.txt").write_text("one")
    watched.look(0)
    watched.taken(watched.look(5), nothing_bad)
    (folder / ".a.txt.new").write_text("two")
    os.utime(folder / ".a.txt.new", ns=((folder / "a.txt").stat().st_mtime_ns,) * 2)
    (folder / ".a.txt.new").rename(folder / "a.txt")

    assert not watched.look(6)
    assert [*watched.look(11)] == ["a.txt"]


def test_what_others_still_write_is_left_alone(folder: Path) -> None:
    watched = WatchedFolder(folder, settle_seconds=0)
    for name in (".hidden.txt", "a.txt.part", "b.crdownload", "~$c.docx", "d.tmp", ".~lock.e.odt#"):
        (folder / name).write_text("x")
    os.mkfifo(folder / "f.txt")
    (folder / "link").symlink_to(folder)

    assert not watched.look(0)


def test_a_file_that_changed_while_it_was_read_is_taken_again(folder: Path) -> None:
    watched = WatchedFolder(folder, settle_seconds=0)
    (folder / "a.txt").write_text("x")
    bad = BadRecord(str(folder / "a.txt"), None, None, "CHANGED_WHILE_READ", "")

    watched.taken(watched.look(0), lambda: iter((bad,)))

    assert [*watched.look(1)] == ["a.txt"]


def test_once_adds_what_is_there(shell: Shell, folder: Path) -> None:
    (folder / "a.txt").write_text("one")
    (folder / "b.jsonl").write_text('{"id": 1, "text": "x"}\nnonsense\n')
    (folder / "c.pdf").write_bytes(builders.pdf(builders.pdf_text("Rates rose.")))
    words = ("watch-folder", folder, "--collection", "inbox", "--once", "--settle", "0.05")

    said = shell(*words, status=3)

    assert "3 files: 2 new, 0 changed, 0 unchanged, 1 bad" in said.out
    assert "1 file is being extracted: job 1" in said.out
    assert f"{folder}/b.jsonl:2: NOT_JSON" in said.err
    shell.work(1)
    (folder / "b.jsonl").unlink()
    again = shell(*words)
    assert "2 files: 0 new, 0 changed, 1 unchanged" in again.out
    assert "1 file extracted already" in again.out or "1 file is extracted already" in again.out
    (folder / "a.txt").unlink()
    (folder / "c.pdf").unlink()
    assert "there is nothing to add" in shell(*words).out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("nowhere",), "nowhere is no folder"),
        ((".", "--settle", "-1"), "settle"),
        ((".", "--as", "x"), "as text, html"),
    ],
)
def test_wrong_words_say_what_is_right(shell: Shell, words: tuple[str, ...], said: str) -> None:
    assert said in shell("watch-folder", *words, "--collection", "inbox", status=2).err


@pytest.mark.stack
@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_files_that_arrive_are_added_until_it_is_told_to_end(
    sqlite_store: Store, folder: Path, tmp_path: Path, end: signal.Signals
) -> None:
    url = sqlite_store.url.render_as_string(hide_password=False)
    command = [sys.executable, "-m", "docmill.cli", "watch-folder", str(folder), "--collection", "inbox"]
    log = tmp_path / "log"

    def started() -> subprocess.Popen[bytes]:
        with log.open("ab") as out:
            return subprocess.Popen(
                [*command, "--every", "0.1", "--settle", "0.3"],
                stdout=out, stderr=out, env={**os.environ, "DOCMILL_DATABASE_URL": url},
                # A shell that runs the tests in the background ignores SIGINT, which a child would inherit.
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
            )  # fmt: skip

    def told(words: str) -> None:
        until(lambda: words in log.read_text(), words, 60)

    (folder / "a.txt").write_text("one")
    process = started()
    told("a.txt: 1 new, 0 changed, 0 unchanged")
    (folder / "new").mkdir()
    (folder / "new" / "b.txt").write_text("two")
    told("new/b.txt: 1 new, 0 changed, 0 unchanged")
    process.send_signal(end)
    assert process.wait(30) == 0
    assert "2 documents and files were added" in log.read_text()
    assert "Traceback" not in log.read_text()

    (folder / "c.txt").write_text("three")
    process = started()
    told("3 files: 1 new, 0 changed, 2 unchanged")
    process.send_signal(end)
    assert process.wait(30) == 0
    with sqlite_store.read() as session:
        rows = session.execute(text("SELECT key, version FROM document"))
        assert {row.key: row.version for row in rows} == {"a.txt": 1, "new/b.txt": 1, "c.txt": 1}
