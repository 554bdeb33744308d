"""What a new process makes of a dead one: a crash if the worker that started it lives, else a loss."""

from __future__ import annotations

from pathlib import Path

import pytest

from db.store import Store
from tests.db.builders import a_job, held, let_leases_expire, reap, the_chunk
from workers.processes import crash_reports, requeue
from workers.processes.crash_reports import Dead


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return crash_reports.folder_of(tmp_path, "a")


def _dead(folder: Path, detail: str = "it died", held: tuple[int, int] | None = None) -> Dead:
    return Dead(folder / "a.1.7.txt", "a.1", 7, held, "POISON", detail)


@pytest.mark.parametrize(
    ("is_witness", "detail", "counted"),
    [(True, "it died", (1, 0)), (False, "it died", (0, 1)), (True, crash_reports.TOLD_TO_STOP, (0, 0))],
    ids=["seen", "nobody saw it", "told to stop"],
)
def test_a_dead_process_is_buried_once_and_frees_what_it_held(
    store: Store, folder: Path, is_witness: bool, detail: str, counted: tuple[int, int]
) -> None:
    job_id = a_job(store, 3)
    taken = held(store, the_chunk(store, job_id).id, "a.1")
    for _ in range(2):
        with store.write() as session:
            requeue.report_death(
                session, _dead(folder, detail, (taken.chunk_id, taken.fence)), is_witness=is_witness
            )
        after = the_chunk(store, job_id)
        assert (after.state, after.n_crashes, after.n_lost) == ("ready", *counted)


def test_a_hang_whose_lease_ran_out_first_is_still_a_crash(store: Store, folder: Path) -> None:
    job_id = a_job(store, 3)
    taken = held(store, the_chunk(store, job_id).id, "a.1")
    let_leases_expire(store)
    reap(store)
    held(store, taken.chunk_id, "b.1")
    with store.write() as session:
        requeue.report_death(session, _dead(folder, held=(taken.chunk_id, taken.fence)), is_witness=True)
    after = the_chunk(store, job_id)
    assert (after.state, after.instance, after.n_crashes, after.n_lost) == ("leased", "b.1", 1, 0)


def test_a_process_that_dropped_what_it_lost_and_died_idle_is_no_crash(store: Store, folder: Path) -> None:
    job_id = a_job(store, 3)
    held(store, the_chunk(store, job_id).id, "a.1")
    let_leases_expire(store)
    reap(store)
    with store.write() as session:
        requeue.report_death(session, _dead(folder, held=None), is_witness=True)
    after = the_chunk(store, job_id)
    assert (after.n_crashes, after.n_lost) == (0, 1)
