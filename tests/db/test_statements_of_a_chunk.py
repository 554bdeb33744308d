"""How often a chunk asks the database to be claimed, loaded and written: each statement costs its client the most."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import event, text
from sqlalchemy.exc import OperationalError

from db import bulk, chunks, erased, limits, results, tallies
from db.chunks import Claim, Holder, Written, one_message
from db.errors import FencedError, NotFoundError
from db.limits import Limit, Scope
from db.results import Rows
from db.store import Store
from db.tables import Base
from tests.db.builders import (
    LEASE,
    a_job,
    chunks_of,
    claim,
    held,
    let_backoffs_pass,
    let_leases_expire,
    outcomes,
    reap,
    sql,
    write_ok,
)
from tests.servers import until

#: (rank, label, score, reason)
ROW = (1, "a", 0.5, None)


@contextmanager
def counted(store: Store) -> Iterator[list[str]]:
    """What is sent meanwhile, but the commits."""
    sent: list[str] = []

    def note(_c: Any, _cursor: Any, statement: str, _values: Any, _x: Any, _many: bool) -> None:
        sent.append(statement)

    event.listen(store.engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(store.engine, "before_cursor_execute", note)


def limit(store: Store, scope: Scope, **values: Any) -> None:
    with store.write() as session:
        limits.put(session, scope, Limit(**values))


def written(store: Store, rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Rows of a job's classification, as they come back."""
    job_id = a_job(store, 1)
    [(document,)] = sql(store, "SELECT max(id) FROM document")
    with store.write() as session:
        columns = ("document_id", "rank", "label", "score", "reason")
        results.write_rows(
            session, "classification", job_id, Rows(columns, [(document, *row) for row in rows])
        )
    query = "SELECT rank, label, score, reason FROM classification WHERE job_id = :job ORDER BY rank"
    return [tuple(row) for row in sql(store, query, job=job_id)]


def test_a_claim_without_limits_is_one_committed_statement_on_postgresql(postgres_store: Store) -> None:
    store = postgres_store
    limit(store, Scope(kind="another"), chunks_at_once=1)
    limit(store, Scope(), weight=2.0)
    [chunk] = chunks_of(store, a_job(store, 10))
    with counted(store) as sent:
        assert claim(store, chunk.id) is not None
    assert len(sent) == 1, sent
    assert claim(store, chunk.id, "w2") is None


LIMITS: dict[str, dict[str, int]] = {
    "chunks at once": {"chunks_at_once": 2},
    "documents a minute": {"documents_per_minute": 6_000},
    "device seconds": {"device_seconds_per_night": 1_000},
    "all": {"chunks_at_once": 2, "documents_per_minute": 6_000, "device_seconds_per_night": 1_000},
}


@pytest.mark.parametrize("values", LIMITS.values(), ids=LIMITS)
def test_a_limit_adds_no_message_to_a_chunk_on_postgresql(
    empty_postgres_store: Store, values: dict[str, int]
) -> None:
    """Neither to one that is admitted, nor to one that is refused."""
    store = empty_postgres_store
    ids = [chunk.id for chunk in chunks_of(store, a_job(store, 40))]

    def n_sent(chunk_id: int) -> tuple[int, int]:
        with counted(store) as claiming:
            taken = held(store, chunk_id)
        with counted(store) as writing:
            write_ok(store, taken)
        return len(claiming), len(writing)

    free = n_sent(ids[0])
    limit(store, Scope(), **values)
    limit(store, Scope(kind="oracle"), **values)
    assert n_sent(ids[1]) == free
    held(store, ids[2])
    used_up = "chunks_at_once = chunks_at_once - 1, next_at = now() + interval '1 hour', seconds_used = 2000"
    sql(store, f"UPDATE job_limit SET {used_up} RETURNING 1")
    with counted(store) as sent:
        assert claim(store, ids[3], "w2") is None
    assert len(sent) == free[0] == 1, sent


def test_a_result_is_written_in_five_messages_on_postgresql(empty_postgres_store: Store) -> None:
    store = empty_postgres_store
    [chunk] = chunks_of(store, a_job(store, 10))
    taken = held(store, chunk.id)
    rows = Rows(
        ("document_id", "rank", "label", "score", "reason"), [(id_, *ROW) for id_ in taken.document_ids]
    )
    with counted(store) as sent, store.write_results() as session:
        chunks.write(
            session, taken, Written(taken.document_ids, rows={"classification": rows}), LEASE, close=True
        )
    begin, *rest = sent
    assert "pg_advisory_xact_lock_shared" in begin
    # What is counted for metrics is one statement, or two if other work is counted with it.
    n_counted = sum("INTO tally" in one for one in rest)
    # A store in which documents were ever removed is asked for them: other tests may have removed some.
    rest = [one for one in rest if not one.startswith("SELECT document.id")]
    assert (len(rest) - n_counted, 1 <= n_counted <= 2) == (3, True), "\n".join(one[:120] for one in rest)
    assert len(outcomes(store, chunk.job_id)) == 10


def test_results_are_written_in_one_message_on_postgresql(empty_postgres_store: Store) -> None:
    """Unless a document has an error, or there are so many rows that COPY is faster."""
    store = empty_postgres_store
    job_id = a_job(store, 30)
    for chunk in chunks_of(store, job_id)[:2]:
        taken = held(store, chunk.id)
        with counted(store) as sent:
            chunks.write_at_once(store, taken, labelled(taken, taken.document_ids), LEASE, close=True)
        assert len(sent) == 1, sent
    last = held(store, chunks_of(store, job_id)[2].id)
    first, *others = last.document_ids
    assert one_message.write(store, last, labelled(last, [first]), LEASE, close=False)
    written = replace(labelled(last, others[1:]), errors=[(others[0], "MEMORY", "no more")])
    assert not one_message.fits(written)
    chunks.write_at_once(store, last, written, LEASE, close=True)
    assert sorted(outcomes(store, job_id).values()) == ["MEMORY", *["ok"] * 29]
    assert sql(store, "SELECT count(*), count(DISTINCT document_id) FROM classification") == [(29, 29)]
    with store.read() as session:
        totals = tallies.totals(session)
    assert totals["documents", "oracle", "ok"] == totals["rows", "oracle", "classification"] == 29
    counts = [(chunk.state, chunk.n_ok, chunk.n_error) for chunk in chunks_of(store, job_id)]
    assert counts == [("closed", 10, 0), ("closed", 10, 0), ("closed", 9, 1)]


def test_one_message_of_a_claim_that_is_lost_writes_nothing(empty_postgres_store: Store) -> None:
    store = empty_postgres_store
    limit(store, Scope(), device_seconds_per_night=1_000)
    [chunk] = chunks_of(store, a_job(store, 10))
    lost = held(store, chunk.id)
    let_leases_expire(store)
    reap(store)
    let_backoffs_pass(store)
    taken = held(store, chunk.id, "w2")
    n_done = "(SELECT SUM(chunks_done) FROM job_limit)"
    counts = f"SELECT name, label, SUM(n), {n_done} FROM tally GROUP BY 1, 2 ORDER BY 1, 2"
    before = sql(store, counts)
    assert not one_message.write(store, lost, labelled(lost, lost.document_ids), LEASE, close=True)
    with pytest.raises(FencedError):
        chunks.write_at_once(store, lost, labelled(lost, lost.document_ids), LEASE, close=True)
    assert sql(store, counts) == before
    assert sql(store, "SELECT job_id FROM outcome UNION ALL SELECT job_id FROM classification") == []
    write_ok(store, taken)


def test_one_message_waits_for_those_who_erase_and_sees_what_they_have_erased(
    empty_postgres_store: Store,
) -> None:
    store = empty_postgres_store
    [chunk] = chunks_of(store, a_job(store, 3))
    taken = held(store, chunk.id)
    gone = taken.document_ids[1]
    with ThreadPoolExecutor(1) as thread:
        with store.write() as session:
            erased.alone(session)
            written = labelled(taken, taken.document_ids)
            writing = thread.submit(chunks.write_at_once, store, taken, written, LEASE, close=True)
            until(lambda: sql(store, "SELECT 1 FROM pg_locks WHERE NOT granted"), "a writer waiting")
            session.execute(text("UPDATE document SET erased_at = now() WHERE id = :id"), {"id": gone})
        assert [error[:2] for error in writing.result().errors] == [(gone, "REMOVED")]
    assert outcomes(store, chunk.job_id) == {"k0": "ok", "k1": "REMOVED", "k2": "ok"}
    assert sql(store, "SELECT count(*) FROM classification") == [(2,)]
    other = held(store, chunks_of(store, a_job(store, 3))[0].id)
    assert one_message.write(store, other, labelled(other, other.document_ids), LEASE, close=True), (
        "no one of these"
    )


def labelled(taken: Claim, document_ids: Sequence[int]) -> Written:
    """The outcome ok and a row for each of these documents."""
    rows = Rows(("document_id", "rank", "label", "score", "reason"), [(id_, *ROW) for id_ in document_ids])
    return Written(document_ids, rows={"classification": rows})


def test_limits_that_come_and_go_hold_from_their_commit_on(store: Store) -> None:
    """Whatever the claim before them met."""
    ids = [chunk.id for chunk in chunks_of(store, a_job(store, 6, per_chunk=1))]
    first = held(store, ids[0])
    limit(store, Scope(), chunks_at_once=1)
    assert claim(store, ids[1]) is None
    write_ok(store, first)
    second = held(store, ids[1])
    assert claim(store, ids[2]) is None
    with store.write() as session:
        limits.remove(session, Scope())
        with pytest.raises(NotFoundError):
            limits.remove(session, Scope())
    held(store, ids[2])
    with counted(store) as sent:
        held(store, ids[3])
    if not store.is_sqlite:
        assert len(sent) == 1, "it knows that there is no limit any more"
    write_ok(store, second)


def test_nobody_erases_while_results_are_written_on_postgresql(postgres_store: Store) -> None:
    def erase() -> None:
        with postgres_store.write(lock_seconds=0.05) as session:
            erased.alone(session)

    for how in (postgres_store.write_results, postgres_store.write):
        with how() as session:
            erased.together(session)
            with pytest.raises(OperationalError):
                erase()
    erase()


@pytest.mark.parametrize("n", [1, 3, bulk.COPY_FROM_ROWS])
def test_rows_come_back_however_many_and_whatever_types_they_mix(store: Store, n: int) -> None:
    scores = (0.25, 1, 0.5)
    rows = [
        (rank, f"글 {rank}", scores[rank % 3], None if rank % 2 else "why 'so' {x}")
        for rank in range(1, n + 1)
    ]
    assert written(store, rows) == rows


@pytest.mark.parametrize(
    ("lengths", "expected"),
    [
        ([], []),
        ([1, 1, 1, 1], [3, 1]),
        ([4, 4, 4], [2, 1]),
        ([10, 1, 10, 1], [1, 1, 1, 1]),
        ([1, 100, 1, 1], [1, 1, 2]),
    ],
)
def test_rows_are_cut_into_pieces_by_their_number_and_their_text(
    lengths: list[int], expected: list[int]
) -> None:
    rows = [(number, "글" * length, None) for number, length in enumerate(lengths)]
    found = list(bulk.pieces(rows, 3, 10))
    assert [len(each) for each in found] == expected
    assert [row for each in found for row in each] == rows


def test_no_statement_holds_more_text_than_a_bound(
    empty_postgres_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A message of PostgreSQL has at most 1 GB, and results of a chunk may be larger."""
    store = empty_postgres_store
    monkeypatch.setattr(bulk, "ARRAY_CHARS", 2_500)
    monkeypatch.setattr(one_message, "MOST_CHARS", 2_500)
    [chunk] = chunks_of(store, a_job(store, 10))
    mine = held(store, chunk.id)
    columns = ("document_id", "rank", "label", "score", "reason")
    values = [(document, 1, "a", 0.5, "x" * 1_000) for document in mine.document_ids]
    large = Written(mine.document_ids, rows={"classification": Rows(columns, values)})
    assert not one_message.fits(large)
    assert one_message.fits(replace(large, rows={"classification": Rows(columns, values[:2])}))
    sizes: list[int] = []

    def note(_c: Any, _cursor: Any, _statement: str, sent: Any, _x: Any, _many: bool) -> None:
        arrays = [
            each for each in (sent.values() if isinstance(sent, dict) else sent) if isinstance(each, list)
        ]
        sizes.append(sum(len(value) for each in arrays for value in each if isinstance(value, str)))

    event.listen(store.engine, "before_cursor_execute", note)
    try:
        chunks.write_at_once(store, mine, large, LEASE, close=True)
    finally:
        event.remove(store.engine, "before_cursor_execute", note)
    assert max(sizes) <= 2_500
    assert [row.reason for row in sql(store, "SELECT reason FROM classification")] == ["x" * 1_000] * 10


@pytest.mark.parametrize("value", [[1, 2], [[1], [2]], [], {"a": 1}, (1, 2)])
@pytest.mark.parametrize("n", [1, 3])
def test_a_column_of_lists_makes_no_array(value: Any, n: int) -> None:
    """`unnest` would make a row of each item."""
    table = Base.metadata.tables["classification"]
    assert not bulk.fit_arrays(table, ("rank", "reason"), [(number, value) for number in range(n)])
    assert bulk.fit_arrays(table, ("rank", "reason"), [(number, "text") for number in range(n)])


def test_a_claim_that_is_refused_says_why_or_nothing(store: Store) -> None:
    [chunk] = chunks_of(store, a_job(store, 1))
    held(store, chunk.id)
    assert chunks.claim_at_once(store, chunk.id, Holder("w2", "w2"), LEASE) is None
    assert chunks.claim_at_once(store, chunk.id + 1000, Holder("w2", "w2"), LEASE) is None
