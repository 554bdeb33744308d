"""The history of the tables. `upgrade` brings a database to this version; running it twice is harmless."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from alembic.config import Config
    from sqlalchemy import Connection

    from db.store import Store

#: PostgreSQL advisory lock that makes simultaneous upgrades wait for each other.
LOCK = 0x646F636D


def upgrade(store: Store) -> None:
    """Run the migrations that are missing, in one transaction. Raises NewerSchemaError, and changes nothing, on
    tables that a newer docmill made."""
    from alembic import command
    from sqlalchemy import text

    from db import views

    # Its plugins announce themselves at every start; what matters is raised.
    logging.getLogger("alembic").setLevel(logging.WARNING)
    with store.engine.execution_options(docmill_write=True).begin() as connection:
        if not store.is_sqlite:
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
        store.refuse_newer(_schema(connection))
        config = alembic_config()
        config.attributes["connection"] = connection
        views.drop(connection)
        command.upgrade(config, "head")
        views.create(connection)


def _schema(connection: Connection) -> str | None:
    from sqlalchemy import text

    if not connection.dialect.has_table(connection, "alembic_version"):
        return None
    found: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return found


def alembic_config() -> Config:
    """Alembic's configuration, without an .ini file."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.set_main_option("path_separator", "os")
    return config
