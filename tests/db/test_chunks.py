"""Every change of a chunk's state, one at a time, on both databases."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

import pytest

from db import chunks, jobs, model_versions, results, schedules
from db.chunks import MAX_CRASHES, MAX_LOST, MAX_LOST_TOGETHER, WHOLE_CHUNK, Claim, Written
from db.errors import FencedError, NewerSchemaError
from db.results import Rows
from db.store import Store
from db.tables import Job
from tests.db.builders import (
    LEASE,
    a_job,
    add_documents,
    chunks_of,
    claim,
    crash,
    crash_late,
    finish,
    held,
    let_backoffs_pass,
    let_leases_expire,
    lose,
    outcomes,
    reap,
    sql,
    stop,
    submit,
    suspect,
    the_chunk,
    upgraded_to,
    write_ok,
)


def test_a_claim_leases_the_chunk_and_says_what_to_do(store: Store) -> None:
    job_id = a_job(store, 3, parameters={"seconds": 0.5})
    chunk = the_chunk(store, job_id)
    taken = held(store, chunk.id)
    after = the_chunk(store, job_id)
    assert (taken.job_id, taken.kind, taken.parameters, taken.stage) == (
        job_id,
        "oracle",
        {"seconds": 0.5},
        0,
    )
    assert taken.document_ids == chunk.document_ids
    assert not taken.careful
    assert (after.state, after.worker, after.instance, after.fence) == ("leased", "w1", "w1", taken.fence)
    assert after.lease_until is not None


def test_a_claimed_chunk_cannot_be_claimed(store: Store) -> None:
    chunk = the_chunk(store, a_job(store))
    held(store, chunk.id)
    assert claim(store, chunk.id, "w2") is None


def test_each_claim_has_a_higher_fence(store: Store) -> None:
    chunk = the_chunk(store, a_job(store))
    first = held(store, chunk.id)
    crash(store)
    assert held(store, chunk.id).fence > first.fence


def test_a_chunk_that_does_not_exist_cannot_be_claimed(store: Store) -> None:
    assert claim(store, 4711) is None


def test_a_closed_chunk_cannot_be_claimed(store: Store) -> None:
    chunk = the_chunk(store, a_job(store))
    write_ok(store, held(store, chunk.id))
    assert claim(store, chunk.id) is None


def test_renewing_prolongs_the_lease_and_keeps_a_note(store: Store) -> None:
    job_id = a_job(store)
    taken = held(store, the_chunk(store, job_id).id)
    before = the_chunk(store, job_id).lease_until
    with store.write() as session:
        chunks.renew(session, taken, 10 * LEASE, "epoch 3 of 10")
    after = the_chunk(store, job_id).lease_until
    assert before is not None
    assert after is not None
    assert after - before > timedelta(seconds=8 * LEASE)
    with store.read() as session:
        assert session.get_one(Job, job_id).note == "epoch 3 of 10"


def test_a_chunk_whose_lease_is_renewed_is_not_reaped(store: Store) -> None:
    taken = held(store, the_chunk(store, a_job(store)).id)
    let_leases_expire(store)
    with store.write() as session:
        chunks.renew(session, taken, LEASE)
    assert reap(store) == []


def test_an_expired_lease_is_reaped_once_and_the_chunk_is_ready(store: Store) -> None:
    job_id = a_job(store)
    chunk = the_chunk(store, job_id)
    held(store, chunk.id)
    assert reap(store) == []
    let_leases_expire(store)
    assert reap(store) == [chunk.id]
    assert reap(store) == []
    after = the_chunk(store, job_id)
    assert (after.state, after.lease_until, after.sent_at) == ("ready", None, None)
    assert (after.n_crashes, after.n_lost) == (0, 1)


def test_writing_closes_the_chunk_with_outcomes_and_rows(store: Store) -> None:
    job_id = a_job(store, 3)
    taken = held(store, the_chunk(store, job_id).id)
    first, second, third = taken.document_ids
    rows = Rows(("document_id", "rank", "label", "score", "reason"), [(first, 1, "a", 0.5, None)])
    written = Written([first, second], [(third, "EMPTY_TEXT", "blank")], {"classification": rows})
    with store.write() as session:
        chunks.write(session, taken, written, LEASE, close=True)
    assert outcomes(store, job_id) == {"k0": "ok", "k1": "ok", "k2": "EMPTY_TEXT"}
    chunk = the_chunk(store, job_id)
    assert (chunk.state, chunk.n_ok, chunk.n_error, chunk.lease_until) == ("closed", 2, 1, None)
    assert chunk.closed_at is not None
    assert finish(store, job_id)


@pytest.mark.parametrize("n", [1, 49, 50, 500, 1203])
def test_rows_are_written_however_many_they_are(store: Store, n: int) -> None:
    job_id = a_job(store, 2)
    taken = held(store, the_chunk(store, job_id).id)
    document = taken.document_ids[0]
    values = [(document, rank, f"답 {rank}", rank / 7, None) for rank in range(1, n + 1)]
    rows = Rows(("document_id", "rank", "label", "score", "reason"), values)
    with store.write() as session:
        chunks.write(session, taken, Written((), (), {"classification": rows}), LEASE, close=False)
    found = sql(store, "SELECT document_id, rank, label, score, reason FROM classification ORDER BY rank")
    assert [tuple(row) for row in found] == values


@pytest.mark.parametrize("n", [1, 1203])
def test_rows_that_are_kept_stay_as_they_were_first(store: Store, n: int) -> None:
    collection = add_documents(store, n)
    ids = [id_ for (id_,) in sql(store, "SELECT id FROM document ORDER BY id")]
    job_id = submit(store, collection).job_id
    with store.write() as session:
        model_versions.register(session, job_id, "news/1", "ab", {})
    ((owner,),) = sql(store, "SELECT id FROM model_version")
    for vector in (b"first", b"second"):
        with store.write() as session:
            rows = Rows(("document_id", "vector"), [(id_, vector) for id_ in ids])
            results.write_rows(session, "document_vector", owner, rows)
    found = sql(
        store, "SELECT document_id, model_version_id, vector FROM document_vector ORDER BY document_id"
    )
    assert [tuple(row) for row in found] == [(id_, owner, b"first") for id_ in ids]


def test_a_write_in_the_middle_keeps_the_lease_and_prolongs_it(store: Store) -> None:
    job_id = a_job(store, 3)
    taken = held(store, the_chunk(store, job_id).id)
    let_leases_expire(store)
    write_ok(store, taken, taken.document_ids[:1], close=False)
    assert the_chunk(store, job_id).state == "leased"
    assert reap(store) == []
    write_ok(store, taken, taken.document_ids[1:])
    assert len(outcomes(store, job_id)) == 3


def test_a_write_that_fails_half_way_leaves_nothing(store: Store) -> None:
    job_id = a_job(store, 2)
    taken = held(store, the_chunk(store, job_id).id)
    # The row lacks its score: the outcomes, written before it, must go with it.
    bad = {
        "classification": Rows(
            ("document_id", "rank", "label", "score"), [(taken.document_ids[0], 1, "a", None)]
        )
    }
    with pytest.raises(Exception, match="score"), store.write() as session:
        chunks.write(session, taken, Written(taken.document_ids, (), bad), LEASE, close=True)
    assert outcomes(store, job_id) == {}
    assert the_chunk(store, job_id).state == "leased"


# --- a worker that comes back late ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "lost", ["reaped", "crashed", "claimed by another", "closed by another", "cancelled"]
)
def test_what_a_worker_writes_after_it_lost_the_chunk_is_dropped(store: Store, lost: str) -> None:
    job_id = a_job(store, 3)
    chunk = the_chunk(store, job_id)
    zombie = held(store, chunk.id)
    let_leases_expire(store)
    if lost == "crashed":
        crash(store)
    elif lost == "cancelled":
        stop(store, job_id)
    else:
        reap(store)
    if "another" in lost:
        other = held(store, chunk.id, "w2")
        write_ok(store, other, other.document_ids[:1], close=lost == "closed by another")
    before, state = outcomes(store, job_id), the_chunk(store, job_id).state
    with pytest.raises(FencedError):
        write_ok(store, zombie)
    with pytest.raises(FencedError):
        suspect(store, zombie, zombie.document_ids[0])
    with pytest.raises(FencedError):
        _renew(store, zombie)
    with pytest.raises(FencedError):
        _put_back(store, zombie)
    assert outcomes(store, job_id) == before
    assert the_chunk(store, job_id).state == state


def test_a_worker_that_missed_its_lease_by_a_moment_still_closes_its_chunk(store: Store) -> None:
    # Nobody noticed yet: the fence is what counts, not the clock.
    job_id = a_job(store, 3)
    taken = held(store, the_chunk(store, job_id).id)
    let_leases_expire(store)
    write_ok(store, taken)
    assert reap(store) == []
    assert finish(store, job_id)


def test_another_claim_of_the_same_process_is_another_claim(store: Store) -> None:
    chunk = the_chunk(store, a_job(store, 3))
    zombie = held(store, chunk.id, "w1")
    crash(store, "w1")
    fresh = held(store, chunk.id, "w1")
    with pytest.raises(FencedError):
        write_ok(store, zombie)
    write_ok(store, fresh)


def test_a_claim_that_a_failover_forgot_is_not_taken_for_the_next_one(store: Store) -> None:
    """An asynchronous standby that takes over may not have the last claims: it counts the same fence a second time."""
    job_id = a_job(store, 3)
    chunk = the_chunk(store, job_id)
    forgotten = held(store, chunk.id, "w1")
    sql(
        store,
        f"UPDATE chunk SET state = 'ready', fence = 0, lease_until = NULL WHERE id = {chunk.id} RETURNING 1",
    )
    fresh = held(store, chunk.id, "w2")
    assert fresh.fence == forgotten.fence
    with pytest.raises(FencedError):
        write_ok(store, forgotten)
    with pytest.raises(FencedError):
        _renew(store, forgotten)
    write_ok(store, fresh)
    assert finish(store, job_id)


# --- giving back ------------------------------------------------------------------------------------------------


def test_putting_back_waits_longer_each_time_and_blames_nobody(store: Store) -> None:
    job_id = a_job(store, 3)
    chunk = the_chunk(store, job_id)
    delays = []
    for _ in range(8):
        _put_back(store, held(store, chunk.id))
        after = the_chunk(store, job_id)
        assert (after.state, after.n_crashes, after.fault) == ("ready", 0, "the disk is full")
        assert claim(store, chunk.id) is None
        assert after.not_before is not None
        with store.read() as session:
            delays.append((after.not_before - schedules.clock(session)).total_seconds())
        let_backoffs_pass(store)
    assert all(later > earlier - 1 for earlier, later in pairwise(delays))
    assert delays[0] <= 1
    assert 55 < delays[-1] <= 60
    assert outcomes(store, job_id) == {}


def test_a_worker_that_is_stopped_gives_back_all_it_holds_and_no_crash_counts(store: Store) -> None:
    first, second, other = chunks_of(store, a_job(store, 30))
    held(store, first.id)
    held(store, second.id)
    held(store, other.id, "w2")
    with store.write() as session:
        assert chunks.give_back(session, "w1") == 2
    after = chunks_of(store, first.job_id)
    assert [chunk.state for chunk in after] == ["ready", "ready", "leased"]
    assert [chunk.n_crashes for chunk in after] == [0, 0, 0]
    assert held(store, first.id).careful is False


# --- deaths -------------------------------------------------------------------------------------------------


def test_a_death_frees_what_the_worker_held_and_nothing_else(store: Store) -> None:
    first, second, other = chunks_of(store, a_job(store, 30))
    for chunk, worker in ((first, "w1"), (second, "w1"), (other, "w2")):
        held(store, chunk.id, worker)
    assert crash(store, "w1") == [first.id, second.id]
    assert [chunk.state for chunk in chunks_of(store, first.job_id)] == ["ready", "ready", "leased"]


def test_after_a_death_the_chunk_is_run_carefully(store: Store) -> None:
    chunk = the_chunk(store, a_job(store))
    held(store, chunk.id)
    crash(store)
    assert held(store, chunk.id).careful


def test_a_document_over_which_four_workers_died_is_poison_and_its_neighbours_are_not(store: Store) -> None:
    job_id = a_job(store, 3)
    chunk = the_chunk(store, job_id)
    held(store, chunk.id)
    crash(store)
    for _ in range(MAX_CRASHES - 1):
        taken = held(store, chunk.id)
        suspect(store, taken, taken.document_ids[1])
        assert outcomes(store, job_id) == {}
        crash(store)
    assert outcomes(store, job_id) == {"k1": "POISON"}
    taken = held(store, chunk.id)
    write_ok(store, taken, [taken.document_ids[0], taken.document_ids[2]])
    assert finish(store, job_id)
    assert the_chunk(store, job_id).n_error == 1


def test_the_code_of_the_last_death_is_the_outcome(store: Store) -> None:
    job_id = a_job(store, 1)
    chunk = the_chunk(store, job_id)
    _die_over_first(store, chunk.id, MAX_CRASHES, "TIMEOUT")
    assert outcomes(store, job_id) == {"k0": "TIMEOUT"}


# --- losses: no evidence ------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["its lease ran out", "its machine died"])
def test_a_lost_worker_is_no_crash_and_its_chunk_is_run_whole_again(store: Store, how: str) -> None:
    job_id = a_job(store, 3)
    chunk = the_chunk(store, job_id)
    held(store, chunk.id)
    assert _lose(store, how) == [chunk.id]
    after = the_chunk(store, job_id)
    assert (after.state, after.n_crashes, after.n_lost, after.not_before) == ("ready", 0, 1, None)
    again = held(store, chunk.id)
    assert (again.careful, again.n_halvings) == (False, 0)


def test_a_chunk_lost_again_and_again_is_run_in_halves_then_one_by_one(store: Store) -> None:
    chunk = the_chunk(store, a_job(store, 3))
    seen = []
    for _ in range(MAX_LOST_TOGETHER + 2):
        let_backoffs_pass(store)
        taken = held(store, chunk.id)
        seen.append((taken.n_halvings, taken.careful))
        let_leases_expire(store)
        reap(store)
    assert seen == [(0, False), (0, False), (1, False), (2, False), (3, True)]


def test_a_document_alone_in_every_one_of_many_losses_is_given_up_and_its_neighbours_are_not(
    store: Store,
) -> None:
    job_id = a_job(store, 2)
    chunk = the_chunk(store, job_id)
    n = 0
    while not outcomes(store, job_id):
        let_backoffs_pass(store)
        taken = held(store, chunk.id)
        if taken.careful:
            suspect(store, taken, taken.document_ids[0])
        let_leases_expire(store)
        reap(store)
        n += 1
    assert outcomes(store, job_id) == {"k0": "POISON"}
    assert n == MAX_LOST_TOGETHER + 1 + MAX_LOST
    assert the_chunk(store, job_id).n_suspect_lost == 0


def test_losses_over_different_documents_blame_none(store: Store) -> None:
    job_id = a_job(store, 10)
    chunk = the_chunk(store, job_id)
    for i in range(2 * MAX_LOST):
        let_backoffs_pass(store)
        taken = held(store, chunk.id)
        suspect(store, taken, taken.document_ids[i % 2])
        let_leases_expire(store)
        reap(store)
    assert outcomes(store, job_id) == {}


def test_a_training_that_lost_its_lease_four_times_is_not_given_up(store: Store) -> None:
    job_id = a_job(store, 3, chunk_size=None)
    chunk = the_chunk(store, job_id)
    for _ in range(MAX_CRASHES):
        let_backoffs_pass(store)
        suspect(store, held(store, chunk.id), WHOLE_CHUNK)
        let_leases_expire(store)
        reap(store)
    assert outcomes(store, job_id) == {}
    for _ in range(MAX_LOST - MAX_CRASHES):
        let_backoffs_pass(store)
        suspect(store, held(store, chunk.id), WHOLE_CHUNK)
        let_leases_expire(store)
        reap(store)
    assert set(outcomes(store, job_id).values()) == {"CRASHED"}


def test_a_death_that_is_reported_after_the_lease_ran_out_is_a_crash(store: Store) -> None:
    job_id = a_job(store, 3)
    chunk = the_chunk(store, job_id)
    taken = held(store, chunk.id)
    let_leases_expire(store)
    reap(store)
    assert crash_late(store, taken)
    assert not crash_late(store, taken), "once only"
    after = the_chunk(store, job_id)
    assert (after.n_crashes, after.n_lost) == (1, 0)
    assert held(store, chunk.id).careful


@pytest.mark.parametrize("taken_again", [False, True])
def test_four_hangs_make_a_document_poison_though_each_lost_its_lease_first(
    store: Store, taken_again: bool
) -> None:
    job_id = a_job(store, 2)
    chunk = the_chunk(store, job_id)
    n = 0
    taken = held(store, chunk.id, "w0")
    while not outcomes(store, job_id):
        let_leases_expire(store)
        reap(store)
        let_backoffs_pass(store)
        dead, n = taken, n + 1
        if taken_again:
            taken = _claimed_carefully(store, chunk.id, f"w{n}")
        crash_late(store, dead, "TIMEOUT")
        if not taken_again and not outcomes(store, job_id):
            taken = _claimed_carefully(store, chunk.id, f"w{n}")
    assert outcomes(store, job_id) == {"k0": "TIMEOUT"}
    # Who claimed it before the first death was reported ran it whole.
    assert n == MAX_CRASHES + taken_again
    with pytest.raises(FencedError):
        write_ok(store, taken)
    last = held(store, chunk.id)
    write_ok(store, last, last.document_ids[1:])
    assert finish(store, job_id)


def _claimed_carefully(store: Store, chunk_id: int, worker: str) -> Claim:
    taken = held(store, chunk_id, worker)
    if taken.careful:
        suspect(store, taken, taken.document_ids[0])
    return taken


def test_a_death_reported_late_changes_no_chunk_that_is_closed(store: Store) -> None:
    job_id = a_job(store, 1)
    chunk = the_chunk(store, job_id)
    taken = held(store, chunk.id)
    let_leases_expire(store)
    reap(store)
    write_ok(store, held(store, chunk.id, "w2"))
    assert crash_late(store, taken)
    assert outcomes(store, job_id) == {"k0": "ok"}
    assert finish(store, job_id)


# --- names that two workers share ---------------------------------------------------------------------------


@pytest.mark.parametrize("event", ["crash", "lose", "give back"])
def test_what_happens_to_a_worker_touches_none_of_the_same_name(store: Store, event: str) -> None:
    first, second, third = chunks_of(store, a_job(store, 30))
    for chunk, instance in ((first, "a.1"), (second, "b.1"), (third, "a.2")):
        held(store, chunk.id, instance, name="cpu-0@host")
    if event == "crash":
        assert crash(store, "a.1") == [first.id]
    elif event == "lose":
        assert lose(store, "a.1") == [first.id]
    else:
        with store.write() as session:
            assert chunks.give_back(session, "a.1") == 1
    after = chunks_of(store, first.job_id)
    assert [chunk.state for chunk in after] == ["ready", "leased", "leased"]
    assert sum(chunk.n_crashes for chunk in after) == (event == "crash")


def test_a_worker_is_given_back_with_all_its_processes_and_no_other(store: Store) -> None:
    first, second, third = chunks_of(store, a_job(store, 30))
    for chunk, instance in ((first, "a.1"), (second, "a.2"), (third, "ab.1")):
        held(store, chunk.id, instance, name="cpu-0@host")
    with store.write() as session:
        assert chunks.give_back(session, "a") == 2
    assert [chunk.state for chunk in chunks_of(store, first.job_id)] == ["ready", "ready", "leased"]


def test_four_starts_under_one_name_harm_no_document_of_another(store: Store) -> None:
    """What it took to make a healthy document POISON when claims named names."""
    job_id = a_job(store, 3)
    chunk = the_chunk(store, job_id)
    taken = held(store, chunk.id, "healthy.1", name="cpu-0@host")
    for start in range(MAX_CRASHES + 1):
        crash(store, f"other{start}.1")
        suspect(store, taken, taken.document_ids[0])
    write_ok(store, taken)
    after = the_chunk(store, job_id)
    assert (after.n_crashes, after.n_lost) == (0, 0)
    assert set(outcomes(store, job_id).values()) == {"ok"}


# --- a store that a newer docmill has upgraded --------------------------------------------------------------


def test_nothing_is_claimed_once_the_store_is_newer_than_the_code(store: Store) -> None:
    job_id = a_job(store, 3)
    chunk = the_chunk(store, job_id)
    words = r"schema 9999.*install that version here"
    with upgraded_to(store, "9999"), pytest.raises(NewerSchemaError, match=words):
        claim(store, chunk.id)
    after = the_chunk(store, job_id)
    assert (after.state, after.fence, after.n_crashes, after.n_put_back) == ("ready", 0, 0, 0)
    assert claim(store, chunk.id) is not None


def test_an_older_schema_that_a_claim_meets_is_no_newer_one(store: Store) -> None:
    # An upgrade that was rolled back by hand: the tables are checked at the start, not by every claim.
    chunk = the_chunk(store, a_job(store, 3))
    with upgraded_to(store, "0001"):
        assert claim(store, chunk.id) is not None


def _lose(store: Store, how: str) -> list[int]:
    if how == "its machine died":
        return lose(store)
    let_leases_expire(store)
    return reap(store)


# --- deaths again -------------------------------------------------------------------------------------------


def test_deaths_over_different_documents_blame_none(store: Store) -> None:
    job_id = a_job(store, 10)
    chunk = the_chunk(store, job_id)
    held(store, chunk.id)
    crash(store)
    for i in range(8):
        taken = held(store, chunk.id)
        suspect(store, taken, taken.document_ids[i])
        crash(store)
    assert outcomes(store, job_id) == {}


def test_a_death_before_the_suspect_is_named_again_is_no_evidence(store: Store) -> None:
    job_id = a_job(store, 2)
    chunk = the_chunk(store, job_id)
    _die_over_first(store, chunk.id, MAX_CRASHES - 1)
    for _ in range(MAX_CRASHES):
        let_backoffs_pass(store)
        held(store, chunk.id)
        crash(store)
    assert outcomes(store, job_id) == {}
    let_backoffs_pass(store)
    _die_over_first(store, chunk.id, 1)
    assert outcomes(store, job_id) == {"k0": "POISON"}


def test_a_document_that_was_written_is_no_suspect_any_more(store: Store) -> None:
    job_id = a_job(store, 2)
    chunk = the_chunk(store, job_id)
    _die_over_first(store, chunk.id, MAX_CRASHES - 1)
    taken = held(store, chunk.id)
    suspect(store, taken, taken.document_ids[0])
    write_ok(store, taken, taken.document_ids[:1], close=False)
    crash(store)
    assert outcomes(store, job_id) == {"k0": "ok"}


def test_deaths_before_the_first_document_blame_none_and_slow_down(store: Store) -> None:
    job_id = a_job(store, 2)
    chunk = the_chunk(store, job_id)
    for _ in range(10):
        let_backoffs_pass(store)
        held(store, chunk.id)
        crash(store)
    after = the_chunk(store, job_id)
    assert (after.state, after.n_crashes) == ("ready", 10)
    assert after.not_before is not None
    assert claim(store, chunk.id) is None
    assert outcomes(store, job_id) == {}


def test_a_training_over_which_four_workers_died_ends_for_all_its_documents(store: Store) -> None:
    job_id = a_job(store, 3, chunk_size=None)
    chunk = the_chunk(store, job_id)
    for _ in range(MAX_CRASHES):
        suspect(store, held(store, chunk.id), WHOLE_CHUNK)
        crash(store)
    assert set(outcomes(store, job_id).values()) == {"CRASHED"}
    assert finish(store, job_id)


# --- feeding ---------------------------------------------------------------------------------------------------


def test_chunks_are_sent_once_until_they_are_due_again(store: Store) -> None:
    job_id = a_job(store, 30)
    first = _take(store, 2)
    assert [message.seq for message in first] == [1, 2]
    assert [message.seq for message in _take(store, 10)] == [3]
    assert _take(store, 10) == []
    assert [message.seq for message in _take(store, 10, resend_seconds=-1)] == [1, 2, 3]
    message = first[0]
    assert (message.job_id, message.kind, message.stage) == (job_id, "oracle", 0)
    assert (message.n_chunks, message.n_documents, message.priority) == (3, 10, 5)


def test_chunks_never_sent_come_before_those_to_send_again(store: Store) -> None:
    a_job(store, 30)
    _take(store, 1)
    assert [message.seq for message in _take(store, 3, resend_seconds=-1)] == [2, 3, 1]


def test_messages_come_in_the_order_of_the_jobs_that_were_asked_for(store: Store) -> None:
    a, b = a_job(store, 30), a_job(store, 20)
    with store.write() as session:
        found = chunks.take_for_sending(session, [b, a, b, a, b], 60)
    assert [(message.job_id, message.seq) for message in found] == [(b, 1), (a, 1), (b, 2), (a, 2)]
    with store.read() as session:
        assert [(w.job_id, w.n_leased, w.n_sent, w.n_unsent) for w in chunks.waiting(session)] == [
            (a, 0, 2, 1),
            (b, 0, 2, 0),
        ]
    with store.write() as session:
        chunks.unsend_jobs(session, [a])
    with store.read() as session:
        assert [(w.n_sent, w.n_unsent) for w in chunks.waiting(session, limit=2)] == [(0, 2), (2, 0)]


def test_messages_that_the_broker_refused_may_be_sent_at_once(store: Store) -> None:
    a_job(store, 30)
    taken = _take(store, 3)
    with store.write() as session:
        chunks.unsend(session, [message.chunk_id for message in taken])
    assert len(_take(store, 3)) == 3


def test_leased_closed_blocked_delayed_and_paused_chunks_are_not_sent(store: Store) -> None:
    leased, closed, delayed, free = chunks_of(store, a_job(store, 40))
    held(store, leased.id)
    write_ok(store, held(store, closed.id))
    _put_back(store, held(store, delayed.id))
    submit(store, add_documents(store, 5), n_stages=2, after_job_id=free.job_id)
    assert [message.chunk_id for message in _take(store, 10)] == [free.id]
    with store.write() as session:
        chunks.unsend(session, [free.id])
        jobs.pause(session, free.job_id)
    assert _take(store, 10) == []
    with store.read() as session:
        assert chunks.waiting(session) == []


def test_running_jobs_are_found_with_the_most_urgent_first(store: Store) -> None:
    a_job(store, 30)
    a_job(store, 20, priority=9)
    a_job(store, 10, kind="nothing")
    with store.read() as session:
        found = [(w.kind, w.priority, w.n_unsent) for w in chunks.waiting(session)]
    assert found == [("oracle", 9, 2), ("nothing", 5, 1), ("oracle", 5, 3)]


def test_two_schedulers_never_send_the_same_chunk(store: Store) -> None:
    job_id = a_job(store, 30)
    if store.is_sqlite:
        assert len(_take(store, 2)) + len(_take(store, 2)) == 3
        return
    with store.write() as one, store.write() as other:
        first = chunks.take_for_sending(one, [job_id] * 2, 10)
        second = chunks.take_for_sending(other, [job_id] * 2, 10)
    assert len(first) == 2
    assert len(second) == 1
    assert not {m.chunk_id for m in first} & {m.chunk_id for m in second}


# --- helpers ------------------------------------------------------------------------------------------------


def _renew(store: Store, taken: chunks.Claim) -> None:
    with store.write() as session:
        chunks.renew(session, taken, LEASE)


def _put_back(store: Store, taken: chunks.Claim) -> None:
    with store.write() as session:
        chunks.put_back(session, taken, "the disk is full")


def _take(store: Store, limit: int, resend_seconds: float = 60) -> list[chunks.Message]:
    """Up to `limit` messages of each running job."""
    with store.write() as session:
        order = [job.job_id for job in chunks.waiting(session) for _ in range(limit)]
        return chunks.take_for_sending(session, order, resend_seconds)


def _die_over_first(store: Store, chunk_id: int, times: int, code: str = "POISON") -> None:
    """`times` deaths: the first in a batch, the others while the chunk's first document was run alone."""
    for _ in range(times):
        taken = held(store, chunk_id)
        if taken.careful:
            suspect(store, taken, taken.document_ids[0])
        crash(store, code=code)
