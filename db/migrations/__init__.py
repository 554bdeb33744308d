"""The history of the tables. `upgrade` brings a database to this version; running it twice is harmless."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Column, Connection

if TYPE_CHECKING:
    from alembic.config import Config

    from db.store import Store

#: PostgreSQL advisory lock that makes simultaneous upgrades wait for each other.
LOCK = 0x646F636D


def is_compared(_thing: Any, name: str | None, _kind: str, _reflected: bool, _other: Any) -> bool:
    """Whether Alembic is to compare something: not the full text index, which each database has in its own way, with
    tables of its own on SQLite, and no index by an expression, which it cannot compare."""
    return not str(name).startswith("search_text") and name not in (
        "ix_search_document_words",
        "ix_document_key_bytewise",
    )


def upgrade(store: Store, *, only_migrations: bool = False) -> None:
    """Run the migrations that are missing, in one transaction, and make the tables of kinds from other packages
    unless `only_migrations`. Views are created anew, unless a newer docmill made them. Raises NewerSchemaError, and
    changes nothing, on tables that a newer docmill made."""
    from alembic import command
    from alembic.script import ScriptDirectory
    from sqlalchemy import text

    from db import compatibility, view_digest

    # Its plugins announce themselves at every start; what matters is raised.
    logging.getLogger("alembic").setLevel(logging.WARNING)
    with store.engine.execution_options(docmill_write=True).begin() as connection:
        if not store.is_sqlite:
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
        store.refuse_newer(_schema(connection))
        config = alembic_config()
        config.attributes["connection"] = connection
        keep_views = view_digest.are_newer(connection)
        if not keep_views:
            view_digest.drop(connection)
        command.upgrade(config, "head")
        compatibility.store(connection, ScriptDirectory.from_config(config))
        if not only_migrations:
            _create_tables_of_other_packages(connection)
        if not keep_views:
            view_digest.create(connection)


def _schema(connection: Connection) -> str | None:
    from sqlalchemy import text

    if not connection.dialect.has_table(connection, "alembic_version"):
        return None
    found: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return found


def newest() -> str:
    """The revision of the newest migration, from its file's name: a check needs no alembic."""
    names = (path.name for path in (Path(__file__).parent / "versions").glob("*_*.py"))
    return max(name.split("_")[3] for name in names)


def missing_tables(store: Store) -> list[str]:
    """The result tables that the store lacks, of the kinds that are loaded."""
    from sqlalchemy import inspect

    from db.tables import result

    return sorted(result.from_rows() - set(inspect(store.engine).get_table_names()))


def _create_tables_of_other_packages(connection: Connection) -> None:
    """Kinds that other packages bring have no migration here: their tables are made from their row classes."""
    from alembic.migration import MigrationContext
    from alembic.operations import Operations
    from sqlalchemy import inspect

    from db.migrations.result_tables import OWNED_BY_JOB, OWNED_BY_VERSION, create_result_table
    from db.tables import Base, result

    there = set(inspect(connection).get_table_names())
    op = Operations(MigrationContext.configure(connection))
    for name in sorted(result.from_rows() - there):
        table = Base.metadata.tables[name]
        owner = OWNED_BY_JOB if "job_id" in table.c else OWNED_BY_VERSION
        own = [column for column in table.c if column.name not in owner]
        create_result_table(
            op,
            name,
            *(Column(column.name, column.type, nullable=column.nullable) for column in own),
            key=[column.name for column in own if column.primary_key],
            owner=owner,
        )


def alembic_config() -> Config:
    """Alembic's configuration, without an .ini file."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.set_main_option("path_separator", "os")
    return config
