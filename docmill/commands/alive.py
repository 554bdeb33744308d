"""docmill alive: the health check of a container."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from docmill.commands.options import Json
from docmill.commands.output import print_json, say
from docmill.commands.shell import FAILED


class Part(StrEnum):
    """What runs until it is stopped."""

    SCHEDULER = "scheduler"
    WORKER = "worker"


def alive(
    part: Annotated[Part, typer.Argument(metavar="PART", help="scheduler or worker.")],
    json: Json = False,
) -> None:
    """Check whether the scheduler or worker here is alive.

    Here means in this DOCMILL_HOME. It is alive while its loop runs and, for a worker, its processes stay up. Redis,
    the store and other machines are not checked; `docmill doctor` does that. The exit status is 1 after 90 seconds
    without a heartbeat.

    Example: docmill alive scheduler
    """
    from workers.processes.liveness import MAX_AGE_SECONDS, age_seconds
    from workers.settings import settings

    age = age_seconds(settings(), part)
    if json:
        is_alive = age is not None and age <= MAX_AGE_SECONDS
        print_json(
            {"part": part, "alive": is_alive, "heartbeat_seconds_ago": age, "home": str(settings().home_path)}
        )
    elif age is None:
        say(f"{part}: none has run in {settings().home_path}")
    else:
        say(f"{part}: {'alive' if age <= MAX_AGE_SECONDS else 'NOT ALIVE'}, last heartbeat {age:.0f} s ago")
    if age is None or age > MAX_AGE_SECONDS:
        raise typer.Exit(FAILED)
