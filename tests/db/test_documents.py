"""Documents go in once: new, changed, unchanged; and two that add at the same time."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy import select

from db import documents
from db.bulk import COPY_FROM_ROWS
from db.documents import Added, NewDocument
from db.errors import NotFoundError
from db.store import Store
from db.tables import Document
from tests.db.builders import add, add_documents, sql


def _new(*texts: str, label: str | None = None) -> list[NewDocument]:
    return [NewDocument(f"k{i}", text, label, f"f:{i}") for i, text in enumerate(texts)]


def _added(store: Store, new: Sequence[NewDocument]) -> Added:
    with store.write() as session:
        return documents.add(session, documents.collection_id(session, "news", create=True), new)


def test_new_changed_and_unchanged_are_told_apart(store: Store) -> None:
    assert _added(store, _new("a", "b")) == Added(n_new=2)
    assert _added(store, _new("a", "B", "c")) == Added(n_new=1, n_changed=1, n_unchanged=1)


def test_adding_again_changes_nothing(store: Store) -> None:
    _added(store, _new("a", "b"))
    before = sql(store, "SELECT * FROM document ORDER BY id")
    assert _added(store, _new("a", "b")) == Added(n_unchanged=2)
    assert sql(store, "SELECT * FROM document ORDER BY id") == before


def test_a_changed_text_is_a_new_version_and_the_old_one_stays(store: Store) -> None:
    for text in ("first", "second", "third"):
        _added(store, _new(text))
    rows = sql(store, "SELECT version, text, is_latest FROM document ORDER BY version")
    assert [(version, text, bool(latest)) for version, text, latest in rows] == [
        (1, "first", False),
        (2, "second", False),
        (3, "third", True),
    ]


def test_a_text_that_changes_back_is_a_new_version(store: Store) -> None:
    for text in ("first", "second", "first"):
        assert _added(store, _new(text)).n_unchanged == 0
    assert sql(store, "SELECT max(version) FROM document") == [(3,)]


def test_a_changed_label_is_a_change(store: Store) -> None:
    _added(store, _new("a"))
    assert _added(store, _new("a", label="good")) == Added(n_changed=1)
    assert NewDocument("k", "b", "a", "").content_hash != NewDocument("k", "ab", None, "").content_hash


def test_another_label_for_the_same_text_is_no_new_version(store: Store) -> None:
    """Results are made of the text: they stand."""
    _added(store, _new("a", label="good"))
    assert _added(store, _new("a", label="bad")) == Added(n_changed=1)
    assert _added(store, _new("a", label="bad")) == Added(n_unchanged=1)
    assert sql(store, "SELECT version, label, is_latest FROM document") == [(1, "bad", True)]
    assert _added(store, _new("b", label="bad")) == Added(n_changed=1)
    assert _added(store, _new("b")) == Added(n_changed=1)
    assert sql(store, "SELECT version, label FROM document ORDER BY id") == [(1, "bad"), (2, None)]


def test_the_same_key_in_two_collections_is_two_documents(store: Store) -> None:
    assert add(store, _new("a"), "one") != add(store, _new("a"), "other")
    assert sql(store, "SELECT count(*) FROM document WHERE is_latest") == [(2,)]


def test_korean_and_rare_characters_come_back_as_they_went_in(store: Store) -> None:
    text = "한국어 문서, 𝄞 e\u0301 \u2028 \u200b 끝\n\t"
    _added(store, _new(text))
    with store.read() as session:
        (row,) = documents.texts(session, [sql(store, "SELECT id FROM document")[0][0]])
    assert (row.text, row.key) == (text, "k0")


def test_an_unknown_collection_is_refused_with_the_names_there_are(store: Store) -> None:
    add_documents(store, 1, "reviews")
    with pytest.raises(NotFoundError, match="reviews"), store.read() as session:
        documents.collection_id(session, "revues")


def test_texts_come_in_the_order_of_their_ids_and_a_batch_at_a_time(store: Store) -> None:
    add_documents(store, 7)
    ids = [id_ for (id_,) in sql(store, "SELECT id FROM document ORDER BY id")]
    with store.read() as session:
        assert [row.id for row in documents.texts(session, ids[::-1])] == ids
        assert [row.id for row in documents.stream(session, ids[::-1], batch=3)] == ids
        assert [row.text for row in documents.texts(session, ids[:2], with_text=False)] == ["", ""]


def test_batches_are_bounded_by_number_and_by_characters() -> None:
    many = [NewDocument(f"k{i}", "", None, "") for i in range(documents.BATCH * 2 + 1)]
    assert [len(batch) for batch in documents.batches(many)] == [documents.BATCH, documents.BATCH, 1]
    long = [NewDocument(f"k{i}", "x" * 5_000_000, None, "") for i in range(3)]
    assert [len(batch) for batch in documents.batches(long)] == [1, 1, 1]


@pytest.mark.parametrize("same", [True, False])
def test_two_that_add_the_same_keys_at_once_leave_one_newest_version(store: Store, same: bool) -> None:
    _added(store, _new("old"))
    barrier = threading.Barrier(4)
    faults: list[Exception] = []

    def add_some(number: int) -> None:
        text = "same" if same else f"text of {number}"
        barrier.wait()
        try:
            _added(store, _new(text, *["new"] * 200))
        except Exception as error:
            faults.append(error)

    threads = [threading.Thread(target=add_some, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    assert sql(store, "SELECT count(*) FROM document WHERE is_latest") == [(201,)]
    newest = 2 if same else 5
    assert sql(store, "SELECT max(version) FROM document WHERE key = 'k0'") == [(newest,)]


def test_two_that_make_a_collection_at_once_make_one(store: Store) -> None:
    barrier = threading.Barrier(4)
    found: list[int] = []

    def make() -> None:
        barrier.wait()
        with store.write() as session:
            found.append(documents.collection_id(session, "fresh", create=True))

    threads = [threading.Thread(target=make) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert len(set(found)) == 1


def _with_meta(*metas: dict[str, Any] | None, text: str = "a") -> list[NewDocument]:
    return [NewDocument(f"k{i}", text, None, f"f:{i}", meta=meta) for i, meta in enumerate(metas)]


ODD = {"수": 1, "x": 0.1, "large": 10**17, "tiny": 1e-7, "huge": 1e300, "deep": {"b": [True, None, "'\"\\"]}}


def test_metadata_comes_back_and_the_same_again_changes_nothing(store: Store) -> None:
    many = _with_meta(*[ODD] * (COPY_FROM_ROWS + 1))
    assert _added(store, many) == Added(n_new=len(many))
    assert _added(store, many) == Added(n_unchanged=len(many))
    with store.read() as session:
        metas = list(session.scalars(select(Document.meta)))
    assert [{**meta, "huge": float(meta["huge"])} for meta in metas] == [ODD] * len(many)


def test_changed_metadata_is_no_new_version(store: Store) -> None:
    _added(store, _with_meta({"n": 1}, {"n": 1}, {"n": 1}))
    assert _added(store, _with_meta({"n": True}, {"n": 1}, None)) == Added(n_unchanged=2, n_meta_changed=1)
    rows = sql(store, "SELECT version, is_latest FROM document")
    assert [(version, bool(latest)) for version, latest in rows] == [(1, True)] * 3
    with store.read() as session:
        metas = list(session.scalars(select(Document.meta).order_by(Document.key)))
    assert metas == [{"n": True}, {"n": 1}, {"n": 1}]
    assert metas[0]["n"] is True


def test_a_field_that_is_absent_now_is_gone_and_a_new_version_keeps_what_nobody_read(store: Store) -> None:
    _added(store, _with_meta({"n": 1, "m": 2}, {"n": 1}))
    assert _added(store, _with_meta({"m": 2})) == Added(n_meta_changed=1)
    assert _added(store, _with_meta({"m": 3}, None, text="b")) == Added(n_changed=2)
    with store.read() as session:
        metas = session.execute(
            select(Document.key, Document.version, Document.meta).order_by(Document.key, Document.version)
        ).all()
    assert [tuple(row) for row in metas] == [
        ("k0", 1, {"m": 2}),
        ("k0", 2, {"m": 3}),
        ("k1", 1, {"n": 1}),
        ("k1", 2, {"n": 1}),
    ]
