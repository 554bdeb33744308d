"""Full text search: what is found, in which order, and that the index is as the documents are."""

from __future__ import annotations

import os
import threading
import time
from contextlib import suppress
from typing import Any

import pytest
from alembic import command
from sqlalchemy import select, text

from db import documents, fulltext, migrations
from db.documents import NewDocument
from db.fulltext import Indexed, ranking
from db.store import Store
from db.tables import Collection, Document, GivenLabel
from nlp_tasks import search_words
from scheduler import removing
from scheduler.broker import Broker
from scheduler.loop import Scheduler
from scheduler.search import Answer, SearchRequest, excerpts, search
from scheduler.search.indexing import Indexer, index_all, index_some
from tests.db.builders import a_job, add, add_documents
from workers.app import make_app
from workers.settings import settings

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


def _is_exact(store: Store) -> None:
    """The index has every latest document once, and its counts are those of what is there."""
    with store.read() as session:
        latest = set(session.scalars(text("SELECT id FROM document WHERE is_latest")))
        assert set(session.scalars(text("SELECT id FROM search_document"))) == latest
        assert fulltext.count(session) == 0
        if store.is_sqlite:
            session.execute(text("INSERT INTO search_text (search_text, rank) VALUES ('integrity-check', 1)"))
            return
        counted = "SELECT word, ndoc FROM ts_stat('SELECT words FROM search_document') ORDER BY 1"
        kept = "SELECT term, n_documents FROM search_term ORDER BY 1"
        assert dict(map(tuple, session.execute(text(kept)))) == dict(
            map(tuple, session.execute(text(counted)))
        )
        sums = "SELECT count(*), sum(n_words) FROM search_document"
        total = "SELECT n_documents, n_words FROM search_total"
        assert tuple(session.execute(text(total)).one()) == tuple(session.execute(text(sums)).one())


def test_the_index_is_exact_after_any_changes(store: Store) -> None:
    texts = {f"k{i}": f"word{i % 7} word{i % 3} common 단어 {i}" for i in range(40)}
    filled(store, texts)
    _is_exact(store)
    filled(store, {f"k{i}": f"changed word{i % 5}" for i in range(0, 40, 3)})
    _is_exact(store)
    with store.read() as session:
        chosen = removing.chosen(session, "news", ["k1", "k3", "k30"], None)
    removing.remove(store, chosen)
    _is_exact(store)
    assert len(keys(store, "changed", limit=100)) == 12
    with store.write() as session:
        assert fulltext.start_again(session) == 37
    assert keys(store, "changed") == []
    index_all(store)
    _is_exact(store)
    assert len(keys(store, "changed", limit=100)) == 12


def test_what_a_killed_process_had_begun_is_done_later(store: Store) -> None:
    add(store, [NewDocument(f"k{i}", f"text {i}", None, "here") for i in range(5)])
    with store.read() as session:
        waiting = fulltext.next_texts(session, 5, 1_000, newest_first=True)
    with suppress(KeyboardInterrupt), store.write() as session:
        assert fulltext.write(session, [Indexed(each.id, ["text"]) for each in waiting]) == 5
        raise KeyboardInterrupt
    assert ask(store, "text").n_waiting == 5
    assert index_all(store) == 5
    _is_exact(store)


def test_a_text_that_was_replaced_while_it_was_analysed_is_not_found(store: Store) -> None:
    add(store, [NewDocument("k", "old words", None, "here")])
    with store.read() as session:
        [waiting] = fulltext.next_texts(session, 5, 1_000, newest_first=True)
    add(store, [NewDocument("k", "new words", None, "here")])
    with store.write() as session:
        assert fulltext.write(session, [Indexed(waiting.id, ["old", "words"])]) == 1
    assert index_all(store) == 1
    _is_exact(store)
    assert (keys(store, "old"), keys(store, "new")) == ([], ["k"])


def test_two_schedulers_index_each_document_once(store: Store) -> None:
    add(store, [NewDocument(f"k{i}", f"text {i} 단어", None, "here") for i in range(120)])

    def work() -> None:
        while index_some(store, n_documents=10):
            pass

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    index_all(store)
    _is_exact(store)


def test_the_loop_fills_the_index(store: Store, redis_url: str) -> None:
    add(store, [NewDocument(f"k{i}", f"text {i}", None, "here") for i in range(3)])
    scheduler = Scheduler(store, Broker(make_app()), settings())
    while scheduler.run_once():
        pass
    scheduler.broker.close()
    _is_exact(store)


class Waits(threading.Event):
    """Notes how long somebody waits for it."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.seconds.append(timeout or 0.0)
        return False


def test_indexing_leaves_time_to_jobs_and_holds_no_lock_at_a_lower_priority(store: Store) -> None:
    priorities: list[int] = []

    def turn(stopping: threading.Event) -> None:
        Indexer(store, stopping).turn()
        priorities.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))

    for busy in (False, True):
        if busy:
            a_job(store, 10)
        add_documents(store, 10, f"more {busy}")
        stopping = Waits()
        thread = threading.Thread(target=turn, args=(stopping,))
        thread.start()
        thread.join()
        assert bool(sum(stopping.seconds)) is busy

    # With a lower one, everybody would wait for this thread on a busy machine.
    assert priorities == [os.getpriority(os.PRIO_PROCESS, 0)] * 2
    _is_exact(store)


def test_files_of_which_documents_are_made_are_not_found(store: Store) -> None:
    filled(store)
    with store.write() as session:
        number = session.scalar(select(Collection.id).where(Collection.name == "news"))
        session.add(Collection(name=" files of news", files_of_id=number))
    with store.write() as session:
        of = session.scalar(select(Collection.id).where(Collection.files_of_id.is_not(None)))
        assert of is not None
        documents.add(session, of, [NewDocument("a.pdf", "인상 of a file", None, "here")])
    index_all(store)
    assert keys(store, "인상") == ["rate", "export"]
    assert "a.pdf" not in keys(store, "file")


def test_a_label_is_the_one_that_a_person_gave_or_else_its_own(store: Store) -> None:
    new = [NewDocument(f"k{i}", f"text {i}", label, "here") for i, label in enumerate(["a", "a", "b", None])]
    collection = add(store, new)
    index_all(store)
    with store.write() as session:
        session.add(GivenLabel(collection_id=collection, document_key="k1", rank=1, label="b", source="here"))
    assert sorted(keys(store, "text label:a")) == ["k0"]
    assert sorted(keys(store, "text label:b")) == ["k1", "k2"]
    assert sorted(keys(store, "text -label:b")) == ["k0", "k3"]


def test_metadata_dates_and_numbers_are_conditions(store: Store) -> None:
    metas = [{"company": "O'Hara", "pages": 9}, {"company": "한국 전력", "pages": 12}, {"pages": "100"}]
    new = [NewDocument(f"k{i}", "text", None, "here", meta=meta) for i, meta in enumerate(metas)]
    add(store, new)
    index_all(store)
    assert keys(store, "text company:O'Hara") == ["k0"]
    assert keys(store, 'text company:"한국 전력"') == ["k1"]
    assert sorted(keys(store, "text pages:>9")) == ["k1", "k2"]
    assert keys(store, "text pages:9") == ["k0"]
    assert sorted(keys(store, "text -company:O'Hara")) == ["k1", "k2"]
    assert keys(store, "text -company:O'Hara company:<>Z") == ["k1"]
    assert len(keys(store, "text after:2020-01-01 before:2999-01-01")) == 3
    assert keys(store, "text before:2020-01-01") == []
    assert keys(store, "text http://example.com/x") != []
    assert keys(store, "text", where="pages = 12", collection="news") == ["k1"]


def test_an_excerpt_is_the_part_with_the_most_words_of_the_query() -> None:
    body = (
        "beginning " + "filler words here " * 500 + "the saffron market of Zürich rose " + "more text " * 500
    )
    found = excerpts.of(body, set(search_words.words("saffron zurich markets")))
    marked = [found.text[start:end] for start, end in found.marks]
    assert marked == ["saffron", "market", "Zürich"]
    assert found.begins_inside
    assert found.ends_inside
    assert len(found.text) <= excerpts.CHARS
    assert excerpts.of("", {"a"}) == excerpts.Excerpt("")
    assert excerpts.of("no such word", {"other"}).marks == ()
    assert excerpts.of(body, ()).text.startswith("beginning filler")
    assert excerpts.of("<p>R&amp;D <b>bold</b></p>", {"bold"}).text == "R&D bold"


def test_an_excerpt_of_a_huge_text_takes_little_time() -> None:
    began = time.process_time()
    for body in ("가" * 200_000, "saffron " * 30_000, "x" * 200_000, "금리 " * 70_000):
        excerpts.of(body, {"saffron", "금리", "인상"})
    assert time.process_time() - began < 5


@pytest.mark.parametrize("body", ["", "   ", "\n", "!!!", "하다", "word " * 300_000, "z" * 500_000])
def test_any_text_can_be_indexed(store: Store, body: str) -> None:
    add(store, [NewDocument("k", body, None, "here"), NewDocument("other", "plain", None, "here")])
    assert index_all(store) == 2
    assert keys(store, "plain") == ["other"]


def test_words_of_many_forms_are_one() -> None:
    for forms in ("price prices priced pricing", "study studies studied studying", "stop stops stopped stopping",
                  "increase increased increases increasing", "café cafe", "1,000 1000", "dog's dog dogs"):  # fmt: skip
        assert len({search_words.words(form)[0] for form in forms.split()}) == 1, forms
    assert search_words.words("news us bus class analysis is") == [
        "new",
        "us",
        "bus",
        "class",
        "analysi",
        "is",
    ]


def test_documents_of_an_older_store_wait_after_its_upgrade(fresh: Store) -> None:
    config = migrations.alembic_config()
    with fresh.engine.execution_options(docmill_write=True).begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0049")
        connection.execute(
            text("INSERT INTO collection (id, name, created_at) VALUES (1, 'c', CURRENT_TIMESTAMP)")
        )
        connection.execute(text("INSERT INTO collection (id, name, created_at, files_of_id) "
                                "VALUES (2, ' files', CURRENT_TIMESTAMP, 1)"))  # fmt: skip
        for collection, key, version, is_latest in (
            (1, "k", 1, False),
            (1, "k", 2, True),
            (2, "f.pdf", 1, True),
        ):
            connection.execute(
                text(
                    "INSERT INTO document (collection_id, key, version, is_latest, text, content_hash, body_chars, "
                    "source, added_at) VALUES (:c, :k, :v, :l, 'old words', :h, 9, 's', CURRENT_TIMESTAMP)"
                ),
                {"c": collection, "k": key, "v": version, "l": is_latest, "h": b""},
            )
    migrations.upgrade(fresh)
    assert index_all(fresh) == 1
    assert keys(fresh, "words") == ["k"]


def test_of_a_frequent_word_the_documents_in_which_it_weighs_most_are_found(
    empty_postgres_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = empty_postgres_store
    texts = {f"k{i:02}": "common " * (1 + i % 10) + "other " * 9 + f"w{i} rare{i % 25}" for i in range(100)}
    filled(store, texts)
    exact = {
        query: ask(store, query, limit=5)
        for query in ("common", "common other", "common rare3", "rare3 rare4")
    }
    monkeypatch.setattr(ranking, "CANDIDATES", 24)
    for query, wanted in exact.items():
        found = ask(store, query, limit=5)
        if "rare" in query or query == "common":
            assert found.hits[0].score == wanted.hits[0].score, query
        assert len(found.hits) == 5
        assert found.is_whole == query.startswith("rare")
        assert wanted.is_whole


def test_a_text_of_the_longest_words_is_indexed_and_holds_up_nobody(store: Store) -> None:
    """One character may stand for many, and PostgreSQL refuses words that are too long."""
    texts = {"long": "á" + "\ufdfa" * 99, "other": "a price"}
    add(store, [NewDocument(key, body, None, "f") for key, body in texts.items()])

    assert index_all(store) == 2
    assert keys(store, "price") == ["other"]
