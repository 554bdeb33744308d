"""What a run of a schedule does: its jobs, one after the other, or something else that a starter knows.

A request of a schedule is a JobRequest as JSON. One with the key "do" is given to the starter of that name, which may
submit jobs to the run in the same transaction, or call `runs.expect_more` and submit them later.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from typing import Any

from sqlalchemy.orm import Session

from db.errors import NothingToDoError
from db.jobs import Submitted
from scheduler.requests import JobRequest, submit

#: (session, the request, the run) -> the jobs that were submitted.
Starter = Callable[[Session, dict[str, Any], int], list[Submitted]]
#: Value of "do" -> what starts it, as module:function: imported on first use.
STARTERS: dict[str, str] = {"night": "scheduler.nights.scheduled:start"}


def start(session: Session, requests: list[dict[str, Any]], run_id: int) -> list[Submitted]:
    """Submit the jobs of a run, each after the one before. One that would have no document is not made; what comes
    after it waits for the last one that was."""
    submitted: list[Submitted] = []
    for request in requests:
        if "do" in request:
            submitted += _starter(request["do"])(session, request, run_id)
            continue
        after = submitted[-1].job_id if submitted else None
        with suppress(NothingToDoError), session.begin_nested():
            submitted.append(submit(session, JobRequest(**request | {"after": after}), run_id))
    return submitted


def _starter(name: str) -> Starter:
    module, _, function = STARTERS[name].partition(":")
    found: Starter = getattr(import_module(module), function)
    return found
