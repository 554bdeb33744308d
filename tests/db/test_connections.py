"""Connections to PostgreSQL: who uses them, whether docmill's budget fits, and what pgbouncer says."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from db import connections, registry
from db.store import Store
from docmill.doctor import connections as doctor
from docmill.doctor.findings import Finding
from tests.servers import PgBouncer, PostgresServer, missing_pgbouncer
from workers.processes import heartbeat


def _found(store: Store) -> dict[str, Finding]:
    with store.read() as session:
        return {finding.what: finding for finding in doctor.findings(store, session)}


def _register(store: Store, n_workers: int) -> None:
    with store.write() as session:
        members = [heartbeat.member("worker", f"cpu-{n}@here", f"i{n}") for n in range(n_workers)]
        registry.beat(session, [heartbeat.member("scheduler", "scheduler@here", "s"), *members])


def test_what_is_used_is_shown_by_name(empty_postgres_store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGAPPNAME", "docmill worker")
    another = Store(empty_postgres_store.url.render_as_string())
    with another.read() as session:
        session.connection()
        found = _found(empty_postgres_store)["connections"]
    another.close()

    assert found.ok
    # 60 as the server of the tests is set up, less 3 for superusers.
    assert " of 57 in use (" in found.detail
    assert "1 docmill worker" in found.detail
    assert "0 schedulers and 0 worker processes need 2 at most" in found.detail


def test_a_budget_that_does_not_fit_is_a_finding(empty_postgres_store: Store) -> None:
    _register(empty_postgres_store, 11)
    found = _found(empty_postgres_store)["connections"]
    assert found.ok
    assert "1 schedulers and 11 worker processes need 56 at most" in found.detail

    _register(empty_postgres_store, 12)
    found = _found(empty_postgres_store)["connections"]
    assert not found.ok
    assert "max_connections" in str(found.fix)


def test_sqlite_has_no_connections_to_count(sqlite_store: Store) -> None:
    assert _found(sqlite_store) == {}


@pytest.mark.parametrize("may_ask", [True, False])
def test_a_pooler_is_noticed_and_asked(
    may_ask: bool, postgres_server: PostgresServer, empty_postgres_store: Store
) -> None:
    if missing := missing_pgbouncer():
        pytest.skip(missing)
    _register(empty_postgres_store, 30)
    with _bouncer(postgres_server, "docmill" if may_ask else "another") as store:
        found = _found(store)
    assert found["connections"].ok, "the budget counts at the pooler"
    if may_ask:
        assert "1 clients of 100, 0 waiting, 1 of 3 connections to the server" in found["pooler"].detail
        assert "need 132 at most" in found["pooler"].detail
        assert found["pooler"].fix == "raise max_client_conn in pgbouncer.ini"
    else:
        assert found["pooler"].ok
        assert found["pooler"].fix == "add docmill's user to stats_users in pgbouncer.ini"


@contextmanager
def _bouncer(server: PostgresServer, stats_users: str) -> Iterator[Store]:
    bouncer = PgBouncer(server, stats_users=stats_users)
    bouncer.start()
    store = Store(bouncer.url())
    try:
        yield store
    finally:
        store.close()
        bouncer.stop()
        bouncer.remove()


def test_the_budget_is_what_the_documents_say() -> None:
    """docs/production.md counts an example."""
    assert connections.budget(n_schedulers=2, n_worker_processes=20, n_hosts=5) == 105
