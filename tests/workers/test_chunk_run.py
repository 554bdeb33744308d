"""What a worker does with one chunk, in this process: claim, run, write, close; and what it does when it cannot."""

from __future__ import annotations

import hashlib
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from sqlalchemy.exc import OperationalError, ProgrammingError

from db import chunks, jobs, limits
from db.chunks import Written
from db.documents import NewDocument
from db.drains import Target
from db.limits import Limit, Scope
from db.states import DrainLevel
from db.store import SCHEMA, Store
from nlp_tasks.errors import DocumentError
from nlp_tasks.kind import Document, Result
from tests.db.builders import (
    add,
    crash,
    finish,
    held,
    job_of,
    let_backoffs_pass,
    let_leases_expire,
    outcomes,
    reap,
    sql,
    stop,
    submit,
    the_chunk,
    upgraded_to,
    write_ok,
)
from tests.db.members import drain, undrain
from tests.kinds import Oracle, OracleRow, answer
from tests.servers import until
from workers.processes.process import Process
from workers.running import chunk_run, documents_run, lease, runners, write_behind
from workers.running.chunk_report import Refused
from workers.settings import settings


@pytest.fixture
def process(store: Store) -> Iterator[Process]:
    runners.resident.cache_clear()
    with tempfile.TemporaryFile("w+") as crash_file:
        process = Process(settings(), store, crash_file)
        yield process
        process.watch_no_more()


def _job(store: Store, *texts: str, **values: Any) -> int:
    collection = add(store, [NewDocument(f"k{i}", text, None, f"f:{i}") for i, text in enumerate(texts)])
    return submit(store, collection, per_chunk=100, **values).job_id


def _run(process: Process, job_id: int) -> str:
    return chunk_run.run(process, the_chunk(process.store, job_id).id)


def test_a_chunk_is_run_to_its_end(process: Process) -> None:
    job_id = _job(process.store, "하나", "two", "drei")
    assert _run(process, job_id) == "3 documents: 3 ok, 0 errors"
    assert outcomes(process.store, job_id) == {"k0": "ok", "k1": "ok", "k2": "ok"}
    labels = sql(process.store, "SELECT label FROM classification ORDER BY document_id")
    assert [label for (label,) in labels] == [answer("하나"), answer("two"), answer("drei")]
    assert finish(process.store, job_id)


def test_a_message_that_comes_again_does_nothing(process: Process) -> None:
    job_id = _job(process.store, "a")
    _run(process, job_id)
    assert _run(process, job_id).startswith("nothing to do")
    assert chunk_run.run(process, 4711).startswith("nothing to do")


@pytest.mark.parametrize("state", ["paused", "cancelled", "taken"])
def test_a_message_for_what_is_not_to_be_run_does_nothing(process: Process, state: str) -> None:
    job_id = _job(process.store, "a")
    if state == "cancelled":
        stop(process.store, job_id)
    elif state == "taken":
        held(process.store, the_chunk(process.store, job_id).id, "another")
    else:
        with process.store.write() as session:
            jobs.pause(session, job_id)
    before = outcomes(process.store, job_id)
    assert _run(process, job_id).startswith("nothing to do")
    assert outcomes(process.store, job_id) == before


def test_an_error_in_a_batch_is_blamed_on_its_document_alone(process: Process) -> None:
    job_id = _job(process.store, *["good"] * 10, "!raise", "", *["fine"] * 10)
    assert _run(process, job_id) == "22 documents: 20 ok, 2 errors (RUNNER_ERROR 1, EMPTY_TEXT 1)"
    found = outcomes(process.store, job_id)
    assert {key: code for key, code in found.items() if code != "ok"} == {
        "k10": "RUNNER_ERROR",
        "k11": "EMPTY_TEXT",
    }
    ((detail,),) = sql(process.store, "SELECT error_detail FROM outcome WHERE error_code = 'RUNNER_ERROR'")
    assert detail == "ValueError: asked to raise"


@pytest.mark.parametrize(
    ("value", "n"),
    [(["a", "b"], 3), (["a", "b"], 60), ([["a"], ["b"]], 3), ({"a": 1}, 3), (np.array(["a"]), 3)],
    ids=["a list", "a list among many rows", "lists", "a dictionary", "an array"],
)
def test_a_cell_with_a_list_is_blamed_on_its_document_alone(
    process: Process, monkeypatch: pytest.MonkeyPatch, value: Any, n: int
) -> None:
    """In whatever way the rows travel to the database."""
    monkeypatch.setattr(
        Oracle,
        "_one",
        lambda _, document, __: [OracleRow(1, "a", 1.0, value if document.text == "bad" else None)],
    )
    job_id = _job(process.store, *["good"] * n, "bad", "fine")
    _run(process, job_id)
    assert outcomes(process.store, job_id) == {
        f"k{i}": "BAD_RESULT" if i == n else "ok" for i in range(n + 2)
    }
    ((detail,),) = sql(process.store, "SELECT error_detail FROM outcome WHERE error_code = 'BAD_RESULT'")
    said = f"reason of table classification is a {type(value).__name__}, and a cell holds one value"
    assert detail == f"{said}: write it as JSON text"


def test_a_result_that_is_too_large_for_an_index_is_blamed_on_its_document_alone(
    process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PostgreSQL refuses the key of an index beyond some 2,700 bytes; SQLite takes it. Otherwise the chunk would be put
    back for ever."""
    code = "".join(hashlib.sha256(str(n).encode()).hexdigest() for n in range(300))
    one = Oracle._one

    def with_long_code(oracle: Oracle, document: Document, together: int) -> Result:
        if document.text == "bad":
            return DocumentError(code, "the code of this kind is too long")
        return one(oracle, document, together)

    monkeypatch.setattr(Oracle, "_one", with_long_code)
    job_id = _job(process.store, *["good"] * 5, "bad", *["fine"] * 5)
    _run(process, job_id)
    refused = code if process.store.is_sqlite else "BAD_RESULT"
    assert outcomes(process.store, job_id) == {f"k{i}": refused if i == 5 else "ok" for i in range(11)}


def test_out_of_memory_halves_the_batch_and_the_lesson_is_kept(
    process: Process, caplog: pytest.LogCaptureFixture
) -> None:
    job_id = _job(process.store, *["!oom"] * 16, parameters={"seconds": 0.0, "batch": 16})
    assert _run(process, job_id) == "16 documents: 16 ok, 0 errors"
    (learnt,) = sql(process.store, "SELECT most, failed FROM batch_size")
    assert tuple(learnt) == (2, 4)
    assert caplog.text.count("out of memory with") == 3, "16, 8 and 4: no size twice"
    process.learning.clear()  # as in a new process
    caplog.clear()
    again = _job(process.store, *["!oom"] * 16, parameters={"seconds": 0.0, "batch": 16})
    with caplog.at_level("WARNING", "docmill.worker"):
        _run(process, again)
    assert set(outcomes(process.store, again).values()) == {"ok"}
    assert "out of memory" not in caplog.text, "it started with what was learnt"


def test_other_models_leave_the_memory_before_batches_become_smaller(
    process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two other models are loaded; the device is out of memory until both have left."""
    for seconds in (0.0, 0.0001):
        _run(process, _job(process.store, "a", parameters={"seconds": seconds, "batch": 16}))
    models = runners.resident()
    sizes: list[int] = []
    original = Oracle.run

    def run(self: Oracle, documents: Any) -> Any:
        sizes.append(len(documents))
        if len(models) > 1:
            raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return original(self, documents)

    monkeypatch.setattr(Oracle, "run", run)
    job_id = _job(process.store, *["text"] * 8, parameters={"seconds": 0.0002, "batch": 8})
    assert _run(process, job_id) == "8 documents: 8 ok, 0 errors"
    assert sizes == [8] * 3
    assert sql(process.store, "SELECT * FROM batch_size") == []


def test_a_document_that_alone_is_too_big_is_memory(process: Process) -> None:
    job_id = _job(process.store, "a", "!toobig")
    _run(process, job_id)
    assert outcomes(process.store, job_id) == {"k0": "ok", "k1": "MEMORY"}


def test_after_a_death_only_what_is_open_is_run_and_each_document_alone(process: Process) -> None:
    job_id = _job(process.store, "a", "!memory", "c")
    chunk = the_chunk(process.store, job_id)
    taken = held(process.store, chunk.id, "dead")
    write_ok(process.store, taken, taken.document_ids[:1], close=False)
    crash(process.store, "dead")
    assert _run(process, job_id) == "2 documents: 2 ok, 0 errors"
    assert sql(process.store, "SELECT * FROM batch_size") == [], "run alone, this document fits"


@pytest.mark.parametrize(
    "fault",
    [
        OSError(28, "No space left on device"),
        OperationalError("SELECT", {}, Exception("gone")),
    ],
    ids=["disk full", "store gone"],
)
def test_a_fault_of_the_machine_puts_the_chunk_back_and_blames_nobody(
    process: Process, monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    job_id = _job(process.store, "a", "b")

    def broken(*_: Any) -> Any:
        raise fault

    monkeypatch.setattr(documents_run, "runner_for", broken)
    assert _run(process, job_id).startswith("put back")
    assert outcomes(process.store, job_id) == {}
    chunk = the_chunk(process.store, job_id)
    assert (chunk.state, chunk.n_crashes, chunk.n_put_back) == ("ready", 0, 1)
    monkeypatch.undo()
    let_backoffs_pass(process.store)
    assert _run(process, job_id) == "2 documents: 2 ok, 0 errors"


def test_a_chunk_that_is_lost_while_it_runs_writes_nothing(process: Process) -> None:
    job_id = _job(process.store, "a", "b")
    ran = _when_it_runs(process, lambda: stop(process.store, job_id))
    assert ran(job_id).startswith("dropped")
    assert set(outcomes(process.store, job_id).values()) == {"CANCELLED"}


def test_a_pause_lets_the_chunk_that_runs_end(process: Process) -> None:
    def pause() -> None:
        with process.store.write() as session:
            jobs.pause(session, job_id)

    job_id = _job(process.store, "a", "b")
    assert _when_it_runs(process, pause)(job_id) == "2 documents: 2 ok, 0 errors"


def test_a_worker_that_is_told_to_stop_gives_the_chunk_back_after_its_batch(process: Process) -> None:
    job_id = _job(process.store, *["text"] * 6, parameters={"seconds": 0.0, "batch": 2})

    def tell() -> None:
        process.stopping = True

    assert _when_it_runs(process, tell)(job_id) == "put back: the worker was stopped"
    chunk = the_chunk(process.store, job_id)
    assert (chunk.state, chunk.n_crashes, chunk.n_put_back, chunk.not_before) == ("ready", 0, 0, None)
    process.stopping = False
    _run(process, job_id)
    assert len(outcomes(process.store, job_id)) == 6


def test_a_lease_is_renewed_while_batches_end(process: Process, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process.settings, "lease_seconds", 0.04)
    job_id = _job(process.store, *["text"] * 10, parameters={"seconds": 0.02, "batch": 1})
    renewed = []
    original = chunks.renew

    def renew(*arguments: Any) -> None:
        renewed.append(arguments)
        original(*arguments)

    monkeypatch.setattr(chunks, "renew", renew)
    # The watch would end this process if it were as short as this lease.
    monkeypatch.setattr(Process, "watch", lambda *_: None)
    assert _run(process, job_id) == "10 documents: 10 ok, 0 errors"
    assert len(renewed) >= 5


def test_a_lease_is_not_renewed_while_nothing_ends(process: Process, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process.settings, "lease_seconds", 0.2)
    monkeypatch.setattr(Process, "watch", lambda *_: None)
    job_id = _job(process.store, "a")
    seen: list[list[int]] = []

    def hang() -> None:
        """As long as it takes the lease to run out by itself; asking the store all the while would be work."""
        time.sleep(5 * process.settings.lease_seconds)

        def expired() -> list[int]:
            with process.store.write() as session:
                return chunks.reap(session)

        seen.append(until(expired, "the end of the lease", 5))

    assert _when_it_runs(process, hang)(job_id).startswith("dropped")
    assert seen == [[the_chunk(process.store, job_id).id]]


def test_the_watch_over_a_batch_is_as_long_as_the_lease_and_over_a_load_as_long_as_a_load(
    process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched: list[float] = []
    monkeypatch.setattr(Process, "watch", lambda _, seconds: watched.append(seconds))
    _run(process, _job(process.store, "a"))
    lease_seconds, load_seconds = process.settings.lease_seconds, process.settings.load_seconds
    assert watched[0] == watched[-1] == lease_seconds
    assert set(watched) <= {lease_seconds, load_seconds}


def test_a_commit_whose_answer_was_lost_is_not_written_twice(
    process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "RETRY_SECONDS", 0.0)
    job_id = _job(process.store, "a", "b", "!raise", parameters={"seconds": 0.0, "batch": 1})
    original = chunks.write_at_once
    lost: list[bool] = []

    def write(*arguments: Any, **values: Any) -> Written:
        written = original(*arguments, **values)
        if not lost:
            # The commit comes through, and then the connection breaks before the answer.
            lost.append(True)
            raise OperationalError("COMMIT", {}, Exception("server closed the connection"))
        return written

    monkeypatch.setattr(chunks, "write_at_once", write)
    monkeypatch.setattr(write_behind, "FLUSH_SECONDS", -1.0)
    _run(process, job_id)
    assert lost
    assert outcomes(process.store, job_id) == {"k0": "ok", "k1": "ok", "k2": "RUNNER_ERROR"}
    assert finish(process.store, job_id)


def test_a_closing_commit_whose_answer_was_lost_leaves_the_job_complete(
    process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "RETRY_SECONDS", 0.0)
    job_id = _job(process.store, "a", "b")
    original = chunks.write_at_once

    def write(*arguments: Any, **values: Any) -> None:
        original(*arguments, **values)
        raise OperationalError("COMMIT", {}, Exception("server closed the connection"))

    monkeypatch.setattr(chunks, "write_at_once", write)
    assert _run(process, job_id).startswith("dropped")
    assert outcomes(process.store, job_id) == {"k0": "ok", "k1": "ok"}
    assert finish(process.store, job_id)


def test_results_are_written_while_a_long_chunk_runs(
    process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(write_behind, "FLUSH_SECONDS", -1.0)
    job_id = _job(process.store, "a", "b", parameters={"seconds": 0.0, "batch": 1})
    seen: list[int] = []
    original = chunks.write_at_once

    def write(*arguments: Any, **values: Any) -> Written:
        seen.append(values["close"])
        return original(*arguments, **values)

    monkeypatch.setattr(chunks, "write_at_once", write)
    _run(process, job_id)
    assert seen == [False, False, True]


def test_a_careful_run_names_its_suspect_before_it_runs_it(
    process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = _job(process.store, "a", "b")
    chunk = the_chunk(process.store, job_id)
    held(process.store, chunk.id, "dead")
    crash(process.store, "dead")
    seen: list[int] = []
    original = chunks.suspect

    def suspected(session: Any, claim: Any, document_id: int, seconds: float) -> None:
        seen.append(document_id)
        original(session, claim, document_id, seconds)

    monkeypatch.setattr(chunks, "suspect", suspected)
    _run(process, job_id)
    assert seen == chunk.document_ids


def test_a_sticky_device_error_ends_the_process(process: Process, monkeypatch: pytest.MonkeyPatch) -> None:
    job_id = _job(process.store, "!device")

    class LeftError(BaseException):
        pass

    def die(self: Process, why: str) -> None:
        raise LeftError(why)

    Path(process.settings.home_path).mkdir(parents=True)
    monkeypatch.setattr(Process, "die", die)
    with pytest.raises(LeftError, match="illegal memory access"):
        _run(process, job_id)
    assert outcomes(process.store, job_id) == {}


def _when_it_runs(process: Process, event: Callable[[], None]) -> Callable[[int], str]:
    """Runs a job's chunk; `event` happens when the runner gets its first batch."""
    from workers.running.runners import runner_for

    class Interrupted:
        def __init__(self, inner: Any) -> None:
            self.inner, self.happened = inner, False
            self.batch_documents, self.batch_chars = inner.batch_documents, inner.batch_chars

        def run(self, documents: Any) -> Any:
            if not self.happened:
                self.happened = True
                event()
            return self.inner.run(documents)

    def run(job_id: int) -> str:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(documents_run, "runner_for", lambda *arguments: Interrupted(runner_for(*arguments)))
            return _run(process, job_id)

    return run


def test_what_a_training_says_of_itself_is_stored_at_once_and_not_at_every_step(
    process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = _job(process.store, "a")
    held_lease = lease.Lease(process, held(process.store, the_chunk(process.store, job_id).id))

    def note_after(words: str) -> str | None:
        held_lease.beat(words)
        return job_of(process.store, job_id).note

    monkeypatch.setattr(lease, "NOTE_SECONDS", 3600.0)
    assert note_after("epoch 1 of 3") == "epoch 1 of 3"
    assert note_after("epoch 2 of 3") == "epoch 1 of 3"
    monkeypatch.setattr(lease, "NOTE_SECONDS", 0.0)
    assert note_after("epoch 3 of 3") == "epoch 3 of 3"


# --- what a loss costs, and what a newer store does -----------------------------------------------------------


@pytest.mark.parametrize(("event", "n_calls"), [("nothing", 2), ("lost", 2), ("crashed", 50)])
def test_a_lost_host_costs_no_run_of_single_documents(
    process: Process, monkeypatch: pytest.MonkeyPatch, event: str, n_calls: int
) -> None:
    """50 documents of a model that takes as long for a batch as for a document: 2 batches, or 25 times as long."""
    from workers.running.runners import runner_for

    job_id = _job(process.store, *["text"] * 50)
    if event != "nothing":
        held(process.store, the_chunk(process.store, job_id).id, "gone")
        if event == "lost":
            let_leases_expire(process.store)
            reap(process.store)
        else:
            crash(process.store, "gone")
    calls: list[int] = []

    def counted(*arguments: Any) -> Any:
        runner = runner_for(*arguments)

        def run(documents: Any) -> Any:
            calls.append(len(documents))
            return type(runner).run(runner, documents)

        return SimpleNamespace(
            run=run, batch_documents=runner.batch_documents, batch_chars=runner.batch_chars
        )

    monkeypatch.setattr(documents_run, "runner_for", counted)
    assert _run(process, job_id) == "50 documents: 50 ok, 0 errors"
    assert len(calls) == n_calls


def test_batches_are_halved_once_a_chunk_was_lost_twice(process: Process) -> None:
    job_id = _job(process.store, *["!oom"] * 4, parameters={"seconds": 0.0, "batch": 4})
    for _ in range(2):
        let_backoffs_pass(process.store)
        held(process.store, the_chunk(process.store, job_id).id, "gone")
        let_leases_expire(process.store)
        reap(process.store)
    let_backoffs_pass(process.store)
    assert _run(process, job_id) == "4 documents: 4 ok, 0 errors"
    assert sql(process.store, "SELECT * FROM batch_size") == [], "two together fit"


def test_an_old_worker_claims_nothing_of_a_store_that_was_upgraded(process: Process) -> None:
    job_id = _job(process.store, "a")
    with upgraded_to(process.store, "9999"):
        assert _run(process, job_id).startswith("not claimed: the store is at schema 9999")
        chunk = the_chunk(process.store, job_id)
        assert (chunk.state, chunk.n_crashes, chunk.n_put_back, chunk.fence) == ("ready", 0, 0, 0)
    assert _run(process, job_id) == "1 documents: 1 ok, 0 errors"


def test_a_drained_worker_hands_the_chunk_on(process: Process) -> None:
    job_id = _job(process.store, "a")
    chunk_id = the_chunk(process.store, job_id).id
    sql(process.store, "UPDATE chunk SET sent_at = '2026-01-01 00:00:00.000000+00:00' RETURNING 1")
    target = Target(DrainLevel.NAME, process.name)
    drain(process.store, target)
    said = chunk_run.run(process, chunk_id)
    assert isinstance(said, Refused)
    assert said.startswith(f"not claimed: name {process.name} is drained")
    chunk = the_chunk(process.store, job_id)
    assert (chunk.state, chunk.sent_at, chunk.fence, chunk.n_put_back) == ("ready", None, 0, 0)
    undrain(process.store, target)
    assert _run(process, job_id) == "1 documents: 1 ok, 0 errors"


def test_a_job_of_newer_code_is_left_to_a_worker_that_has_it(process: Process) -> None:
    job_id = _job(process.store, "a")
    for epoch, runs in ((2, False), (1, True)):
        sql(process.store, "UPDATE job SET epoch = :epoch RETURNING 1", epoch=epoch)
        said = _run(process, job_id)
        assert isinstance(said, Refused) != runs
        chunk = the_chunk(process.store, job_id)
        assert (chunk.state, chunk.fence) == (("closed", 1) if runs else ("ready", 0))
        assert (chunk.n_crashes, chunk.n_lost, chunk.n_put_back) == (0, 0, 0)
        if not runs:
            assert said.startswith(
                f"not claimed: job {job_id} asks for oracle of epoch 2, and this docmill has 1"
            )


def test_what_this_code_may_not_claim_uses_up_no_limit(process: Process) -> None:
    limit = Limit(chunks_at_once=9, documents_per_minute=600, device_seconds_per_night=100)
    with process.store.write() as session:
        limits.put(session, Scope(), limit)
    job_id = _job(process.store, "a", "b")

    def used() -> list[Any]:
        return sql(process.store, "SELECT next_at, night_from, seconds_used, chunks_done FROM job_limit")

    before = used()
    sql(process.store, "UPDATE job SET epoch = 2 RETURNING 1")
    assert "of epoch 2" in _run(process, job_id)
    sql(process.store, "UPDATE job SET epoch = 1 RETURNING 1")
    with upgraded_to(process.store, "9999"):
        assert "schema 9999" in _run(process, job_id)
    target = Target(DrainLevel.NAME, process.name)
    drain(process.store, target)
    assert "is drained" in _run(process, job_id)
    undrain(process.store, target)
    assert used() == before
    assert _run(process, job_id) == "2 documents: 2 ok, 0 errors"
    assert used() != before


def test_a_process_that_may_not_claim_pauses_until_it_is_told_to_stop(process: Process) -> None:
    began = time.monotonic()
    process.pause(0.2)
    assert time.monotonic() - began >= 0.2
    process.stopping = True
    began = time.monotonic()
    process.pause(60)
    assert time.monotonic() - began < 10


def test_a_write_that_newer_tables_refuse_is_blamed_on_no_document(
    process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = _job(process.store, "a", "b")

    def refused(*_: Any, **__: Any) -> None:
        raise ProgrammingError("INSERT", {}, Exception("there is no such column"))

    with upgraded_to(process.store, SCHEMA), monkeypatch.context() as patch:
        patch.setattr(chunks, "write_at_once", refused)

        def upgrade() -> None:
            sql(process.store, "UPDATE alembic_version SET version_num = '9999' RETURNING 1")

        said = _when_it_runs(process, upgrade)(job_id)
    assert said.startswith("put back: the store is at schema 9999")
    chunk = the_chunk(process.store, job_id)
    assert (chunk.state, chunk.n_crashes, chunk.n_put_back) == ("ready", 0, 0)
    assert outcomes(process.store, job_id) == {}


def test_a_process_notes_what_it_works_on_and_forgets_it(process: Process) -> None:
    job_id = _job(process.store, "a")
    seen: list[str] = []

    def look() -> None:
        process.crash_file.seek(0)
        seen.append(process.crash_file.read())

    _when_it_runs(process, look)(job_id)
    look()
    assert seen == [f"holds {the_chunk(process.store, job_id).id} 1\n", ""]
