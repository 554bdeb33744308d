"""Schedules over months, with a clock that the test sets: docmill does what a simple simulation does.

Two schedulers take turns, are down for up to three days, and runs take up to two days, over the changes of the clock in
three zones, with each policy for missed times and for overlapping runs.
"""

from __future__ import annotations

import logging
import random
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, time, timedelta
from itertools import product
from pathlib import Path

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import event, text

from db import notifications, schedules
from db.notifications import Rule
from db.policies import Policies
from db.sql import clock
from db.states import Catchup, Event, Overlap
from db.store import Store
from scheduler import cron, firing
from scheduler.requests import JobRequest
from tests.clock import Clock
from tests.db.builders import add_documents, sql
from tests.scheduler.schedule_model import Model, World

ZONES = ("Asia/Seoul", "America/New_York", "Europe/Berlin")
POLICIES = list(product(Catchup, Overlap))
EVENTS = (Event.LATE, Event.FAILED, Event.RECOVERED)
DESTINATION = "webhook:env:HOOK"
HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> None:
    """A year of firings is a long log."""
    caplog.set_level(logging.ERROR, "docmill.scheduler")


class Life:
    """Two schedulers on one store, and the workers: what docmill does in a world."""

    def __init__(self, stores: Sequence[Store], world: World, begin: datetime) -> None:
        self.stores, self.world, self.n_looks = stores, world, 0
        self.clock = Clock(*stores, at=begin)
        add_documents(stores[0], 1)
        policies = Policies(
            catchup=Catchup(world.catchup),
            catchup_within_seconds=int(world.within.total_seconds()) if world.within else None,
            overlap=Overlap(world.overlap),
            deadline=f"{world.deadline:%H:%M}",
        )
        expression = f"{world.at.minute} {world.at.hour} * * *"
        with stores[0].write() as session:
            next_at = cron.next_after(expression, world.zone, clock(session))
            requests = [JobRequest("oracle", "news").as_json()]
            schedules.add(session, "s", expression, world.zone, requests, next_at, policies)
            notifications.configure(session, "schedule s", [Rule(DESTINATION, EVENTS)])

    def look(self, now: datetime) -> None:
        self.clock.set(now)
        self._work(now)
        self.n_looks += 1
        firing.turn(self.stores[self.n_looks % len(self.stores)])

    def _work(self, now: datetime) -> None:
        """What workers have done by now, and what the steps for jobs make of it."""
        with self.stores[0].write() as session:
            query = (
                "SELECT j.id, j.state, r.started_at, (SELECT count(*) FROM run e WHERE e.started_at < r.started_at) "
                "FROM job j JOIN run r ON r.id = j.run_id WHERE j.state IN ('running', 'cancelling')"
            )
            for job_id, state, started_at, number in session.execute(text(query)).all():
                started = (
                    started_at if isinstance(started_at, datetime) else datetime.fromisoformat(started_at)
                )
                is_over = now >= started.replace(tzinfo=UTC) + self.world.durations[number]
                if state == "cancelling" or is_over:
                    ok = 0 if self.world.fails[number] or state == "cancelling" else 1
                    values = {"job": job_id, "ok": ok, "error": 1 - ok, "now": clock(session)}
                    values["state"] = "cancelled" if state == "cancelling" else "finished"
                    session.execute(
                        text("UPDATE chunk SET state = 'closed', lease_until = NULL WHERE job_id = :job"),
                        values,
                    )
                    session.execute(
                        text(
                            "UPDATE job SET state = :state, n_ok = :ok, n_error = :error, finished_at = :now "
                            "WHERE id = :job"
                        ).bindparams(), values | {"now": _plain(values["now"], self.stores[0])},
                    )  # fmt: skip

    def runs(self) -> list[tuple[datetime, str, str, bool | None]]:
        with self.stores[0].read() as session:
            row = schedules.by_name(session, "s")
            from db import runs

            found = runs.history(session, row.id, 10_000)[::-1]
            return [(run.due_at, str(run.cause), str(run.state), run.is_late) for run in found]

    def told(self) -> list[str]:
        rows = sql(self.stores[0], "SELECT event, key, title FROM notification ORDER BY id")
        due = {f"run {number}": str(run[0]) for number, run in zip(self._ids(), self.runs(), strict=True)}
        return [
            f"late {datetime.fromisoformat(key.split()[-1])}"
            if what == "late"
            else f"{what} {due[key.removeprefix(f'{what} ')]}"
            for what, key, _ in rows
        ]

    def _ids(self) -> list[int]:
        return [number for (number,) in sql(self.stores[0], "SELECT id FROM run ORDER BY due_at")]


def _plain(moment: datetime, store: Store) -> object:
    return f"{moment.replace(tzinfo=None):%Y-%m-%d %H:%M:%S.%f}" if store.is_sqlite else moment


def check(stores: Sequence[Store], world: World, begin: datetime, looks: Sequence[datetime]) -> Model:
    """docmill and the simulation do the same at every look."""
    life, model = Life(stores, world, begin), Model(world, begin)
    for now in looks:
        life.look(now)
        model.look(now)
    expected = [
        (
            run.due,
            run.cause,
            run.state,
            None if run.state == "skipped" and run.is_late is False else run.is_late,
        )
        for run in model.runs
    ]
    found = life.runs()
    assert (
        next(((was, should) for was, should in zip(found, expected, strict=False) if was != should), None)
        is None
    )
    assert len(found) == len(expected)
    assert sorted(life.told()) == sorted(set(model.told))
    return model


@contextmanager
def two_schedulers(template: Path) -> Iterator[list[Store]]:
    """Two stores on one fresh file, which need not survive a power cut."""
    with tempfile.TemporaryDirectory() as folder:
        path = shutil.copy(template, Path(folder) / "docmill.db")
        stores = [Store(f"sqlite:///{path}") for _ in range(2)]
        for store in stores:
            event.listen(store.engine, "connect", lambda raw, _: raw.execute("PRAGMA synchronous=OFF"))
        yield stores
        for store in stores:
            store.close()


def looks_of(chance: random.Random, world: World, begin: datetime, days: int) -> list[datetime]:
    """Moments at which a scheduler looks: soon after the due time, between, and after being down."""
    found, now, end = [], begin, begin + timedelta(days=days)
    while now < end:
        if chance.random() < 0.15:
            now += timedelta(hours=chance.uniform(0, 72))
        elif chance.random() < 0.6:
            due = cron.next_after(f"{world.at.minute} {world.at.hour} * * *", world.zone, now)
            now = due + timedelta(seconds=chance.choice([0, 1, 200, 299, 301, 4_000]))
        else:
            now += timedelta(hours=chance.uniform(0.1, 14))
        found.append(now)
    return found


def world_of(chance: random.Random, zone: str, catchup: str, overlap: str) -> World:
    n = 500
    return World(
        zone=zone,
        at=chance.choice([time(1, 0), time(2, 30), time(1, 30), time(23, 45)]),
        deadline=chance.choice([time(7, 0), time(2, 15)]),
        catchup=catchup,
        within=chance.choice([None, timedelta(days=2)]) if catchup != "none" else None,
        overlap=overlap,
        durations=tuple(
            timedelta(hours=chance.choice([0.1, 0.1, 0.5, 1, 3, 3, 5, 9, 20, 50])) for _ in range(n)
        ),
        fails=tuple(chance.random() < 0.2 for _ in range(n)),
    )


#: Here one of the 27; `python -m tests.scheduler.years` tries them all.
YEARS = [("America/New_York", "latest", "replace")]


@pytest.mark.long
@pytest.mark.parametrize("year", YEARS, ids="-".join)
def test_a_year_of_nights(sqlite_template: Path, year: tuple[str, str, str]) -> None:
    a_year(sqlite_template, *year)


def a_year(template: Path, zone: str, catchup: str, overlap: str) -> None:
    chance = random.Random(f"{zone} {catchup} {overlap}")
    world = world_of(chance, zone, catchup, overlap)
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    with two_schedulers(template) as stores:
        model = check(stores, world, begin, looks_of(chance, world, begin, 365))
    assert len(model.runs) >= 360
    assert {"late", "failed", "recovered"} <= {told.split()[0] for told in model.told}


@settings(max_examples=2, deadline=None, phases=[Phase.explicit, Phase.generate])
@given(
    zone=st.sampled_from(ZONES),
    policy=st.sampled_from(POLICIES),
    begin=st.sampled_from([datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 10, 18, tzinfo=UTC)]),
    chance=st.integers(0, 2**32),
)
def test_weeks_around_the_changes_of_the_clock(
    sqlite_template: Path, zone: str, policy: tuple[str, str], begin: datetime, chance: int
) -> None:
    drawn = random.Random(chance)
    world = world_of(drawn, zone, *policy)
    with two_schedulers(sqlite_template) as stores:
        check(stores, world, begin, looks_of(drawn, world, begin, 25))


@pytest.mark.long
@pytest.mark.parametrize("policy", [("all", "queue")], ids="-".join)
def test_months_on_both_databases(store: Store, policy: tuple[str, str]) -> None:
    chance = random.Random(7)
    world = world_of(chance, "Europe/Berlin", *policy)
    begin = datetime(2026, 3, 1, tzinfo=UTC)
    # Not the store of the other tests: its statements are told another time.
    own = [Store(store.url.render_as_string(hide_password=False)) for _ in range(2)]
    check(own, world, begin, looks_of(chance, world, begin, 21))
    for one in own:
        one.close()
