"""The lists of frequent words on PostgreSQL: what queries find by them, and that they are as the documents are."""

from __future__ import annotations

import numpy as np
import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from db.documents import NewDocument
from db.fulltext import best_lists, heaviest, packed_lists, ranking
from db.store import Store
from db.tables import Document, SearchList, SearchPosting
from scheduler import removing
from scheduler.search import SearchRequest, search
from scheduler.search.indexing import index_all, index_some, maintain_lists
from tests.db.builders import add

#: Words by their rank; the first are in most documents.
VOCABULARY = [f"word{chr(97 + i // 26)}{chr(97 + i % 26)}" for i in range(300)]
QUERIES = [(0,), (3,), (1, 2), (3, 5, 8), (2, 4, 6, 9), (1, 40), (0, 7, 30, 60), (2, 3, 5, 11, 20, 50)]


@pytest.fixture
def store(empty_postgres_store: Store, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A store whose lists begin with few documents."""
    for module, name, value in (
        (best_lists, "FREQUENT_FROM", 40),
        (best_lists, "FOLD_FROM", 10),
        (packed_lists, "DEPTH", 100),
        (packed_lists, "OF_COLLECTION", 40),
    ):
        monkeypatch.setattr(module, name, value)
    return empty_postgres_store


def bound(patch: pytest.MonkeyPatch) -> None:
    for name, value in (
        ("CANDIDATES", 100),
        ("FROM_LISTS", 60),
        ("CHOSEN_FROM", 100),
        ("FEWEST_IN_LISTS", 5),
        ("FOR_OTHERS", 40),
        ("FOR_OTHERS_CHOSEN", 40),
    ):
        patch.setattr(ranking, name, value)


def texts(n: int, seed: int) -> list[str]:
    """Texts whose words have the frequencies of a language."""
    chance = np.random.default_rng(seed)
    weights = 1 / np.arange(1, len(VOCABULARY) + 1)
    sizes = np.clip(chance.lognormal(3.3, 0.5, n).astype(int), 5, 200)
    return [" ".join(chance.choice(VOCABULARY, size, p=weights / weights.sum())) for size in sizes]


def filled(store: Store, n: int = 400, collection: str = "news", seed: int = 7) -> None:
    add(
        store,
        [
            NewDocument(f"k{i:04}", body, "odd" if i % 3 else "even", "here")
            for i, body in enumerate(texts(n, seed))
        ],
        collection,
    )
    index_all(store)


def scores(
    store: Store, words: tuple[int, ...], more: str = "", collection: str | None = None
) -> list[float]:
    query = " ".join(VOCABULARY[word] for word in words) + more
    answer = search(store, SearchRequest(query, collection, limit=10))
    return [round(hit.score, 6) for hit in answer.hits]


def share_found(found: list[float], exact: list[float]) -> float:
    """The share of the ten best scores that was found."""
    return sum(score >= exact[-1] for score in found) / len(exact)


def test_the_ten_best_for_frequent_words_are_found(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    filled(store)
    filled(store, 80, "few", seed=8)
    cases = (
        ("", None),
        (" label:even", None),
        ("", "few"),
        (f" -{VOCABULARY[25]}", None),
        (f" +{VOCABULARY[2]}", None),
    )
    exact = {case: [scores(store, words, *case) for words in QUERIES] for case in cases}
    bound(monkeypatch)
    for case in cases:
        found = [scores(store, words, *case) for words in QUERIES]
        assert np.mean([share_found(*pair) for pair in zip(found, exact[case], strict=True)]) >= 0.9, case


def _list(store: Store, word: str) -> set[int]:
    with store.read() as session:
        return set(best_lists.read(session, [word]).get(word, packed_lists.packed([]))["document"].tolist())


def test_a_list_follows_what_comes_changes_and_goes(store: Store) -> None:
    filled(store)
    first = _list(store, VOCABULARY[0])
    assert len(first) >= 100
    # Much shorter and heavier than all others: these belong into the list.
    heavy = [NewDocument(f"k{i:04}", f"{VOCABULARY[0]} " * 4, None, "here") for i in range(0, 60, 2)]
    add(store, heavy)
    index_some(store)
    with store.read() as session:
        of_heavy = set(session.scalars(select(Document.id).where(Document.version == 2, Document.is_latest)))
    assert of_heavy <= _list(store, VOCABULARY[0])  # found before the list is written anew
    index_all(store)
    with store.read() as session:
        chosen = removing.chosen(session, "news", ["k0000", "k0002", "k0004"], None)
    removing.remove(store, chosen)
    index_all(store)
    with store.read() as session:
        latest = set(session.scalars(select(Document.id).where(Document.is_latest)))
        assert session.scalar(select(SearchList.term).where(SearchList.due_at.is_not(None))) is None
        assert set(session.scalars(select(SearchPosting.document_id))) <= latest
        lists = list(session.scalars(select(SearchList.term)))
    for word in lists:
        assert _list(store, word) <= latest, word
    assert of_heavy & latest <= _list(store, VOCABULARY[0])


def test_a_list_is_built_anew_when_many_of_its_documents_are_gone(store: Store) -> None:
    filled(store, 300)
    gone = _list(store, VOCABULARY[1])
    with store.read() as session:
        keys = list(session.scalars(select(Document.key).where(Document.id.in_(gone))))
        chosen = removing.chosen(session, "news", keys, None)
    removing.remove(store, chosen)
    index_all(store)
    assert len(_list(store, VOCABULARY[1])) >= 100
    assert not _list(store, VOCABULARY[1]) & gone


def test_a_word_that_is_frequent_no_more_has_no_list(store: Store) -> None:
    filled(store, 100)
    with store.read() as session:
        chosen = removing.chosen(session, "news", [f"k{i:04}" for i in range(90)], None)
    removing.remove(store, chosen)
    index_all(store)
    with store.read() as session:
        assert list(session.scalars(select(SearchList.term))) == []


def test_as_long_as_there_is_no_list_marks_are_used(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    filled(store, 150)
    bound(monkeypatch)
    with store.write() as session:
        best_lists.empty(session)
    assert len(scores(store, (0, 1))) == 10


def test_a_list_that_cannot_be_built_in_time_is_put_off_and_holds_no_other_up(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And one transaction builds one list: whoever erases documents waits for it."""
    slow, find = VOCABULARY[0], heaviest.documents

    def documents(session: Session, word: str, *bounds: int) -> dict[str, heaviest.Source]:
        if word == slow:
            session.execute(text("SET LOCAL statement_timeout = '50ms'"))
            session.execute(text("SELECT pg_sleep(5)"))
        return find(session, word, *bounds)

    def dues() -> set[str]:
        with store.read() as session:
            return set(session.scalars(select(SearchList.term).where(SearchList.due_at.is_not(None))))

    monkeypatch.setattr(heaviest, "documents", documents)
    filled(store, 200)
    assert dues() == {slow}
    assert maintain_lists(store) == 0
    monkeypatch.setattr(heaviest, "documents", find)
    with store.write() as session:
        session.execute(text("UPDATE search_list SET best = NULL, due_at = now() - interval '1 second'"))
    before = len(dues())
    assert before > 5
    assert maintain_lists(store) == 1
    assert len(dues()) == before - 1
