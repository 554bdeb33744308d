"""Schedules and their runs as rows of tables, and as lines for people."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from docmill.commands.schedule_options import duration_words

RUN_COLUMNS = ("run", "due", "cause", "state", "started", "ended", "late", "jobs", "note")
SPARE_RUN_COLUMNS = ("started", "cause")


def row(schedule: Any, last: Any, as_words: Callable[[dict[str, Any]], str]) -> dict[str, Any]:
    """A line of `schedule list`: what it does, when, and what became of its last run."""
    zone = schedule.time_zone
    paused = f"paused: {schedule.paused_why}" if schedule.paused_at else None
    return {
        "name": schedule.name,
        "cron": schedule.cron,
        "time_zone": zone,
        "next": local(schedule.next_at, zone) if paused is None else "paused",
        "last": local(last.due_at, zone) if last else None,
        "state": "; ".join(filter(None, (paused, _state(last) if last else None))) or None,
        "ended": local(last.ended_at, zone) if last and last.ended_at else None,
        "fault": (last.fault or last.note) if last else None,
        "jobs": "\n".join(as_words(request) for request in schedule.requests),
        # The JSON output has these instead of the local times and the short words.
        "exact": {
            "next": schedule.next_at if paused is None else None,
            "last": last.due_at if last else None,
            "state": last.state if last else None,
            "ended": last.ended_at if last else None,
            "paused": schedule.paused_why if schedule.paused_at else None,
            "jobs": schedule.requests,
        },
    }


def in_full(schedule: Any, listed: dict[str, Any], rules: list[Any]) -> list[str]:
    """A schedule with its policies and destinations."""
    within = schedule.catchup_within_seconds
    told = [f"{rule.destination}: {', '.join(map(str, rule.events))}" for rule in rules]
    lines = {
        "schedule": schedule.name,
        "cron": f"{schedule.cron} ({schedule.time_zone})",
        "next": listed["next"],
        "paused": schedule.paused_why if schedule.paused_at else None,
        "jobs": listed["jobs"],
        "catchup": schedule.catchup + (f", within {duration_words(within)}" if within else ""),
        "overlap": schedule.overlap,
        "deadline": schedule.deadline,
        "finish by": schedule.finish_by,
        "pause on failure": schedule.pause_on_failure,
        "max errors": f"{schedule.max_error_share:.4g}" if schedule.max_error_share is not None else None,
        "tells": "\n".join(told) or "nobody: docmill schedule edit --to",
    }
    width = max(map(len, lines)) + 2
    indent = "\n" + " " * width
    return [
        f"{name:{width}}{str(value).replace(chr(10), indent)}"
        for name, value in lines.items()
        if value is not None
    ]


def exact(schedule: Any, rules: list[Any]) -> dict[str, Any]:
    """The policies and destinations, for programs."""
    from dataclasses import asdict

    from db.schedules import policies_of

    told = [{"to": rule.destination, "events": list(map(str, rule.events))} for rule in rules]
    return asdict(policies_of(schedule)) | {"notify": told}


def run(session: Any, found: Any, zone: str) -> dict[str, Any]:
    """A line of `schedule history`."""
    from db import runs

    numbers = [job.id for job in runs.jobs_of(session, found.id)]
    return {
        "run": found.id,
        "due": local(found.due_at, zone),
        "cause": found.cause,
        "state": _state(found),
        "started": local(found.started_at, zone) if found.started_at else None,
        "ended": local(found.ended_at, zone) if found.ended_at else None,
        "late": {True: "late", False: "in time"}.get(found.is_late),
        "jobs": ", ".join(map(str, numbers)) or None,
        "note": found.fault or found.note,
        "exact": {
            "due": found.due_at,
            "started": found.started_at,
            "ended": found.ended_at,
            "deadline": found.deadline_at,
            "late": found.is_late,
            "state": found.state,
            "jobs": numbers,
        },
    }


def local(moment: Any, time_zone: str) -> str:
    """A time as clocks in this zone show it."""
    from zoneinfo import ZoneInfo

    return str(moment.astimezone(ZoneInfo(time_zone)).strftime("%Y-%m-%d %H:%M"))


def _state(last: Any) -> str:
    return f"{last.state}, late" if last.is_late and last.ended_at is None else str(last.state)
