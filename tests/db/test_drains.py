"""Drained workers claim nothing; the registry shows what each worker does, and decides nothing."""

from __future__ import annotations

import platform

import pytest
from sqlalchemy import event

from db import chunks, drains, registry, views_of_workers
from db.chunks import Claim, Holder
from db.drains import Target
from db.errors import ConflictError, DrainedError, NotFoundError
from db.states import DrainLevel, WorkerPhase
from db.store import Store
from tests.db.builders import LEASE, a_job, chunks_of, sql, the_chunk, upgraded_to, write_ok
from tests.db.members import drain, listing, register, state, undrain, was_seen
from workers.processes import heartbeat

MINE = Holder("cpu-0@h", "i1.1", "h")
TARGETS = [
    Target(DrainLevel.HOST, "h"),
    Target(DrainLevel.NAME, "cpu-0@h"),
    Target(DrainLevel.INSTANCE, "i1"),
]


def claim(store: Store, chunk_id: int, holder: Holder = MINE) -> Claim | None:
    return chunks.claim_at_once(store, chunk_id, holder, LEASE)


# --- what is drained claims nothing --------------------------------------------------------------------------


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.level)
def test_a_drained_worker_claims_nothing_and_its_neighbours_go_on(store: Store, target: Target) -> None:
    first, second = chunks_of(store, a_job(store, 2, per_chunk=1))
    drain(store, target)
    with pytest.raises(
        DrainedError, match=f"{target.level} {target.name} is drained: `docmill workers undrain`"
    ):
        claim(store, first.id)
    after = chunks_of(store, first.job_id)[0]
    assert (after.state, after.fence, after.n_put_back, after.n_crashes) == ("ready", 0, 0, 0)
    for other in (Holder("cpu-0@g", "i2.1", "g"), Holder("cpu-1@g", "i3.1", "g")):
        assert claim(store, (first if other.name == "cpu-0@g" else second).id, other) is not None


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.level)
def test_what_is_undrained_claims_again(store: Store, target: Target) -> None:
    chunk = the_chunk(store, a_job(store, 1))
    drain(store, target)
    drain(store, target)
    assert undrain(store, target)
    assert not undrain(store, target)
    assert claim(store, chunk.id) is not None


def test_two_drains_of_one_worker_have_to_be_ended_both(store: Store) -> None:
    chunk = the_chunk(store, a_job(store, 1))
    drain(store, *TARGETS[:2])
    undrain(store, TARGETS[0])
    with pytest.raises(DrainedError, match="name cpu-0@h is drained"):
        claim(store, chunk.id)
    undrain(store, TARGETS[1])
    assert claim(store, chunk.id) is not None


def test_what_it_holds_already_a_drained_worker_may_write(store: Store) -> None:
    job_id = a_job(store, 2)
    taken = claim(store, the_chunk(store, job_id).id)
    drain(store, *TARGETS)
    assert taken is not None
    with store.write() as session:
        chunks.renew(session, taken, LEASE)
    write_ok(store, taken)
    assert the_chunk(store, job_id).state == "closed"


def test_a_message_about_nothing_is_none_for_a_worker_that_is_not_drained(store: Store) -> None:
    job_id = a_job(store, 1)
    taken = claim(store, the_chunk(store, job_id).id)
    assert taken is not None
    assert claim(store, taken.chunk_id) is None
    drain(store, Target(DrainLevel.HOST, "g"))
    assert claim(store, taken.chunk_id) is None


# --- two hosts of one name -----------------------------------------------------------------------------------


def test_two_workers_of_one_name_are_two_rows_and_drained_by_their_instances(store: Store) -> None:
    register(store, "i1")
    register(store, "i2")
    assert [one.name for one in listing(store)] == ["cpu-0@h", "cpu-0@h"]
    for find in (registry.target, registry.named):
        with (
            store.read() as session,
            pytest.raises(ConflictError, match=r"2 are named cpu-0@h.*i1 \(pid .* i2"),
        ):
            find(session, "cpu-0@h")
    with store.read() as session:
        target = registry.target(session, "i1")
    assert target == Target(DrainLevel.INSTANCE, "i1")
    drain(store, target)
    assert [state(store, instance) for instance in ("i1", "i2")] == ["draining", "idle"]
    first, second = chunks_of(store, a_job(store, 2, per_chunk=1))
    with pytest.raises(DrainedError):
        claim(store, first.id)
    assert claim(store, second.id, Holder("cpu-0@h", "i2.1", "h")) is not None


def test_a_name_whose_first_bearer_is_gone_is_one_workers(store: Store) -> None:
    register(store, "i1")
    was_seen(store, "i1", 500)
    register(store, "i2")
    with store.read() as session:
        assert registry.target(session, "cpu-0@h") == Target(DrainLevel.NAME, "cpu-0@h")
        assert registry.named(session, "cpu-0@h").instance == "i2"


def test_what_nobody_is_called_cannot_be_drained(store: Store) -> None:
    register(store, "i1")
    register(store, "i9", "scheduler@h", role="scheduler")
    for what, error, words in (
        ("hh", NotFoundError, "no worker and no host 'hh'"),
        ("scheduler@h", ConflictError, "scheduler@h is a scheduler, which is not drained"),
    ):
        with store.read() as session, pytest.raises(error, match=words):
            registry.target(session, what)
    drain(store, Target(DrainLevel.HOST, "away"))
    with store.read() as session:
        assert registry.target(session, "away") == Target(DrainLevel.HOST, "away")


def test_drains_of_single_workers_end_with_them_and_others_stay(store: Store) -> None:
    register(store, "i1")
    drain(store, *TARGETS, Target(DrainLevel.INSTANCE, "ended"))
    with store.write() as session:
        registry.prune(session)
        assert {(one.level, one.target) for one in drains.listing(session)} == {
            (target.level, target.name) for target in TARGETS
        }
        registry.leave(session, ["i1"])
        registry.prune(session)
        assert {one.level for one in drains.listing(session)} == {"host", "name"}


def test_only_who_ran_when_the_drain_began_has_to_end(store: Store) -> None:
    register(store, "i1")
    drain(store, TARGETS[0], exits=True)
    register(store, "i2", "cpu-1@h")
    with store.read() as session:
        [one] = drains.listing(session)
        assert [drains.ends(session, each, one.drained_at) for each in ("i1", "i2", "i3")] == [
            True,
            False,
            False,
        ]


# --- what the registry shows ---------------------------------------------------------------------------------


def test_each_state_is_shown(store: Store) -> None:
    register(store, "i1", phase=WorkerPhase.STARTING)
    assert state(store) == "starting"
    register(store, "i1")
    assert state(store) == "idle"
    job_id = a_job(store, 3)
    taken = claim(store, the_chunk(store, job_id).id)
    assert taken is not None
    assert state(store) == "busy"
    drain(store, TARGETS[0])
    assert state(store) == "draining", "also before its launcher has noticed"
    write_ok(store, taken)
    register(store, "i1", phase=WorkerPhase.DRAINED)
    assert state(store) == "drained"
    with upgraded_to(store, "9999"):
        assert state(store) == "outdated"
    was_seen(store, "i1", views_of_workers.GONE_SECONDS + 5)
    assert state(store) == "gone"
    register(store, "i1")
    assert state(store) == "draining"
    register(store, "s", "scheduler@h", role="scheduler")
    assert state(store, "s") == "running", "a host's schedulers are not drained"


def test_what_a_worker_holds_is_told_by_the_leases_of_its_processes(store: Store) -> None:
    for instance in ("i1", "i11", "i2"):
        register(store, instance)
    found = chunks_of(store, a_job(store, 6, per_chunk=2))
    for chunk, process in zip(found, ("i1.a", "i1.b", "i11.a"), strict=True):
        assert claim(store, chunk.id, Holder("cpu-0@h", process, "h")) is not None
    held = {one.instance: (one.state, one.n_chunks, one.n_documents) for one in listing(store)}
    assert held == {"i1": ("busy", 2, 4), "i11": ("busy", 1, 2), "i2": ("idle", 0, 0)}
    with store.read() as session:
        assert [(one.process, one.chunk_id) for one in registry.held(session, "i1")] == [
            ("a", found[0].id),
            ("b", found[1].id),
        ]
    sql(store, "UPDATE worker SET phase = 'drained' RETURNING 1")
    assert listing(store)[0].n_chunks == 2, "whatever the registry says"


def test_a_row_says_which_versions_run_there(store: Store) -> None:
    register(store, "i1")
    [one] = listing(store)
    assert one.python_version == platform.python_version()
    assert (one.torch_version or "").startswith("2.")
    assert (one.device, one.kinds, one.drained_at) == ("cpu", "oracle", None)


def test_those_at_work_are_neither_drained_nor_gone(store: Store) -> None:
    for number in range(3):
        register(store, f"i{number}", f"cpu-{number}@h")
    drain(store, Target(DrainLevel.NAME, "cpu-1@h"))
    was_seen(store, "i2", 500)
    with store.read() as session:
        assert [one.instance for one in registry.at_work(session)] == ["i0"]


def test_the_view_and_the_registry_agree_who_is_gone() -> None:
    assert views_of_workers.GONE_SECONDS == registry.LOST_SECONDS


def test_all_workers_of_a_launcher_are_refreshed_in_one_statement(store: Store) -> None:
    said: list[str] = []
    members = [heartbeat.member("worker", f"cpu-{n}@h", f"i{n}") for n in range(8)]
    event.listen(store.engine, "before_cursor_execute", lambda *a: said.append(a[2]))
    with store.write() as session:
        registry.beat(session, members)
    assert len([one for one in said if not one.startswith("BEGIN")]) == 1
    assert len(listing(store)) == 8
