"""The gauges of the store: they are what the tables say, and no query reads more when more is done."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import event, text

from db import jobs, monitoring, notifications, quarantine, runs, schedules
from db.monitoring import Held, Queue
from db.sql import clock
from db.states import Event, NightState, StepState
from db.store import Store
from db.tables import Night, NightStep
from tests.db import builders
from tests.db.builders import a_job, add_documents, chunks_of, held, sql, submit, the_chunk, write_ok

#: Tables that grow with what was done. Whatever is asked of them must come from an index.
LARGE = ("outcome", "chunk", "job", "notification")


def queues(store: Store) -> dict[tuple[str, int], Queue]:
    with store.read() as session:
        return {(queue.kind, queue.priority): queue for queue in monitoring.queues(session)}


def leases(store: Store) -> list[Held]:
    with store.read() as session:
        return monitoring.leases(session)


def test_what_waits_is_counted_by_kind_and_priority(store: Store) -> None:
    a_job(store, 30, per_chunk=10)
    urgent = a_job(store, 20, per_chunk=10, priority=9)
    paused = a_job(store, 10, priority=1)
    with store.write() as session:
        jobs.pause(session, paused)
    held(store, chunks_of(store, urgent)[0].id)

    found = queues(store)
    assert {place: queue.n_ready for place, queue in found.items()} == {("oracle", 5): 3, ("oracle", 9): 1}
    with store.read() as session:
        assert sorted(monitoring.jobs(session)) == [("oracle", "paused", 1), ("oracle", "running", 2)]
    assert leases(store) == [Held("oracle", 1, 0)]


def test_the_age_is_of_the_chunk_that_has_waited_longest(store: Store) -> None:
    job_id = a_job(store, 30, per_chunk=10)
    first, second, _ = chunks_of(store, job_id)
    sql(store, f"UPDATE chunk SET ready_at = {ago(store, 500)} WHERE id = :c RETURNING 1", c=second.id)
    assert 499 < queues(store)["oracle", 5].oldest_seconds < 560
    # A chunk that is requeued has waited since then, not since it was claimed.
    held(store, second.id)
    sql(store, f"UPDATE chunk SET claimed_at = {ago(store, 400)} WHERE id = :c RETURNING 1", c=second.id)
    builders.crash(store)
    assert queues(store)["oracle", 5].oldest_seconds < 60
    assert first.ready_at is not None


def test_a_chunk_of_an_older_docmill_has_waited_since_its_job_started(store: Store) -> None:
    job_id = a_job(store)
    sql(store, "UPDATE chunk SET ready_at = NULL RETURNING 1")
    sql(store, f"UPDATE job SET started_at = {ago(store, 300)} WHERE id = :j RETURNING 1", j=job_id)
    assert 299 < queues(store)["oracle", 5].oldest_seconds < 360


def test_chunks_of_a_later_stage_wait_since_they_were_opened(store: Store) -> None:
    from db import chunks

    job_id = a_job(store, 10, n_stages=2)
    early, late = chunks_of(store, job_id)
    assert (early.ready_at is None, late.ready_at is None) == (False, True)
    write_ok(store, held(store, early.id), [])
    assert queues(store) == {}
    with store.write() as session:
        assert chunks.open_some(session, job_id) == 1
    assert queues(store)["oracle", 5].n_ready == 1
    assert chunks_of(store, job_id)[1].ready_at is not None


def test_a_lease_that_ran_out_is_seen_until_it_is_requeued(store: Store) -> None:
    held(store, the_chunk(store, a_job(store)).id)
    builders.let_leases_expire(store)
    assert leases(store) == [Held("oracle", 1, 1)]
    builders.reap(store)
    assert leases(store) == []


def test_quarantine_is_counted_as_it_is_listed(store: Store) -> None:
    job_id = a_job(store, 3)
    chunk_id = the_chunk(store, job_id).id
    for attempt in range(4):
        builders.let_backoffs_pass(store)
        taken = held(store, chunk_id)
        if attempt:
            builders.suspect(store, taken, taken.document_ids[0])
        builders.crash(store)
    with store.write() as session:
        assert monitoring.quarantined(session) == len(quarantine.entries(session)) == 1
        quarantine.release(session, quarantine.entries(session))
    with store.read() as session:
        assert monitoring.quarantined(session) == 0


def test_notifications_that_were_not_delivered_are_counted(store: Store) -> None:
    with store.write() as session:
        message = notifications.Message("late", "it is late")
        notifications.send(session, "schedule n", Event.LATE, "late 1", message, ["a", "b", "c"])
        claimed = notifications.claim(session, 60)
        assert claimed is not None
        notifications.sent(session, claimed)
    sql(store, "UPDATE notification SET state = 'dead' WHERE destination = 'c' RETURNING 1")
    sql(store, f"UPDATE notification SET created_at = {ago(store, 200)} RETURNING 1")
    with store.read() as session:
        unsent = monitoring.unsent(session)
    assert (unsent.n_pending, unsent.n_dead) == (1, 1)
    assert 199 < unsent.oldest_seconds < 260


def test_the_last_success_of_a_schedule_is_found_behind_later_failures(store: Store) -> None:
    with store.write() as session:
        moment = clock(session)
        number = schedules.add(session, "nightly", "0 2 * * *", "UTC", [], moment)
        schedules.add(session, "never", "0 2 * * *", "UTC", [], moment)
        schedules.pause(session, "never", "tried by hand")
    for days, state in ((3, "succeeded"), (2, "failed"), (1, "skipped")):
        begin, end = ago(store, days * 86_400), ago(store, days * 86_400 - 120)
        sql(
            store,
            "INSERT INTO run (schedule_id, due_at, fired_at, started_at, ended_at, state, cause, awaits_more) "
            f"VALUES (:s, {begin}, {begin}, {begin}, {end}, :state, 'time', false) RETURNING 1",
            s=number,
            state=state,
        )
    with store.read() as session:
        found = {each.name: each for each in monitoring.scheduled(session)}
        moment = clock(session)
    nightly = found["nightly"]
    assert nightly.last_success is not None
    assert 2.9 * 86_400 < (moment - nightly.last_success).total_seconds() < 3 * 86_400
    assert nightly.last_seconds == pytest.approx(120, abs=1)
    assert (found["never"].last_success, found["never"].is_paused) == (None, True)
    assert runs is not None


def test_the_last_night_that_was_done_is_found(store: Store) -> None:
    with store.write() as session:
        moment = clock(session)
        for state in (NightState.DONE, NightState.FAILED):
            night = Night(
                name="nightly", file="", folder="", state=state, created_at=moment, finished_at=moment
            )
            session.add(night)
            session.flush()
            step = NightStep(
                night_id=night.id, step=1, name="s", action="add", state=StepState.DONE, started_at=moment
            )
            session.add(step)
        session.add(Night(name="other", file="", folder="", state=NightState.RUNNING, created_at=moment))
    with store.read() as session:
        found = {each.name: each for each in monitoring.nights(session)}
    assert found["nightly"].last_success == moment
    assert found["nightly"].last_seconds == 0
    assert (found["other"].last_success, found["other"].is_running) == (None, True)


# --- what a look costs -----------------------------------------------------------------------------------------


@contextmanager
def statements(store: Store) -> Iterator[list[tuple[str, object]]]:
    """What is sent to the database."""
    seen: list[tuple[str, object]] = []

    def see(_c: object, _cursor: object, statement: str, values: object, *_: object) -> None:
        if statement.lstrip().upper().startswith("SELECT"):
            seen.append((statement, values))

    event.listen(store.engine, "before_cursor_execute", see)
    yield seen
    event.remove(store.engine, "before_cursor_execute", see)


def look(store: Store) -> None:
    with store.read() as session:
        for ask in (monitoring.queues, monitoring.jobs, monitoring.leases, monitoring.members,
                    monitoring.quarantined, monitoring.unsent, monitoring.scheduled, monitoring.nights,
                    monitoring.store_bytes):  # fmt: skip
            ask(session)


def test_no_table_that_grows_is_scanned(store: Store) -> None:
    collection = add_documents(store, 2)
    for _ in range(2):
        job_id = submit(store, collection, per_chunk=1).job_id
        for chunk in chunks_of(store, job_id):
            write_ok(store, held(store, chunk.id))
        builders.finish(store, job_id)
    _pretend_it_is_large(store)
    with statements(store) as seen:
        look(store)

    assert len(seen) > 8
    assert [plan for statement, values in seen for plan in _scans(store, statement, values)] == []


def _pretend_it_is_large(store: Store) -> None:
    """Rows enough for PostgreSQL to prefer an index: ended jobs, their chunks and outcomes."""
    if store.is_sqlite:
        return
    with store.write() as session:
        session.execute(text("SET LOCAL session_replication_role = replica"))
        session.execute(
            text(
                "INSERT INTO job (kind, parameters, collection_id, priority, state, n_documents, n_ok, n_error, "
                "created_at) SELECT 'oracle', '{}', 1, 5, 'finished', 1, 1, 0, now() FROM generate_series(1, 30000)"
            )
        )
        session.execute(
            text(
                "INSERT INTO outcome (job_id, document_id, state, error_code, written_at) SELECT n, n, "
                "CASE WHEN n % 9 = 0 THEN 'error' ELSE 'ok' END, CASE WHEN n % 9 = 0 THEN 'EMPTY_TEXT' END, now() "
                "FROM generate_series(100000, 130000) n"
            )
        )
        session.execute(
            text(
                "INSERT INTO chunk (job_id, stage, seq, queue, priority, n_documents, n_ok, n_error, state, fence, "
                "n_put_back, n_crashes, n_suspect_crashes, document_ids) SELECT n, 0, 1, 'oracle', 5, 1, 1, 0, "
                "'closed', 1, 0, 0, 0, '[1]' FROM generate_series(100000, 130000) n"
            )
        )
        session.execute(
            text(
                "INSERT INTO notification (uid, owner, event, key, destination, title, body, details, state, "
                "n_attempts, not_before, give_up_at, fence, created_at) SELECT n::text, '', 'late', n::text, '', '', "
                "'', '{}', 'sent', 1, now(), now(), 1, now() FROM generate_series(1, 20000) n"
            )
        )
        for table in LARGE:
            session.execute(text(f"ANALYZE {table}"))


def _scans(store: Store, statement: str, values: object) -> list[str]:
    """The steps of its plan that read a large table from end to end."""
    explain = "EXPLAIN QUERY PLAN " if store.is_sqlite else "EXPLAIN "
    with store.engine.connect() as connection:
        rows = connection.exec_driver_sql(explain + statement, values).all()  # type: ignore[arg-type]
    lines = [str(row[-1]) for row in rows]
    if store.is_sqlite:
        # A scan of a partial index reads what the index has, which is what was asked for.
        return [
            line
            for line in lines
            if line.startswith("SCAN") and line.split()[1] in LARGE and "ix_" not in line
        ]
    if any("Seq Scan" in line and any(f" on {name}" in line for name in LARGE) for line in lines):
        return [statement, *lines]
    return []


def ago(store: Store, seconds: float) -> str:
    """An expression of the database's clock."""
    if store.is_sqlite:
        return f"strftime('%Y-%m-%d %H:%M:%f000', 'now', '-{seconds} seconds')"
    return f"clock_timestamp() - interval '{seconds} seconds'"
