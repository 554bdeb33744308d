"""Schedules of nights: a schedule has a copy of the file, so that what runs is what was checked."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from db import notifications, runs, schedules
from db.errors import ConflictError, NotFoundError
from db.jobs import Submitted
from db.sql import clock
from db.states import Catchup, Overlap
from scheduler import cron
from scheduler.nights import applying, reading
from scheduler.nights.reading import NightFile

#: The value of "do" in a schedule's request.
DO = "night"


def put(session: Session, night: NightFile, path: Path) -> datetime:
    """Make or change the schedule of a night; returns when it fires next. ValueError without [schedule] in the file,
    ConflictError if a schedule of this name does something else."""
    told, name = night.definition.schedule, night.definition.name
    if told is None:
        raise ValueError(f'{path}: it has no [schedule]: add one, such as cron = "0 1 * * *"')
    next_at = cron.next_after(told.cron, told.time_zone, clock(session))
    request = {"do": DO, "path": str(path.resolve()), "folder": str(night.folder), "file": night.text}
    policies = replace(
        schedules.DEFAULT,
        catchup=Catchup(told.catchup),
        overlap=Overlap(told.overlap),
        deadline=told.deadline,
        finish_by=told.finish_by,
    )
    if copy_of(session, name) is None:
        _check_name(session, name, path)
        schedules.add(session, name, told.cron, told.time_zone, [request], next_at, policies)
    else:
        row = schedules.lock(session, schedules.by_name(session, name).id)
        row.cron, row.time_zone, row.requests, row.next_at = told.cron, told.time_zone, [request], next_at
        schedules.set_policies(row, policies)
        session.flush()
    notifications.configure(session, schedules.owner(name), applying.rules_of(night))
    return next_at


def _check_name(session: Session, name: str, path: Path) -> None:
    """ConflictError if a schedule that was made otherwise has the night's name."""
    with suppress(NotFoundError):
        schedules.by_name(session, name)
        raise ConflictError(
            f"there is a schedule {name!r} that does not run a night: change `name` in {path}, or remove the schedule: "
            f"docmill schedule remove {name}"
        )


def copy_of(session: Session, name: str) -> NightFile | None:
    """The file that a schedule runs; None if there is no schedule of a night with this name."""
    try:
        requests = schedules.by_name(session, name).requests
    except NotFoundError:
        return None
    request = next((one for one in requests if one.get("do") == DO), None)
    return reading.parse(request["file"], Path(request["folder"])) if request is not None else None


def start(session: Session, request: dict[str, Any], run_id: int) -> list[Submitted]:
    """Begin the night of a schedule that fires; it is planned by a scheduler."""
    night = reading.parse(request["file"], Path(request["folder"]))
    applying.run_later(session, night, run_id)
    runs.expect_more(session, run_id)
    return []
