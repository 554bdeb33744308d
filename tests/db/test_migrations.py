"""Models, migrations and views say the same, on both databases; upgrading is safe to repeat and to race."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import insert, inspect, text
from sqlalchemy.exc import IntegrityError

from db import migrations, results, views
from db.errors import NewerSchemaError, OldSchemaError, StoreError, UnsafeStoreError
from db.migrations import alembic_config, upgrade
from db.store import SCHEMA, Store, open_store
from db.tables import Base
from tests.db.builders import a_job, held, sql, stop, the_chunk, upgraded_to, write_ok
from tests.servers import PostgresServer

#: What analysts rely on: a view may gain columns and never lose one.
COLUMNS = {
    "v_documents": "collection document_key version label chars added_at meta source document_id",
    "v_pages": "collection document_key page start_char n_chars share_non_letters n_replaced n_tables file_key job_id",
    "v_sections": "collection document_key rank level title start_char file_key job_id document_id",
    "v_tables": "collection document_key rank page start_char in_text n_rows n_columns n_chars file_key job_id",
    "v_table_rows": "collection document_key table_rank line cells file_key job_id document_id",
    "v_night": (
        "run_id schedule due_at fired_at state previous_run_id n_jobs n_new n_changed n_outcomes n_ok n_error "
        "n_cancelled started_at finished_at seconds fault"
    ),
    "v_night_diff": (
        "run_id change kind collection document_key neighbour_key label_before label_after detail score job_id "
        "document_id previous_job_id"
    ),
    "v_label_trend": "job_id run_id schedule collection label n_documents n_new created_at",
    "v_throughput": (
        "job_id run_id schedule kind collection model model_version n_documents n_workers started_at finished_at "
        "seconds documents_per_second"
    ),
    "v_job_progress": "job_id kind collection state n_documents n_ok n_error n_cancelled n_chunks priority model "
    "model_version note fault created_at started_at finished_at n_pruned",
    "v_latest_summary": "collection document_key summary method n_sentences job_id document_id "
    "n_document_sentences",
    "v_evaluation": "job_id summary_job_id collection n_documents rouge_1 rouge_2 rouge_l",
    "v_keywords": "collection document_key rank term score job_id document_id document_version is_current",
    "v_entities": "collection document_key rank label text normal start_char end_char score source model model_version "
    "job_id document_id document_version is_current",
    "v_redacted": "collection document_key text n_redacted job_id document_id document_version is_current",
    "v_generation": "collection document_key text finish_reason n_prompt_tokens n_tokens n_cut_chars model "
    "model_version job_id document_id document_version is_current",
    "v_generation_fields": "collection document_key rank path type text number boolean job_id document_id "
    "document_version is_current",
    "v_latest_label": "collection document_key label score reason model model_version job_id label_source "
    "probability",
    "v_given_labels": "collection document_key rank label source given_at",
    "v_model_metrics": "model model_version metric value",
    "v_model_labels": "model model_version label precision recall f1 support n_predicted threshold",
    "v_model_confusion": "model model_version true_label predicted_label n_documents",
    "v_shadow_agreement": "job_id collection model model_version n_documents n_agreeing agreement",
    "v_similar": "collection document_key neighbour_key neighbour_collection rank score job_id",
    "v_search_recall": "job_id collection n_documents recall n_incomplete n_lists n_read",
    "v_similar_terms": "collection document_key neighbour_key rank term_rank term weight job_id",
    "v_failures": "job_id kind collection document_key error_code error_detail source written_at",
    "v_pruned": "job_id kind collection policy n_ok n_error first_at last_at",
    "v_workers": "instance role name host pid device kinds state n_chunks n_documents lease_until docmill_version "
    "schema_revision python_version torch_version started_at last_seen_at drained_at drained_by",
    "v_extractions": "collection document_key document_version path n_bytes state error_code error_detail title "
    "language media_type parser extractor n_documents n_pages n_chars share_non_letters n_replaced n_tables_left_out "
    "n_chars_left_out n_warnings warnings job_id document_id written_at",
}

ABOUT_DOCUMENTS = sorted({"outcome", *results.by_job()})


def test_models_equal_migrations(store: Store) -> None:
    with store.engine.connect() as connection:
        options = {"compare_type": True, "include_object": _is_compared}
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, Base.metadata) == []


def _is_compared(thing: Any, name: str | None, kind: str, reflected: bool, other: Any) -> bool:
    """All but the references of rows about documents: on PostgreSQL triggers check them."""
    if not migrations.is_compared(thing, name, kind, reflected, other):
        return False
    return kind != "foreign_key_constraint" or thing.table.name not in ABOUT_DOCUMENTS


@pytest.mark.parametrize(
    ("table", "column"),
    [
        (table, key.parent.name)
        for table in ABOUT_DOCUMENTS
        for key in sorted(Base.metadata.tables[table].foreign_keys, key=lambda key: key.parent.name)
    ],
)
def test_a_row_refers_to_what_is_there(store: Store, table: str, column: str) -> None:
    job_id = a_job(store, 1)
    ((document,),) = sql(store, "SELECT id FROM document")
    row = {
        column.name: column.type.python_type(1)
        for column in Base.metadata.tables[table].c
        if not column.nullable and column.default is None
    }
    referred = {"job": job_id, "document": document}
    row |= {
        key.parent.name: referred[key.column.table.name] for key in Base.metadata.tables[table].foreign_keys
    }
    if table == "outcome":
        row |= {"state": "ok"}
    with pytest.raises(IntegrityError), store.write() as session:
        session.execute(insert(Base.metadata.tables[table]), row | {column: 4711})
    with store.write() as session:
        session.execute(insert(Base.metadata.tables[table]), row)


def test_what_has_outcomes_is_not_deleted(store: Store) -> None:
    write_ok(store, held(store, the_chunk(store, a_job(store, 1)).id))
    for table in ("job", "document"):
        with pytest.raises(IntegrityError), store.write() as session:
            session.execute(text(f"DELETE FROM {table}"))


def test_checks_and_partial_indexes_equal_the_models(store: Store) -> None:
    # Alembic compares neither: so build the models elsewhere and look at both.
    there = inspect(store.engine)
    for table in Base.metadata.sorted_tables:
        named = {constraint.name for constraint in table.constraints if constraint.name} - {None}
        checks = {check["name"] for check in there.get_check_constraints(table.name)}
        assert {name for name in named if str(name).startswith("ck_")} == checks, table.name
        indexes = {index["name"]: index for index in there.get_indexes(table.name)}
        for index in table.indexes:
            options = index.dialect_options[store.engine.dialect.name]
            found = indexes[index.name].get("dialect_options", {})
            has_condition = any("where" in name for name in found)
            assert has_condition == (options.get("where") is not None), index.name


def test_the_schema_named_in_the_code_is_the_newest_migration(store: Store) -> None:
    assert ScriptDirectory.from_config(alembic_config()).get_current_head() == SCHEMA
    assert store.schema() == SCHEMA


def test_migration_files_start_with_a_date() -> None:
    folder = Path(alembic_config().get_main_option("script_location") or "") / "versions"
    names = [path.name for path in folder.glob("*.py")]
    assert names
    for name in names:
        year, month, day = name.split("_")[:3]
        assert len(year) == 4
        assert 1 <= int(month) <= 12
        assert 1 <= int(day) <= 31


def test_upgrading_twice_is_harmless(store: Store) -> None:
    job_id = a_job(store)
    upgrade(store)
    upgrade(store)
    assert sql(store, "SELECT job_id FROM v_job_progress") == [(job_id,)]


def test_upgrades_at_the_same_time_wait_for_each_other(fresh: Store) -> None:
    faults: list[Exception] = []
    barrier = threading.Barrier(4)

    def one() -> None:
        own = Store(fresh.url.render_as_string(hide_password=False))
        barrier.wait()
        try:
            upgrade(own)
        except Exception as error:
            faults.append(error)
        finally:
            own.close()

    threads = [threading.Thread(target=one) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    fresh.check_schema()
    a_job(fresh)


def test_first_connections_at_the_same_time_wait_for_each_other(tmp_path: Path) -> None:
    faults: list[Exception] = []

    def connect(url: str, barrier: threading.Barrier) -> None:
        own = Store(url)
        barrier.wait()
        try:
            with own.engine.connect() as connection:
                connection.execute(text("SELECT 1"))
        except Exception as error:
            faults.append(error)
        finally:
            own.close()

    for number in range(150):
        barrier = threading.Barrier(8)
        url = f"sqlite:///{tmp_path}/{number}.db"
        threads = [threading.Thread(target=connect, args=(url, barrier)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert faults == []


def test_an_empty_sqlite_gets_its_tables_and_an_empty_postgresql_says_what_to_run(fresh: Store) -> None:
    if fresh.is_sqlite:
        fresh.check_schema()
        assert fresh.schema() == SCHEMA
    else:
        with pytest.raises(OldSchemaError, match="docmill db upgrade"):
            fresh.check_schema()


def test_a_store_of_another_version_is_refused_with_the_fix(fresh: Store) -> None:
    upgrade(fresh)
    words = r"install that version" if fresh.is_sqlite else r"docmill db upgrade"
    version = "9999" if fresh.is_sqlite else "0001"
    with upgraded_to(fresh, version), pytest.raises(OldSchemaError, match=words):
        fresh.check_schema()


def test_an_upgrade_by_older_code_is_refused_in_a_sentence_and_changes_nothing(store: Store) -> None:
    job_id = a_job(store)
    with upgraded_to(store, "9999"):
        for refused in (store.check_schema, lambda: upgrade(store)):
            with pytest.raises(NewerSchemaError, match=r"is at schema 9999.*a newer docmill has upgraded it"):
                refused()
        assert store.schema() == "9999"
        assert sql(store, "SELECT job_id FROM v_job_progress") == [(job_id,)]


@pytest.mark.parametrize("view", sorted(views.VIEWS))
def test_each_view_has_the_columns_that_analysts_rely_on(store: Store, view: str) -> None:
    stop(store, a_job(store))
    with store.engine.connect() as connection:
        found = connection.execute(text(f"SELECT * FROM {view}"))
        assert set(COLUMNS[view].split()) <= set(found.keys())


def test_every_view_is_tested() -> None:
    assert set(COLUMNS) == set(views.VIEWS)


# --- what a store refuses ---------------------------------------------------------------------------------------


def test_a_durable_store_is_accepted(store: Store) -> None:
    store.check_durability()


@pytest.mark.parametrize("setting", ["fsync", "full_page_writes", "synchronous_commit"])
def test_postgresql_that_may_forget_is_refused_with_the_fix(
    postgres_server: PostgresServer, postgres_store: Store, setting: str
) -> None:
    postgres_server.execute(f"ALTER SYSTEM SET {setting} = off")
    postgres_server.execute("SELECT pg_reload_conf()")
    try:
        with pytest.raises(UnsafeStoreError, match=f"{setting} = on"):
            _checked_until_reloaded(postgres_server)
    finally:
        postgres_server.execute(f"ALTER SYSTEM RESET {setting}")
        postgres_server.execute("SELECT pg_reload_conf()")


def _checked_until_reloaded(server: PostgresServer) -> None:
    """The reload reaches new connections a moment later."""
    for _ in range(200):
        store = Store(server.url())
        try:
            store.check_durability()
        finally:
            store.close()


def test_sqlite_that_may_forget_is_refused(sqlite_store: Store) -> None:
    from sqlalchemy import event

    event.listen(sqlite_store.engine, "connect", lambda raw, _: raw.execute("PRAGMA synchronous=NORMAL"))
    sqlite_store.close()
    with pytest.raises(UnsafeStoreError, match="synchronous"):
        sqlite_store.check_durability()


def test_another_database_is_refused_and_no_password_is_repeated() -> None:
    with pytest.raises(StoreError, match="mysql"):
        Store("mysql://me:hunter2@there/db")
    with pytest.raises(StoreError) as refused:
        Store("not a url hunter2")
    assert "hunter2" not in str(refused.value)
    assert "hunter2" not in Store("postgresql://me:hunter2@there/db").name


def test_an_unreachable_store_is_named_without_its_password() -> None:
    with pytest.raises(StoreError, match="cannot reach") as refused:
        open_store("postgresql://me:hunter2@127.0.0.1:1/db")
    assert "hunter2" not in str(refused.value)


def test_postgres_urls_are_read_as_people_write_them() -> None:
    for scheme in ("postgres", "postgresql", "postgresql+psycopg"):
        assert Store(f"{scheme}://me@there/db").url.drivername == "postgresql+psycopg"
