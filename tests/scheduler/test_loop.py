"""The tick against a real Redis: feeding to a window, healing what Redis lost, moving jobs on, surviving faults."""

from __future__ import annotations

import base64
import itertools
import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import redis
from redis.connection import AbstractConnection

from db import chunks, jobs
from db.store import Store
from nlp_tasks.kind import Kind
from scheduler.broker import Broker, describe
from scheduler.loop import Scheduler
from scheduler.requests import JobRequest, open_model
from scheduler.requests import submit as request_job
from tests.db.builders import (
    a_job,
    add_documents,
    chunks_of,
    held,
    job_of,
    let_leases_expire,
    outcomes,
    sql,
    submit,
    the_chunk,
    write_ok,
)
from tests.servers import RedisServer, until
from workers.app import make_app
from workers.kinds import all_kinds
from workers.settings import settings


@pytest.fixture
def scheduler(store: Store, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scheduler]:
    monkeypatch.setenv("DOCMILL_WINDOW", "4")
    broker = Broker(make_app())
    yield Scheduler(store, broker, settings())
    broker.close()


@pytest.fixture
def own_redis(monkeypatch: pytest.MonkeyPatch) -> Iterator[RedisServer]:
    """One that a test may kill."""
    server = RedisServer()
    server.start()
    monkeypatch.setenv("DOCMILL_REDIS_URL", server.url)
    yield server
    server.kill()
    server.remove()


def _messages(server: RedisServer, queue: str = "docmill.oracle") -> list[dict[str, Any]]:
    """What waits in Redis for a kind at the usual priority, oldest first."""
    with server.client() as client:
        keys = [key for key in client.keys(f"{queue}*") if client.type(key) == b"list"]
        return [json.loads(raw) for key in keys for raw in reversed(client.lrange(key, 0, -1))]


# --- feeding ---------------------------------------------------------------------------------------------------


def test_many_messages_are_sent_in_few_round_trips(
    store: Store, redis_server: RedisServer, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCMILL_WINDOW", "300")
    scheduler = Scheduler(store, Broker(make_app()), settings())
    a_job(store, 300, per_chunk=1)
    scheduler.broker.ping()
    packets: list[Any] = []
    send: Any = AbstractConnection.send_packed_command

    def counted(self: Any, command: Any, *rest: Any, **more: Any) -> None:
        packets.append(command)
        send(self, command, *rest, **more)

    monkeypatch.setattr(AbstractConnection, "send_packed_command", counted)

    scheduler.feeder.feed()

    assert len(_messages(redis_server)) == 300
    scheduler.broker.close()
    # The length of the queue, what names the connection, and the messages with their events for Flower.
    assert len(packets) < 20


@pytest.mark.parametrize("has_arrived", [False, True])
def test_messages_whose_connection_is_lost_are_sent_again(
    scheduler: Scheduler, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch, has_arrived: bool
) -> None:
    """Whether Redis has got them or not, nobody knows then."""
    job_id = a_job(scheduler.store, 4, per_chunk=1)
    send: Any = AbstractConnection.send_packed_command

    def lost(self: Any, command: Any, *rest: Any, **more: Any) -> None:
        is_batch = b"LPUSH" in (command if isinstance(command, bytes) else b"".join(command))
        if has_arrived or not is_batch:
            send(self, command, *rest, **more)
        if is_batch:
            raise redis.ConnectionError("lost")

    with monkeypatch.context() as while_it_is_lost:
        while_it_is_lost.setattr(AbstractConnection, "send_packed_command", lost)
        with pytest.raises(redis.ConnectionError, match="lost"):
            scheduler.feeder.feed()
    assert sql(scheduler.store, "SELECT COUNT(*) FROM chunk WHERE sent_at IS NOT NULL") == [(0,)]
    scheduler.broker.close()
    scheduler.run_once()
    sent = [json.loads(base64.b64decode(each["body"]))[0][0] for each in _messages(redis_server)]
    assert sorted(sent) == [chunk.id for chunk in chunks_of(scheduler.store, job_id)]


def test_redis_holds_a_window_of_the_ready_chunks(scheduler: Scheduler, redis_server: RedisServer) -> None:
    a_job(scheduler.store, 100)
    assert scheduler.run_once()
    assert len(_messages(redis_server)) == 4
    scheduler.run_once()
    assert len(_messages(redis_server)) == 4


def test_a_message_carries_a_number_and_words_for_people(
    scheduler: Scheduler, redis_server: RedisServer
) -> None:
    job_id = a_job(scheduler.store, 20)
    scheduler.run_once()
    headers = _messages(redis_server)[0]["headers"]
    assert headers["argsrepr"] == f"job {job_id}, oracle, chunk 1 of 2, 10 documents"
    assert headers["task"] == "docmill.run_chunk"
    assert "text 0" not in json.dumps(_messages(redis_server))


def test_messages_are_json_and_small(scheduler: Scheduler, redis_server: RedisServer) -> None:
    a_job(scheduler.store, 20)
    scheduler.run_once()
    for message in _messages(redis_server):
        assert message["content-type"] == "application/json"
        assert len(json.dumps(message)) < 2_000


def test_what_redis_lost_is_sent_again(scheduler: Scheduler, redis_server: RedisServer) -> None:
    a_job(scheduler.store, 30)
    scheduler.run_once()
    with redis_server.client() as client:
        client.flushall()
    _let_sent_be_long_ago(scheduler.store)
    scheduler.run_once()
    assert len(_messages(redis_server)) == 3


def test_a_message_is_not_sent_again_while_it_waits(scheduler: Scheduler, redis_server: RedisServer) -> None:
    a_job(scheduler.store, 30)
    scheduler.run_once()
    _let_sent_be_long_ago(scheduler.store)
    scheduler.run_once()
    assert len(_messages(redis_server)) == 3


def test_what_is_worked_on_is_not_sent(scheduler: Scheduler, redis_server: RedisServer) -> None:
    job_id = a_job(scheduler.store, 20)
    for chunk in chunks_of(scheduler.store, job_id):
        held(scheduler.store, chunk.id)
    scheduler.run_once()
    assert _messages(redis_server) == []


def test_urgent_jobs_have_their_own_window(scheduler: Scheduler, redis_server: RedisServer) -> None:
    a_job(scheduler.store, 100, priority=0)
    scheduler.run_once()
    urgent = a_job(scheduler.store, 10, priority=9)
    scheduler.run_once()
    found = [
        message for message in _messages(redis_server) if f"job {urgent}," in message["headers"]["argsrepr"]
    ]
    assert [message["properties"]["priority"] for message in found] == [0], "Celery's 0 is served first"


def test_a_kind_that_nobody_works_on_does_not_hold_up_the_others(
    scheduler: Scheduler, redis_server: RedisServer
) -> None:
    a_job(scheduler.store, 100, kind="nothing")
    scheduler.run_once()
    a_job(scheduler.store, 10)
    scheduler.run_once()
    assert len(_messages(redis_server, "docmill.oracle")) == 1
    assert len(_messages(redis_server, "docmill.nothing")) == 4


def test_many_schedulers_send_each_chunk_once(scheduler: Scheduler, redis_server: RedisServer) -> None:
    a_job(scheduler.store, 40)
    others = [Scheduler(scheduler.store, Broker(make_app()), settings()) for _ in range(3)]
    barrier = threading.Barrier(4)

    def feed(one: Scheduler) -> None:
        barrier.wait()
        one.feeder.feed()

    threads = [threading.Thread(target=feed, args=(one,)) for one in [scheduler, *others]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for other in others:
        other.broker.close()
    sent = [message["headers"]["argsrepr"] for message in _messages(redis_server)]
    assert len(sent) == len(set(sent)) == 4


def test_a_chunk_of_several_stages_says_which(scheduler: Scheduler) -> None:
    kind = all_kinds()["oracle"]
    two = Kind("two", "", kind.parameters, kind.rows, (kind.stages[0], kind.stages[0]))
    message = chunks.Message(1, 42, "two", 1, 7, 40, 256, 5)
    assert describe(message, two) == "job 42, two (hash), chunk 7 of 40, 256 documents"
    assert (
        describe(chunks.Message(1, 42, "gone", 0, 7, 40, 1, 5), None)
        == "job 42, gone, chunk 7 of 40, 1 document"
    )


# --- reaping and moving on -----------------------------------------------------------------------------------------


def test_an_expired_lease_is_ready_again_after_one_tick(
    scheduler: Scheduler, redis_server: RedisServer
) -> None:
    job_id = a_job(scheduler.store)
    held(scheduler.store, the_chunk(scheduler.store, job_id).id)
    let_leases_expire(scheduler.store)
    scheduler.run_once()
    assert the_chunk(scheduler.store, job_id).state == "ready"
    assert len(_messages(redis_server)) == 1


def test_after_an_outage_of_the_store_workers_may_renew_before_leases_are_reaped(
    scheduler: Scheduler, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sqlalchemy.exc import OperationalError

    job_id = a_job(scheduler.store)
    held(scheduler.store, the_chunk(scheduler.store, job_id).id)
    let_leases_expire(scheduler.store)

    def away(_: Any) -> None:
        raise OperationalError("SELECT", {}, Exception("gone"))

    with monkeypatch.context() as patch:
        patch.setattr(chunks, "waiting", away)
        patch.setattr(chunks, "is_every_chunk_closed", away)
        patch.setattr(
            chunks, "expired", lambda: (_ for _ in ()).throw(OperationalError("x", {}, Exception("gone")))
        )
        scheduler.run_once()
    scheduler.run_once()
    assert the_chunk(scheduler.store, job_id).state == "leased"
    monkeypatch.setattr(scheduler.reaper, "not_before", 0.0)
    scheduler.run_once()
    assert the_chunk(scheduler.store, job_id).state == "ready"


def test_a_job_whose_chunks_are_closed_is_finished_by_the_tick(scheduler: Scheduler) -> None:
    job_id = a_job(scheduler.store)
    write_ok(scheduler.store, held(scheduler.store, the_chunk(scheduler.store, job_id).id))
    scheduler.run_once()
    assert job_of(scheduler.store, job_id).state == "finished"


def test_a_job_without_documents_of_an_older_version_is_finished_by_the_tick(scheduler: Scheduler) -> None:
    job_id = a_job(scheduler.store, 1)
    for change in ("DELETE FROM chunk", "UPDATE job SET n_documents = 0"):
        sql(scheduler.store, f"{change} RETURNING id")
    _tick_until_it_is(scheduler, job_id, "finished")


def test_a_cancelled_job_is_closed_by_the_tick(scheduler: Scheduler) -> None:
    job_id = a_job(scheduler.store, 1000, per_chunk=5)
    with scheduler.store.write() as session:
        jobs.stop(session, job_id, "CANCELLED", "asked for")
    _tick_until_it_is(scheduler, job_id, "cancelled")
    assert set(outcomes(scheduler.store, job_id).values()) == {"CANCELLED"}


def test_the_next_stage_is_opened_by_the_tick(scheduler: Scheduler) -> None:
    job_id = a_job(scheduler.store, 20, n_stages=2)
    first, second, *later = chunks_of(scheduler.store, job_id)
    for chunk in (first, second):
        scheduler.run_once()
        assert {c.state for c in chunks_of(scheduler.store, job_id)[2:]} == {"blocked"}
        write_ok(scheduler.store, held(scheduler.store, chunk.id), [])
    scheduler.run_once()
    assert {c.state for c in chunks_of(scheduler.store, job_id)[2:]} == {"ready"}
    for chunk in later:
        write_ok(scheduler.store, held(scheduler.store, chunk.id))
    scheduler.run_once()
    assert job_of(scheduler.store, job_id).state == "finished"


def test_a_job_that_waits_runs_once_the_other_has_finished(scheduler: Scheduler) -> None:
    first = a_job(scheduler.store)
    waiting = a_job(scheduler.store, after_job_id=first)
    scheduler.run_once()
    assert job_of(scheduler.store, waiting).state == "waiting"
    write_ok(scheduler.store, held(scheduler.store, the_chunk(scheduler.store, first).id))
    scheduler.run_once()
    scheduler.run_once()
    assert job_of(scheduler.store, waiting).state == "running"


def test_a_job_that_waits_for_a_cancelled_one_is_cancelled_and_says_why(scheduler: Scheduler) -> None:
    first = a_job(scheduler.store)
    waiting = a_job(scheduler.store, after_job_id=first)
    with scheduler.store.write() as session:
        jobs.stop(session, first, "CANCELLED", "asked for")
    for _ in range(3):
        scheduler.run_once()
    assert job_of(scheduler.store, waiting).state == "cancelled"
    ((detail,),) = sql(
        scheduler.store, "SELECT DISTINCT error_detail FROM outcome WHERE job_id = :j", j=waiting
    )
    assert f"job {first}" in detail


def test_a_job_whose_model_was_never_made_ends_with_an_error_for_each_document(scheduler: Scheduler) -> None:
    first = a_job(scheduler.store)
    collection = add_documents(scheduler.store, 3, "reviews")
    waiting = submit(
        scheduler.store, collection, kind="classify", model_ref="gone", after_job_id=first
    ).job_id
    write_ok(scheduler.store, held(scheduler.store, the_chunk(scheduler.store, first).id))
    for _ in range(3):
        scheduler.run_once()
    assert set(outcomes(scheduler.store, waiting).values()) == {"NO_MODEL"}
    assert job_of(scheduler.store, waiting).state == "cancelled"


def test_one_job_that_cannot_be_moved_does_not_hold_up_the_others(scheduler: Scheduler) -> None:
    broken = a_job(scheduler.store, 3)
    sql(scheduler.store, "UPDATE chunk SET state = 'closed' WHERE job_id = :j RETURNING id", j=broken)
    fine = a_job(scheduler.store)
    write_ok(scheduler.store, held(scheduler.store, the_chunk(scheduler.store, fine).id))
    _tick_until_it_is(scheduler, fine, "finished")
    assert job_of(scheduler.store, broken).state == "running"


# --- requests --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"kind": "oracel"}, "oracel"),
        ({"parameters": {"secnds": 1}}, "did you mean 'seconds'"),
        ({"parameters": {"seconds": "many"}}, "seconds"),
        ({"priority": 10}, "priority 10"),
        ({"model": "news"}, "uses no model"),
        ({"collection": "nwes"}, "news"),
        ({"after": 4711}, "4711"),
    ],
)
def test_a_bad_request_is_refused_with_the_fix_and_leaves_nothing(
    store: Store, values: dict[str, Any], said: str
) -> None:
    add_documents(store, 1)
    request = JobRequest(**{"kind": "oracle", "collection": "news"} | values)
    with pytest.raises(Exception, match=said), store.write() as session:
        request_job(session, request)
    assert sql(store, "SELECT * FROM job") == []


def test_a_request_survives_its_way_through_a_schedule(store: Store) -> None:
    request = JobRequest("oracle", "news", parameters={"seconds": 0.5}, priority=7, only_new=True)
    assert JobRequest(**json.loads(json.dumps(request.as_json()))) == request


def test_parameters_from_a_shell_are_read_as_their_types(store: Store) -> None:
    add_documents(store, 1)
    with store.write() as session:
        job_id = request_job(session, JobRequest("oracle", "news", parameters={"seconds": "0.5"})).job_id
    assert job_of(store, job_id).parameters == {"seconds": 0.5, "batch": 32}


def test_a_kind_without_a_model_needs_none(store: Store) -> None:
    job_id = a_job(store)
    with store.read() as session:
        assert open_model(session, job_of(store, job_id)) is None


# --- Redis away ------------------------------------------------------------------------------------------------------


def test_the_loop_outlives_redis_and_sends_what_it_lost(sqlite_store: Store, own_redis: RedisServer) -> None:
    settings_now = settings().model_copy(update={"tick_seconds": 0.05, "resend_seconds": 0.05})
    scheduler = Scheduler(sqlite_store, Broker(make_app()), settings_now)
    thread = threading.Thread(target=scheduler.run)
    thread.start()
    try:
        a_job(sqlite_store, 30)
        until(lambda: len(_messages(own_redis)) == 3, "three messages")
        own_redis.kill()
        until(lambda: "redis" in scheduler._failing, "the loss being noticed")
        own_redis.start()
        until(lambda: len(_messages(own_redis)) == 3, "three messages again")
        assert thread.is_alive()
    finally:
        scheduler.stopping.set()
        thread.join()
        scheduler.broker.close()


def test_redis_away_keeps_no_job_from_finishing(sqlite_store: Store, own_redis: RedisServer) -> None:
    scheduler = Scheduler(sqlite_store, Broker(make_app()), settings())
    own_redis.kill()
    job_id = a_job(sqlite_store)
    write_ok(sqlite_store, held(sqlite_store, the_chunk(sqlite_store, job_id).id))
    other = a_job(sqlite_store)
    scheduler.run_once()
    assert job_of(sqlite_store, job_id).state == "finished"
    assert the_chunk(sqlite_store, other).sent_at is None
    scheduler.broker.close()


def test_what_a_full_redis_refused_is_sent_as_soon_as_it_has_room(
    sqlite_store: Store, own_redis: RedisServer
) -> None:
    scheduler = Scheduler(sqlite_store, Broker(make_app()), settings())
    job_id = a_job(sqlite_store)
    with own_redis.client() as client:
        client.config_set("maxmemory", 1)
        scheduler.run_once()
        assert the_chunk(sqlite_store, job_id).sent_at is None
        client.config_set("maxmemory", 0)
    scheduler.run_once()
    assert len(_messages(own_redis)) == 1
    scheduler.broker.close()


def _tick_until_it_is(scheduler: Scheduler, job_id: int, state: str) -> int:
    """Turns are short: a few of them do what is to be done. Returns how many there were."""
    for n in itertools.count(1):
        scheduler.run_once()
        if job_of(scheduler.store, job_id).state == state:
            return n
        assert n < 100, f"job {job_id} is {job_of(scheduler.store, job_id).state}"
    raise AssertionError


def _let_sent_be_long_ago(store: Store) -> None:
    from sqlalchemy import update

    from db.sql import now
    from db.tables import Chunk

    with store.write() as session:
        session.execute(update(Chunk).values(sent_at=now(-1000)))
