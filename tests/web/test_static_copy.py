"""docmill pages: files that need no server, in a folder that is replaced as a whole."""

from __future__ import annotations

import json
import os
import re
import threading
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from db.documents import NewDocument
from db.errors import StoreError
from db.store import Store
from docmill.cli import app
from docmill.web.app import create_app
from docmill.web.static_copy import making
from docmill.web.static_copy.limits import Limits, Pages
from tests import browser
from tests.db.builders import add, submit
from tests.web.test_pages import EVIL, _failed_job, crash_each

#: Documents of a collection: more than a page lists.
N = 52
FEW = Limits(documents=1)


@pytest.fixture
def filled(store: Store) -> Store:
    """Jobs that failed, documents in quarantine, names with anything in them, and more documents than a page lists."""
    _failed_job(store, EVIL)
    keys = [f"{EVIL}/../보고서 #{n}?&.txt" for n in range(N)]
    collection = add(store, [NewDocument(key, EVIL, EVIL, EVIL) for key in keys], f"받은 편지 {EVIL}")
    crash_each(store, submit(store, collection, per_chunk=100).job_id)
    return store


def copied(store: Store, to: Path, limits: Limits | None = None) -> making.Copied:
    return making.copy(store, to, limits or Limits(), lambda _: None)


def links(folder: Path) -> Iterator[tuple[Path, str]]:
    for file in folder.rglob("*.html"):
        for href in re.findall(r'<a [^>]*href="([^"]*)"', file.read_text()):
            yield file, unescape(href)


def test_every_link_leads_to_a_file_and_no_file_needs_a_server(filled: Store, tmp_path: Path) -> None:
    made = copied(filled, tmp_path / "copy")
    reached = {tmp_path / "copy" / "index.html"}
    for file, href in links(tmp_path / "copy"):
        path = urlsplit(href).path
        assert not href.startswith("/"), href
        target = (file.parent / unquote(path)).resolve() if path else file
        assert target.is_file(), (file, href)
        reached.add(target)
    written = {file.resolve() for file in (tmp_path / "copy").rglob("*.html")}
    assert written == {file.resolve() for file in reached}
    assert len(written) == made.n_pages
    names = {file.relative_to(tmp_path / "copy").parts[0] for file in written}
    assert names >= {"index.html", "jobs.html", "jobs", "documents", "document", "models.html", "nights.html",
                     "workers.html", "quarantine.html", "collections.html"}  # fmt: skip
    assert len(list((tmp_path / "copy" / "document").iterdir())) == N + 2
    assert all(str(file).isascii() for file in written)
    for file in written:
        _needs_no_server(file.read_text())


def test_a_link_elsewhere_stays_and_one_that_runs_something_does_not(sqlite_store: Store) -> None:
    pages = Pages(create_app(sqlite_store), FEW)
    pages.begin()
    assert pages.link("https://example.com/x?y#z", on="/") == "https://example.com/x?y#z"
    assert pages.link("javascript:alert(1)", on="/") is None
    assert pages.link("/login", on="/") is None
    assert pages.link("/jobs?state=failing", on="/") is None
    assert pages.link("/jobs", on="/") == "jobs.html"
    assert pages.link("/jobs/7/results#d1", on="/jobs") == "jobs/7/results.html#d1"
    assert pages.link("/", on="/jobs/7/results") == "../../index.html"
    assert pages.link("#content", on="/jobs") == "#content"


def _needs_no_server(page: str) -> None:
    assert re.search(r'http-equiv="Content-Security-Policy" content="default-src \'none\'', page)
    for tag in ("form", "script", "input", "button", "link", "img"):
        assert f"<{tag}" not in page, tag
    assert "A copy of " in page
    assert "at most 200 documents of each collection" in page


def test_a_collection_is_copied_up_to_a_limit_that_is_told(filled: Store, tmp_path: Path) -> None:
    made = copied(filled, tmp_path / "copy", Limits(documents=3))
    assert len(list((tmp_path / "copy" / "document").iterdir())) == 3 + 2
    assert made.n_left_out["document"] >= N - 3
    assert "at most 3 documents of each" in (tmp_path / "copy" / "jobs.html").read_text()
    copied(filled, tmp_path / "none", Limits(documents=0))
    assert not (tmp_path / "none" / "document").exists()
    assert "no documents" in (tmp_path / "none" / "index.html").read_text()


def test_the_command_says_what_it_wrote_and_replaces_only_its_own(
    sqlite_store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCMILL_DATABASE_URL", sqlite_store.url.render_as_string(hide_password=False))
    add(sqlite_store, [NewDocument("k", "a text", None, "f")], "inbox")
    to = tmp_path / "www"

    def pages(*more: str) -> tuple[int, str]:
        found = CliRunner().invoke(app, ["pages", "--to", str(to), *more])
        return found.exit_code, found.output

    status, said = pages()
    assert status == 0, said
    assert f"{to}/index.html: " in said
    (to / "old.html").write_text("of the copy before")
    os.umask(0o022)
    assert pages("--json")[0] == 0
    assert not (to / "old.html").exists()
    assert to.stat().st_mode & 0o777 == 0o755
    assert json.loads((to / "docmill-pages.json").read_text())["limits"]["documents"] == 200
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".www")] == []
    other = tmp_path / "mine"
    other.mkdir()
    (other / "thesis.txt").write_text("mine")
    to = other
    status, said = pages()
    assert (status, "holds other files" in said) == (2, True)
    assert [path.name for path in other.iterdir()] == ["thesis.txt"]


def test_a_reader_never_finds_the_folder_gone(sqlite_store: Store, tmp_path: Path) -> None:
    to = tmp_path / "www"
    copied(sqlite_store, to)
    stop, missed, n_read = threading.Event(), [], 0

    def read() -> None:
        nonlocal n_read
        while not stop.is_set():
            try:
                assert "docmill" in (to / "index.html").read_text()
                n_read += 1
            except OSError as error:
                missed.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    for _ in range(3):
        copied(sqlite_store, to)
    stop.set()
    reader.join()
    assert n_read > 3
    assert missed == []


def test_a_store_that_fails_leaves_the_old_copy(filled: Store, tmp_path: Path) -> None:
    copied(filled, tmp_path / "copy", FEW)
    before = {file: file.read_bytes() for file in (tmp_path / "copy").rglob("*.html")}
    with filled.write() as session:
        session.execute(text("ALTER TABLE drain RENAME TO drain_gone"))
    try:
        with pytest.raises(StoreError, match="status 503"):
            copied(filled, tmp_path / "copy", FEW)
    finally:
        with filled.write() as session:
            session.execute(text("ALTER TABLE drain_gone RENAME TO drain"))
    assert {file: file.read_bytes() for file in (tmp_path / "copy").rglob("*.html")} == before
    assert [path.name for path in tmp_path.iterdir() if "copy.new" in path.name] == []


@pytest.mark.long
@pytest.mark.skipif(browser.CHROMIUM is None, reason="chromium is not installed")
def test_a_browser_opens_it_from_the_disk_and_complains_of_nothing(
    sqlite_store: Store, tmp_path: Path
) -> None:
    _failed_job(sqlite_store, EVIL)
    copied(sqlite_store, tmp_path / "copy")
    with browser.tab() as tab:
        for file in sorted((tmp_path / "copy").rglob("*.html")):
            tab.open(file, width=1280)
            assert (tab.complaints, tab.requests) == ([], [file.as_uri()]), file
            styled = "getComputedStyle(document.querySelector('main')).paddingLeft !== '0px'"
            assert tab.run(styled) or "<main" not in file.read_text(), file
