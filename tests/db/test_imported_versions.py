"""Versions of models without a job: the migration that allows them, on a store that has trained ones."""

from __future__ import annotations

import pytest
from alembic import command
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from db import imported_models, model_versions
from db.migrations import alembic_config, upgrade
from db.store import Store
from tests.db.builders import a_job, sql

VERSION = (
    "INSERT INTO model_version (id, model_id, version, job_id, path, manifest_sha256, parameters, created_at) "
    "VALUES (:id, :model, :version, :job, 'a/b', 'c', '{}', '2026-01-01 00:00:00+00:00') RETURNING id"
)
MODEL = (
    "INSERT INTO model (id, name, kind, created_at) "
    "VALUES (99, 'trained', 'train-similarity', '2026-01-01 00:00:00+00:00') RETURNING id"
)
METRIC = "INSERT INTO model_metric (model_version_id, name, value) VALUES (97, 'top', 0.5) RETURNING value"


def test_trained_versions_stay_and_imported_ones_need_no_job(fresh: Store) -> None:
    config = alembic_config()
    with fresh.engine.execution_options(docmill_write=True).begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0057")
    job = a_job(fresh)
    sql(fresh, MODEL)
    sql(fresh, VERSION, id=97, model=99, version=1, job=job)
    sql(fresh, METRIC)
    with pytest.raises(IntegrityError):
        sql(fresh, VERSION, id=98, model=99, version=2, job=None)

    upgrade(fresh)

    assert sql(fresh, "SELECT job_id, path FROM model_version") == [(job, "a/b")]
    for name in ("one", "two"):
        with fresh.write() as session:
            made = imported_models.register(session, name, "encoder", "p", "sha", {}, {"dimensions": 2.0})
            assert model_versions.job_of(session, made.id) is None
    with pytest.raises(IntegrityError):
        sql(fresh, VERSION, id=99, model=99, version=2, job=job)
    with pytest.raises(IntegrityError):
        sql(fresh, VERSION, id=99, model=99, version=2, job=10**6)
    assert sql(fresh, "SELECT metric, value FROM v_model_metrics WHERE model = 'two'") == [
        ("dimensions", 2.0)
    ]
    if fresh.is_sqlite:
        with fresh.engine.connect() as connection:
            assert connection.scalar(text("PRAGMA integrity_check")) == "ok"
            assert connection.execute(text("PRAGMA foreign_key_check")).all() == []
            # A process of later has to read the same declaration.
            declared = connection.scalar(text("SELECT sql FROM sqlite_schema WHERE name = 'model_version'"))
        assert "job_id BIGINT NOT NULL" not in declared
        assert "job_id INTEGER NOT NULL" not in declared
