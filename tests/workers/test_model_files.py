"""A model whose files are missing, cut short or altered: named, never blamed on a document, and repaired by putting
the files back."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import update

from db import model_versions
from db.store import Store
from db.tables import Job
from nlp_tasks import model_files
from tests.db.builders import a_job, finish, let_backoffs_pass, outcomes, the_chunk
from workers.processes.process import Process
from workers.running import chunk_run, runners
from workers.settings import settings


@pytest.fixture
def process(sqlite_store: Store) -> Iterator[Process]:
    runners.resident.cache_clear()
    with tempfile.TemporaryFile("w+") as crash_file:
        process = Process(settings(), sqlite_store, crash_file)
        yield process
        process.watch_no_more()


@pytest.fixture
def model_dir(process: Process) -> Path:
    """A model version that was trained and registered."""
    folder = process.settings.models_path / "news" / "job-1"
    model_files.save(folder, {"labels": ["a"]}, {"weights": np.zeros(4, dtype=np.float32)})
    return folder


def _job_with_model(process: Process, folder: Path) -> int:
    store = process.store
    trained_by = a_job(store, 2, kind="train-oracle", model_ref="news")
    with store.write() as session:
        sealed = model_files.sha256_of(folder / model_files.MANIFEST)
        model_versions.register(session, trained_by, "news/job-1", sealed, {})
    job_id = a_job(store, 3, parameters={"seconds": 0.0, "batch": 2})
    with store.write() as session:
        version = model_versions.resolve(session, "news", "train-oracle").id
        session.execute(update(Job).where(Job.id == job_id).values(model_version_id=version))
    return job_id


@pytest.mark.parametrize(
    "harm", ["folder missing", "manifest missing", "weights missing", "weights cut short", "manifest altered"]
)
def test_a_harmed_model_is_named_and_no_document_is_blamed(
    process: Process, model_dir: Path, harm: str
) -> None:
    job_id = _job_with_model(process, model_dir)
    chunk_id = the_chunk(process.store, job_id).id
    backup = model_dir.with_name("backup")
    shutil.copytree(model_dir, backup)
    weights, manifest = model_dir / model_files.WEIGHTS, model_dir / model_files.MANIFEST
    if harm == "folder missing":
        shutil.rmtree(model_dir)
    elif harm == "weights cut short":
        weights.write_bytes(weights.read_bytes()[:-1])
    elif harm == "manifest altered":
        manifest.write_text("{}")
    else:
        (weights if harm.startswith("weights") else manifest).unlink()

    said = chunk_run.run(process, chunk_id)

    assert said.startswith("put back: ModelFileError")
    assert str(model_dir) in said
    assert outcomes(process.store, job_id) == {}
    chunk = the_chunk(process.store, job_id)
    assert (chunk.n_crashes, chunk.n_put_back) == (0, 1)
    assert chunk.fault is not None
    assert str(model_dir) in chunk.fault

    shutil.rmtree(model_dir, ignore_errors=True)
    backup.rename(model_dir)
    let_backoffs_pass(process.store)
    assert chunk_run.run(process, chunk_id) == "3 documents: 3 ok, 0 errors"
    assert finish(process.store, job_id)
