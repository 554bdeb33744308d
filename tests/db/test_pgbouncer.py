"""A store behind a real pgbouncer in transaction mode: nothing may live in a session, which is another's next time."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text

from db import agenda, chunks, documents, store_changes
from db.database_errors import is_infrastructure_error
from db.migrations import upgrade
from db.store import Store, open_store
from tests.conftest import empty
from tests.db.builders import a_job, add_documents, chunks_of, finish, held, job_of, sql, write_ok
from tests.servers import PgBouncer, PostgresServer, missing_pgbouncer

N_THREADS, N_ROUNDS = 8, 30


@pytest.fixture(scope="module")
def bouncer(postgres_server: PostgresServer) -> Iterator[PgBouncer]:
    if missing := missing_pgbouncer():
        pytest.skip(missing)
    server = PgBouncer(postgres_server)
    server.start()
    yield server
    server.stop()
    server.remove()


@pytest.fixture
def store(bouncer: PgBouncer) -> Iterator[Store]:
    store = Store(bouncer.url(), pool_size=N_THREADS)
    upgrade(store)
    empty(store)
    yield store
    store.close()


def test_a_store_opens_and_is_found_safe(store: Store, bouncer: PgBouncer) -> None:
    opened = open_store(bouncer.url())
    opened.check_durability()
    opened.close()


def test_statements_that_are_used_often_are_found_in_every_session(store: Store) -> None:
    """The driver prepares what it has run five times (and not rolled back), unless it is told not to; each session
    knows its own."""
    collection = add_documents(store, 500)

    def use(_: int) -> int:
        n = 0
        for _ in range(N_ROUNDS):
            with store.write() as session:
                session.execute(text("UPDATE collection SET name = name WHERE id = :id"), {"id": collection})
                n += documents.count(session, collection)
        return n

    with ThreadPoolExecutor(N_THREADS) as threads:
        assert list(threads.map(use, range(N_THREADS))) == [500 * N_ROUNDS] * N_THREADS


def test_many_workers_see_jobs_through(store: Store) -> None:
    job_ids = [a_job(store, 60, per_chunk=5) for _ in range(3)]
    ids = [chunk.id for job_id in job_ids for chunk in chunks_of(store, job_id)]

    def work(chunk_id: int) -> None:
        write_ok(store, held(store, chunk_id, f"w{chunk_id}"))

    with ThreadPoolExecutor(N_THREADS) as threads:
        list(threads.map(work, ids))
    for job_id in job_ids:
        assert finish(store, job_id)
        assert (job_of(store, job_id).n_ok, job_of(store, job_id).n_error) == (60, 0)


def test_nobody_listens_and_a_scheduler_looks_by_itself(store: Store) -> None:
    """A server's session that listened would be another client's next time."""
    watcher, stopping = store_changes.of(store), threading.Event()
    stopping.set()
    assert not any(watcher.wait(stopping) and watcher.can_watch() for _ in range(3))
    assert not watcher.can_watch()
    watcher.close()
    job_id = a_job(store)
    with store.look() as session:
        assert agenda.look(session).jobs == 0
        assert [job.job_id for job in chunks.waiting(session)] == [job_id]


def test_what_one_transaction_sets_is_not_the_next_ones(store: Store) -> None:
    def timeouts(_: int) -> tuple[str, str, str]:
        with store.write() as session:
            names = ("lock_timeout", "idle_in_transaction_session_timeout", "timezone")
            return tuple(str(session.scalar(text(f"SHOW {name}"))) for name in names)  # type: ignore[return-value]

    with ThreadPoolExecutor(N_THREADS) as threads:
        assert set(threads.map(timeouts, range(40))) == {("30s", "30s", "UTC")}


def test_rows_are_streamed_through_it(store: Store) -> None:
    add_documents(store, 3_000)
    with store.read() as session:
        query = text("SELECT key FROM document").execution_options(yield_per=100)
        assert len(list(session.execute(query))) == 3_000


def test_a_pgbouncer_that_is_killed_is_waited_for(store: Store, bouncer: PgBouncer) -> None:
    with store.read() as session:
        session.execute(text("SELECT 1"))
        bouncer.kill()
        with pytest.raises(Exception) as caught:
            session.execute(text("SELECT 1"))
    assert is_infrastructure_error(caught.value)
    with pytest.raises(Exception) as caught, store.read() as session:
        session.execute(text("SELECT 1"))
    assert is_infrastructure_error(caught.value)
    bouncer.start()
    assert sql(store, "SELECT 1") == [(1,)]
