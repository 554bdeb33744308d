"""What tests share: a real Redis, a store in each database, and settings that come from this test alone."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import hypothesis
import pytest
import typer.testing
from sqlalchemy import text

from db.migrations import upgrade
from db.store import Store
from db.tables import Base
from tests.servers import PostgresServer, RedisServer, missing_postgres, missing_redis

#: Lease and tick in tests: short, so that waiting for them is short.
QUICK = {
    "DOCMILL_LEASE_SECONDS": "3",
    "DOCMILL_TICK_SECONDS": "0.3",
    "DOCMILL_RESEND_SECONDS": "2",
    "DOCMILL_GRACE_SECONDS": "10",
}

#: `make test` tries the same examples each time, so that it fails for a change of the code alone. `make fuzz` tries
#: others.
hypothesis.settings.register_profile("same examples", derandomize=True)
hypothesis.settings.register_profile("other examples", derandomize=False)
hypothesis.settings.load_profile("same examples")

#: The command line is built from its functions once in a process, as in a shell, and not once in each call of a test's.
typer.testing._get_command = cache(typer.testing._get_command)  # type: ignore[attr-defined]

#: Tests that take a quarter of a minute or more, of which another one tries the same with the other database, or in a
#: smaller way: they are `long` too. Ends of their names.
LONG = (
    "test_a_training_that_was_interrupted_in_both_parts_ends_with_the_same_model",
    "test_the_gradients_of_parts_add_up_to_that_of_the_batch",
    "test_faults.py::test_after_the_fault_every_document_has_one_right_outcome[a document that hangs-postgresql]",
    "[two workers of one name, one is killed-postgresql]",
    "[kill -9 of a worker's child-postgresql]",
    "test_nights.py::test_a_night_whose_scheduler_is_killed_goes_on_and_nothing_is_done_twice[postgresql]",
    "test_a_submission_that_is_killed_and_run_again_is_one_job[postgresql]",
    "test_after_any_changes_the_lists_are_those_of_a_full_job[postgresql]",
    "test_lists_that_name_what_goes_are_made_again[postgresql-collection-True]",
    "test_in_the_middle_of_cancelling_a_large_job[postgresql]",
    "test_make_demo_runs_there_to_its_end",
    "test_a_file_of_many_parts_has_every_line_once[postgresql]",
    "test_a_line_that_is_too_long_and_a_file_with_too_many[postgresql]",
    "test_an_upload_that_is_too_large_leaves_nothing[postgresql]",
    "test_a_cancelled_batch_answers_what_is_done_and_names_the_rest[postgresql-added]",
    "test_a_cancelled_batch_answers_what_is_done_and_names_the_rest[postgresql-at once]",
    "test_an_expired_batch_answers_what_is_done_and_names_the_rest[postgresql-at once]",
    "test_the_process_does_not_outlive_a_server_that_is_killed_in_a_request",
    "test_a_single_call_at_a_tenth_of_a_core_keeps_the_lease",
    "test_modules_in_the_current_folder_replace_none_of_ours_and_kinds_there_load",
    # The other trials of two workers and of deadlines, and trainings that resume without processes.
    "[two workers of one name, one comes and goes-sqlite]",
    "[deadlines while schedulers are killed-sqlite]",
    "test_a_training_whose_worker_is_killed_twice_ends_with_the_same_model",
    # The README's own commands add a folder, and the tests of drains and of nights are quick.
    "test_adding_a_folder_is_one_step",
    "test_a_host_is_drained_while_redis_is_away_and_nothing_is_lost",
    "test_an_example_runs[nightly_schedule.sh]",
    "test_a_kind_of_a_package_has_its_table_and_its_rows[sqlite]",
    "test_a_job_goes_through_redis_6_2",
    "test_a_million_tiny_documents_are_read_in_less_than_a_minute",
    # The README's commands and the other faults go the same ways.
    "test_up_runs_jobs_and_stops_with_everything_it_started",
    "[kill -9 of the scheduler-sqlite]",
    "[kill -9 of Redis with all its data-sqlite]",
    "[PostgreSQL behind pgbouncer, which is killed-postgresql]",
    "[a machine that gives a tenth of a core-sqlite]",
    "[a document that segfaults-sqlite]",
    "[TERM of the launcher-postgresql]",
    "[FLUSHALL in a loop-sqlite]",
    "[large jobs are cancelled beside it-postgresql]",
    "[Redis failover: the primary killed-sqlite]",
    "test_three_nights_of_the_example[sqlite]",
    # What other tests show on less.
    "test_a_browser_shows_it_on_a_desk_a_phone_and_paper_and_asks_nobody_for_anything",
    "test_gigabytes_without_a_line_end_are_passed_over_in_bounded_memory[2]",
    "test_ten_megabytes_of_prose_take_seconds",
    "test_files_that_arrive_are_added_until_it_is_told_to_end[15]",
    "test_a_training_of_a_classifier_is_never_silent[linear]",
    "test_a_training_of_entities_and_what_it_finds_are_never_silent",
    "test_similarity_from_training_to_search_is_never_silent",
    "test_the_recall_of_a_job_is_stored_and_verify_repeats_it[postgresql]",
    "test_a_quarter_of_the_epochs_learns_what_is_new[gensim]",
    "test_a_quarter_of_the_epochs_learns_what_is_new[dm]",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.nodeid.endswith(LONG):
            item.add_marker(pytest.mark.long)


@pytest.fixture(autouse=True)
def _own_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No test reads this machine's settings, nor writes into its .docmill."""
    for name in [
        name for name in os.environ if name.startswith("DOCMILL_") and name != "DOCMILL_SHARED_DATA"
    ]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("DOCMILL_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DOCMILL_KIND_MODULES", "tests.kinds")
    _forget_settings()
    yield
    _forget_settings()


def _forget_settings() -> None:
    """What a process reads once, each test reads anew."""
    for module, name in (
        ("workers.settings", "settings"),
        ("workers.kinds", "all_kinds"),
        ("scheduler.store", "store"),
    ):
        if module in sys.modules:
            cached = getattr(sys.modules[module], name)
            if name == "store" and cached.cache_info().currsize:
                cached().close()
            cached.cache_clear()


# --- servers --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    if missing := missing_redis():
        pytest.skip(missing)
    server = RedisServer()
    server.start()
    yield server
    server.stop()
    server.remove()


@pytest.fixture
def redis_url(redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> str:
    """An empty Redis, in the settings too."""
    with redis_server.client() as client:
        client.flushall()
    monkeypatch.setenv("DOCMILL_REDIS_URL", redis_server.url)
    return redis_server.url


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    if missing := missing_postgres():
        pytest.skip(missing)
    server = PostgresServer()
    server.start()
    yield server
    server.stop()
    server.remove()


# --- stores ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite store with its tables and no rows, to be copied."""
    path = tmp_path_factory.mktemp("template") / "docmill.db"
    store = Store(f"sqlite:///{path}")
    upgrade(store)
    with store.engine.connect() as connection:
        connection.execute(text("PRAGMA wal_checkpoint(TRUNCATE)"))
    store.close()
    return path


@pytest.fixture(scope="session")
def postgres_store(postgres_server: PostgresServer) -> Iterator[Store]:
    """One migrated database, which `store` empties before each test."""
    store = Store(postgres_server.url(), pool_size=8)
    upgrade(store)
    yield store
    store.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Store:
    """An empty store, in each of the databases; it is the settings' store too."""
    fixture = "sqlite_store" if request.param == "sqlite" else "empty_postgres_store"
    store: Store = request.getfixturevalue(fixture)
    monkeypatch.setenv("DOCMILL_DATABASE_URL", store.url.render_as_string(hide_password=False))
    return store


@pytest.fixture(params=["sqlite", "postgresql"])
def fresh(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """A database without tables."""
    if request.param == "sqlite":
        store = Store(f"sqlite:///{tmp_path}/fresh.db")
    else:
        server: PostgresServer = request.getfixturevalue("postgres_server")
        server.execute("DROP DATABASE IF EXISTS fresh WITH (FORCE)")
        server.execute("CREATE DATABASE fresh")
        store = Store(server.url("fresh"))
    yield store
    store.close()


@pytest.fixture
def sqlite_store(tmp_path: Path, sqlite_template: Path) -> Iterator[Store]:
    path = tmp_path / "docmill.db"
    shutil.copy(sqlite_template, path)
    store = Store(f"sqlite:///{path}")
    yield store
    store.close()


@pytest.fixture
def empty_postgres_store(postgres_store: Store) -> Store:
    empty(postgres_store)
    return postgres_store


def empty(store: Store) -> None:
    """Remove every row of a PostgreSQL store. As a replica does it: without the triggers that protect outcomes,
    and in a hundredth of the time that TRUNCATE takes."""
    tables = [table.name for table in Base.metadata.sorted_tables if table.name != "view_digest"]
    deletes = "; ".join(f"DELETE FROM {table}" for table in tables)
    with store.write() as session:
        session.execute(text(f"SET LOCAL session_replication_role = replica; {deletes}"))
