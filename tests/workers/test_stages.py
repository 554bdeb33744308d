"""Kinds of several stages: a document that fails in one of them is left alone by those that follow."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator

import pytest
from sqlalchemy import text

from db import chunks
from db.chunks import ChunkSize
from db.documents import NewDocument
from db.store import Store
from scheduler.broker import Broker
from scheduler.loop import Scheduler
from tests.db.builders import add, chunks_of, crash, held, job_of, let_backoffs_pass, outcomes, sql, submit
from tests.kinds import THREE, answer
from workers.app import make_app
from workers.processes.process import Process
from workers.running import chunk_run
from workers.settings import settings

TEXTS = [
    *(f"good {i}" for i in range(7)),
    *(f"!{how} {stage}" for stage in (1, 2, 3) for how in ("error", "raise")),
    *(f"fine {i}" for i in range(4)),
]


def expected(text: str) -> str:
    """The outcome of a text."""
    if text.startswith("!error"):
        return f"STAGE_{text[-1]}"
    return "RUNNER_ERROR" if text.startswith("!raise") else "ok"


@pytest.fixture
def process(store: Store) -> Iterator[Process]:
    with tempfile.TemporaryFile("w+") as crash_file:
        process = Process(settings(), store, crash_file)
        yield process
        process.watch_no_more()


def _job(store: Store, per_chunk: int, texts: list[str] = TEXTS) -> int:
    collection = add(store, [NewDocument(f"k{i}", text, None, f"f:{i}") for i, text in enumerate(texts)])
    size = ChunkSize(per_chunk, 1_000_000)
    return submit(store, collection, kind="three", n_stages=len(THREE.stages), chunk_size=size).job_id


def _work(process: Process, job_id: int) -> list[str]:
    """What worker and scheduler do until the job has ended; what each chunk said."""
    scheduler = Scheduler(process.store, Broker(make_app()), settings())
    said = []
    while job_of(process.store, job_id).state != "finished":
        let_backoffs_pass(process.store)
        for chunk in chunks_of(process.store, job_id):
            if chunk.state == "ready":
                said.append(chunk_run.run(process, chunk.id))
        scheduler.mover.move_jobs()
    return said


@pytest.mark.parametrize("per_chunk", [1, 2, 3, 100])
def test_a_document_that_failed_in_one_stage_is_left_alone_by_the_next(
    process: Process, per_chunk: int, caplog: pytest.LogCaptureFixture
) -> None:
    job_id = _job(process.store, per_chunk)

    with caplog.at_level(logging.WARNING):
        said = _work(process, job_id)

    assert not [words for words in said if "put back" in words]
    assert outcomes(process.store, job_id) == {f"k{i}": expected(text) for i, text in enumerate(TEXTS)}
    found = chunks_of(process.store, job_id)
    assert [chunk.fence for chunk in found] == [1] * len(found)
    assert [chunk.fault for chunk in found] == [None] * len(found)
    assert sum(chunk.n_ok + chunk.n_error for chunk in found) == len(TEXTS)
    assert "IntegrityError" not in caplog.text


def test_rows_of_an_earlier_stage_are_written_once_though_their_chunk_is_run_again(process: Process) -> None:
    """The rows were committed and the chunk was not closed: its worker died, or the answer to a commit was lost."""
    job_id = _job(process.store, 100, ["a", "b", "c"])
    first, second, _ = chunks_of(process.store, job_id)
    chunk_run.run(process, first.id)
    with process.store.write() as session:
        chunks.open_some(session, job_id)
        session.execute(
            text(
                "INSERT INTO keyword (job_id, document_id, rank, term, score) VALUES (:job, :id, 1, :term, 1.0)"
            ),
            {"job": job_id, "id": second.document_ids[0], "term": answer("a")},
        )
    held(process.store, second.id, "dead")
    crash(process.store, "dead")

    said = _work(process, job_id)

    assert not [words for words in said if "put back" in words]
    assert set(outcomes(process.store, job_id).values()) == {"ok"}
    rows = sql(process.store, "SELECT term FROM keyword WHERE job_id = :job ORDER BY document_id", job=job_id)
    assert [term for (term,) in rows] == [answer(each) for each in ("a", "b", "c")]


def test_a_document_that_was_given_up_in_one_stage_is_left_alone_by_the_next(process: Process) -> None:
    job_id = _job(process.store, 100, ["a", "b", "c"])
    first = chunks_of(process.store, job_id)[0]
    for attempt in range(4):
        let_backoffs_pass(process.store)
        claim = held(process.store, first.id, "dead")
        if attempt:
            with process.store.write() as session:
                chunks.suspect(session, claim, claim.document_ids[1], 60)
        crash(process.store, "dead")

    said = _work(process, job_id)

    assert not [words for words in said if "put back" in words]
    assert outcomes(process.store, job_id) == {"k0": "ok", "k1": "POISON", "k2": "ok"}
