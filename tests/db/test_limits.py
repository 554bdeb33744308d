"""Limits hold at the claim, however many workers claim at once and whatever messages they have."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text, update

from db import chunks, jobs, limits
from db.chunks import Claim, Written
from db.errors import ConflictError, NotFoundError
from db.limits import Limit, Scope
from db.limits.scopes import night_from
from db.sql import clock, now
from db.store import Store
from db.tables import Chunk, JobLimit
from tests.db.builders import (
    LEASE,
    a_job,
    add_documents,
    chunks_of,
    claim,
    crash,
    held,
    let_leases_expire,
    lose,
    reap,
    sql,
    stop,
    submit,
    the_chunk,
    write_ok,
)
from tests.servers import until

EVERYTHING = Scope()


def put(store: Store, scope: Scope = EVERYTHING, **values: object) -> None:
    with store.write() as session:
        limits.put(session, scope, Limit(**values))  # type: ignore[arg-type]


def state(store: Store) -> limits.State:
    with store.read() as session:
        (found,) = limits.states(session)
    return found


# --- at once -------------------------------------------------------------------------------------------------------


def test_no_more_chunks_run_at_once_however_many_workers_claim(store: Store) -> None:
    put(store, chunks_at_once=3)
    ids = [chunk.id for job in (a_job(store, 60), a_job(store, 60)) for chunk in chunks_of(store, job)]
    barrier = threading.Barrier(8)

    def work(n: int) -> list[Claim]:
        barrier.wait()
        mine = [claim(store, chunk_id, f"w{n}") for chunk_id in ids[n::4]]
        return [one for one in mine if one is not None]

    with ThreadPoolExecutor(8) as threads:
        taken = [one for found in threads.map(work, range(8)) for one in found]
    assert len(taken) == 3
    assert state(store).n_held == 3
    assert state(store).reason == "at most 3 chunks at once"
    write_ok(store, taken[0])
    assert len([one for chunk_id in ids if (one := claim(store, chunk_id)) is not None]) == 1


def test_a_refused_chunk_is_ready_and_may_be_sent_at_once(sqlite_store: Store) -> None:
    store = sqlite_store
    put(store, chunks_at_once=1)
    first, second = chunks_of(store, a_job(store, 20))
    held(store, first.id)
    with store.write() as session:
        session.execute(update(Chunk).values(sent_at=now()))
    assert claim(store, second.id) is None
    refused = chunks_of(store, second.job_id)[1]
    assert (refused.state, refused.sent_at, refused.n_put_back) == ("ready", None, 0)


@pytest.mark.parametrize("end", ["crash", "lose", "reap", "give_back", "put_back", "stop"])
def test_whatever_ends_a_claim_makes_room(sqlite_store: Store, end: str) -> None:
    store = sqlite_store
    put(store, chunks_at_once=1, device_seconds_per_night=10_000)
    one, other = (the_chunk(store, a_job(store)) for _ in range(2))
    mine = held(store, one.id)
    _claimed_ago(store, 100)
    if end == "crash":
        crash(store)
    elif end == "lose":
        lose(store)
    elif end == "reap":
        let_leases_expire(store)
        reap(store)
    elif end == "stop":
        stop(store, one.job_id)
    else:
        with store.write() as session:
            if end == "give_back":
                chunks.give_back(session, "w1")
            else:
                chunks.put_back(session, mine, "the disk is full")
    assert 99 < state(store).seconds_used < 160, "and its time counts"
    assert claim(store, other.id, "w2") is not None


def test_who_gives_chunks_of_several_jobs_back_waits_for_limits_in_the_order_of_those_who_claim(
    empty_postgres_store: Store,
) -> None:
    """A claim under both limits locks that of the kind first. Otherwise each could wait for the other."""
    store = empty_postgres_store
    news, mail = add_documents(store, 5, "news"), add_documents(store, 5, "mail")
    for collection, kind in ((news, "nothing"), (mail, "oracle")):
        held(store, the_chunk(store, submit(store, collection, kind=kind).job_id).id)
    put(store, Scope(kind="oracle"), device_seconds_per_night=1_000)
    put(store, Scope(collection="news"), device_seconds_per_night=1_000)

    def give_back() -> int:
        with store.write() as session:
            return chunks.give_back(session, "w1")

    lock = "SELECT 1 FROM job_limit WHERE collection = :name FOR UPDATE NOWAIT"
    with ThreadPoolExecutor(1) as thread:
        with store.write() as session:
            session.execute(text(lock), {"name": ""})
            giving = thread.submit(give_back)
            until(lambda: sql(store, "SELECT 1 FROM pg_locks WHERE NOT granted"), "somebody who waits")
            session.execute(text(lock), {"name": "news"})
        assert giving.result() == 2


@pytest.mark.parametrize("change", ["forget", "rename to a later name", "rename to an earlier name"])
def test_who_changes_the_limits_of_a_collection_waits_for_them_in_the_order_of_those_who_claim(
    empty_postgres_store: Store, change: str
) -> None:
    store = empty_postgres_store
    # Stored in the other order than that of their keys, in which claims lock them.
    for scope in (Scope("news", "oracle"), Scope("news", "nothing"), Scope("mail", "oracle")):
        put(store, scope, device_seconds_per_night=1_000)
    first, second = (("news", "nothing"), ("news", "oracle"))
    if change != "forget":
        first, second = ("mail", "oracle"), ("news", "nothing")

    def do() -> None:
        with store.write() as session:
            if change == "forget":
                limits.forget_collection(session, "news")
            elif change == "rename to a later name":
                limits.rename_collection(session, "mail", "news")
            else:
                limits.rename_collection(session, "news", "mail")

    lock = text("SELECT 1 FROM job_limit WHERE collection = :name AND kind = :kind FOR UPDATE NOWAIT")
    with ThreadPoolExecutor(1) as thread:
        with store.write() as session:
            session.execute(lock, {"name": first[0], "kind": first[1]})
            doing = thread.submit(do)
            until(lambda: sql(store, "SELECT 1 FROM pg_locks WHERE NOT granted"), "somebody who waits")
            session.execute(lock, {"name": second[0], "kind": second[1]})
        doing.result()


# --- scopes --------------------------------------------------------------------------------------------------------


def test_a_limit_holds_for_the_jobs_of_its_scope_alone(store: Store) -> None:
    news, mail = add_documents(store, 10, "news"), add_documents(store, 10, "mail")
    of = {
        name: submit(store, collection, kind=kind, submitter=submitter).job_id
        for name, collection, kind, submitter in (
            ("a", news, "oracle", "kim@host"),
            ("b", news, "nothing", "kim@host"),
            ("c", mail, "oracle", "lee@host"),
            ("d", mail, "oracle", None),
        )
    }
    for scope, its in (
        (Scope(), "abcd"),
        (Scope(collection="news"), "ab"),
        (Scope(kind="oracle"), "acd"),
        (Scope(submitter="kim@host"), "ab"),
        (Scope("news", "oracle"), "a"),
        (Scope("mail", "oracle", "lee@host"), "c"),
    ):
        put(store, scope, chunks_at_once=1)
        with store.read() as session:
            found = {w.job_id: scope.has(w.collection, w.kind, w.submitter) for w in chunks.waiting(session)}
        assert {name for name, job_id in of.items() if found[job_id]} == set(its), scope
        for name in its:
            taken = held(store, the_chunk(store, of[name]).id)
            assert _n_claimable(store, [of[other] for other in "abcd"]) == 4 - len(its), scope
            with store.write() as session:
                chunks.give_back(session, taken and "w1")
        with store.write() as session:
            limits.remove(session, scope)


def _n_claimable(store: Store, job_ids: list[int]) -> int:
    """How many of these jobs a worker could take a chunk of, which is not kept."""
    n = 0
    for job_id in job_ids:
        if claim(store, the_chunk(store, job_id).id, "other") is not None:
            n += 1
            with store.write() as session:
                chunks.give_back(session, "other")
    return n


def test_the_narrowest_of_several_limits_decides(sqlite_store: Store) -> None:
    store = sqlite_store
    put(store, chunks_at_once=2)
    put(store, Scope(kind="oracle"), chunks_at_once=1)
    job_id = a_job(store, 30)
    other = a_job(store, kind="nothing")
    ids = [chunk.id for chunk in chunks_of(store, job_id)]
    assert [claim(store, chunk_id) is not None for chunk_id in ids] == [True, False, False]
    assert claim(store, the_chunk(store, other).id) is not None


# --- documents a minute ----------------------------------------------------------------------------------------------


def test_documents_a_minute_are_claimed_one_after_the_other(sqlite_store: Store) -> None:
    store = sqlite_store
    put(store, documents_per_minute=60)
    ids = [chunk.id for chunk in chunks_of(store, a_job(store, 50))]
    n, skipped, began = 0, 0.0, time.monotonic()
    for chunk_id in ids:
        while claim(store, chunk_id) is None:
            assert state(store).reason == "at most 60 documents a minute"
            _let_pass(store, 2)
            skipped += 2
        n += 10
        # A second that was lost is made up for, and a chunk may be begun.
        assert n <= skipped + time.monotonic() - began + 1.1 + 10
    assert skipped + time.monotonic() - began >= 38.9


def _let_pass(store: Store, seconds: float) -> None:
    with store.write() as session:
        for row in session.query(JobLimit):
            row.next_at = (row.next_at or datetime.now(UTC)) - timedelta(seconds=seconds)


def test_many_workers_share_the_documents_of_a_minute(store: Store) -> None:
    put(store, documents_per_minute=60)
    ids = [chunk.id for chunk in chunks_of(store, a_job(store, 80))]
    with ThreadPoolExecutor(8) as threads:
        taken = list(threads.map(lambda n: claim(store, ids[n], f"w{n}"), range(8)))
    assert len([one for one in taken if one is not None]) == 1


# --- device seconds a night ------------------------------------------------------------------------------------


def test_device_seconds_of_a_night_are_used_up(store: Store) -> None:
    put(store, device_seconds_per_night=100)
    ids = [chunk.id for chunk in chunks_of(store, a_job(store, 60))]
    for chunk_id in ids[:4]:
        taken = held(store, chunk_id)
        assert taken.meters
        _claimed_ago(store, 24)
        write_ok(store, taken)
    assert 96 <= state(store).seconds_used < 100
    # The next one would take as long as those before it.
    assert claim(store, ids[4]) is None
    assert state(store).reason == "at most 100 device seconds a night"
    put(store, device_seconds_per_night=125)
    taken = held(store, ids[4])
    assert claim(store, ids[5], "w2") is None, "one that is held counts as if it had ended"
    write_ok(store, taken)
    with store.write() as session:
        session.execute(update(JobLimit).values(night_from=now(-86_400)))
    assert claim(store, ids[5]) is not None, "another night"


def test_device_seconds_count_for_a_chunk_with_errors_too(store: Store) -> None:
    """Its results are written in several messages, and not in one."""
    put(store, device_seconds_per_night=100)
    taken = held(store, chunks_of(store, a_job(store, 10))[0].id)
    _claimed_ago(store, 24)
    errors = [(id_, "RUNNER_ERROR", "it raised") for id_ in taken.document_ids]
    with store.write_results() as session:
        chunks.write(session, taken, Written(errors=errors), LEASE, close=True)
    assert 24 <= state(store).seconds_used < 25


def test_a_night_begins_at_noon_in_its_time_zone() -> None:
    moment = datetime(2026, 11, 26, 2, 30, tzinfo=UTC)
    assert night_from(moment, "UTC") == datetime(2026, 11, 25, 12, tzinfo=UTC)
    assert night_from(moment, "Asia/Seoul") == datetime(2026, 11, 25, 3, tzinfo=UTC)
    assert night_from(moment + timedelta(hours=1), "Asia/Seoul") == datetime(2026, 11, 26, 3, tzinfo=UTC)
    # The clock was set back on that night, and noon is still noon.
    assert night_from(datetime(2026, 10, 25, 10, tzinfo=UTC), "Europe/Berlin") == datetime(
        2026, 10, 24, 10, tzinfo=UTC
    )


@pytest.mark.parametrize(
    "zone", ["UTC", "Asia/Seoul", "America/New_York", "Pacific/Kiritimati", "Asia/Kathmandu"]
)
def test_the_night_of_a_claim_is_that_of_its_time_zone(store: Store, zone: str) -> None:
    """PostgreSQL computes it by itself."""
    put(store, device_seconds_per_night=100, time_zone=zone)
    taken = held(store, the_chunk(store, a_job(store)).id)
    with store.read() as session:
        row = session.query(JobLimit).one()
        begun = night_from(clock(session), zone)
    assert [meter.night_from for meter in taken.meters] == [row.night_from] == [begun]
    assert taken.meters[0].key == ("", "", "")


def _claimed_ago(store: Store, seconds: float) -> None:
    with store.write() as session:
        session.execute(update(Chunk).where(Chunk.state == "leased").values(claimed_at=now(-seconds)))


# --- setting -------------------------------------------------------------------------------------------------------


def test_limits_are_set_changed_and_removed(store: Store) -> None:
    scope = Scope(collection="news", kind="oracle")
    put(store, scope, weight=2.0, chunks_at_once=3)
    put(store, scope, documents_per_minute=60)
    with store.write() as session:
        assert limits.all_(session) == {scope: Limit(documents_per_minute=60)}
        limits.rename_collection(session, "news", "mail")
        assert list(limits.all_(session)) == [Scope("mail", "oracle")]
        limits.forget_collection(session, "mail")
        with pytest.raises(NotFoundError, match="kind oracle of collection mail"):
            limits.remove(session, Scope("mail", "oracle"))


def test_a_paused_job_holds_what_it_holds(sqlite_store: Store) -> None:
    store = sqlite_store
    put(store, chunks_at_once=1)
    one, other = (the_chunk(store, a_job(store)) for _ in range(2))
    mine = held(store, one.id)
    with store.write() as session:
        jobs.pause(session, one.job_id)
    assert claim(store, other.id, "w2") is None
    with store.write() as session:
        chunks.write(session, mine, Written(ok_ids=mine.document_ids), LEASE, close=True)
    assert claim(store, other.id, "w2") is not None


def test_a_time_zone_that_the_database_does_not_know_is_refused_when_it_is_set(
    empty_postgres_store: Store,
) -> None:
    """Otherwise every claim under this limit would fail."""
    with pytest.raises(ConflictError, match="the database does not know the time zone 'Mars/Phobos'"):
        put(empty_postgres_store, device_seconds_per_night=10, time_zone="Mars/Phobos")
    put(empty_postgres_store, device_seconds_per_night=10, time_zone="Asia/Seoul")
