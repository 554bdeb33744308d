"""Every change of a job's state, one at a time, on both databases."""

from __future__ import annotations

import threading
from contextlib import suppress

import pytest
from sqlalchemy.exc import IntegrityError

from db import chunks, jobs, selection
from db.chunks import ChunkSize
from db.documents import NewDocument
from db.errors import ConflictError, NotFoundError, NothingToDoError
from db.selection import LeftOut
from db.store import Store
from tests.db.builders import (
    a_job,
    add,
    add_documents,
    chunks_of,
    claim,
    crash,
    finish,
    held,
    job_of,
    outcomes,
    sql,
    stop,
    stop_some,
    submit,
    the_chunk,
    write_ok,
)

# --- submitting -----------------------------------------------------------------------------------------------


def test_a_job_holds_every_latest_document_once_in_order(store: Store) -> None:
    job_id = a_job(store, 25, per_chunk=10)
    cut = chunks_of(store, job_id)
    assert [chunk.n_documents for chunk in cut] == [10, 10, 5]
    assert [chunk.seq for chunk in cut] == [1, 2, 3]
    ids = [id_ for chunk in cut for id_ in chunk.document_ids]
    assert ids == sorted(set(ids))
    assert job_of(store, job_id).n_documents == 25


def test_long_documents_fill_a_chunk_sooner(store: Store) -> None:
    texts = ["short"] * 5 + ["long" * 300] * 5
    collection = add(store, [NewDocument(f"k{i}", text, None, "f") for i, text in enumerate(texts)])
    job_id = submit(store, collection, chunk_size=ChunkSize(100, 2_000)).job_id
    sizes = [chunk.n_documents for chunk in chunks_of(store, job_id)]
    assert sum(sizes) == 10
    assert max(sizes) <= 7
    assert sizes[-1] <= 2


def test_no_chunk_holds_more_documents_than_asked_for(store: Store) -> None:
    job_id = a_job(store, 101, per_chunk=7)
    assert max(chunk.n_documents for chunk in chunks_of(store, job_id)) <= 7


def test_only_the_newest_versions_are_taken(store: Store) -> None:
    add_documents(store, 3)
    collection = add(store, [NewDocument("k1", "another text", None, "f")])
    job_id = submit(store, collection).job_id
    texts = sql(
        store,
        "SELECT d.text FROM document d JOIN outcome o ON o.document_id = d.id WHERE o.job_id = :job ORDER BY d.key",
        job=_done(store, job_id),
    )
    assert [text for (text,) in texts] == ["text 0", "another text", "text 2"]


def test_labelled_only_leaves_the_others_out(store: Store) -> None:
    add_documents(store, 3)
    collection = add(store, [NewDocument("with label", "text", "good", "f")])
    assert submit(store, collection, labelled_only=True).n_documents == 1


def test_the_same_key_is_one_job(store: Store) -> None:
    collection = add_documents(store, 5)
    first = submit(store, collection, key="tonight")
    again = submit(store, collection, key="tonight")
    assert (again.job_id, again.n_documents) == (first.job_id, 5)
    assert (first.created, again.created) == (True, False)
    assert len(chunks_of(store, first.job_id)) == 1


def test_a_key_used_for_another_request_is_refused(store: Store) -> None:
    collection = add_documents(store, 5)
    submit(store, collection, key="tonight")
    for other in ({"kind": "nothing"}, {"parameters": {"seconds": 1.0}}, {"model_ref": "other"}):
        with pytest.raises(ConflictError, match="tonight"):
            submit(store, collection, key="tonight", **other)


def test_a_submission_that_is_rolled_back_leaves_nothing(store: Store) -> None:
    collection = add_documents(store, 5)
    with store.read() as session:
        jobs.submit(session, jobs.NewJob("oracle", {}, collection, key="tonight"))
    assert sql(store, "SELECT * FROM job") == sql(store, "SELECT * FROM chunk") == []
    assert submit(store, collection, key="tonight").created


def test_only_new_takes_what_no_job_like_it_gave_a_result(store: Store) -> None:
    collection = add_documents(store, 5)
    _done(store, submit(store, collection).job_id)
    _nothing_new(store, collection, LeftOut(done=5))
    add(store, [NewDocument("k1", "changed", None, "f"), NewDocument("k9", "new", None, "f")])
    found = submit(store, collection, only_new=True)
    assert (found.n_documents, found.left_out) == (2, LeftOut(done=4))
    assert submit(store, collection, only_new=True, parameters={"seconds": 1.0}).n_documents == 6
    assert submit(store, collection, only_new=True, kind="nothing").n_documents == 6


def test_a_result_stands_while_nothing_that_matters_changes(store: Store) -> None:
    collection = add_documents(store, 3)
    _done(store, submit(store, collection, parameters={"top": 5}).job_id)
    # The kind has got a parameter since: older jobs did what its default does.
    defaults = {"top": 5, "later": 1, "megabytes": 8}
    same = {"only_new": True, "defaults": defaults, "ignored": frozenset({"megabytes"})}
    for parameters in ({}, {"top": 5.0}, {"later": 1, "top": 5}, {"top": 5, "megabytes": 9}):
        with pytest.raises(NothingToDoError):
            submit(store, collection, parameters={**defaults, **parameters}, **same)
    assert submit(store, collection, parameters={"top": 5, "later": 2}, **same).n_documents == 3
    assert submit(store, collection, parameters={"top": 5}, epoch=2, **same).n_documents == 3


def test_only_new_takes_again_what_failed(store: Store) -> None:
    collection = add_documents(store, 5)
    stop(store, submit(store, collection).job_id)
    assert submit(store, collection, only_new=True).n_documents == 5


@pytest.mark.parametrize("state", ["running", "half written", "second stage", "leased", "paused", "waiting"])
def test_only_new_leaves_out_what_a_job_like_it_still_has_to_do(store: Store, state: str) -> None:
    collection = add_documents(store, 20)
    after = a_job(store) if state == "waiting" else None
    first = submit(store, collection, n_stages=2 if state == "second stage" else 1, after_job_id=after).job_id
    done = 0
    if state in ("half written", "leased"):
        taken = held(store, chunks_of(store, first)[0].id)
        if state == "half written":
            write_ok(store, taken, taken.document_ids[: (done := 4)], close=False)
    if state == "second stage":
        _close_without_outcomes(store, chunks_of(store, first)[0].id)
    if state == "paused":
        with store.write() as session:
            jobs.pause(session, first)
    _nothing_new(store, collection, LeftOut(done=done, planned=20 - done, planned_in=(first,)))
    _nothing_new(store, collection, LeftOut(done=done, planned=20 - done, planned_in=(first,)))
    add(store, [NewDocument("k9", "changed", None, "f"), NewDocument("k20", "new", None, "f")])
    second = submit(store, collection, only_new=True)
    assert second.n_documents == 2
    # Other settings, kinds and collections are not like it; no job takes a document twice.
    assert submit(store, collection, only_new=True, parameters={"seconds": 1.0}).n_documents == 21
    assert submit(store, collection, only_new=True, kind="nothing").n_documents == 21
    assert submit(store, collection).n_documents == 21


def test_only_new_takes_what_a_job_that_is_cancelled_will_not_do(store: Store) -> None:
    collection = add_documents(store, 5)
    first = submit(store, collection).job_id
    with store.write() as session:
        jobs.stop(session, first, "CANCELLED", "asked for")
    assert submit(store, collection, only_new=True).n_documents == 5


def test_only_new_takes_again_what_failed_in_a_job_that_still_runs(store: Store) -> None:
    collection = add_documents(store, 20)
    job_id = submit(store, collection).job_id
    taken = held(store, chunks_of(store, job_id)[0].id)
    errors = [(id_, "RUNNER_ERROR", "because") for id_ in taken.document_ids[:3]]
    with store.write() as session:
        chunks.write(session, taken, chunks.Written((), errors), 60, close=False)
    found = submit(store, collection, only_new=True)
    assert found.n_documents == 3
    assert found.left_out == LeftOut(planned=17, planned_in=(job_id,))


def test_jobs_that_settle_their_model_later_are_alike_if_they_wait_for_the_same_job(store: Store) -> None:
    collection = add_documents(store, 5)
    first, other = a_job(store), a_job(store)
    settings = {"model_ref": "m", "only_new": True, "model_comes_later": True}
    job_id = submit(store, collection, after_job_id=first, **settings).job_id
    with pytest.raises(NothingToDoError) as error:
        submit(store, collection, after_job_id=first, **settings)
    assert error.value.left_out == LeftOut(planned=5, planned_in=(job_id,))
    # The other job may make another version.
    assert submit(store, collection, after_job_id=other, **settings).n_documents == 5


def test_of_many_who_submit_what_is_new_at_the_same_time_one_gets_it(store: Store) -> None:
    collection = add_documents(store, 50)
    barrier = threading.Barrier(4)
    made: list[int] = []

    def one() -> None:
        barrier.wait()
        with suppress(NothingToDoError):
            made.append(submit(store, collection, only_new=True).job_id)

    threads = [threading.Thread(target=one) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1


def test_a_job_without_documents_is_not_made(store: Store) -> None:
    collection = add_documents(store, 1)
    with pytest.raises(NothingToDoError):
        submit(store, collection, labelled_only=True, key="tonight")
    assert sql(store, "SELECT * FROM job") == []
    add(store, [NewDocument("with label", "text", "good", "f")])
    assert submit(store, collection, labelled_only=True, key="tonight").created


@pytest.mark.parametrize(
    ("left_out", "words"),
    [
        (LeftOut(), ""),
        (LeftOut(1), "1 has its result"),
        (LeftOut(1_000, 1, (7,)), "1,000 have their result, 1 is in job 7, which has not ended"),
        (LeftOut(0, 3, (7, 9), 2), "3 are in the jobs 7, 9, which have not ended, 2 are in quarantine"),
    ],
)
def test_what_is_left_out_is_said_in_words(left_out: LeftOut, words: str) -> None:
    assert left_out.words == words


def test_a_priority_out_of_range_is_refused_by_the_database(store: Store) -> None:
    with pytest.raises(IntegrityError, match="priority"):
        a_job(store, 1, priority=10)


def test_a_retry_takes_what_failed_and_nothing_else(store: Store) -> None:
    collection = add_documents(store, 4)
    job_id = submit(store, collection).job_id
    taken = held(store, the_chunk(store, job_id).id)
    good, *bad = taken.document_ids
    errors = [(id_, "RUNNER_ERROR", "because") for id_ in bad]
    with store.write() as session:
        chunks.write(session, taken, chunks.Written([good], errors), 60, close=True)
    assert finish(store, job_id)
    again = submit(store, collection, failed_in_job_id=job_id)
    assert sorted(the_chunk(store, again.job_id).document_ids) == sorted(bad)


def test_a_retry_takes_the_newest_version_of_what_failed(store: Store) -> None:
    collection = add_documents(store, 2)
    job_id = submit(store, collection).job_id
    stop(store, job_id)
    assert finish(store, job_id)
    add(store, [NewDocument("k0", "fixed", None, "f")])
    again = submit(store, collection, failed_in_job_id=job_id)
    assert again.n_documents == 2
    (newest,) = sql(store, "SELECT max(id) FROM document WHERE key = 'k0'")
    assert newest[0] in the_chunk(store, again.job_id).document_ids


# --- waiting for another job ------------------------------------------------------------------------------------


def test_a_job_that_waits_cannot_be_claimed_until_it_is_opened(store: Store) -> None:
    first = a_job(store)
    waiting = a_job(store, after_job_id=first)
    chunk = the_chunk(store, waiting)
    assert chunk.state == "blocked"
    assert claim(store, chunk.id) is None
    assert not finish(store, waiting)
    with store.write() as session:
        assert jobs.open_waiting(session, waiting, None)
        assert chunks.open_some(session, waiting) == 1
    assert job_of(store, waiting).started_at is not None
    with store.write() as session:
        assert not jobs.open_waiting(session, waiting, None)
    held(store, chunk.id)


# --- stages -----------------------------------------------------------------------------------------------------


def test_the_next_stage_opens_when_all_of_the_one_before_is_closed(store: Store) -> None:
    job_id = a_job(store, 20, n_stages=2)
    one, two, three, four = chunks_of(store, job_id)
    assert [chunk.state for chunk in (one, two, three, four)] == ["ready", "ready", "blocked", "blocked"]
    assert one.document_ids == three.document_ids
    _close_without_outcomes(store, one.id)
    assert not _open_next(store, job_id)
    _close_without_outcomes(store, two.id)
    assert _open_next(store, job_id)
    assert not _open_next(store, job_id)
    assert [chunk.state for chunk in chunks_of(store, job_id)] == ["closed", "closed", "ready", "ready"]
    for chunk in (three, four):
        write_ok(store, held(store, chunk.id))
    assert finish(store, job_id)


def test_stages_open_one_after_the_other(store: Store) -> None:
    job_id = a_job(store, 10, n_stages=3)
    first, second, third = chunks_of(store, job_id)
    _close_without_outcomes(store, first.id)
    assert _open_next(store, job_id)
    assert [chunk.state for chunk in chunks_of(store, job_id)] == ["closed", "ready", "blocked"]
    _close_without_outcomes(store, second.id)
    assert _open_next(store, job_id)
    write_ok(store, held(store, third.id))
    assert finish(store, job_id)


# --- finishing --------------------------------------------------------------------------------------------------


def test_a_job_is_finished_once_when_its_last_chunk_is_closed(store: Store) -> None:
    job_id = a_job(store, 20)
    first, second = chunks_of(store, job_id)
    write_ok(store, held(store, first.id))
    assert not finish(store, job_id)
    write_ok(store, held(store, second.id))
    assert finish(store, job_id)
    assert not finish(store, job_id)
    job = job_of(store, job_id)
    assert (job.state, job.n_ok, job.n_error) == ("finished", 20, 0)
    assert job.finished_at is not None


def test_the_database_refuses_an_end_at_which_a_document_has_no_outcome(store: Store) -> None:
    job_id = a_job(store, 5)
    taken = held(store, the_chunk(store, job_id).id)
    write_ok(store, taken, taken.document_ids[:-1])
    with pytest.raises(IntegrityError, match="every_document_counted"):
        finish(store, job_id)
    assert job_of(store, job_id).state == "running"


def test_the_counts_of_a_finished_job_cannot_be_falsified(store: Store) -> None:
    job_id = _done(store, a_job(store, 5))
    with pytest.raises(IntegrityError, match="every_document_counted"):
        sql(store, "UPDATE job SET n_ok = 4 WHERE id = :job RETURNING id", job=job_id)


# --- cancelling, pausing, resuming ------------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["ready", "leased", "half written", "put back", "paused", "waiting"])
def test_a_cancelled_job_ends_with_one_outcome_for_each_document(store: Store, state: str) -> None:
    job_id = a_job(store, 10, after_job_id=a_job(store) if state == "waiting" else None)
    chunk = the_chunk(store, job_id)
    done: list[int] = []
    if state in ("leased", "half written", "put back"):
        taken = held(store, chunk.id)
        if state == "half written":
            done = taken.document_ids[:4]
            write_ok(store, taken, done, close=False)
        if state == "put back":
            with store.write() as session:
                chunks.put_back(session, taken, "no disk")
    if state == "paused":
        with store.write() as session:
            jobs.pause(session, job_id)
    stop(store, job_id)
    assert finish(store, job_id)
    job = job_of(store, job_id)
    assert (job.state, job.n_ok, job.n_error) == ("cancelled", len(done), 10 - len(done))
    assert sorted(outcomes(store, job_id).values()) == sorted(
        ["ok"] * len(done) + ["CANCELLED"] * (10 - len(done))
    )
    assert the_chunk(store, job_id).n_error == 10 - len(done)


def test_a_cancelled_job_of_two_stages_ends_with_one_outcome_for_each_document(store: Store) -> None:
    job_id = a_job(store, 20, n_stages=2)
    _close_without_outcomes(store, chunks_of(store, job_id)[0].id)
    stop(store, job_id)
    assert finish(store, job_id)
    assert len(outcomes(store, job_id)) == 20


def test_nothing_of_a_cancelling_job_can_be_claimed(store: Store) -> None:
    job_id = a_job(store)
    with store.write() as session:
        jobs.stop(session, job_id, "CANCELLED", "asked for")
    assert claim(store, the_chunk(store, job_id).id) is None


def test_cancelling_twice_is_one_cancelling_and_after_the_end_it_is_refused(store: Store) -> None:
    job_id = a_job(store)
    with store.write() as session:
        jobs.stop(session, job_id, "CANCELLED", "first")
        jobs.stop(session, job_id, "OTHER", "second")
    assert job_of(store, job_id).stop_code == "CANCELLED"
    while stop_some(store, job_id, limit=1):
        pass
    assert finish(store, job_id)
    with store.write() as session, pytest.raises(ConflictError, match="cancelled"):
        jobs.stop(session, job_id, "CANCELLED", "third")
    with store.write() as session, pytest.raises(NotFoundError):
        jobs.stop(session, 4711, "CANCELLED", "none")


def test_a_running_job_is_not_closed_by_stop_some(store: Store) -> None:
    job_id = a_job(store)
    assert stop_some(store, job_id) == 0
    assert the_chunk(store, job_id).state == "ready"


def test_pause_lets_held_chunks_end_and_keeps_the_others_back(store: Store) -> None:
    job_id = a_job(store, 20)
    first, second = chunks_of(store, job_id)
    taken = held(store, first.id)
    with store.write() as session:
        jobs.pause(session, job_id)
        jobs.pause(session, job_id)
    assert claim(store, second.id) is None
    write_ok(store, taken)
    assert not finish(store, job_id)
    with store.write() as session:
        jobs.resume(session, job_id)
        jobs.resume(session, job_id)
    write_ok(store, held(store, second.id))
    assert finish(store, job_id)


def test_a_chunk_that_crashes_while_its_job_is_paused_waits_for_the_resume(store: Store) -> None:
    job_id = a_job(store)
    chunk = the_chunk(store, job_id)
    held(store, chunk.id)
    with store.write() as session:
        jobs.pause(session, job_id)
    crash(store)
    assert claim(store, chunk.id) is None
    with store.write() as session:
        jobs.resume(session, job_id)
    held(store, chunk.id)


def test_pause_and_resume_refuse_a_job_that_has_ended(store: Store) -> None:
    job_id = _done(store, a_job(store))
    for change in (jobs.pause, jobs.resume):
        with store.write() as session, pytest.raises(ConflictError, match="finished"):
            change(session, job_id)
    with pytest.raises(NotFoundError), store.write() as session:
        jobs.pause(session, 4711)


# --- what is written stays --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change", ["UPDATE outcome SET state = 'error', error_code = 'X'", "DELETE FROM outcome WHERE job_id > 0"]
)
def test_an_outcome_is_never_changed_not_even_by_hand(store: Store, change: str) -> None:
    job_id = _done(store, a_job(store, 3))
    before = outcomes(store, job_id)
    with pytest.raises(Exception, match="final"):
        sql(store, f"{change} RETURNING job_id")
    assert outcomes(store, job_id) == before


def test_a_second_outcome_of_a_document_is_refused_by_the_database(store: Store) -> None:
    job_id = a_job(store, 3)
    taken = held(store, the_chunk(store, job_id).id)
    write_ok(store, taken, close=False)
    with pytest.raises(IntegrityError):
        write_ok(store, taken)
    assert len(outcomes(store, job_id)) == 3


def test_chunks_leave_no_document_out_at_any_size(store: Store) -> None:
    collection = add_documents(store, 23)
    for per_chunk in (1, 2, 22, 23, 24, 1000):
        submitted = submit(store, collection, per_chunk=per_chunk)
        assert submitted.n_documents == 23
    with store.read() as session:
        assert len(session.execute(selection.latest(collection)).all()) == 23


def test_cutting_reads_an_index_and_no_text(sqlite_store: Store) -> None:
    query = selection.latest(add_documents(sqlite_store, 3)).order_by("id")
    compiled = query.compile(sqlite_store.engine, compile_kwargs={"literal_binds": True})
    plan = [row[-1] for row in sql(sqlite_store, f"EXPLAIN QUERY PLAN {compiled}")]
    assert plan == ["SEARCH document USING INDEX ix_document_cut (collection_id=?)"]


def _done(store: Store, job_id: int) -> int:
    """Run the whole job to its end."""
    for chunk in chunks_of(store, job_id):
        write_ok(store, held(store, chunk.id))
    assert finish(store, job_id)
    return job_id


def _nothing_new(store: Store, collection: int, left_out: LeftOut) -> None:
    with pytest.raises(NothingToDoError) as error:
        submit(store, collection, only_new=True)
    assert error.value.left_out == left_out


def _close_without_outcomes(store: Store, chunk_id: int) -> None:
    """What a worker does with a chunk of a stage that is not the last."""
    write_ok(store, held(store, chunk_id), [])


def _open_next(store: Store, job_id: int) -> bool:
    with store.write() as session:
        return chunks.open_some(session, job_id) > 0
