"""Walks of a person through the pages, in a browser: Playwright drives the machine's own chromium.

They need `pip install --group browser` (make test-pages does that) and chromium; without them they are skipped."""

from __future__ import annotations

import importlib.util
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import uvicorn

from db import access
from db.documents import NewDocument
from db.store import Store
from docmill.web import server
from docmill.web.app import create_app
from scheduler import requests
from scheduler.requests import JobRequest
from tests.browser import CHROMIUM
from tests.db.builders import add, chunks_of, finish, held, sql, write_ok
from tests.servers import until
from tests.web import rich_store
from tests.web.conftest import signed_in
from tests.web.crawling import crawl
from tests.web.rich_store import Words

if TYPE_CHECKING:
    from playwright.sync_api import Page

#: axe.min.js of the package axe-core, where it is installed.
AXE = os.environ.get("AXE_CORE", "")

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed"),
    pytest.mark.skipif(importlib.util.find_spec("playwright") is None, reason="pip install --group browser"),
]


@dataclass(frozen=True)
class Desk:
    """A person's browser at the pages of a store."""

    store: Store
    page: Page
    url: str

    def go(self, path: str) -> None:
        self.page.goto(self.url + path)


@pytest.fixture
def desk(sqlite_store: Store) -> Iterator[Desk]:
    from playwright.sync_api import sync_playwright

    with sqlite_store.write() as session:
        key = access.create_key(session, "walker", access.Role.OPERATE)
    configured = server.config(create_app(sqlite_store))
    configured.port = 0
    serving = uvicorn.Server(configured)
    thread = threading.Thread(target=serving.run, daemon=True)
    thread.start()
    until(lambda: serving.started, "the server's start")
    url = f"http://localhost:{serving.servers[0].sockets[0].getsockname()[1]}"
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
            page = browser.new_page()
            complaints: list[str] = []
            page.on("pageerror", lambda error: complaints.append(str(error)))
            page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
            page.goto(url)
            page.get_by_role("textbox", name="Key").fill(key)
            page.get_by_role("button", name="Sign in").click()
            yield Desk(sqlite_store, page, url)
            assert complaints == []
            browser.close()
    finally:
        serving.should_exit = serving.force_exit = True
        thread.join(30)


def test_the_cause_of_a_bad_night_is_one_click_away(desk: Desk) -> None:
    failed = rich_store.fill(desk.store)
    desk.go("/")
    page = desk.page
    assert "things need you" in page.get_by_role("heading", level=1).inner_text()
    page.get_by_role("link", name="3 documents CORRUPT").click()
    assert page.url.endswith(f"/jobs/{failed}")
    card = page.locator(".card").filter(has_text="CORRUPT")
    assert "page 14: the stream ends early" in card.inner_text()
    assert "It is damaged: get it again" in card.inner_text()
    assert "한국은행은" in card.inner_text(), "the excerpt of an example"


def test_all_failures_of_one_cause_are_retried_and_then_nobody_is_needed_for_them(desk: Desk) -> None:
    rich_store.fill(desk.store)
    desk.go("/")
    page = desk.page
    page.locator(".card").filter(has_text="CORRUPT").get_by_role("button", name="Retry these").click()
    assert "Retry 3 documents with CORRUPT?" in page.get_by_role("heading", level=1).inner_text()
    page.get_by_role("button", name="Retry 3 documents").click()
    said = page.get_by_role("status")
    assert "tries 3 documents" in said.inner_text()
    job_id = int(said.get_by_role("link").first.inner_text().split()[-1])
    assert sql(desk.store, "SELECT n_documents FROM job WHERE id = :id", id=job_id)[0].n_documents == 3
    _do(desk.store, job_id)
    page.get_by_role("link", name="To the overview").click()
    assert page.get_by_role("link", name="CORRUPT").count() == 0
    assert page.get_by_role("link", name="EMPTY_TEXT").count() == 1


def test_a_corrected_label_is_taken_by_the_next_training(desk: Desk) -> None:
    store, page = desk.store, desk.page
    rich_store.fill(store, Words(collection="inbox", model="other"))
    learnt = [NewDocument(f"t{n}", f"text {n}", ("sport", "economy")[n % 2], "f:1") for n in range(10)]
    add(store, learnt, "labelled")
    with store.write() as session:
        training = requests.submit(session, JobRequest("train-classify", "labelled", model="topics")).job_id
    rich_store.train(store, training, 0.8)
    with store.write() as session:
        used = requests.submit(session, JobRequest("classify", "inbox", model="topics")).job_id
    _do(store, used)
    desk.go("/document?collection=inbox&key=2026/기사5")
    page.get_by_label("Right label").fill("sport")
    page.get_by_role("button", name="Correct it").click()
    assert "the next training learns it" in page.get_by_role("status").inner_text()
    assert "sport given by a person" in page.locator("aside").inner_text()
    desk.go(f"/jobs/{training}")
    assert "10 of 10 documents" in page.locator(".lead").inner_text()
    page.get_by_role("button", name="Run it again").click()
    page.get_by_role("button", name="Run it again").click()
    assert "of 11 documents" in page.locator(".lead").inner_text(), "the correction is not taken"


def test_rows_are_reached_by_keys_and_marks_are_switched_without_a_script(desk: Desk) -> None:
    rich_store.fill(desk.store)
    page = desk.page
    desk.go("/jobs")
    page.keyboard.press("j")
    page.keyboard.press("j")
    newest = sql(desk.store, "SELECT max(id) AS id FROM job")[0].id
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/jobs/{newest - 1}")
    page.keyboard.press("?")
    assert page.get_by_role("dialog").is_visible()
    page.keyboard.press("Escape")
    desk.go("/document?collection=inbox&key=2026/기사5")
    marked = page.locator("mark.summary").last
    yellow = _background(marked)
    page.get_by_label("sentences of the summary").uncheck()
    assert _background(marked) != yellow


WIDER_THAN_THE_SCREEN = """() => [...document.querySelectorAll("main *")].filter(one =>
    one.getBoundingClientRect().right > innerWidth + 1 && getComputedStyle(one).position !== "absolute"
    && !one.closest(".wide, svg")).map(one => one.outerHTML.slice(0, 80))"""


def test_every_page_fits_a_desk_and_a_phone_and_axe_finds_no_fault(desk: Desk) -> None:
    rich_store.fill(desk.store)
    page = desk.page
    reader = signed_in(desk.store, access.Role.OPERATE)
    addresses = [
        address for address in crawl(reader) if not address.startswith(("/nights/", "/models/figures"))
    ]
    assert len(addresses) > 15
    for width, scheme in ((1280, "light"), (390, "dark"), (1280, "dark"), (390, "light")):
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=scheme)
        for address in addresses:
            desk.go(address)
            assert page.evaluate(WIDER_THAN_THE_SCREEN) == [], (address, width)
            if AXE:
                page.evaluate(Path(AXE).read_text(encoding="utf-8") + "; 0")
                found = page.evaluate(
                    "() => axe.run().then(found => found.violations.map(v => [v.impact, v.id, v.nodes[0].html]))"
                )
                assert found == [], (address, width, scheme)


def _background(found: Any) -> str:
    return str(found.evaluate("one => getComputedStyle(one).backgroundColor"))


def _do(store: Store, job_id: int) -> None:
    """What workers would do: every document gets a result."""
    for chunk in chunks_of(store, job_id):
        write_ok(store, held(store, chunk.id))
    assert finish(store, job_id)
