"""Runs of schedules: what starts, waits and ends, and what people are told."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from db import jobs, model_versions, notifications, runs, schedules
from db.gates import Judged, Judgement
from db.notifications import Rule
from db.policies import Policies
from db.sql import clock
from db.states import Catchup, Event, Overlap, RunState
from db.store import Store
from db.tables import Run
from scheduler import cron, firing, starting
from scheduler.requests import JobRequest
from tests.db.builders import a_job, add_documents, finish, held, job_of, sql, stop, the_chunk, write_ok

EVERY = tuple(Event)


def _schedule(
    store: Store, policies: Policies = schedules.DEFAULT, *, requests: list[dict[str, Any]] | None = None
) -> None:
    """Due once a year: a test says when (`_due_again`), and no full minute fires it a second time."""
    add_documents(store, 2)
    with store.write() as session:
        asked = requests if requests is not None else [JobRequest("oracle", "news").as_json()]
        moment = clock(session)
        schedules.add(session, "nightly", "0 0 1 1 *", "Asia/Seoul", asked, moment, policies)
        notifications.configure(session, "schedule nightly", [Rule("webhook:env:HOOK", EVERY)])


def _due_again(store: Store) -> None:
    with store.write() as session:
        schedules.by_name(session, "nightly").next_at = clock(session)


def _fire(store: Store) -> int:
    """One more time comes; the number of the last job."""
    _due_again(store)
    firing.turn(store)
    return int(sql(store, "SELECT max(id) FROM job")[0][0])


def _runs(store: Store) -> list[str]:
    return [state for (state,) in sql(store, "SELECT state FROM run ORDER BY due_at")]


def _told(store: Store) -> list[tuple[str, str]]:
    return [tuple(row) for row in sql(store, "SELECT event, title FROM notification ORDER BY id")]


def _end(store: Store, job_id: int, *, n_ok: int = 2) -> None:
    """Its workers and the counting of its outcomes."""
    claim = held(store, the_chunk(store, job_id).id)
    ids = claim.document_ids
    from db import chunks
    from db.chunks import Written

    with store.write() as session:
        errors = [(document, "BAD", "it is bad") for document in ids[n_ok:]]
        chunks.write(session, claim, Written(ok_ids=ids[:n_ok], errors=errors), 60, close=True)
    assert finish(store, job_id)


# --- times -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("minute", range(0, 60, 7))
def test_in_the_hour_that_autumn_repeats_no_due_time_lies_in_the_past(minute: int) -> None:
    # New York has 01:00 to 02:00 twice, from 05:00 UTC and from 06:00 UTC.
    for zone, first in (("America/New_York", 5), ("Europe/Berlin", 0)):
        day = datetime(2026, 11, 1, tzinfo=UTC) if first else datetime(2026, 10, 25, tzinfo=UTC)
        for seconds in range(0, 4 * 3600, 601):
            moment = day + timedelta(hours=first, seconds=seconds)
            for expression in (f"{minute} 1 * * *", f"{minute},59 1,2 * * *", f"{minute} * * * *"):
                assert cron.next_after(expression, zone, moment) > moment


def test_due_times_are_the_same_however_long_ago_the_first_was() -> None:
    first, until = datetime(2026, 1, 1, 6, 30, tzinfo=UTC), datetime(2026, 12, 31, tzinfo=UTC)
    every = cron.due_times("30 1 * * *", "America/New_York", first, until, 1_000)
    assert len(every) == 364
    for limit in (1, 5, 100):
        assert cron.due_times("30 1 * * *", "America/New_York", first, until, limit) == every[-limit:]


# --- overlap -----------------------------------------------------------------------------------------------------


def test_skip_says_which_run_had_not_ended_and_the_next_one_runs(store: Store) -> None:
    _schedule(store)
    job_id = _fire(store)
    assert _fire(store) == job_id
    ((note,),) = sql(store, "SELECT note FROM run WHERE state = 'skipped'")
    assert "(Asia/Seoul) had not ended" in note
    _end(store, job_id)
    assert _fire(store) > job_id
    assert _runs(store) == ["succeeded", "skipped", "running"]


def test_a_run_that_nobody_has_counted_yet_holds_up_no_other(store: Store) -> None:
    _schedule(store)
    job_id = _fire(store)
    write_ok(store, held(store, the_chunk(store, job_id).id))
    _fire(store)
    assert _runs(store) == ["running", "queued"]
    assert finish(store, job_id)
    firing.turn(store)
    assert _runs(store) == ["succeeded", "running"]


def test_one_run_waits_at_most(store: Store) -> None:
    _schedule(store, Policies(overlap=Overlap.QUEUE))
    job_id = _fire(store)
    _fire(store)
    _fire(store)
    assert _runs(store) == ["running", "queued", "skipped"]
    _end(store, job_id)
    firing.turn(store)
    assert _runs(store) == ["succeeded", "running", "skipped"]


def test_replace_cancels_the_jobs_and_starts_when_they_have_ended(store: Store) -> None:
    _schedule(store, Policies(overlap=Overlap.REPLACE))
    job_id = _fire(store)
    _fire(store)
    assert job_of(store, job_id).state == "cancelling"
    assert "replaced by the run of" in str(job_of(store, job_id).stop_detail)
    assert _runs(store) == ["running", "queued"]
    _fire(store)
    assert _runs(store) == ["running", "skipped", "queued"]
    _stop_all(store, job_id)
    firing.turn(store)
    assert _runs(store) == ["cancelled", "skipped", "running"]
    assert [event for event, _ in _told(store)] == []


def _stop_all(store: Store, job_id: int) -> None:
    stopped = jobs.Stopped(1)
    while stopped.n_chunks:
        with store.write() as session:
            stopped = jobs.stop_some(session, job_id, stopped.part)
    assert finish(store, job_id)


def plan_first(session: Any, request: dict[str, Any], run_id: int) -> list[Any]:
    """Starts a night that has yet to be planned."""
    assert request["night"] == "filings"
    runs.expect_more(session, run_id)
    return []


def test_a_run_that_awaits_more_has_not_ended(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(starting.STARTERS, "night", f"{__name__}:plan_first")
    _schedule(store, requests=[{"do": "night", "night": "filings"}])
    _due_again(store)
    firing.turn(store)
    assert _runs(store) == ["running"]
    with store.write() as session:
        (run_id,) = session.scalars(select(Run.id))
        runs.no_more(session, run_id, "the database is away")
    firing.turn(store)
    assert _runs(store) == ["failed"]
    assert _told(store) == [("failed", "nightly failed")]


# --- what people are told ----------------------------------------------------------------------------------------


def test_failures_in_a_row_pause_the_schedule_and_enabling_begins_anew(store: Store) -> None:
    _schedule(store, Policies(pause_on_failure=2))
    for _ in range(2):
        _end(store, _fire(store), n_ok=0)
        firing.turn(store)
    with store.read() as session:
        row = schedules.by_name(session, "nightly")
        assert row.paused_why == "its last 2 runs failed"
    _due_again(store)
    assert not firing.fire_due(store)
    assert [event for event, _ in _told(store)] == ["failed", "failed"]
    ((body,),) = sql(store, "SELECT body FROM notification ORDER BY id DESC LIMIT 1")
    assert "docmill schedule enable nightly" in body
    with store.write() as session:
        assert schedules.resume(session, "nightly", clock(session))
    _end(store, _fire(store), n_ok=0)
    firing.turn(store)
    with store.read() as session:
        assert schedules.by_name(session, "nightly").paused_at is None


def test_the_first_run_that_succeeds_after_a_failure_is_told_once(store: Store) -> None:
    _schedule(store)
    for n_ok in (2, 0, 2, 2):
        _end(store, _fire(store), n_ok=n_ok)
        firing.turn(store)
    assert _told(store) == [("failed", "nightly failed"), ("recovered", "nightly works again")]


@pytest.mark.parametrize(("share", "is_told"), [(0.5, False), (0.49, True), (0.0, True), (None, False)])
def test_a_share_of_errors_above_the_limit_is_told(store: Store, share: float | None, is_told: bool) -> None:
    _schedule(store, Policies(max_error_share=share))
    _end(store, _fire(store), n_ok=1)
    firing.turn(store)
    assert _told(store) == ([("errors", "nightly: 50.0% of oracle failed")] if is_told else [])
    assert _runs(store) == ["succeeded"]


def test_a_job_cancelled_by_hand_is_no_failure(store: Store) -> None:
    _schedule(store)
    job_id = _fire(store)
    stop(store, job_id)
    assert finish(store, job_id)
    firing.turn(store)
    assert _runs(store) == ["cancelled"]
    assert _told(store) == []


def test_a_model_that_its_gate_refused_is_told_of_runs_only(store: Store) -> None:
    _schedule(store)
    in_a_run = _fire(store)
    for job_id, passed in ((a_job(store), True), (in_a_run, False), (a_job(store), False)):
        with store.write() as session:
            champion = model_versions.champion(session, "oracle")
            judgement = Judgement(champion.id if champion else None, [Judged("f1", 0.5, 0.8, None, passed)])
            model_versions.register(session, job_id, f"m/{job_id}", "0" * 64, {"f1": 0.5}, judgement)
    assert _told(store) == [("model refused", "nightly: the gate refused oracle@2")]
    ((body,),) = sql(store, "SELECT body FROM notification")
    assert "f1 0.5 (at least 0.8: missed)" in body
    assert "docmill models show oracle@2" in body


def test_a_deadline_fires_once_even_if_no_worker_ever_runs(store: Store) -> None:
    _schedule(store, Policies(deadline="07:00"))
    _fire(store)
    with store.write() as session:
        run = session.scalars(select(Run)).one()
        assert run.deadline_at is not None
        local = run.deadline_at.astimezone(cron._zone("Asia/Seoul"))
        assert (local.hour, local.minute) == (7, 0)
        run.deadline_at = clock(session)
    barrier = threading.Barrier(4)

    def one() -> None:
        barrier.wait()
        firing.turn(store)

    threads = [threading.Thread(target=one) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [event for event, _ in _told(store)] == ["late"]
    ((body,),) = sql(store, "SELECT body FROM notification")
    assert "job 1 (oracle, 2 documents) is running" in body.replace(f"job {job_number(store)}", "job 1")


def job_number(store: Store) -> int:
    return int(sql(store, "SELECT min(id) FROM job")[0][0])


def test_runs_that_wait_are_skipped_when_the_schedule_is_disabled_or_removed(store: Store) -> None:
    _schedule(store, Policies(overlap=Overlap.QUEUE, deadline="07:00"))
    job_id = _fire(store)
    _fire(store)
    with store.write() as session:
        schedules.pause(session, "nightly", "disabled by hand")
    assert _runs(store) == ["running", "skipped"]
    _end(store, job_id)
    firing.turn(store)
    assert _runs(store) == ["succeeded", "skipped"]
    with store.write() as session:
        schedules.remove(session, "nightly")
        assert notifications.rules_of(session, "schedule nightly") == []


def test_a_deadline_that_passed_while_nobody_looked_is_late_though_its_run_is_replaced(store: Store) -> None:
    _schedule(store, Policies(overlap=Overlap.REPLACE, deadline="07:00"))
    _fire(store)
    _fire(store)
    with store.write() as session:
        (waiting,) = session.scalars(select(Run).where(Run.state == RunState.QUEUED))
        waiting.deadline_at = clock(session)
    _fire(store)
    assert _runs(store) == ["running", "skipped", "queued"]
    assert [event for event, _ in _told(store)] == ["late"]


def test_a_run_by_hand_begins_at_once_and_counts_as_done(store: Store) -> None:
    _schedule(store, replace(schedules.DEFAULT, catchup=Catchup.NONE))
    (submitted,) = firing.run_now(store, "nightly")
    _end(store, submitted.job_id)
    firing.turn(store)
    with store.read() as session:
        row = schedules.by_name(session, "nightly")
        states = {(str(run.cause), run.state) for run in runs.history(session, row.id, 10)}
    assert ("hand", RunState.SUCCEEDED) in states
