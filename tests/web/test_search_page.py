"""The search page: hits with marked words, filters, paging, and nothing of a document's markup."""

from __future__ import annotations

from db.access import Role
from db.documents import NewDocument
from db.store import Store
from scheduler.search.indexing import index_all
from tests.db.builders import add
from tests.web.conftest import Browser, signed_in

EVIL = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)> evil"


def _fill(store: Store) -> None:
    new = [
        NewDocument("rate", "한국은행이 기준금리를 인상했다", "economy", "here"),
        NewDocument("oil", "Oil prices rose; the price of gas did not", None, "here"),
        NewDocument(EVIL, f"{EVIL} words {EVIL}", EVIL, "here"),
    ]
    add(store, new)
    index_all(store)


def test_a_search_shows_the_documents_with_their_words_marked(store: Store, browser: Browser) -> None:
    _fill(store)
    assert 'name="q"' in browser.see("/")
    seen = browser.see("/search?q=인상")
    assert "기준금리를 <mark>인상</mark>했다" in seen
    assert 'href="/document?collection=news&amp;key=rate"' in seen
    assert "docmill search 인상" in seen
    assert "<mark>prices</mark> rose; the <mark>price</mark>" in browser.see(
        "/search?q=priced&collection=news"
    )
    assert "No document answers this" in browser.see("/search?q=인상&label=sports")
    assert "<mark>" in browser.see("/search?q=인상&label=economy&after=2020-01-01&before=2999-01-01")
    assert "No document answers this" in browser.see("/search?q=인상&before=2020-01-01")


def test_a_query_that_cannot_be_answered_says_what_to_write(store: Store, browser: Browser) -> None:
    _fill(store)
    assert "write a word to look for" in browser.see("/search?q=label:x", 400)
    assert "no document has the field" in browser.see("/search?q=price+colour:red", 400)
    assert "there is no collection" in browser.see("/search?q=price&collection=none", 400)
    assert "no similarity job has finished" in browser.see("/search?q=price&way=near", 400)
    assert "<mark>prices</mark>" in browser.see("/search?q=price&way=hybrid")
    assert browser.see("/search?q=price&offset=-1&way=none&collection=news")


def test_hits_come_page_by_page(store: Store, browser: Browser) -> None:
    add(store, [NewDocument(f"k{i:02}", f"word number {i}", None, "here") for i in range(45)])
    assert "Index: 45 documents to go" in browser.see("/search?q=word")
    index_all(store)
    first = browser.see("/search?q=word")
    assert first.count("<li value=") == 20
    assert "offset=20" in first
    last = browser.see("/search?q=word&offset=40")
    assert last.count("<li value=") == 5
    assert "More documents" not in last


def test_nothing_of_a_document_or_query_runs_in_the_page(store: Store, browser: Browser) -> None:
    _fill(store)
    for path, status in (
        ("/search?q=evil", 200),
        ("/search?q=%22%3E%3Cscript%3Ealert(1)%3C/script%3E+evil", 400),
        (f"/search?q=evil&label={EVIL}", 200),
        (f"/search?q=evil&collection={EVIL}", 400),
    ):
        seen = browser.see(path, status)
        assert "<script>alert" not in seen
        assert "<img" not in seen


def test_only_who_may_read_may_search(store: Store, anonymous: Browser) -> None:
    _fill(store)
    assert "인상했다" not in anonymous.see("/search?q=인상")
    assert "<mark>인상</mark>했다" in signed_in(store, Role.READ).see("/search?q=인상")
