"""The digest of a night: what it tells is what happened, and no document can load, run or break anything in it."""

from __future__ import annotations

import os
import re
from dataclasses import asdict, dataclass, field, replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select, text

from db.errors import NotFoundError
from db.store import Store
from db.tables import Base
from docmill.pages.night import digest, facts, page, words
from docmill.pages.night.facts import Night
from docmill.pages.night.growth import chance_of, grown
from docmill.pages.night.remedies import _COMMANDS, _KNOWN, remedy
from tests import browser
from tests.commands import nights
from tests.commands.conftest import Shell
from tests.db.builders import sql

VOID = {"meta", "wbr"}
#: Elements that load or run something.
LOADING = {"script", "img", "iframe", "link", "object", "form", "a", "audio", "video", "image", "use"}


@dataclass
class Read(HTMLParser):
    """A page as a browser would take it apart."""

    tags: list[str] = field(default_factory=list)
    attributes: list[tuple[str, str, str | None]] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    text: list[str] = field(default_factory=list)
    _open: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]
        self.ids += [str(value) for name, value in attrs if name == "id"]
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        assert tag in VOID

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def read(html: str) -> Read:
    found = Read()
    found.feed(html)
    assert found._open == []
    return found


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the test of the page leaves its pages, for the tests in a browser."""
    return tmp_path_factory.mktemp("pages")


def test_a_digest_tells_what_happened_and_no_document_can_do_anything(
    shell: Shell, empty_postgres_store: Store, pages: Path
) -> None:
    nights.three_nights(shell)
    with shell.store.read() as session:
        night = facts.of(session)

    assert (night.row["run_id"], night.row["state"], night.row["n_jobs"]) == (3, "finished", 3)
    assert (night.row["n_new"], night.row["n_changed"]) == (14, 1)
    assert [(row["n_new"], row["n_changed"]) for row in night.history] == [(24, 0), (8, 0)]
    assert (night.usual["n_new"], night.usual["n_error"]) == (16, 0)
    assert [
        (row["document_key"], row["label_before"], row["label_after"], row["detail"]) for row in night.labels
    ] == [("a00", "sport", "money", "the text changed")]
    assert "copy" in {key for row in night.neighbours for key in (row["document_key"], row["neighbour_key"])}
    assert {"flood", "홍수"} <= {one.name for one in night.grown_terms}
    assert not {"goal", "match", "은행이"} & {one.name for one in night.grown_terms}
    assert [one.name for one in night.grown_labels] == ["money"]
    [failure] = night.failures
    assert (failure["kind"], failure["error_code"], failure["n"]) == ("similarity", "NO_KNOWN_WORDS", 2)
    assert {row["kind"] for row in night.throughput} == {"classify", "similarity", "summarize"}
    assert len(night.central) == facts.MOST_SUMMARIES
    assert {name: night.n_changes[name] for name in ("failed", "label")} == {"failed": 2, "label": 1}

    for language in words.LANGUAGES:
        html = digest(shell.store, language=language)
        (pages / f"{language}.html").write_text(html, encoding="utf-8")
        _check(html, language)
    first = digest(shell.store, 1)
    (pages / "first.html").write_text(first, encoding="utf-8")
    assert "no earlier night" in first
    assert "No news about: " in first
    said = shell("digest", 2, "--to", pages / "{date}.html", "--language", "ko").out
    assert re.fullmatch(rf"wrote {re.escape(str(pages))}/\d{{4}}-\d\d-\d\d\.html\n", said)
    assert shell("digest", "--to", "-").out.startswith("<!DOCTYPE html>")
    assert (
        "there is no run 9 (the last are: 3 (nightly), 2 (nightly)"
        in shell("digest", 9, "--to", "-", status=1).err
    )
    # The same rows in PostgreSQL are the same night.
    copy(shell.store, empty_postgres_store)
    with empty_postgres_store.read() as session:
        assert plain(facts.of(session)) == plain(night)


def copy(source: Store, target: Store) -> None:
    """Every row, without the triggers that protect them."""
    with source.read() as session, target.write() as writing:
        writing.execute(text("SET LOCAL session_replication_role = replica"))
        for table in Base.metadata.sorted_tables:
            rows = [dict(row) for row in session.execute(select(table)).mappings()]
            if rows and table.name != "view_digest":
                writing.execute(insert(table), rows)


def plain(night: Night) -> dict[str, Any]:
    """Without what differs: when the page was made, and the last digits of durations."""
    found = asdict(replace(night, made_at=night.row["due_at"], models=(), throughput=()))
    found["throughput"] = [(row["kind"], row["n_documents"]) for row in night.throughput]
    for row in (found["row"], found["usual"], *found["history"]):
        row["seconds"] = pytest.approx(float(row["seconds"]), abs=0.01)
    for row in (*found["neighbours"], *found["central"]):
        for name in {"score", "nearness"} & set(row):
            row[name] = row[name] and pytest.approx(row[name])
    return found


def _check(html: str, language: str) -> None:
    assert html.isprintable() or set(re.findall(r"[^\x20-\U0010ffff]", html)) <= {"\n"}
    assert "\u202e" not in html
    assert len(html) < 120_000, "a text of a million characters is cut"
    found = read(html)
    assert not LOADING & set(found.tags)
    names = {name for _, name, _ in found.attributes}
    assert not {"src", "href", "srcset", "style"} & names
    assert not [name for name in names if name.startswith("on")]
    assert "url(" not in html
    assert "@import" not in html
    assert ("meta", "content", page.POLICY) in found.attributes
    assert html.index("Content-Security-Policy") < html.index("<style>")
    assert ("html", "lang", language) in found.attributes
    assert len(set(found.ids)) == len(found.ids)
    assert (
        found.tags.count("h1")
        == found.tags.count("main")
        == found.tags[: found.tags.index("body")].count("title")
        == 1
    )
    said = "".join(found.text)
    assert nights.HOSTILE_KEY in said
    assert "{{7*7}}" in said
    assert "홍수" in said
    assert ("실패" in said) == (language == "ko")


def test_a_file_name_has_no_other_placeholder_than_the_date(shell: Shell, tmp_path: Path) -> None:
    shell.texts("a text")
    said = shell("digest", "--to", str(tmp_path / "{name}.html"), status=2)
    assert "{name} is unknown: there is {date}" in said.err
    assert not list(tmp_path.glob("*.html"))


def test_there_is_no_night_without_a_schedule(shell: Shell) -> None:
    shell.texts("a text")
    assert "docmill schedule add" in shell("digest", "--to", "-", status=1).err
    with pytest.raises(NotFoundError):
        digest(shell.store)


def test_a_night_without_jobs_and_one_that_failed_have_a_page(shell: Shell) -> None:
    shell.texts("a text")
    shell("schedule", "add", "nightly", "--cron", "0 2 * * *", "--job", "oracle --collection inbox --new")
    shell.work(shell("schedule", "run", "nightly", "--json").json["jobs"][0])
    shell("schedule", "run", "nightly")
    assert "There was nothing to do." in digest(shell.store)
    sql(shell.store, "UPDATE run SET fault = '<b>no collection</b>' WHERE id = 2 RETURNING 1")
    assert "It failed: &lt;b&gt;no collection&lt;/b&gt;" in digest(shell.store)
    shell.texts("another text", collection="more")
    shell("schedule", "add", "other", "--cron", "0 2 * * *", "--job", "oracle --collection more")
    shell("schedule", "run", "other")
    assert "Still running: 0 of 1 jobs have ended." in digest(shell.store)


def test_growth_is_told_from_chance() -> None:
    before = {"usual": 100, "rare": 1, "new": 0}
    assert [one.name for one in grown({"usual": 20, "rare": 2, "new": 4}, 100, before, 500)] == ["new"]
    assert grown({"new": 4}, 100, {}, 0) == []
    # 3 of the 3 documents with a word among 10 of 40.
    assert chance_of(3, 10, 0, 30) == pytest.approx(10 * 9 * 8 / (40 * 39 * 38))
    assert chance_of(0, 10, 5, 30) == pytest.approx(1.0)
    # Of thousands of words, some are frequent by chance.
    assert grown({f"w{i}": 3 for i in range(5_000)}, 100, {f"w{i}": 5 for i in range(5_000)}, 500) == []


def test_every_word_is_there_in_both_languages_with_the_same_values() -> None:
    for name, pair in words._WORDS.items():
        assert len({frozenset(re.findall(r"\{(\w+)\}", one)) for one in pair}) == 1, name
        assert re.search("[가-힣]", pair[1]), name
    with pytest.raises(ValueError, match="choose en or ko"):
        words.words("de")


@pytest.mark.parametrize("code", [*_KNOWN, "SOMETHING_ELSE"])
def test_what_to_do_is_a_command_that_exists(code: str, shell: Shell) -> None:
    failure = {
        "error_code": code,
        "job_id": 7,
        "document_key": "a b'",
        "source": "/in/x.pdf",
        "collection": "c",
    }
    advice, command = remedy(failure, "en")
    assert advice.endswith(".")
    words_ = command.split()
    assert words_[0] == "docmill"
    n_words = 2 if words_[1] == "quarantine" else 1
    assert "Usage" in shell(*words_[1 : 1 + n_words], "--help").out
    assert set(_COMMANDS) >= {_KNOWN[code][2]} if code in _KNOWN else True


def test_what_is_cut_is_cut_between_characters() -> None:
    assert page.clean("a\u202eb\x00c\td", 20) == "a\ufffdb\ufffdc d"
    assert page.clean("한" * 30, 10) == "한" * 9 + "…"
    assert page.clean("w" * 1_000_000 + " end", 90, 60) == "w" * 59 + "…"


# --- in a browser -------------------------------------------------------------------------------------------------

#: axe.min.js of the package axe-core, where it is installed.
AXE = os.environ.get("AXE_CORE", "")
WIDER_THAN_THE_SCREEN = """
[...document.querySelectorAll("main *")].filter(one => one.getBoundingClientRect().right > innerWidth + 1
    && getComputedStyle(one).position !== "absolute").map(one => one.outerHTML.slice(0, 80))
"""


@pytest.mark.skipif(browser.CHROMIUM is None, reason="chromium is not installed")
def test_a_browser_shows_it_on_a_desk_a_phone_and_paper_and_asks_nobody_for_anything(pages: Path) -> None:
    if not (pages / "en.html").exists():
        pytest.skip("the page is made by the first test of this file")
    with browser.tab() as tab:
        for name in ("en", "ko", "first"):
            for width, dark in ((1200, False), (375, True), (320, False)):
                tab.open(pages / f"{name}.html", width=width, dark=dark)
                assert tab.requests == [(pages / f"{name}.html").as_uri()]
                assert tab.complaints == []
                assert tab.run(WIDER_THAN_THE_SCREEN) == []
                background = tab.run("getComputedStyle(document.body).backgroundColor")
                assert background == ("rgb(20, 24, 31)" if dark else "rgb(255, 255, 255)")
                if AXE:
                    tab.run(Path(AXE).read_text(encoding="utf-8") + "; 0")
                    found = tab.run(
                        "axe.run().then(found => found.violations.map(v => [v.impact, v.id, v.nodes[0].html]))"
                    )
                    assert found == []
            assert tab.pdf().startswith(b"%PDF-")
            # Paper is as narrow as a phone, and has the tables of a desk.
            tab.open(pages / f"{name}.html", width=718)
            tab.call("Emulation.setEmulatedMedia", media="print")
            heads = "[...document.querySelectorAll('thead')].map(one => getComputedStyle(one).position)"
            assert set(tab.run(heads)) == {"static"}
            tab.call("Emulation.setEmulatedMedia", media="")
        # The policy stops what a page like this would ask for, if something got in.
        tab.run("document.body.innerHTML += '<img src=http://127.0.0.1:9/x onerror=alert(1)>'")
        assert any("Content Security Policy" in words for words in [*tab.complaints, tab.run("''")])
