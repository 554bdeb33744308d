"""A scheduler with nothing to do costs next to nothing, and is there at once when there is something."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.engine import Engine

from db import agenda, api_files, jobs, notifications, schedules, store_changes
from db.agenda import Agenda
from db.notifications import Rule
from db.retention import passes
from db.sql import clock
from db.states import Event, JobState
from db.store import Store
from scheduler.broker import Broker
from scheduler.loop import Scheduler, timing
from scheduler.search.indexing import index_all
from tests.db.builders import (
    a_job,
    create_batch,
    held,
    job_of,
    let_leases_expire,
    sql,
    the_chunk,
    write_ok,
)
from tests.servers import until
from workers.app import make_app
from workers.processes.heartbeat import Heartbeat, member
from workers.settings import settings

#: What an idle scheduler may ask in a minute.
MINUTE_STATEMENTS = 60


@contextmanager
def running(store: Store) -> Iterator[Scheduler]:
    scheduler = Scheduler(store, Broker(make_app()), settings())
    thread = threading.Thread(target=scheduler.run)
    thread.start()
    try:
        yield scheduler
    finally:
        scheduler.stopping.set()
        thread.join()
        scheduler.broker.close()


@contextmanager
def statements() -> Iterator[list[str]]:
    """Every statement of this process, whichever store it goes to."""
    seen: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        seen.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(Engine, "before_cursor_execute", note)


def _is_quiet(scheduler: Scheduler) -> bool:
    return scheduler.timer.n_looks > 0 and not scheduler.timer.due and not scheduler.timer.is_unwatched


@pytest.fixture
def no_slow_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """What happens, happens because of a change or of a time."""
    monkeypatch.setattr(timing, "SLOW_SECONDS", 600.0)


# --- the cost ----------------------------------------------------------------------------------------------------


def test_an_idle_scheduler_asks_one_statement_every_few_seconds(store: Store, redis_url: str) -> None:
    ended = a_job(store)
    write_ok(store, held(store, the_chunk(store, ended).id))
    index_all(store)
    with running(store) as scheduler:
        until(lambda: job_of(store, ended).state == JobState.FINISHED and _is_quiet(scheduler), "quiet")
        time.sleep(2 * timing.LOOK_SECONDS)
        with statements() as seen:
            time.sleep(2.5)
    assert len(seen) <= 2.5 / timing.SLOW_SECONDS + 1, seen
    assert 60 / timing.SLOW_SECONDS + 60 / 10 * _n_of_a_heartbeat(store) <= MINUTE_STATEMENTS
    # Nobody can be watcher behind pgbouncer.
    assert 60 / timing.UNWATCHED_SECONDS + 60 / 10 * _n_of_a_heartbeat(store) <= MINUTE_STATEMENTS


def _n_of_a_heartbeat(store: Store) -> int:
    beating = Heartbeat(settings(), [member("scheduler", "s", "instance")])
    # The first one also deletes old rows.
    beating._beat(store)
    with statements() as seen:
        beating._beat(store)
    return len(seen)


@pytest.mark.parametrize("change", ["pause", "wait"])
def test_a_job_that_cannot_go_on_costs_nothing(sqlite_store: Store, redis_url: str, change: str) -> None:
    first = a_job(sqlite_store, 20)
    if change == "wait":
        a_job(sqlite_store, after_job_id=first)
    with sqlite_store.write() as session:
        jobs.pause(session, first)
    index_all(sqlite_store)
    with running(sqlite_store) as scheduler:
        until(lambda: _is_quiet(scheduler), "quiet")
        time.sleep(2 * timing.LOOK_SECONDS)
        with statements() as seen:
            time.sleep(1)
    assert len(seen) <= 1, seen


# --- and yet at once -----------------------------------------------------------------------------------------------


def _submits(store: Store) -> Callable[[], bool]:
    job_id = a_job(store)
    return lambda: the_chunk(store, job_id).sent_at is not None


def _cancels(store: Store) -> Callable[[], bool]:
    job_id = a_job(store)
    with store.write() as session:
        jobs.pause(session, job_id)
        jobs.stop(session, job_id, "CANCELLED", "asked for")
    return lambda: job_of(store, job_id).state == JobState.CANCELLED


def _adds_a_schedule(store: Store) -> Callable[[], bool]:
    with store.write() as session:
        soon = clock(session) + timedelta(seconds=0.5)
        schedules.add(session, "nightly", "0 2 * * *", "UTC", [], soon)
    return lambda: sql(store, "SELECT count(*) FROM run") == [(1,)]


def _is_to_tell(store: Store) -> Callable[[], bool]:
    with store.write() as session:
        notifications.configure(session, "night n", [Rule("command:no-such-command-anywhere", (Event.TEST,))])
        notifications.notify(session, "night n", Event.TEST, "k", notifications.Message("t", "b"))
    return lambda: sql(store, "SELECT n_attempts FROM notification") == [(1,)]


def _sets_a_policy(store: Store) -> Callable[[], bool]:
    with store.write() as session:
        passes.set_policy(session, "[runs]\nolder_than = '90 d'\n")
    return lambda: sql(store, "SELECT count(*) FROM retention_pass") == [(1,)]


def _creates_a_batch(store: Store) -> Callable[[], bool]:
    create_batch(store, b"")
    return lambda: sql(store, "SELECT state FROM request_batch") == [("failed",)]


ACTS = [_submits, _cancels, _adds_a_schedule, _is_to_tell, _sets_a_policy, _creates_a_batch]


@pytest.mark.parametrize("act", ACTS)
def test_a_change_wakes_an_idle_scheduler(
    store: Store, redis_url: str, no_slow_looks: None, act: Callable[[Store], Callable[[], bool]]
) -> None:
    with running(store) as scheduler:
        until(lambda: _is_quiet(scheduler), "quiet")
        until(act(store), act.__name__)


def test_a_lease_that_runs_out_is_noticed_at_its_time(
    store: Store, redis_url: str, no_slow_looks: None
) -> None:
    job_id = a_job(store)
    held(store, the_chunk(store, job_id).id)
    with running(store) as scheduler:
        until(lambda: scheduler.timer.n_looks > 0, "a look")
        let_leases_expire(store)
        until(lambda: the_chunk(store, job_id).state == "ready", "requeued")


def test_a_scheduler_that_hears_nothing_looks_by_itself(
    store: Store, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_changes, "of", lambda _: store_changes.NoWatcher())
    with running(store) as scheduler:
        until(lambda: scheduler.timer.n_looks > 0, "a look")
        until(_submits(store), "sent")


# --- the agenda ----------------------------------------------------------------------------------------------------


def test_the_agenda_says_when_each_step_is_due(store: Store) -> None:
    nothing = Agenda(None, None, None, None, None, None, None, None, None)
    assert _agenda(store) == nothing
    job_id = a_job(store)
    assert (_agenda(store).jobs, _agenda(store).search) == (0, 0)
    index_all(store)
    assert _agenda(store).search is None
    claim = held(store, the_chunk(store, job_id).id)
    assert 50 < (_agenda(store).leases or 0) <= 60
    write_ok(store, claim)
    assert _agenda(store).jobs == 0, "it is to be finished"
    with store.write() as session:
        jobs.finish(session, job_id, jobs.count_some(session, job_id, jobs.Count()))
        schedules.add(session, "s", "0 2 * * *", "UTC", [], clock(session) + timedelta(seconds=100))
        notifications.configure(session, "n", [Rule("command:x", (Event.TEST,))])
        notifications.notify(session, "n", Event.TEST, "k", notifications.Message("t", "b"))
        passes.set_policy(session, "")
    found = _agenda(store)
    assert found.jobs is None
    assert 90 < (found.schedules or 0) <= 100
    assert (found.notifications, found.retention) == (0, 0)
    with store.write() as session:
        notifications.claim(session, 50.0)
        passes.take(session)
    found = _agenda(store)
    assert 40 < (found.notifications or 0) <= 50
    assert 50 < (found.retention or 0) <= 60
    create_batch(store, b"", seconds=100)
    assert _agenda(store).batches == 0
    sql(store, "UPDATE request_batch SET phase = 'done' RETURNING 1")
    assert _agenda(store).batches is None
    with store.write() as session:
        api_files.begin(session, "a", "batch", "programs", seconds=50)
    assert 40 < (_agenda(store).batches or 0) <= 50


def _agenda(store: Store) -> Agenda:
    with store.look() as session:
        return agenda.look(session)
