"""What nights and jobs changed: labels that moved, documents that came in, the size of the store."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import insert, text

from db import growth, runs
from db.documents import NewDocument
from db.retention.policy import parse
from db.sql import clock
from db.states import RunState
from db.store import Store
from db.tables import Classification, Run, Schedule
from scheduler import retention
from tests.db import builders
from tests.db.builders import sql


def _run(store: Store, schedule_id: int) -> int:
    with store.write() as session:
        moment = clock(session)
        run = Run(
            schedule_id=schedule_id, due_at=moment, state=RunState.RUNNING, started_at=moment, is_late=None
        )
        session.add(run)
        session.flush()
        return run.id


def _schedule(store: Store) -> int:
    with store.write() as session:
        moment = clock(session)
        schedule = Schedule(
            name="nightly", cron="0 2 * * *", time_zone="UTC", requests=[], next_at=moment, created_at=moment
        )
        session.add(schedule)
        session.flush()
        return schedule.id


def _label(store: Store, collection: int, labels: dict[str, str | None], run_id: int | None = None) -> int:
    """A finished job that gave these labels, by key."""
    job = builders.submit(store, collection, run_id=run_id).job_id
    ids = dict(map(tuple, sql(store, "SELECT key, id FROM document WHERE is_latest")))
    with store.write() as session:
        rows = [
            {"job_id": job, "document_id": ids[key], "rank": 1, "label": label, "score": 0.5}
            for key, label in labels.items()
        ]
        session.execute(insert(Classification), rows)
    for chunk in builders.chunks_of(store, job):
        builders.write_ok(store, builders.held(store, chunk.id))
    assert builders.finish(store, job)
    return job


def _end(store: Store, run_id: int) -> None:
    with store.write() as session:
        assert runs.end(session, run_id, RunState.SUCCEEDED, clock(session), note=None, fault=None)


def _count(store: Store) -> int:
    n = 0
    while True:
        with store.write() as session:
            if not growth.count_some(session):
                return n
        n += 1


@pytest.fixture
def counted(store: Store, monkeypatch: pytest.MonkeyPatch) -> tuple[Store, list[int]]:
    """Two nights over some documents, counted in small slices."""
    monkeypatch.setattr(growth, "LABELS", 2)
    monkeypatch.setattr(growth, "DOCUMENTS", 2)
    schedule = _schedule(store)
    collection = builders.add_documents(store, 5)
    nights = [_run(store, schedule)]
    _label(store, collection, {"k0": "a", "k1": "a", "k2": "a", "k3": None}, nights[0])
    _end(store, nights[0])
    # k1 comes with another text: it is the same document, and its label is compared.
    builders.add(store, [NewDocument("k1", "new words", None, "f"), NewDocument("k9", "nine", None, "f")])
    nights.append(_run(store, schedule))
    _label(store, collection, {"k0": "a", "k1": "b", "k2": None, "k3": "a", "k4": "a", "k9": "b"}, nights[1])
    _end(store, nights[1])
    assert _count(store) > 4
    return store, nights


def test_labels_that_moved_and_what_came_in_are_counted_once(counted: tuple[Store, list[int]]) -> None:
    store, (first, second) = counted
    with store.read() as session:
        assert growth.moves_of_runs(session, [first, second]) == {
            first: growth.Moves(0, 0),
            second: growth.Moves(4, 3),
        }
        grown = growth.of_runs(session, [first, second])
    assert (grown[first].n_added, grown[second].n_added) == (None, 2)
    assert grown[second].store_bytes >= grown[first].store_bytes > 0
    assert _count(store) == 0


def test_what_is_not_counted_yet_is_not_shown(store: Store) -> None:
    run = _run(store, _schedule(store))
    collection = builders.add_documents(store, 2)
    _label(store, collection, {"k0": "a"}, run)
    with store.read() as session:
        assert growth.moves_of_runs(session, [run]) == {}
        assert session.scalar(growth.is_any_uncounted())
    _count(store)
    with store.read() as session:
        assert growth.moves_of_runs(session, [run]) == {run: growth.Moves(0, 0)}
        assert not session.scalar(growth.is_any_uncounted())


def test_a_run_goes_with_its_growth(counted: tuple[Store, list[int]]) -> None:
    store, nights = counted
    sql(
        store,
        "UPDATE run SET due_at = '2020-01-01 00:00:00.000000' WHERE id = :run RETURNING 1",
        run=nights[0],
    )
    policy = parse("[runs]\nolder_than = '90 d'\nkeep_last = 1", "test.toml")
    assert retention.run(store, policy, Path("/nonexistent")) == {"runs": 1}
    with store.read() as session:
        assert list(growth.of_runs(session, nights)) == [nights[1]]


def test_a_job_without_labels_is_not_counted(store: Store) -> None:
    job = builders.submit(store, builders.add_documents(store, 1)).job_id
    for chunk in builders.chunks_of(store, job):
        builders.write_ok(store, builders.held(store, chunk.id))
    assert builders.finish(store, job)
    with store.read() as session:
        assert session.execute(text("SELECT count(*) FROM label_moves")).scalar_one() == 0


def test_two_schedulers_do_not_count_the_same_slice(
    empty_postgres_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the one that commits last writes what it read first over what was counted meanwhile."""
    store = empty_postgres_store
    monkeypatch.setattr(growth, "DOCUMENTS", 2)
    schedule = _schedule(store)
    _end(store, _run(store, schedule))
    builders.add_documents(store, 5)
    night = _run(store, schedule)
    _end(store, night)
    with store.write() as slow:
        assert growth.count_some(slow)
        with store.write() as other:
            assert not growth.count_some(other)
    _count(store)
    with store.read() as session:
        assert growth.of_runs(session, [night])[night].n_added == 5
