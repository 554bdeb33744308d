"""Jobs that run alone, and jobs that are made once."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from db import chunks, jobs
from db.states import JobState
from db.store import Store
from db.tables import Job
from tests.db.builders import a_job, add_documents, chunks_of, finish, held, job_of, stop, submit, write_ok


def _states(store: Store, *job_ids: int) -> list[str]:
    return [str(job_of(store, job_id).state) for job_id in job_ids]


def _start_what_can(store: Store) -> list[int]:
    with store.write() as session:
        found = [job_id for job_id, state in jobs.to_move(session, 0, 100).jobs if state == JobState.WAITING]
        for job_id in found:
            assert jobs.open_waiting(session, job_id, None)
            chunks.open_some(session, job_id)
    return found


def _see_through(store: Store, job_id: int) -> None:
    for chunk in chunks_of(store, job_id):
        write_ok(store, held(store, chunk.id))
    assert finish(store, job_id)


def test_an_exclusive_job_waits_for_those_before_it_and_those_after_it_wait(store: Store) -> None:
    news, mail = add_documents(store, 10, "news"), add_documents(store, 10, "mail")
    before = [submit(store, news).job_id for _ in range(2)]
    alone = submit(store, news, exclusive=True).job_id
    after = [submit(store, news).job_id for _ in range(2)]
    elsewhere = submit(store, mail).job_id
    other_kind = submit(store, news, kind="nothing").job_id
    assert _states(store, *before, elsewhere, other_kind) == ["running"] * 4
    assert _states(store, alone, *after) == ["waiting"] * 3
    assert {chunk.state for chunk in chunks_of(store, alone)} == {"blocked"}
    _see_through(store, before[0])
    assert _start_what_can(store) == []
    with store.write() as session:
        assert not jobs.open_waiting(session, alone, None), "nor by hand"
        assert jobs.in_the_way(session, alone) == before[1]
    _see_through(store, before[1])
    assert _start_what_can(store) == [alone]
    _see_through(store, alone)
    assert _start_what_can(store) == after, "these may run beside each other"


def test_an_exclusive_job_that_is_alone_runs_at_once(store: Store) -> None:
    job_id = submit(store, add_documents(store, 10), exclusive=True).job_id
    assert _states(store, job_id) == ["running"]
    assert [chunk.state for chunk in chunks_of(store, job_id)] == ["ready"]


def test_an_exclusive_job_that_is_cancelled_makes_way(sqlite_store: Store) -> None:
    store = sqlite_store
    news = add_documents(store, 10)
    first, alone, after = (submit(store, news, exclusive=n == 1).job_id for n in range(3))
    stop(store, alone)
    assert finish(store, alone)
    assert _start_what_can(store) == [after]
    assert _states(store, first, alone, after) == ["running", "cancelled", "running"]


def test_exclusive_jobs_that_are_submitted_at_once_never_run_together(store: Store) -> None:
    news = add_documents(store, 10)
    barrier = threading.Barrier(6)

    def one(n: int) -> int:
        barrier.wait()
        return submit(store, news, exclusive=n % 2 == 0).job_id

    with ThreadPoolExecutor(6) as threads:
        ids = list(threads.map(one, range(6)))
    with store.read() as session:
        running = [session.get_one(Job, id_) for id_ in ids if job_of(store, id_).state == "running"]
    assert len(running) == 1 or not any(job.is_exclusive for job in running)
    done = 0
    while done < 6:
        _start_what_can(store)
        now = [job_of(store, id_) for id_ in ids if job_of(store, id_).state == "running"]
        assert len(now) == 1 or not any(job.is_exclusive for job in now)
        assert now, "somebody can always start"
        for job in now:
            _see_through(store, job.id)
            done += 1


@pytest.mark.parametrize("same", [True, False])
def test_a_unique_job_is_not_made_while_one_does_the_same(store: Store, same: bool) -> None:
    news = add_documents(store, 20)
    first = submit(store, news)
    again = submit(store, news, unique=True, parameters={} if same else {"batch": 3})
    assert again.created is not same
    assert (again.job_id == first.job_id) is same
    assert again.does_the_same is same
    _see_through(store, first.job_id)
    assert submit(store, news, unique=True).created, "the first one has ended"


def test_another_selection_is_not_the_same(sqlite_store: Store) -> None:
    news = add_documents(sqlite_store, 20)
    submit(sqlite_store, news)
    assert submit(sqlite_store, news, unique=True, where="key = 'k1'").created
    again = submit(sqlite_store, news, unique=True, where="key = 'k1'")
    assert not again.created
    assert again.n_documents == 1


def test_unique_jobs_that_are_submitted_at_once_are_one(store: Store) -> None:
    news = add_documents(store, 10)
    barrier = threading.Barrier(6)

    def one(_: int) -> int:
        barrier.wait()
        return submit(store, news, unique=True).job_id

    with ThreadPoolExecutor(6) as threads:
        assert len(set(threads.map(one, range(6)))) == 1


def test_a_job_is_submitted_by_somebody(sqlite_store: Store) -> None:
    job_id = a_job(sqlite_store, submitter="kim@host")
    assert job_of(sqlite_store, job_id).submitter == "kim@host"
