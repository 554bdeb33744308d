"""Full text search: what is found, in which order, and that the index is as the documents are."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select, text

from db import documents, fulltext
from db.documents import NewDocument
from db.store import Store
from db.tables import Document
from scheduler import removing
from scheduler.search import Answer, SearchRequest, search
from scheduler.search.indexing import index_all, index_some
from tests.db.builders import add

NEWS = {
    "rate": "한국은행이 기준금리를 0.25%포인트 인상했다. 금리 인상은 두 달 만이다.",
    "export": "반도체 수출이 크게 늘었다. 수출 단가도 인상되었다.",
    "prices": "Oil prices rose sharply while traders were pricing in a rate hike.",
    "review": "아름다운 풍경이 있는 영화. The price of a ticket is fair.",
}


def filled(store: Store, texts: dict[str, str] = NEWS, **more: Any) -> int:
    collection = add(store, [NewDocument(key, body, None, "here", **more) for key, body in texts.items()])
    index_all(store)
    return collection


def ask(store: Store, query: str, **more: Any) -> Answer:
    return search(store, SearchRequest(query, **more))


def keys(store: Store, query: str, **more: Any) -> list[str]:
    return [hit.document_key for hit in ask(store, query, **more).hits]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("인상", ["rate", "export"]),
        ("인상했다", ["rate", "export"]),
        ("price", ["prices", "review"]),
        ("priced", ["prices", "review"]),
        ("아름답다", ["review"]),
        ("아름다웠던", ["review"]),
        ('"금리 인상"', ["rate"]),
        ('"수출 인상"', []),
        ("인상 -수출", ["rate"]),
        ("+수출 인상", ["export"]),
        ("price key:review", ["review"]),
        ("price -key:review", ["prices"]),
        ("zebra", []),
    ],
)
def test_a_query_finds_every_form_of_its_words(store: Store, query: str, found: list[str]) -> None:
    filled(store)
    assert keys(store, query) == found


def test_the_best_document_has_more_and_rarer_words_and_is_shorter(store: Store) -> None:
    texts = {f"common{i}": f"market news of the day, number {i}" for i in range(8)}
    texts |= {
        "rare": "market news about saffron",
        "often": "saffron saffron saffron",
        "long": "saffron " + "word " * 40,
    }
    filled(store, texts)
    assert keys(store, "saffron market", limit=3) == ["often", "rare", "long"]


def test_what_is_replaced_is_found_by_its_new_words_only(store: Store) -> None:
    filled(store)
    filled(store, {"rate": "환율이 급락했다"})
    assert keys(store, "기준금리") == []
    assert keys(store, "환율") == ["rate"]
    assert ask(store, "환율").n_waiting == 0


def test_what_is_not_indexed_yet_is_counted(store: Store) -> None:
    add(store, [NewDocument(f"k{i}", f"text {i}", None, "here") for i in range(5)])
    assert ask(store, "text").n_waiting == 5
    index_some(store, n_documents=2)
    answer = ask(store, "text")
    assert (len(answer.hits), answer.n_waiting) == (2, 3)


def test_a_document_that_is_removed_leaves_no_word_behind(store: Store) -> None:
    filled(store, NEWS | {"secret": "Zanzibarium is a secret word"})
    with store.read() as session:
        chosen = removing.chosen(session, "news", ["secret"], None)
    removing.remove(store, chosen)
    assert keys(store, "Zanzibarium") == []
    assert keys(store, "word") == []
    with store.read() as session:
        for table in ("search_document", "search_term"):
            rows = session.execute(text(f"SELECT * FROM {table}")).all()
            assert "zanzibarium" not in str(rows), table
    assert store.file is None or b"zanzibarium" not in store.file.read_bytes()


def test_a_document_taken_out_of_its_collection_is_not_found(store: Store) -> None:
    collection = filled(store)
    with store.write() as session:
        [id_] = session.scalars(select(Document.id).where(Document.key == "rate"))
        documents.remove(session, collection, [id_])
    assert keys(store, "인상") == ["export"]
    index_all(store)
    with store.read() as session:
        assert fulltext.count(session) == 0
        assert session.scalar(text("SELECT count(*) FROM search_document")) == 3


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("", "write a word"),
        ("   ", "write a word"),
        ('"open', "has no other one"),
        ("label:news", "write a word"),
        ("-news", "beside those"),
        ("하다", "can be looked for"),
        ("news before:yesterday", "before:2026-01-31"),
        ("news colour:red", "no document has the field"),
        ("x" * 3000, "at most 2,000"),
        (" ".join(f"w{i}" for i in range(70)), "more than 64"),
    ],
)
def test_a_query_that_cannot_be_answered_says_what_to_write(store: Store, query: str, says: str) -> None:
    filled(store)
    with pytest.raises(ValueError, match=says):
        ask(store, query)


ATTACKS = [
    "a' | b", "a & b", "price:*", "pri*", 'words:"x"', "NEAR(a b)", "a OR b AND NOT c", "^price", "{a b}",
    "a\\", "a\\'",
    "'; DROP TABLE document; --", "%s %(x)s {{7*7}}", "1^price", "c^1", "\x00price", "<script>alert(1)</script>",
    "\ud800", "''''", "((((", "<-> a", "!a", "a:A", "price\u2028", "\\:a", "a" * 1900,
]  # fmt: skip


@pytest.mark.parametrize("attack", ATTACKS)
def test_no_query_is_taken_for_the_databases_own_language(store: Store, attack: str) -> None:
    filled(store, {"a": "alpha", "p": "price"})
    for query in (attack, f'"{attack}"', f"+{attack}", f"alpha -{attack}"):
        try:
            found = keys(store, query)
        except ValueError:
            continue
        assert set(found) <= {"a", "p"}
    with pytest.raises(ValueError, match="1 to 100"):
        ask(store, "words", limit=0)
    assert keys(store, "price") == ["p"]
