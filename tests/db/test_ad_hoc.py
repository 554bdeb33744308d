"""A user's own SQL: everything that is no reading is refused or ended, and the store is as it was."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import text

from db import ad_hoc, views
from db.ad_hoc import QueryError, TimeUpError
from db.store import Store
from db.tables import Base
from tests.conftest import empty
from tests.db import attacks
from tests.db.builders import a_job, chunks_of, held, sql, write_ok

#: The time that an attack has; those that wait for it are few.
SECONDS = 1.0
ROOT = Path(__file__).parents[2]


def fingerprint(store: Store) -> list[Any]:
    """Every row, and what the tables are."""
    with store.read() as session:
        queries = _CATALOGUES[session.get_bind().dialect.name]
        return [sorted(map(str, session.execute(text(query)).all())) for query in queries]


_TABLES = sorted(Base.metadata.tables)
_CATALOGUES = {
    "sqlite": (
        *(f"SELECT * FROM {table}" for table in _TABLES),
        "SELECT type, name, sql FROM sqlite_master ORDER BY name",
        "PRAGMA user_version",
        "PRAGMA journal_mode",
        "PRAGMA synchronous",
    ),
    "postgresql": (
        " UNION ALL ".join(f"SELECT '{table}' || to_jsonb(t)::text FROM {table} AS t" for table in _TABLES),
        "SELECT relname, relkind::text, relacl::text FROM pg_class ORDER BY oid",
        "SELECT tgname, tgenabled::text FROM pg_trigger ORDER BY oid",
        "SELECT rolname, rolsuper FROM pg_roles ORDER BY oid",
        "SELECT proname FROM pg_proc ORDER BY oid",
        "SELECT oid::text FROM pg_largeobject_metadata ORDER BY oid",
        "SELECT sequencename, last_value FROM pg_sequences ORDER BY 1",
        "SELECT slot_name::text FROM pg_replication_slots",
        "SELECT locktype FROM pg_locks WHERE locktype = 'advisory'",
        "SELECT name, setting FROM pg_file_settings ORDER BY 1",
        "SELECT current_user::text, session_user::text",
    ),
}


def fill(store: Store) -> None:
    """A finished job, so that there is something to lose."""
    job_id = a_job(store, 5)
    for chunk in chunks_of(store, job_id):
        write_ok(store, held(store, chunk.id))


def attack(store: Store, query: str, file: Path, pid: int = 0) -> None:
    """Run it, and see that it is refused or ended with words that fit one line."""
    query = query.replace("{file}", str(file)).replace("{pid}", str(pid))
    before = fingerprint(store)
    began = time.monotonic()
    with pytest.raises(QueryError) as refused:
        ad_hoc.run(store, query, seconds=SECONDS, limit=100)
    assert time.monotonic() - began < SECONDS + 5
    assert str(refused.value)
    assert "\n" not in str(refused.value)
    assert not file.exists()
    assert fingerprint(store) == before


# --- SQLite ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def lite(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    path = tmp_path_factory.mktemp("a # folder") / "docmill.db"
    path.write_bytes(sqlite_template.read_bytes())
    store = Store(f"sqlite:///{path}")
    fill(store)
    yield store
    store.close()


@pytest.mark.parametrize("name", attacks.ON_SQLITE)
def test_an_attack_on_sqlite_is_refused_or_ended(lite: Store, name: str, tmp_path: Path) -> None:
    attack(lite, attacks.ON_SQLITE[name], tmp_path / "mine")


@pytest.mark.parametrize("name", attacks.LONG_STEPS_ON_SQLITE)
def test_a_step_that_sqlite_does_not_interrupt_ends_too(lite: Store, name: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "docmill.cli", "sql", attacks.LONG_STEPS_ON_SQLITE[name]]
    environment = os.environ | {
        "DOCMILL_HOME": str(tmp_path),
        "DOCMILL_DATABASE_URL": lite.url.render_as_string(),
        "DOCMILL_QUERY_SECONDS": "0.5",
    }
    said = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, cwd=ROOT)
    assert said.returncode == 2
    assert said.stderr.startswith("docmill: the query: it took more than 0.5 s")
    assert said.stderr.count("\n") == 1


def test_sqlite_is_read_though_nobody_else_has_it_open(lite: Store) -> None:
    lite.close()
    assert ad_hoc.run(lite, "SELECT count(*) FROM outcome", seconds=5).rows == [(5,)]


def test_json_and_windows_are_read_on_sqlite(lite: Store) -> None:
    for query in (
        "SELECT value FROM chunk, json_each(document_ids)",
        "SELECT key FROM json_tree('{\"a\": [1]}')",
        "SELECT row_number() OVER (ORDER BY key), json_extract('{\"a\": 1}', '$.a') FROM document",
        "WITH RECURSIVE r(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM r WHERE i < 9) SELECT group_concat(i) FROM r",
        "SELECT * FROM v_latest_label WHERE document_key GLOB 'k*' OR label LIKE 'k%'",
        "EXPLAIN QUERY PLAN SELECT * FROM job",
    ):
        ad_hoc.run(lite, query, seconds=5)


def test_pragmas_that_only_tell_are_answered(lite: Store) -> None:
    told = ad_hoc.run(lite, "PRAGMA table_info(job)", seconds=5).rows
    assert len(told) == len(Base.metadata.tables["job"].columns)
    assert ad_hoc.run(lite, "SELECT count(*) FROM pragma_table_info('job')", seconds=5).rows == [(len(told),)]


# --- PostgreSQL -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def postgres(postgres_store: Store) -> Store:
    """Its user is the superuser who owns everything, and there is no role `reader`."""
    empty(postgres_store)
    fill(postgres_store)
    return postgres_store


@pytest.fixture(scope="module")
def plain(postgres: Store) -> Iterator[Store]:
    """As deploy/postgres.sql has it: a plain owner, who is a member of `reader`."""
    with postgres.write() as session:
        session.execute(text("CREATE ROLE reader; CREATE ROLE plain LOGIN; GRANT reader TO plain"))
        session.execute(text("GRANT ALL ON ALL TABLES IN SCHEMA public TO plain"))
        session.execute(text("GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO plain"))
        session.execute(text("GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader"))
        session.execute(text("CREATE EXTENSION IF NOT EXISTS dblink"))
    store = Store(postgres.url.set(username="plain").render_as_string(hide_password=False))
    yield store
    store.close()
    with postgres.write() as session:
        session.execute(text("DROP EXTENSION dblink"))
        session.execute(text("DROP OWNED BY plain, reader; DROP ROLE plain; DROP ROLE reader"))


@pytest.fixture
def witness(postgres: Store) -> Iterator[int]:
    """The process of another session, which must live and hear nothing."""
    conninfo = f"host={postgres.url.query['host']} user=docmill dbname=postgres"
    with psycopg.connect(conninfo, autocommit=True) as connection:
        connection.execute("LISTEN mine")
        yield connection.info.backend_pid
        assert connection.execute("SELECT 1").fetchone() == (1,)
        assert list(connection.notifies(timeout=0)) == []


@pytest.mark.parametrize("name", attacks.ON_POSTGRES)
def test_an_attack_by_the_owner_without_a_reader_is_refused_or_ended(
    postgres: Store, name: str, tmp_path: Path, witness: int
) -> None:
    attack(postgres, attacks.ON_POSTGRES[name], tmp_path / "mine", witness)


@pytest.mark.parametrize("name", attacks.ON_POSTGRES)
def test_an_attack_as_the_reader_is_refused_or_ended(
    postgres: Store, plain: Store, name: str, tmp_path: Path, witness: int
) -> None:
    tmp_path.chmod(0o777)
    before = fingerprint(postgres)
    query = attacks.ON_POSTGRES[name].replace("{file}", str(tmp_path / "mine")).replace("{pid}", str(witness))
    with pytest.raises(QueryError) as refused:
        ad_hoc.run(plain, query, seconds=SECONDS, limit=100)
    assert "\n" not in str(refused.value)
    assert fingerprint(postgres) == before
    assert ad_hoc.run(plain, "SELECT current_user::text", seconds=5).rows == [("reader",)]


def test_it_runs_as_the_reader_where_there_is_one_and_read_only_in_any_case(
    postgres: Store, plain: Store
) -> None:
    query = "SELECT current_user::text, current_setting('transaction_read_only'), current_setting('statement_timeout')"
    assert ad_hoc.run(plain, query, seconds=5).rows[0][:2] == ("reader", "on")
    # The superuser may become anybody, so he is the reader too.
    assert ad_hoc.run(postgres, query, seconds=5).rows[0][:2] == ("reader", "on")
    with plain.read() as session:
        assert session.scalar(text("SELECT current_user")) == "plain"


def test_another_applications_reader_is_left_alone(postgres: Store, plain: Store) -> None:
    with postgres.write() as session:
        session.execute(text("REVOKE SELECT ON job FROM reader"))
    try:
        assert ad_hoc.run(plain, "SELECT current_user::text", seconds=5).rows == [("plain",)]
    finally:
        with postgres.write() as session:
            session.execute(text("GRANT SELECT ON job TO reader"))


def test_no_column_or_view_is_taken_for_a_function(postgres: Store) -> None:
    for name in (*views.VIEWS, *Base.metadata.tables):
        columns = ad_hoc.run(postgres, f"SELECT * FROM {name}", seconds=5, limit=1).columns
        for column in columns:
            ad_hoc.run(postgres, f"SELECT {column}, max({column}::text), count(*) FROM {name} GROUP BY {column}",
                       seconds=5, limit=1)  # fmt: skip


# --- both -----------------------------------------------------------------------------------------------------


def test_there_are_thirty_attacks_on_each_store() -> None:
    assert len(attacks.ON_POSTGRES) >= 30
    assert len(attacks.ON_SQLITE) >= 30


def test_what_a_query_finds_comes_as_it_was_typed(store: Store) -> None:
    fill(store)
    found = ad_hoc.run(store, "SELECT ':a %s % ?' AS b, id FROM document ORDER BY 2;", seconds=5)
    assert (found.columns, len(found.rows), found.is_cut) == (("b", "id"), 5, False)
    assert found.rows[0][0] == ":a %s % ?"


@pytest.mark.parametrize(
    ("limit", "n", "is_cut"), [(4, 4, True), (5, 5, False), (6, 5, False), (None, 5, False)]
)
def test_so_many_rows_and_whether_there_are_more(
    store: Store, limit: int | None, n: int, is_cut: bool
) -> None:
    fill(store)
    found = ad_hoc.run(store, "SELECT id FROM document", seconds=5, limit=limit)
    assert (len(found.rows), found.is_cut) == (n, is_cut)
    assert ad_hoc.run(store, "SELECT id AS x FROM document WHERE id < 0", seconds=5, limit=limit).columns == (
        "x",
    )


def test_an_endless_result_is_cut_and_an_endless_query_ended(store: Store) -> None:
    numbers = "WITH RECURSIVE r(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM r) SELECT i FROM r"
    found = ad_hoc.run(store, numbers, seconds=10, limit=1_000)
    assert (len(found.rows), found.rows[-1], found.is_cut) == (1_000, (1_000,), True)
    with pytest.raises(TimeUpError, match=r"more than 0\.3 s: .*DOCMILL_QUERY_SECONDS"):
        ad_hoc.run(store, f"{numbers} WHERE i < 0", seconds=0.3)


def test_the_store_works_as_before_after_all_that(store: Store) -> None:
    fill(store)
    for query in ("DELETE FROM outcome", "SELECT 1"):
        try:
            ad_hoc.run(store, query, seconds=5)
        except QueryError:
            continue
    assert sql(store, "UPDATE collection SET name = 'still writable' RETURNING name") == [("still writable",)]
