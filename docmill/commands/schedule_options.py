"""The options of schedules, and how their values are read."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from db.notifications import Rule
    from db.policies import Policies

Catchup = Annotated[
    str | None,
    typer.Option(
        metavar="none|latest|all",
        help="Times that were missed while no scheduler ran: run none, the latest (default), or all in order.",
    ),
]
CatchupWithin = Annotated[
    str | None,
    typer.Option(
        metavar="TIME", help="Catch up only what was missed by at most this: 90m, 12h, 2d; or none."
    ),
]
Overlap = Annotated[
    str | None,
    typer.Option(
        metavar="skip|queue|replace",
        help="If a run has not ended when the next is due: skip the next (default), let one wait, or cancel the "
        "jobs of the one that runs.",
    ),
]
Deadline = Annotated[
    str | None,
    typer.Option(metavar="HH:MM", help="Local time by which a run has to be done, or it is late; or none."),
]
PauseOnFailure = Annotated[
    str | None,
    typer.Option(metavar="N", help="Pause the schedule after this many failed runs in a row; or none."),
]
MaxErrors = Annotated[
    str | None,
    typer.Option(metavar="SHARE", help="Tell of a job if more than this share of it failed: 5%; or none."),
]
Notify = Annotated[
    str | None,
    typer.Option(
        metavar="EVENTS",
        help="The events to report: late, failed, recovered, model refused, errors, separated by commas; all if "
        "omitted.",
    ),
]
To = Annotated[
    list[str] | None,
    typer.Option(
        metavar="DESTINATION",
        help="Whom to tell: smtp:env:NAME:ADDRESSES, webhook:env:NAME or command:env:NAME; may be repeated. NAME is "
        "an environment variable of the scheduler.",
    ),
]

_UNITS = {"s": 1, "m": 60, "min": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_DURATION = re.compile(r"(\d+)\s*(s|min|m|h|d|w)")


def policies(
    before: Policies,
    *,
    catchup: str | None,
    catchup_within: str | None,
    overlap: str | None,
    deadline: str | None,
    pause_on_failure: str | None,
    max_errors: str | None,
) -> Policies:
    """The policies with those changed that were given; ValueError says what is wrong."""
    from db.states import Catchup, Overlap
    from scheduler.cron import check_local_time

    found = before
    if catchup is not None:
        found = replace(found, catchup=Catchup(_one_of("--catchup", catchup, list(map(str, Catchup)))))
    if overlap is not None:
        found = replace(found, overlap=Overlap(_one_of("--overlap", overlap, list(map(str, Overlap)))))
    if catchup_within is not None:
        seconds = None if _is_none(catchup_within) else duration(catchup_within, "--catchup-within")
        found = replace(found, catchup_within_seconds=seconds)
    if deadline is not None:
        found = replace(found, deadline=None if _is_none(deadline) else check_local_time(deadline))
    if pause_on_failure is not None:
        found = replace(found, pause_on_failure=_count(pause_on_failure))
    if max_errors is not None:
        found = replace(found, max_error_share=None if _is_none(max_errors) else share(max_errors))
    if found.catchup == Catchup.NONE and catchup_within is not None and found.catchup_within_seconds:
        raise ValueError("--catchup-within means nothing with --catchup none: omit one of them")
    return found


def rules(notify: str | None, to: list[str] | None) -> list[Rule]:
    """Whom to notify of what; `--to none` is nobody."""
    from scheduler.notifying import destinations

    return destinations.rules(notify, [] if to and all(map(_is_none, to)) else to or [])


def duration(text: str, option: str) -> int:
    """Seconds of "90m", "12h" or "2 d"."""
    found = _DURATION.fullmatch(text.strip().lower())
    if found is None or not int(found[1]):
        raise ValueError(f"{option} {text!r} is no length of time: write 90m, 12h or 2d")
    return int(found[1]) * _UNITS[found[2]]


def duration_words(seconds: int) -> str:
    """The same as `duration` reads it."""
    unit = next(unit for unit in ("d", "h", "m", "s") if seconds % _UNITS[unit] == 0)
    return f"{seconds // _UNITS[unit]}{unit}"


def share(text: str) -> float:
    """A share of 1, from "5%" or "0.05"."""
    plain = text.strip()
    try:
        value = float(plain.removesuffix("%")) / (100 if plain.endswith("%") else 1)
    except ValueError:
        value = -1.0
    if not 0 <= value < 1:
        raise ValueError(f"--max-errors {text!r} is no share: write 5% or 0.05")
    return value


def _count(text: str) -> int | None:
    if _is_none(text):
        return None
    if not text.strip().isdecimal() or not int(text):
        raise ValueError(f"--pause-on-failure {text!r}: write a number from 1, or none")
    return int(text)


def _one_of(option: str, text: str, allowed: list[str]) -> str:
    if text.strip().lower() not in allowed:
        raise ValueError(f"{option} {text!r}: write {', '.join(allowed[:-1])} or {allowed[-1]}")
    return text.strip().lower()


def _is_none(text: str) -> bool:
    return text.strip().lower() == "none"
