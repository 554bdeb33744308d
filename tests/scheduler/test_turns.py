"""Every step of the scheduler is short, whatever the size of a job: cancelling, opening, counting and feeding give
way to the other jobs and to the end."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from operator import attrgetter
from typing import Any

import pytest
from sqlalchemy import event, select

from db import chunks, jobs
from db.errors import FencedError
from db.store import Store
from db.tables import Chunk, Job
from scheduler.broker import Broker
from scheduler.loop import Scheduler, moving, reaping, turns
from tests.db.builders import (
    a_job,
    chunks_of,
    held,
    job_of,
    let_leases_expire,
    outcomes,
    stop,
    the_chunk,
    write_ok,
)
from tests.servers import RedisServer
from workers.app import make_app
from workers.settings import settings


@pytest.fixture
def scheduler(store: Store, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scheduler]:
    """One whose steps are so small that a job of 100 documents is a giant."""
    monkeypatch.setattr(jobs, "STEP_DOCUMENTS", 10)
    # Otherwise a slow step would make the next one larger.
    monkeypatch.setattr("scheduler.loop.moving.MIN_STEP_DOCUMENTS", 10)
    broker = Broker(make_app())
    yield Scheduler(store, broker, settings())
    broker.close()


@pytest.fixture
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Opening and counting in small steps too."""
    monkeypatch.setattr(chunks.open_some, "__defaults__", (10,))
    monkeypatch.setattr(jobs.count_some, "__defaults__", (10,))


# --- cancelling ------------------------------------------------------------------------------------------------


def test_a_giant_job_is_cancelled_in_steps_and_the_others_go_on_between_them(scheduler: Scheduler) -> None:
    giant = a_job(scheduler.store, 100, per_chunk=5)
    _cancel(scheduler, giant)
    other = a_job(scheduler.store)
    write_ok(scheduler.store, held(scheduler.store, the_chunk(scheduler.store, other).id))
    new = a_job(scheduler.store)
    _slow_machine(scheduler)
    for _ in range(2):
        scheduler.run_once()
    assert 0 < len(outcomes(scheduler.store, giant)) < 100
    assert job_of(scheduler.store, other).state == "finished"
    assert the_chunk(scheduler.store, new).sent_at is not None
    _tick_until_it_is(scheduler, giant, "cancelled")
    assert list(outcomes(scheduler.store, giant).values()) == ["CANCELLED"] * 100


def test_jobs_that_are_cancelled_take_turns(scheduler: Scheduler) -> None:
    giants = [a_job(scheduler.store, 100, per_chunk=5) for _ in range(4)]
    for giant in giants:
        _cancel(scheduler, giant)
    _slow_machine(scheduler)
    for n in range(1, 4):
        for _ in giants:
            scheduler.mover.move_jobs()
        assert {len(outcomes(scheduler.store, giant)) for giant in giants} == {10 * n}


def test_a_turn_ends_when_the_scheduler_is_told_to_stop(scheduler: Scheduler) -> None:
    giants = [a_job(scheduler.store, 100, per_chunk=5) for _ in range(3)]
    for giant in giants:
        _cancel(scheduler, giant)
    scheduler.turns.seconds = 60.0
    scheduler.stopping.set()
    scheduler.mover.move_jobs()
    assert sum(len(outcomes(scheduler.store, giant)) for giant in giants) == 10


def test_steps_shrink_on_a_slow_machine_and_grow_again(
    scheduler: Scheduler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "STEP_DOCUMENTS", 4_000)
    scheduler.mover.step_documents = 4_000
    _cancel(scheduler, a_job(scheduler.store, 100, per_chunk=5))
    with monkeypatch.context() as patch:
        patch.setattr(moving, "STEP_SECONDS", 0.0)
        scheduler.mover.move_jobs()
    assert scheduler.mover.step_documents == 2_000
    _cancel(scheduler, a_job(scheduler.store, 100, per_chunk=5))
    monkeypatch.setattr(moving, "STEP_SECONDS", 60.0)
    scheduler.mover.move_jobs()
    assert scheduler.mover.step_documents == 4_000


@pytest.mark.parametrize("half_written", [False, True])
def test_a_chunk_that_is_too_large_for_a_step_is_closed_in_parts(
    scheduler: Scheduler, half_written: bool
) -> None:
    job_id = a_job(scheduler.store, 95, chunk_size=None)
    taken = held(scheduler.store, the_chunk(scheduler.store, job_id).id)
    done = taken.document_ids[3:95:7] if half_written else []
    write_ok(scheduler.store, taken, done, close=False)
    _cancel(scheduler, job_id)
    scheduler.mover.move_jobs()
    assert len(outcomes(scheduler.store, job_id)) < 30
    with pytest.raises(FencedError):
        write_ok(scheduler.store, taken)
    # Another scheduler takes part, and the first is not there any more.
    other = Scheduler(scheduler.store, scheduler.broker, settings())
    scheduler.mover.move_jobs()
    _tick_until_it_is(other, job_id, "cancelled")
    assert sorted(outcomes(scheduler.store, job_id).values()) == sorted(
        ["ok"] * len(done) + ["CANCELLED"] * (95 - len(done))
    )
    assert the_chunk(scheduler.store, job_id).n_error == 95 - len(done)


def test_a_chunk_that_somebody_writes_to_does_not_hold_up_the_others(
    scheduler: Scheduler, store: Store
) -> None:
    if store.is_sqlite:
        pytest.skip("in SQLite one transaction writes at a time")
    giant = a_job(store, 30)
    first, *_ = chunks_of(store, giant)
    _cancel(scheduler, giant)
    with store.write() as session:
        session.execute(select(Chunk.id).where(Chunk.id == first.id).with_for_update())
        for _ in range(3):
            scheduler.mover.move_jobs()
        assert len(outcomes(store, giant)) == 20
    _tick_until_it_is(scheduler, giant, "cancelled")


def test_a_job_that_a_frozen_transaction_holds_does_not_hold_up_the_others(
    scheduler: Scheduler, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    if store.is_sqlite:
        pytest.skip("in SQLite one transaction writes at a time")
    monkeypatch.setattr(turns, "LOCK_SECONDS", 0.05)
    stuck, other = a_job(store), a_job(store)
    for job_id in (stuck, other):
        write_ok(store, held(store, the_chunk(store, job_id).id))
    with store.write() as session:
        session.execute(select(Job.id).where(Job.id == stuck).with_for_update())
        _tick_until_it_is(scheduler, other, "finished")
        assert scheduler.reaper.not_before == 0.0, "the store is not away"
    _tick_until_it_is(scheduler, stuck, "finished")


# --- opening, counting, reaping --------------------------------------------------------------------------------


@pytest.mark.usefixtures("small_steps")
def test_a_stage_of_many_chunks_is_opened_in_steps_and_not_before_its_time(scheduler: Scheduler) -> None:
    job_id = a_job(scheduler.store, 30, per_chunk=1, n_stages=2)
    for chunk in chunks_of(scheduler.store, job_id)[:30]:
        scheduler.mover.move_jobs()
        assert _n_in(scheduler.store, job_id, "blocked") == 30
        write_ok(scheduler.store, held(scheduler.store, chunk.id), [])
    for n_left in (20, 10, 0, 0):
        scheduler.mover.move_jobs()
        assert _n_in(scheduler.store, job_id, "blocked") == n_left
    for chunk in chunks_of(scheduler.store, job_id)[30:]:
        write_ok(scheduler.store, held(scheduler.store, chunk.id))
    _tick_until_it_is(scheduler, job_id, "finished")


@pytest.mark.usefixtures("small_steps")
def test_a_waiting_job_of_many_chunks_is_opened_in_steps(scheduler: Scheduler) -> None:
    first = a_job(scheduler.store)
    waiting = a_job(scheduler.store, 30, per_chunk=1, after_job_id=first)
    write_ok(scheduler.store, held(scheduler.store, the_chunk(scheduler.store, first).id))
    _tick_until_it_is(scheduler, waiting, "running")
    assert _n_in(scheduler.store, waiting, "ready") == 10
    # What is open already is worked on meanwhile, and the job does not end by that.
    for chunk in chunks_of(scheduler.store, waiting)[:10]:
        write_ok(scheduler.store, held(scheduler.store, chunk.id))
    for n_ready in (10, 20, 20):
        scheduler.mover.move_jobs()
        assert _n_in(scheduler.store, waiting, "ready") == n_ready


@pytest.mark.usefixtures("small_steps")
def test_the_recount_of_a_giant_job_goes_in_turns(scheduler: Scheduler) -> None:
    giant = a_job(scheduler.store, 100, per_chunk=100)
    write_ok(scheduler.store, held(scheduler.store, the_chunk(scheduler.store, giant).id))
    other = a_job(scheduler.store)
    write_ok(scheduler.store, held(scheduler.store, the_chunk(scheduler.store, other).id))
    _slow_machine(scheduler)
    for _ in range(4):
        scheduler.mover.move_jobs()
    assert job_of(scheduler.store, giant).state == "running"
    assert job_of(scheduler.store, other).state == "finished"
    _tick_until_it_is(scheduler, giant, "finished")
    assert job_of(scheduler.store, giant).n_ok == 100


def test_many_lost_leases_are_reaped_in_steps_of_a_turn(
    scheduler: Scheduler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reaping, "STEP_REAPED", 10)
    job_id = a_job(scheduler.store, 25, per_chunk=1)
    for chunk in chunks_of(scheduler.store, job_id):
        held(scheduler.store, chunk.id)
    let_leases_expire(scheduler.store)
    _slow_machine(scheduler)
    scheduler.reaper.reap()
    assert _n_in(scheduler.store, job_id, "ready") == 10
    scheduler.turns.seconds = 60.0
    scheduler.reaper.reap()
    assert _n_in(scheduler.store, job_id, "ready") == 25


# --- whatever is in the store ----------------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["paused", "cancelling", "running", "next stage", "waiting"])
@pytest.mark.parametrize("step", ["feeder.feed", "mover.move_jobs", "reaper.reap"])
def test_a_step_does_no_more_work_for_a_job_of_many_chunks(
    sqlite_store: Store,
    redis_url: str,
    redis_server: RedisServer,
    monkeypatch: pytest.MonkeyPatch,
    state: str,
    step: str,
) -> None:
    monkeypatch.setattr(jobs, "STEP_DOCUMENTS", 50)

    def work_beside(n_chunks: int) -> int:
        job_id = a_job(
            sqlite_store,
            n_chunks,
            per_chunk=1,
            n_stages=2 if state == "next stage" else 1,
            after_job_id=a_job(sqlite_store, 1) if state == "waiting" else None,
        )
        if state == "paused":
            with sqlite_store.write() as session:
                jobs.pause(session, job_id)
        made = Scheduler(sqlite_store, Broker(make_app()), settings())
        if state == "cancelling":
            _cancel(made, job_id)
        one = a_job(sqlite_store, 1)
        with redis_server.client() as client:
            client.flushall()
        made.run_once()
        found = _work(sqlite_store, attrgetter(step)(made))
        made.broker.close()
        for left in (job_id, one):
            _end(sqlite_store, left)
        return found

    small, large = work_beside(100), work_beside(2_000)
    assert large < small * 1.5 + 2_000, "instructions of SQLite's machine"


def _work(store: Store, step: Callable[[], Any]) -> int:
    """How many instructions SQLite's machine runs in a step; whole hundreds."""
    n = 0

    def more() -> int:
        nonlocal n
        n += 100
        return 0

    def watch(connection: sqlite3.Connection, *_: Any) -> None:
        connection.set_progress_handler(more, 100)

    event.listen(store.engine, "checkout", watch)
    try:
        step()
    finally:
        event.remove(store.engine, "checkout", watch)
        with store.engine.connect() as connection:
            connection.connection.driver_connection.set_progress_handler(None, 0)  # type: ignore[union-attr]
    return n


def _end(store: Store, job_id: int) -> None:
    if job_of(store, job_id).state not in jobs.ENDED:
        stop(store, job_id)
        with store.write() as session:
            count = jobs.Count()
            while not count.is_whole:
                count = jobs.count_some(session, job_id, count)
            jobs.finish(session, job_id, count)


def _cancel(scheduler: Scheduler, job_id: int) -> None:
    with scheduler.store.write() as session:
        jobs.stop(session, job_id, "CANCELLED", "asked for")


def _slow_machine(scheduler: Scheduler) -> None:
    """One job is all that fits into a turn."""
    scheduler.turns.seconds = 0.0


def _n_in(store: Store, job_id: int, state: str) -> int:
    return sum(chunk.state == state for chunk in chunks_of(store, job_id))


def _tick_until_it_is(scheduler: Scheduler, job_id: int, state: str) -> None:
    for _ in range(200):
        scheduler.run_once()
        if job_of(scheduler.store, job_id).state == state:
            return
    raise AssertionError(f"job {job_id} is {job_of(scheduler.store, job_id).state}")
