"""A night begins: with a plan that was made before, if the store has not moved since, or with one that is made now."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from db import notifications, runs, schedules, selection
from db.errors import ConflictError, NotFoundError
from db.nights import plans, running
from db.nights.plans import Plan
from db.nights.running import NewStep
from db.notifications import Rule
from db.sql import clock
from db.states import RunCause
from db.store import Store
from db.tables import Collection, Schedule
from scheduler import cron
from scheduler.nights import coming, planning, reading
from scheduler.nights.coming import Coming
from scheduler.nights.reading import NightFile
from scheduler.notifying import destinations


def plan(store: Store, night: NightFile, beat: Callable[[], None] = lambda: None) -> Plan:
    """Make and store the plan of a night. Nothing else is written."""
    found = look(store, night, beat)
    with store.write() as session:
        return plans.store(session, planning.make(session, night, found))


def look(store: Store, night: NightFile, beat: Callable[[], None] = lambda: None) -> Coming:
    """What the sources of a night have that the store has not."""
    with store.read() as session:
        since = running.last_done(session, night.definition.name)
    return coming.look(store, night, since, beat)


def run_plan(store: Store, plan_id: int, night: NightFile | None = None) -> int:
    """Begin a night that does exactly what a plan says; returns its number. ConflictError, which says what has moved,
    if the same plan would not be made now. With `night`, the plan must be one of that file."""
    with store.read() as session:
        before = plans.load(session, plan_id, parts=True)
    planned = reading.parse(before.file, Path(before.folder))
    if night is not None and night.definition.name != before.name:
        raise ConflictError(f"plan {plan_id} is of {before.name}, not of {night.definition.name}")
    if night is not None and night.digest != before.file_digest:
        raise ConflictError(f"plan {plan_id} is stale: the file means something else now: plan again")
    found = look(store, planned)
    with store.write() as session:
        _lock(session, planned)
        moved = plans.moved(session, before, planning.make(session, planned, found))
        if moved:
            raise ConflictError(
                f"plan {plan_id} is stale: {'; '.join(moved)}: plan again, or run --latest, which plans and runs"
            )
        return begin(session, planned, before)


def run_latest(store: Store, night: NightFile) -> tuple[int, Plan]:
    """Plan, and begin the night with that plan."""
    found = look(store, night)
    with store.write() as session:
        _lock(session, night)
        made = plans.store(session, planning.make(session, night, found))
        return begin(session, night, made), made


def run_later(session: Session, night: NightFile, run_id: int) -> int:
    """Begin a night that a scheduler plans: what a schedule does."""
    return running.begin(
        session,
        name=night.definition.name,
        file=night.text,
        folder=str(night.folder),
        run_id=run_id,
        finish_by=ends_at(night, runs.by_id(session, run_id).due_at),
    )


def begin(session: Session, night: NightFile, plan: Plan) -> int:
    """A night with a stored plan, by hand."""
    moment = clock(session)
    run_id = _run_by_hand(session, night, moment)
    return running.begin(
        session,
        name=night.definition.name,
        file=night.text,
        folder=str(night.folder),
        plan_id=plan.id,
        run_id=run_id,
        finish_by=ends_at(night, moment),
        steps=new_steps(night),
    )


def _run_by_hand(session: Session, night: NightFile, moment: datetime) -> int:
    """A night is a run of the schedule of its name. Where there is none, one is made that never fires."""
    name = night.definition.name
    schedule_id = session.scalar(select(Schedule.id).where(Schedule.name == name))
    if schedule_id is None:
        told = night.definition.schedule
        zone = told.time_zone if told is not None else "UTC"
        schedule_id = schedules.add(session, name, "@yearly", zone, [], moment)
        schedules.remove(session, name)
    if not _is_scheduled(session, name):
        # Those of a schedule are in its copy of the file.
        notifications.configure(session, schedules.owner(name), rules_of(night))
    schedules.lock(session, schedule_id)
    run_id = runs.add(session, schedule_id, moment, cause=RunCause.HAND)
    runs.start(session, run_id)
    runs.expect_more(session, run_id)
    return run_id


def _is_scheduled(session: Session, name: str) -> bool:
    try:
        schedules.by_name(session, name)
    except NotFoundError:
        return False
    return True


def rules_of(night: NightFile) -> list[Rule]:
    """Whom to notify of what."""
    return [
        Rule(str(destinations.parse(table.destination)), destinations.events(",".join(table.on)))
        for table in night.definition.notify
    ]


def new_steps(night: NightFile) -> list[NewStep]:
    """The steps of a night, as rows."""
    return [NewStep(step.number, step.name, step.action) for step in night.steps]


def ends_at(night: NightFile, due_at: datetime) -> datetime | None:
    """When a night that is due at this moment has to stop: the next `finish_by` in the schedule's time zone."""
    told = night.definition.schedule
    if told is None or told.finish_by is None:
        return None
    return cron.local_time_after(told.finish_by, told.time_zone, due_at)


def _lock(session: Session, night: NightFile) -> None:
    """Nobody adds to the collections of a night, nor chooses new documents of them, until the transaction ends."""
    names = sorted({night.definition.collection, *(step.collection for step in night.steps)})
    named = select(Collection.id).where(Collection.name.in_(names))
    known = session.scalars(
        select(Collection.id)
        .where(or_(Collection.id.in_(named), Collection.files_of_id.in_(named)))
        .order_by(Collection.id)
    )
    for collection in known.all():
        selection.one_at_a_time(session, collection)
