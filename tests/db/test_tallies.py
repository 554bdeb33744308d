"""Counters: what is committed is counted, once, whatever way it came; nothing that is pruned takes a count away."""

from __future__ import annotations

import threading
from collections import Counter
from pathlib import Path

import pytest
from alembic import command
from alembic.script import ScriptDirectory

from db import chunks, tallies, view_digest
from db.chunks import Written
from db.migrations import alembic_config
from db.store import Store
from db.tallies import Counted, Requeue
from scheduler import retention
from tests.db import builders
from tests.db.builders import a_job, add_documents, chunks_of, held, sql, submit, the_chunk, write_ok
from tests.db.test_retention import _age, _policy


def counted(store: Store, what: Counted) -> dict[tuple[str, str], int]:
    with store.read() as session:
        return {key[1:]: n for key, n in tallies.totals(session).items() if key[0] == what}


def in_the_table(store: Store) -> Counter[tuple[str, str]]:
    rows = sql(
        store,
        "SELECT j.kind, coalesce(o.error_code, 'ok'), count(*) FROM outcome o JOIN job j ON j.id = o.job_id "
        "GROUP BY j.kind, coalesce(o.error_code, 'ok')",
    )
    return Counter({(kind, code): n for kind, code, n in rows})


def test_outcomes_are_counted_whatever_way_they_come(store: Store) -> None:
    job_id = a_job(store, 30, per_chunk=10)
    first, second, third = (chunk.id for chunk in chunks_of(store, job_id))
    taken = held(store, first)
    with store.write() as session:
        some = Written(ok_ids=taken.document_ids[1:], errors=[(taken.document_ids[0], "EMPTY_TEXT", "blank")])
        chunks.write(session, taken, some, 60, close=True)
    # One document kills its workers, and the rest of its chunk is written after it.
    for attempt in range(4):
        builders.let_backoffs_pass(store)
        taken = held(store, second)
        if attempt:
            builders.suspect(store, taken, taken.document_ids[3])
        builders.crash(store)
    assert counted(store, Counted.DOCUMENTS) == in_the_table(store)
    builders.let_backoffs_pass(store)
    held(store, third)
    # A part of a chunk at a time, and several chunks at once.
    builders.stop(store, job_id, documents=4)
    builders.stop(store, a_job(store, 5))

    assert counted(store, Counted.DOCUMENTS) == in_the_table(store)
    assert counted(store, Counted.DOCUMENTS)["oracle", "POISON"] == 1


def test_what_is_not_committed_is_not_counted(store: Store) -> None:
    taken = held(store, the_chunk(store, a_job(store)).id)

    def fails() -> None:
        with store.write() as session:
            chunks.write(session, taken, Written(ok_ids=taken.document_ids), 60, close=True)
            raise RuntimeError("the end of this transaction")

    with pytest.raises(RuntimeError, match="the end"):
        fails()
    assert counted(store, Counted.DOCUMENTS) == {}


def test_pruned_outcomes_stay_counted(store: Store) -> None:
    collection = add_documents(store, 6)
    for _ in range(2):
        job_id = submit(store, collection).job_id
        write_ok(store, held(store, the_chunk(store, job_id).id))
        builders.finish(store, job_id)
        _age(store, job_id)
    before = counted(store, Counted.DOCUMENTS)
    pruned = retention.run(store, _policy('[outcomes]\nolder_than = "90 d"'), Path("/nonexistent"))

    assert pruned["outcomes"] == 6
    assert counted(store, Counted.DOCUMENTS) == before == {("oracle", "ok"): 12}
    assert counted(store, Counted.JOBS) == {("oracle", "finished"): 2}


def test_each_requeue_is_counted_with_its_cause(store: Store) -> None:
    chunk_id = the_chunk(store, a_job(store)).id

    def again() -> chunks.Claim:
        builders.let_backoffs_pass(store)
        return held(store, chunk_id)

    taken = again()
    with store.write() as session:
        chunks.put_back(session, taken, "no model file")
    again()
    with store.write() as session:
        assert chunks.give_back(session, "w1") == 1
        assert chunks.give_back(session, "w1") == 0
    again()
    builders.lose(store)
    late = again()
    builders.let_leases_expire(store)
    builders.reap(store)
    builders.crash_late(store, late)
    again()
    builders.crash(store)

    assert counted(store, Counted.REQUEUES) == {
        ("oracle", Requeue.PUT_BACK): 1,
        ("oracle", Requeue.GIVEN_BACK): 1,
        ("oracle", Requeue.WORKER_LOST): 1,
        ("oracle", Requeue.LEASE_EXPIRED): 1,
        ("oracle", Requeue.CRASHED): 2,
    }


def test_writers_at_the_same_time_lose_no_count_and_do_not_lock_each_other_out(store: Store) -> None:
    # SQLite has one writer at a time, and waits for the disk each time.
    n_threads, n_times = (3, 3) if store.is_sqlite else (8, 20)
    faults: list[Exception] = []

    def count(seed: int) -> None:
        names = [f"kind{i}" for i in range(5)]
        try:
            for place in range(n_times):
                with store.write() as session:
                    # In another order each time.
                    for name in names[(seed + place) % 5 :] + names[: (seed + place) % 5]:
                        tallies.add(session, Counted.DOCUMENTS, name, "ok", 2)
        except Exception as error:
            faults.append(error)

    threads = [threading.Thread(target=count, args=(seed,)) for seed in range(n_threads)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert faults == []
    assert counted(store, Counted.DOCUMENTS) == {
        (f"kind{i}", "ok"): 2 * n_threads * n_times for i in range(5)
    }


def test_a_label_of_another_form_is_counted_as_other(store: Store) -> None:
    with store.write() as session:
        for code in ("EMPTY_TEXT", "no such file /home/x", "", "X" * 65, "빈"):
            tallies.add(session, Counted.DOCUMENTS, "oracle", code)
        tallies.add(session, Counted.DOCUMENTS, "oracle", "NEVER", 0)
    assert counted(store, Counted.DOCUMENTS) == {("oracle", "EMPTY_TEXT"): 1, ("oracle", "OTHER"): 4}


def test_what_was_there_before_the_upgrade_is_counted(sqlite_store: Store) -> None:
    """The migration's own statement, over a store that has outcomes and no counters."""
    job_id = a_job(sqlite_store, 4)
    write_ok(sqlite_store, held(sqlite_store, the_chunk(sqlite_store, job_id).id))
    builders.finish(sqlite_store, job_id)
    before = counted(sqlite_store, Counted.DOCUMENTS)
    with sqlite_store.engine.begin() as connection:
        view_digest.drop(connection)
        connection.exec_driver_sql("DROP TABLE tally")
        for name in ("ix_outcome_harmful", "ix_notification_dead", "ix_night_name"):
            connection.exec_driver_sql(f"DROP INDEX {name}")
        for table, column in (("chunk", "ready_at"), ("job", "traceparent")):
            connection.exec_driver_sql(f"ALTER TABLE {table} DROP COLUMN {column}")
    config = alembic_config()
    with sqlite_store.engine.begin() as connection:
        config.attributes["connection"] = connection
        revision = ScriptDirectory.from_config(config).get_revision("0046")
        command.stamp(config, str(revision.down_revision))
        command.upgrade(config, "0046")
    assert counted(sqlite_store, Counted.DOCUMENTS) == before == {("oracle", "ok"): 4}
    assert counted(sqlite_store, Counted.JOBS) == {("oracle", "finished"): 1}
