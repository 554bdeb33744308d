"""Schedules fire once for each due time: over changes of the clock, after an absence, with many schedulers."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from db import schedules
from db.errors import ConflictError, NotFoundError
from db.store import Store
from scheduler import cron as nightly
from scheduler import firing
from scheduler.requests import JobRequest
from tests.db.builders import add_documents, finish, held, job_of, sql, the_chunk, write_ok

NEW_YORK = "America/New_York"


def _due_times(cron: str, zone: str, start: datetime, n: int) -> list[datetime]:
    found, moment = [], start
    for _ in range(n):
        moment = nightly.next_after(cron, zone, moment)
        found.append(moment)
    return found


def _utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc, arg-type]


def test_a_night_without_the_hour_fires_once_after_the_gap() -> None:
    # On 2026-03-08 New York goes from 01:59 EST to 03:00 EDT.
    assert _due_times("30 2 * * *", NEW_YORK, _utc(2026, 3, 7, 12), 2) == [
        _utc(2026, 3, 8, 7),
        _utc(2026, 3, 9, 6, 30),
    ]


def test_a_night_with_the_hour_twice_fires_once() -> None:
    # On 2026-11-01 New York has 01:30 twice, at 05:30 and 06:30 UTC.
    found = _due_times("30 1 * * *", NEW_YORK, _utc(2026, 10, 31, 12), 2)
    assert found == [_utc(2026, 11, 1, 5, 30), _utc(2026, 11, 2, 6, 30)]


@pytest.mark.parametrize("minute", range(0, 60, 15))
@pytest.mark.parametrize("hour", range(5))
@pytest.mark.parametrize("year", [2025, 2026, 2027])
def test_a_nightly_time_fires_once_for_each_local_date_of_the_year(year: int, hour: int, minute: int) -> None:
    from zoneinfo import ZoneInfo

    zone = ZoneInfo(NEW_YORK)
    start = datetime(year, 1, 1, tzinfo=zone) - timedelta(seconds=1)
    dates = [
        moment.astimezone(zone).date()
        for moment in _due_times(f"{minute} {hour} * * *", NEW_YORK, start, 365)
    ]
    assert dates == [datetime(year, 1, 1).date() + timedelta(days=i) for i in range(365)]


def test_a_zone_without_changes_fires_at_the_same_hour() -> None:
    assert _due_times("0 2 * * *", "Asia/Seoul", _utc(2026, 3, 7), 2) == [
        _utc(2026, 3, 7, 17),
        _utc(2026, 3, 8, 17),
    ]


@pytest.mark.parametrize(
    ("cron", "zone"),
    [
        ("every night", "UTC"),
        ("* * * * * *", "UTC"),
        ("@reboot", "UTC"),
        ("0 25 * * *", "UTC"),
        ("0 2 * * *", "Mars/Olympus"),
        ("0 2 31 2 *", "UTC"),
    ],
)
def test_a_schedule_that_means_nothing_is_refused(cron: str, zone: str) -> None:
    with pytest.raises(ValueError):
        nightly.check(cron, zone)


@pytest.mark.parametrize(
    ("word", "fields"),
    [
        ("@hourly", "0 * * * *"),
        ("@daily", "0 0 * * *"),
        ("@midnight", "0 0 * * *"),
        ("@weekly", "0 0 * * 0"),
        ("@monthly", "0 0 1 * *"),
        ("@yearly", "0 0 1 1 *"),
        ("@annually", "0 0 1 1 *"),
        (" @Daily ", "0 0 * * *"),
    ],
)
def test_the_words_of_cron_are_times(word: str, fields: str) -> None:
    nightly.check(word, "Asia/Seoul")
    start = _utc(2026, 3, 7)
    assert _due_times(word, "Asia/Seoul", start, 3) == _due_times(fields, "Asia/Seoul", start, 3)
    found = nightly.due_times(word, "Asia/Seoul", _utc(2025, 1, 1), _utc(2026, 3, 7), 100)
    assert found[-1] <= _utc(2026, 3, 7)


def test_a_schedule_with_seconds_of_an_older_version_fires_once_a_minute_at_most(store: Store) -> None:
    _schedule(store, cron="* * * * * *", due_in_seconds=-1)
    assert firing.fire_due(store)
    assert not firing.fire_due(store)
    ((next_at,),) = [(row.next_at,) for row in _schedules(store)]
    assert next_at.second == 0


# --- firing ------------------------------------------------------------------------------------------------------


def test_a_due_schedule_submits_its_job_once_and_moves_on(store: Store) -> None:
    _schedule(store, due_in_seconds=-1)
    assert firing.fire_due(store)
    assert not firing.fire_due(store)
    assert sql(store, "SELECT kind, state FROM job") == [("oracle", "running")]
    ((after,),) = sql(store, "SELECT count(*) FROM schedule WHERE next_at > created_at")
    assert after == 1


def test_a_schedule_that_is_not_due_does_nothing(store: Store) -> None:
    _schedule(store, due_in_seconds=3600)
    assert not firing.fire_due(store)
    assert sql(store, "SELECT * FROM run") == []


def test_times_missed_while_nobody_was_there_are_one_firing(store: Store) -> None:
    _schedule(store, cron="*/5 * * * *", due_in_seconds=-86_400)
    firing.fire_due(store)
    firing.fire_due(store)
    ((due_at, fired_at),) = _runs(store)
    assert timedelta(0) <= fired_at - due_at < timedelta(minutes=5, seconds=1)
    assert due_at.minute % 5 == 0


@pytest.mark.parametrize(
    ("second", "minute"), [(timedelta(0), 35), (timedelta(microseconds=-1), 30), (timedelta(seconds=59), 35)]
)
def test_a_missed_time_is_never_one_that_is_still_to_come(second: timedelta, minute: int) -> None:
    moment = _utc(2026, 3, 7, 10, 35) + second
    found = nightly.due_times("*/5 * * * *", "UTC", _utc(2026, 3, 7, 9), moment, 3)
    assert found[-1] == _utc(2026, 3, 7, 10, minute)


def test_many_schedulers_fire_once(store: Store) -> None:
    for _ in range(5):
        _schedule(store, name=f"s{_}", due_in_seconds=-1)
    barrier = threading.Barrier(4)
    faults: list[Exception] = []

    def one() -> None:
        barrier.wait()
        try:
            firing.fire_due(store)
        except Exception as error:
            faults.append(error)

    threads = [threading.Thread(target=one) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    assert sql(store, "SELECT count(*), count(DISTINCT schedule_id) FROM run") == [(5, 5)]
    assert sql(store, "SELECT count(*) FROM job") == [(5,)]


def test_a_scheduler_that_found_a_schedule_due_before_another_one_fired_it_fires_nothing(
    store: Store,
) -> None:
    _schedule(store, due_in_seconds=-1)
    with store.read() as session:
        [found] = schedules.due(session)
    firing.fire_due(store)
    firing._fire(store, found)
    assert sql(store, "SELECT count(*) FROM run") == [(1,)]
    assert sql(store, "SELECT count(*) FROM job") == [(1,)]


def test_a_scheduler_that_dies_while_firing_leaves_the_firing_to_others(store: Store) -> None:
    _schedule(store, due_in_seconds=-1)
    with store.read() as session:
        (due,) = schedules.due(session)
        # Everything up to the commit, and then nothing: a read session rolls back.
        assert schedules.take(session, due, due.next_at + timedelta(days=1))
    assert firing.fire_due(store)
    assert sql(store, "SELECT count(*) FROM run") == [(1,)]


def test_the_jobs_of_a_firing_run_one_after_the_other(store: Store) -> None:
    _schedule(store, due_in_seconds=-1, kinds=["oracle", "nothing"])
    firing.fire_due(store)
    rows = sql(store, "SELECT id, kind, state, after_job_id, run_id FROM job ORDER BY id")
    (first, *_), (_, kind, state, after, run_id) = rows
    assert (kind, state, after) == ("nothing", "waiting", first)
    assert run_id is not None


def test_a_firing_with_nothing_new_makes_no_job_and_is_no_fault(store: Store) -> None:
    _schedule(store, due_in_seconds=-1, only_new=True, kinds=["oracle", "nothing"])
    firing.run_now(store, "nightly")
    assert firing.fire_due(store)
    assert firing.run_now(store, "nightly") == []
    assert sql(store, "SELECT count(*), count(fault) FROM run") == [(3, 0)]
    assert sql(store, "SELECT kind FROM job ORDER BY id") == [("oracle",), ("nothing",)]


def test_a_job_of_a_firing_waits_for_the_last_one_that_was_made(store: Store) -> None:
    _schedule(store, due_in_seconds=3600, only_new=True, kinds=["oracle"])
    firing.run_now(store, "nightly")
    with store.write() as session:
        schedules.remove(session, "nightly")
    _schedule(store, due_in_seconds=3600, only_new=True, kinds=["nothing", "oracle"])
    (made,) = firing.run_now(store, "nightly")
    assert job_of(store, made.job_id).kind == "nothing"
    with store.write() as session:
        schedules.remove(session, "nightly")
    _schedule(store, due_in_seconds=3600, kinds=["oracle", "nothing"])
    first, second = firing.run_now(store, "nightly")
    assert job_of(store, second.job_id).after_job_id == first.job_id


def test_a_firing_that_cannot_submit_is_kept_with_its_reason(store: Store) -> None:
    _schedule(store, due_in_seconds=-1, collection="gone")
    firing.fire_due(store)
    ((fault,),) = sql(store, "SELECT fault FROM run")
    assert "gone" in fault
    assert sql(store, "SELECT * FROM job") == []
    assert not firing.fire_due(store)


def test_one_schedule_that_cannot_submit_does_not_keep_the_others_back(store: Store) -> None:
    _schedule(store, "a", due_in_seconds=-1, collection="gone")
    _schedule(store, "b", due_in_seconds=-1)
    firing.fire_due(store)
    assert sql(store, "SELECT count(*) FROM job") == [(1,)]


def test_a_removed_schedule_fires_no_more_and_its_name_is_free_again(store: Store) -> None:
    _schedule(store, due_in_seconds=-1)
    with store.write() as session, pytest.raises(ConflictError, match="nightly"):
        schedules.add(session, "nightly", "0 2 * * *", "UTC", [], _utc(2026, 1, 1))
    with store.write() as session:
        schedules.remove(session, "nightly")
    assert not firing.fire_due(store)
    with store.read() as session, pytest.raises(NotFoundError):
        schedules.by_name(session, "nightly")
    _schedule(store, due_in_seconds=-1)
    assert firing.fire_due(store)


def test_running_by_hand_is_a_run_of_its_own_and_moves_no_time(store: Store) -> None:
    _schedule(store, due_in_seconds=3600)
    before = sql(store, "SELECT next_at FROM schedule")
    (submitted,) = firing.run_now(store, "nightly")
    assert sql(store, "SELECT next_at FROM schedule") == before
    write_ok(store, held(store, the_chunk(store, submitted.job_id).id))
    assert finish(store, submitted.job_id)
    assert job_of(store, submitted.job_id).run_id is not None


def _schedule(
    store: Store,
    name: str = "nightly",
    *,
    cron: str = "0 2 * * *",
    due_in_seconds: float,
    collection: str = "news",
    kinds: list[str] | None = None,
    only_new: bool = False,
) -> None:
    add_documents(store, 3)
    requests: list[dict[str, Any]] = [
        JobRequest(kind, collection, only_new=only_new).as_json() for kind in kinds or ["oracle"]
    ]
    with store.write() as session:
        due = schedules.clock(session) + timedelta(seconds=due_in_seconds)
        schedules.add(session, name, cron, "Asia/Seoul", requests, due)


def _schedules(store: Store) -> list[Any]:
    with store.read() as session:
        return schedules.active(session)


def _runs(store: Store) -> list[tuple[datetime, datetime]]:
    with store.read() as session:
        return [(run.due_at, run.fired_at) for run in schedules.last_runs(session).values()]
