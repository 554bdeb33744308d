"""Labels that somebody gave: stored by key, preferred by the views, and read by training."""

from __future__ import annotations

import pytest

from db import documents, drift, labels
from db.documents import NewDocument
from db.errors import NotFoundError
from db.labels import Given
from db.results import Rows
from db.selection import latest
from db.store import Store
from tests.db.builders import add, add_documents, held, sql, submit, the_chunk
from workers.training.training_run import StoredDocuments


def give(store: Store, collection: int, key: str, *given: str, source: str = labels.HUMAN) -> list[str]:
    with store.write() as session:
        return labels.give(session, collection, [Given(key, given, source)])


def classified(store: Store, collection: int, label: str) -> int:
    """A job that gave this label to every document."""
    from db import chunks
    from db.chunks import Written

    job_id = submit(store, collection).job_id
    claim = held(store, the_chunk(store, job_id).id)
    rows = Rows(
        ("document_id", "rank", "label", "score", "reason"),
        [(id_, 1, label, 0.75, None) for id_ in claim.document_ids],
    )
    with store.write() as session:
        written = Written(claim.document_ids, (), {"classification": rows})
        chunks.write(session, claim, written, 60, close=True)
    return job_id


def shown(store: Store) -> list[tuple[object, ...]]:
    query = "SELECT document_key, label, score, label_source, model_label FROM v_latest_label ORDER BY document_key"
    return [tuple(row) for row in sql(store, query)]


def test_the_view_prefers_a_given_label_and_says_whose_it_is(store: Store) -> None:
    collection = add_documents(store, 2)
    classified(store, collection, "spam")
    give(store, collection, "k1", "ham")
    assert shown(store) == [
        ("k0", "spam", 0.75, "model", "spam"),
        ("k1", "ham", 1.0, "human", "spam"),
    ]


def test_a_given_label_is_shown_where_no_model_labelled_the_document(store: Store) -> None:
    collection = add_documents(store, 2)
    give(store, collection, "k1", "ham")
    assert shown(store) == [("k1", "ham", 1.0, "human", None)]


def test_the_last_given_label_counts_and_removing_it_brings_the_models_back(store: Store) -> None:
    collection = add_documents(store, 1)
    classified(store, collection, "spam")
    give(store, collection, "k0", "a", "b")
    give(store, collection, "k0", "ham")
    assert [(row["rank"], row["label"]) for row in _listed(store)] == [(1, "ham")]
    with store.write() as session:
        labels.remove(session, collection, "k0")
    assert shown(store) == [("k0", "spam", 0.75, "model", "spam")]
    with pytest.raises(NotFoundError, match="was given no label"), store.write() as session:
        labels.remove(session, collection, "k0")


def test_an_unknown_key_is_named_and_costs_only_itself(store: Store) -> None:
    collection = add_documents(store, 1)
    with store.write() as session:
        unknown = labels.give(session, collection, [Given("k0", ("a",), "f:2"), Given("no", ("a",), "f:3")])
    assert unknown == ["no"]
    assert [row["document_key"] for row in _listed(store)] == ["k0"]


def test_training_takes_documents_with_a_given_label_and_prefers_it(store: Store) -> None:
    own = [
        NewDocument(f"k{i}", f"text {i}", label, "f") for i, label in enumerate(["a", "a", None, None, "a"])
    ]
    collection = add(store, own)
    give(store, collection, "k1", "b")
    give(store, collection, "k2", "c", "d")
    give(store, collection, "k4")
    with store.read() as session:
        ids = [row.id for row in session.execute(latest(collection, labelled_only=True))]
    found = {document.key: document.label for document in StoredDocuments(store, ids)}
    assert found == {"k0": "a", "k1": "b", "k2": '["c", "d"]', "k4": "[]"}


def test_a_given_label_stays_when_the_text_changes(store: Store) -> None:
    collection = add_documents(store, 1)
    give(store, collection, "k0", "ham")
    with store.write() as session:
        documents.add(session, collection, [NewDocument("k0", "another text", "spam", "f")])
    assert shown(store) == [("k0", "ham", 1.0, "human", None)]


def _listed(store: Store) -> list[dict[str, object]]:
    with store.read() as session:
        return list(labels.listing(session))


def test_the_population_stability_index_is_the_sum_over_labels() -> None:
    # 0.4 ln(0.9 / 0.5) - 0.4 ln(0.1 / 0.5)
    assert drift.psi({"a": 50_000, "b": 50_000}, {"a": 90_000, "b": 10_000}) == pytest.approx(
        0.8789, abs=1e-3
    )
    assert drift.psi({"a": 7, None: 3}, {"a": 7, None: 3}) == 0
    assert 0 < drift.psi({"a": 100}, {"b": 100}) < 20
