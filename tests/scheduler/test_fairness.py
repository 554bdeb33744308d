"""Several jobs of one kind and priority at once: each has its part of the workers, whichever came first."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from typing import Any

import pytest
from kombu import Queue
from sqlalchemy import update

from db import limits
from db.chunks import Message, Waiting
from db.limits import Limit, Scope
from db.sql import now
from db.store import Store
from db.tables import JobLimit
from scheduler.broker import Broker
from scheduler.loop import Scheduler, fairness
from scheduler.loop.fairness import Part
from scheduler.loop.turns import Did
from tests.db.builders import a_job, job_of, stop
from tests.faults.stack import Database, Stack
from tests.scheduler.light_workers import LightWorkers
from tests.servers import RedisServer, until
from workers.app import make_app
from workers.names import queue_of
from workers.settings import settings

EVERYTHING = Scope()


@pytest.fixture
def scheduler(sqlite_store: Store, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scheduler]:
    """Its store is SQLite: what differs between the databases is in tests/db/test_chunks.py."""
    monkeypatch.setenv("DOCMILL_DATABASE_URL", sqlite_store.url.render_as_string())
    broker = Broker(make_app())
    yield Scheduler(sqlite_store, broker, settings())
    broker.close()


def _rounds_until_done(scheduler: Scheduler, workers: LightWorkers, job_id: int, at_most: int) -> int:
    for n in range(at_most + 1):
        scheduler.feeder.feed()
        scheduler.mover.move_jobs()
        if job_of(scheduler.store, job_id).state == "finished":
            return n
        workers.round()
    raise AssertionError(f"job {job_id} is not done after {at_most} rounds: {workers.done}")


def test_a_small_job_does_not_wait_for_a_large_one_before_it(
    scheduler: Scheduler, redis_server: RedisServer
) -> None:
    workers = LightWorkers(scheduler.store, redis_server, 2)
    giant = a_job(scheduler.store, 200, per_chunk=1)
    for _ in range(3):
        scheduler.feeder.feed()
        workers.round()
    small = a_job(scheduler.store, 2, per_chunk=1)
    # One round ends the giant's chunks that were begun, and one is for both of the small job's.
    assert _rounds_until_done(scheduler, workers, small, at_most=10) == 2
    assert job_of(scheduler.store, giant).state == "running"


@pytest.mark.parametrize("n_workers", [1, 2])
def test_large_jobs_share_the_workers_equally(
    scheduler: Scheduler, redis_server: RedisServer, n_workers: int
) -> None:
    workers = LightWorkers(scheduler.store, redis_server, n_workers)
    jobs = [a_job(scheduler.store, 100, per_chunk=1)]
    scheduler.feeder.feed()
    workers.take()
    jobs += [a_job(scheduler.store, 100, per_chunk=1) for _ in range(2)]
    for _ in range(15):
        scheduler.feeder.feed()
        workers.round()
    mean = 15 * n_workers / 3
    assert all(abs(workers.done[job_id] - mean) <= n_workers + 1 for job_id in jobs), workers.done


def test_an_old_job_goes_on_while_small_ones_come_in_all_the_time(
    scheduler: Scheduler, redis_server: RedisServer
) -> None:
    workers = LightWorkers(scheduler.store, redis_server, 2)
    old = a_job(scheduler.store, 60, per_chunk=1)
    for _ in range(12):
        a_job(scheduler.store, 1)
        scheduler.feeder.feed()
        workers.round()
    assert workers.done[old] >= 8, "of about 24 chunks, beside 12 of others"


def test_what_a_large_job_had_in_redis_is_taken_back_and_sent_later(
    scheduler: Scheduler, redis_server: RedisServer
) -> None:
    workers = LightWorkers(scheduler.store, redis_server, 2)
    giant = a_job(scheduler.store, 20, per_chunk=1)
    scheduler.feeder.feed()
    workers.take()
    small = a_job(scheduler.store, 1)
    _rounds_until_done(scheduler, workers, small, at_most=3)
    _rounds_until_done(scheduler, workers, giant, at_most=12)
    assert workers.done == {giant: 20, small: 1}


def test_jobs_of_another_priority_share_nothing(scheduler: Scheduler, redis_server: RedisServer) -> None:
    workers = LightWorkers(scheduler.store, redis_server, 1)
    low = a_job(scheduler.store, 10, per_chunk=1, priority=1)
    scheduler.feeder.feed()
    high = a_job(scheduler.store, 5, per_chunk=1, priority=8)
    _rounds_until_done(scheduler, workers, high, at_most=7)
    assert workers.done[low] == 0


def test_a_stopped_job_gives_its_part_to_the_others(scheduler: Scheduler, redis_server: RedisServer) -> None:
    workers = LightWorkers(scheduler.store, redis_server, 2)
    stopped, other = (a_job(scheduler.store, 100, per_chunk=1) for _ in range(2))
    scheduler.feeder.feed()
    stop(scheduler.store, stopped)
    before = workers.done[other]
    for _ in range(5):
        scheduler.feeder.feed()
        workers.round()
    assert workers.done[other] - before >= 6


def test_kinds_of_one_priority_take_turns_and_urgent_messages_come_first(redis_url: str) -> None:
    app = make_app()
    broker = Broker(app)
    for n, (kind, priority) in enumerate([("nothing", 5)] * 3 + [("oracle", 5)] * 3 + [("nothing", 9)]):
        broker.send([Message(n, 1, kind, 0, 1, 1, 1, priority)], {})
    taken: list[str] = []
    with app.connection_for_read() as connection:
        channel = connection.channel()
        queues = [Queue(queue_of(kind), channel=channel) for kind in ("nothing", "oracle")]

        def take(_: Any, message: Any) -> None:
            message.ack()
            taken.append(f"{message.delivery_info['routing_key']} {message.properties['priority']}")

        with connection.Consumer(queues, callbacks=[take], channel=channel, prefetch_count=1):
            while len(taken) < 7:
                connection.drain_events(timeout=5)
    broker.close()
    kinds = [kind.removeprefix("docmill.").split()[0] for kind in taken]
    assert taken[0] == "docmill.nothing 0"
    assert sorted(kinds[1:]) == ["nothing"] * 3 + ["oracle"] * 3
    assert all(one != other for one, other in itertools.pairwise(kinds[1:])), kinds


# --- the order ---------------------------------------------------------------------------------------------------


def _part(job_id: int, *, leased: int = 0, sent: int = 0, unsent: int = 1_000, weight: float = 1.0) -> Part:
    return Part(Waiting(job_id, "oracle", 5, leased, sent, unsent), weight)


def test_the_next_chunks_go_to_the_job_with_the_smallest_part() -> None:
    turns = fairness.Turns()
    turns.keep([1, 2])
    assert turns.order([_part(1, leased=2), _part(2)], 5) == [2, 2, 1, 2, 1]
    assert turns.order([_part(1, leased=2, unsent=1), _part(2, unsent=1)], 5) == [2, 1]


def test_a_weight_is_a_multiple_of_the_share() -> None:
    turns = fairness.Turns()
    turns.keep([1, 2])
    order = turns.order([_part(1, weight=3.0), _part(2)], 40)
    assert (order.count(1), order.count(2)) == (30, 10)
    assert set(order[:5]) == {1, 2}


def test_the_smallest_weight_is_not_starved_where_few_chunks_are_sent_at_a_time() -> None:
    turns = fairness.Turns()
    turns.keep([1, 2])
    order = [turns.order([_part(1, weight=1_000.0), _part(2)], 1)[0] for _ in range(1_000)]
    assert 4 <= order.count(2) <= 6


def test_equal_jobs_have_their_turns_one_after_the_other() -> None:
    turns = fairness.Turns()
    turns.keep([1, 2, 3])
    parts = [_part(1), _part(2), _part(3)]
    order = [turns.order(parts, 1)[0] for _ in range(6)]
    assert order == [1, 2, 3, 1, 2, 3]


def test_messages_are_taken_back_only_for_a_job_that_is_far_behind() -> None:
    assert fairness.is_uneven([_part(1, sent=64), _part(2)])
    assert not fairness.is_uneven([_part(1, sent=64), _part(2, unsent=0)])
    assert not fairness.is_uneven([_part(1, leased=64), _part(2)]), "leased chunks are not taken back"
    assert not fairness.is_uneven([_part(1, sent=33), _part(2, sent=31)])


# --- limits and weights --------------------------------------------------------------------------------------------


def _limit(store: Store, scope: Scope = EVERYTHING, **values: Any) -> None:
    with store.write() as session:
        limits.put(session, scope, Limit(**values))


def test_jobs_share_the_workers_by_their_weights(scheduler: Scheduler, redis_server: RedisServer) -> None:
    workers = LightWorkers(scheduler.store, redis_server, 2)
    heavy, light = (a_job(scheduler.store, 60, per_chunk=1, submitter=name) for name in ("kim", "lee"))
    _limit(scheduler.store, Scope(submitter="kim"), weight=3.0)
    for _ in range(12):
        scheduler.feeder.feed()
        workers.round()
    assert 15 <= workers.done[heavy] <= 18
    assert workers.done[heavy] + workers.done[light] == 22


def test_no_more_than_the_limits_allow_is_sent_and_the_others_go_on(
    scheduler: Scheduler, redis_server: RedisServer
) -> None:
    workers = LightWorkers(scheduler.store, redis_server, 3)
    limited, free = (a_job(scheduler.store, 30, per_chunk=1, submitter=name) for name in ("kim", "lee"))
    _limit(scheduler.store, Scope(submitter="kim"), chunks_at_once=1)
    for _ in range(8):
        scheduler.feeder.feed()
        workers.round()
        scheduler.feeder.feed()
        workers.take()
    assert workers.most[limited] == 1
    # A place that it leaves may be taken before its next chunk is sent.
    assert 4 <= workers.done[limited] <= 7
    assert workers.done[free] + workers.done[limited] == 21
    assert workers.n_refused == 0, "no worker met a message that it could not claim"


def test_a_limit_that_has_room_again_goes_on_at_once(scheduler: Scheduler, redis_server: RedisServer) -> None:
    workers = LightWorkers(scheduler.store, redis_server, 2)
    _limit(scheduler.store, documents_per_minute=600)
    job_id = a_job(scheduler.store, 200, per_chunk=100)
    scheduler.feeder.feed()
    workers.take()
    assert [claim is not None for claim in workers.held] == [True, False]
    assert scheduler.feeder.feed() == Did.WORKED, "it is to look again soon"
    with scheduler.store.write() as session:
        session.execute(update(JobLimit).values(next_at=now()))
    scheduler.feeder.feed()
    workers.take()
    assert [claim is not None for claim in workers.held] == [True, True]
    assert job_id in workers.most


def test_jobs_that_were_sent_before_a_limit_was_set_keep_to_it(
    scheduler: Scheduler, redis_server: RedisServer
) -> None:
    workers = LightWorkers(scheduler.store, redis_server, 4)
    job_id = a_job(scheduler.store, 30, per_chunk=1)
    scheduler.feeder.feed()
    _limit(scheduler.store, chunks_at_once=2)
    for _ in range(5):
        workers.round()
        scheduler.feeder.feed()
        workers.take()
    assert workers.most[job_id] == 2
    assert workers.done[job_id] == 8


# --- with real workers ----------------------------------------------------------------------------------------------


@pytest.mark.long
@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_real_workers_run_a_small_job_behind_a_giant_one(database: Database) -> None:
    stack = Stack(database)
    try:
        stack.start([f"text {n}" for n in range(5_000)])
        stack.add([f"small {n}" for n in range(100)], "small")

        def seconds_of_a_small_job() -> float:
            began = time.monotonic()
            job_id = stack.submit("small", seconds=0.02)
            state = "SELECT state FROM job WHERE id = :job"
            until(lambda: stack.rows(state, job=job_id) == [("finished",)], "the small job", seconds=120)
            return time.monotonic() - began

        seconds_of_a_small_job()
        alone = min(seconds_of_a_small_job() for _ in range(3))
        giant = stack.submit(seconds=0.02)
        closed = "SELECT count(*) FROM chunk WHERE job_id = :job AND state = 'closed'"
        until(lambda: stack.rows(closed, job=giant)[0][0] >= 2, "the giant at work")
        behind = [seconds_of_a_small_job() for _ in range(3)]
        assert stack.rows("SELECT state FROM job WHERE id = :job", job=giant) == [("running",)]
        assert sorted(behind)[1] <= 3 * alone, f"{behind} s, alone {alone:.1f} s"
    finally:
        stack.stop()
