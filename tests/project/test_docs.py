"""The documentation: its generated parts are up to date, and the site builds and asks no other host for anything."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest

from db import quarantine

ROOT = Path(__file__).parents[2]
#: Elements that make a browser fetch something, and the attribute that says what.
FETCHED = {
    "link": "href",
    "script": "src",
    "img": "src",
    "iframe": "src",
    "source": "src",
    "video": "src",
    "audio": "src",
    "embed": "src",
    "object": "data",
    "use": "href",
}

CSS_URL = re.compile(r"(?:url\(|@import)\s*['\"]?((?:https?:)?//[^'\")\s]+)")


def run(*command: object, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    # Nothing is fetched while the site is built, either.
    proxies = {f"{scheme}_proxy": "http://127.0.0.1:1" for scheme in ("http", "https")}
    environment = os.environ | proxies | {"NO_MKDOCS_2_WARNING": "1", "PYTHONPATH": str(folder)}
    return subprocess.run(
        [sys.executable, *map(str, command)], cwd=folder, env=environment, capture_output=True, text=True
    )


def test_the_generated_parts_are_up_to_date() -> None:
    said = run("docs/generate.py", "--check")
    assert said.returncode == 0, said.stderr


def test_a_page_that_is_out_of_date_is_named_with_the_fix(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "docs", tmp_path / "docs")
    page = tmp_path / "docs" / "sql.md"
    written = page.read_text(encoding="utf-8")
    page.write_text(written.replace("| `rouge_1` |", "| `rouge_9` |"), encoding="utf-8")

    said = run(tmp_path / "docs" / "generate.py", "--check")
    assert (said.returncode, said.stderr) == (1, "out of date: sql.md: run `make docs`\n")

    said = run(tmp_path / "docs" / "generate.py")
    assert said.stdout == "wrote sql.md\n"
    assert page.read_text(encoding="utf-8") == written


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("mkdocs", reason="make venv installs mkdocs")
    folder = tmp_path_factory.mktemp("site")
    said = run("-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", folder)
    assert said.returncode == 0, said.stdout + said.stderr
    return folder


def test_every_page_is_in_the_site(site: Path) -> None:
    pages = {path.relative_to(ROOT / "docs").with_suffix(".html") for path in (ROOT / "docs").rglob("*.md")}
    assert pages
    assert {page for page in pages if not (site / page).is_file()} == set()
    assert not list(site.rglob("*.py"))


def test_the_site_has_the_client_from_its_docstrings(site: Path) -> None:
    assert "<h" in (site / "api.html").read_text(encoding="utf-8")
    assert 'id="docmill.client"' in (site / "api.html").read_text(encoding="utf-8")


def test_no_page_fetches_anything_from_another_host(site: Path) -> None:
    found = [f"{page.name}: {url}" for page in site.rglob("*.html") for url in _fetched(page)]
    found += [
        f"{sheet.name}: {url}"
        for sheet in site.rglob("*.css")
        for url in re.findall(
            r"(?:url\(|@import)\s*['\"]?((?:https?:)?//[^'\")\s]+)", sheet.read_text(encoding="utf-8")
        )
    ]
    assert found == []


def _fetched(page: Path) -> Iterator[str]:
    seen = _Fetched()
    html = page.read_text(encoding="utf-8")
    seen.feed(html)
    yield from (url for url in seen.urls if re.match(r"(?:https?:)?//", url))
    # Material fetches these from a CDN, or from api.github.com.
    yield from (mark for mark in ('class="mermaid"', 'data-md-component="source"') if mark in html)


class _Fetched(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.urls: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag == "link" and values.get("rel") == "canonical":
            return
        self.urls += [value for name in (FETCHED.get(tag), "srcset") if name and (value := values.get(name))]


def test_every_error_code_of_a_document_is_documented() -> None:
    sources = [path for package in ("nlp_tasks", "workers") for path in (ROOT / package).rglob("*.py")]
    raised = {
        code
        for path in sources
        for code in re.findall(r'DocumentError\(\s*"(\w+)"', path.read_text(encoding="utf-8"))
    }
    documented = {
        code
        for page in ("sql.md", "files.md")
        for code in re.findall(
            r"^\| `?([A-Z_]+)`? \|", (ROOT / "docs" / page).read_text(encoding="utf-8"), re.M
        )
    }
    assert "EMPTY_TEXT" in raised
    assert raised | set(quarantine.CODES) | {"TRAINING_FAILED", "NO_MODEL", "CANCELLED"} <= documented
