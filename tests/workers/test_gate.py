"""A training ends before its gate: what passes becomes the champion, what does not leaves it, and both are said."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator

import pytest

from db import model_versions
from db.store import Store
from tests.db.builders import a_job, finish, job_of, let_backoffs_pass, outcomes, sql, the_chunk
from workers.processes.process import Process
from workers.running import chunk_run
from workers.settings import settings
from workers.training import training_run


@pytest.fixture
def process(sqlite_store: Store) -> Iterator[Process]:
    with tempfile.TemporaryFile("w+") as crash_file:
        process = Process(settings(), sqlite_store, crash_file)
        yield process
        process.watch_no_more()


def _train(process: Process, quality: float) -> str:
    """The note of a training job, run to its end."""
    job_id = a_job(process.store, 2, kind="train-gated", model_ref="m", parameters={"quality": quality})
    chunk_run.run(process, the_chunk(process.store, job_id).id)
    assert finish(process.store, job_id)
    return job_of(process.store, job_id).note or ""


def _champion(process: Process) -> int:
    with process.store.read() as session:
        champion = model_versions.champion(session, "m")
    assert champion is not None
    return champion.version


def test_versions_replace_the_champion_as_long_as_they_pass(process: Process) -> None:
    assert _train(process, 0.5) == "m@1 is the champion now"
    assert _train(process, 0.6) == "m@2 is the champion now"
    assert _train(process, 0.55) == (
        "m@2 stays the champion, the gate refused the new version: quality 0.55 (at least 0.6: missed)"
    )
    assert _champion(process) == 2
    assert [tuple(row) for row in sql(process.store, "SELECT value, at_least, passed FROM model_gate")] == [
        (0.6, 0.5, 1),
        (0.55, 0.6, 0),
    ]


def test_a_champion_whose_files_are_gone_is_not_replaced_silently(process: Process) -> None:
    _train(process, 0.5)
    shutil.rmtree(process.settings.models_path / "m")
    assert "champion_files 0 (at least 1: missed)" in _train(process, 0.9)
    assert _champion(process) == 1
    with process.store.write() as session:
        model_versions.promote(session, "m@2", force=True)
    assert _champion(process) == 2
    assert _train(process, 0.95) == "m@3 is the champion now"


def test_a_training_whose_code_always_raises_ends(process: Process) -> None:
    job_id = a_job(process.store, 2, kind="train-gated", model_ref="m", parameters={"quality": -1})
    for _ in range(training_run.MOST_TRIES):
        assert outcomes(process.store, job_id) == {}
        let_backoffs_pass(process.store)
        said = chunk_run.run(process, the_chunk(process.store, job_id).id)
    assert said == "no model: its code raised ArithmeticError at each of 4 tries"
    assert outcomes(process.store, job_id) == {"k0": "TRAINING_FAILED", "k1": "TRAINING_FAILED"}
    assert finish(process.store, job_id)
