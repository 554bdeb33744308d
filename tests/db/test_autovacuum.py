"""deploy/autovacuum.sql names tables and settings that exist, and can be run again."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from db.migrations import upgrade
from db.store import Store
from tests.db.builders import sql
from tests.servers import PostgresServer

FILE = Path(__file__).parents[2] / "deploy" / "autovacuum.sql"


def test_the_settings_are_taken_and_an_upgrade_keeps_them(
    fresh: Store, postgres_server: PostgresServer
) -> None:
    if fresh.is_sqlite:
        pytest.skip("SQLite has no autovacuum of this kind")
    upgrade(fresh)
    command = ["psql", "--quiet", "--host", str(postgres_server.folder), "--username", "docmill", "--dbname", "fresh",
               "--file", str(FILE)]  # fmt: skip
    for _ in range(2):
        subprocess.run(command, check=True, capture_output=True)
    upgrade(fresh)

    set_ = dict(
        sql(fresh, "SELECT relname, reloptions FROM pg_class WHERE reloptions IS NOT NULL AND relkind = 'r'")
    )
    assert set(set_) == {"chunk", "job", "worker", "notification", "outcome", "document"}
    assert "autovacuum_vacuum_scale_factor=0.01" in set_["chunk"]
