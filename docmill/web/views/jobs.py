"""The list of jobs with its filter, and actions on several."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from urllib.parse import urlencode

from sqlalchemy.orm import Session
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from db import job_lists, jobs, progress
from db.access import Role
from db.errors import StoreError
from db.job_lists import JobFilter
from db.states import JobState
from db.store import Store
from docmill.web.access import number, view
from docmill.web.rendering import page
from scheduler import requests

#: Jobs of a page.
MOST = 50
STATES = ("open", "ended", "failing", *JobState)


@dataclass(frozen=True)
class Action:
    """What can be done to jobs."""

    verb: str
    #: What will happen, for the question before.
    told: str
    run: Callable[[Session, int], object]
    role: Role = Role.OPERATE
    #: The action that undoes it.
    undo: str | None = None


def _cancel(session: Session, job_id: int) -> None:
    jobs.stop(session, job_id, "CANCELLED", "the job was cancelled")


ACTIONS = {
    "retry": Action(
        "Retry",
        "a new job is submitted for each, over the documents that failed",
        requests.retry,
        Role.SUBMIT,
    ),
    "pause": Action(
        "Pause", "workers finish what they hold and take nothing more of them", jobs.pause, undo="resume"
    ),
    "resume": Action("Resume", "workers go on with them", jobs.resume, undo="pause"),
    "cancel": Action(
        "Cancel", "results that are there stay; the other documents get the outcome CANCELLED", _cancel
    ),
    "first": Action(
        "Put first",
        "their priority becomes 9, the highest: workers take their documents before those of others",
        partial(jobs.set_priority, priority=9),
        undo="usual",
    ),
    "usual": Action(
        "Usual priority", "their priority becomes 5", partial(jobs.set_priority, priority=5), undo="first"
    ),
    "last": Action(
        "Put last",
        "their priority becomes 0: workers take their documents when there is nothing else",
        partial(jobs.set_priority, priority=0),
        undo="usual",
    ),
}


#: The action that gives a priority.
_PRIORITIES = {"first": 9, "usual": 5, "last": 0}


@view()
def listing(request: Request) -> Response:
    """The newest jobs that match the filter, which is in the address."""
    store: Store = request.app.state.store
    chosen = _filter(request.query_params)
    before = number(request.query_params.get("before"))
    with store.read() as session:
        found = job_lists.page(session, chosen, before=before, limit=MOST + 1)
        kinds, collections = job_lists.kinds_and_collections(session)
    older = None
    if len(found) > MOST:
        older = urlencode({**_words(chosen), "before": found[MOST - 1].job_id})
    return page(
        request, "jobs.html", jobs=found[:MOST], chosen=chosen, kinds=kinds, collections=collections,
        states=STATES, actions=allowed(request, ACTIONS), older=older, words=_words(chosen),
    )  # fmt: skip


@view(Role.SUBMIT)
def act(request: Request) -> Response:
    """Ask, then do something to the jobs that were ticked, or to all that match."""
    store: Store = request.app.state.store
    form: dict[str, list[str]] = request.state.form
    name = form.get("action", [""])[0]
    if name not in ACTIONS:
        raise HTTPException(400, "Choose what to do.")
    if name not in allowed(request, ACTIONS):
        raise HTTPException(403, f"This needs the role {ACTIONS[name].role}.")
    chosen = _filter({key: values[0] for key, values in form.items()})
    with store.read() as session:
        if form.get("all"):
            ids = job_lists.chosen_ids(session, chosen)
        else:
            ids = [one for value in form.get("job", []) if (one := number(value)) is not None]
    ids = ids[: job_lists.MOST]
    if not ids:
        raise HTTPException(400, "Tick at least one job.")
    if not form.get("confirmed"):
        return page(request, "confirm.html", action=name, what=ACTIONS[name], ids=ids, words=_words(chosen))
    done, refused = _each(store, ACTIONS[name], ids)
    undo = ACTIONS[name].undo
    return page(
        request, "acted.html", what=ACTIONS[name], done=done, refused=refused, words=_words(chosen), undo=undo,
        undo_verb=ACTIONS[undo].verb if undo else None,
    )  # fmt: skip


def allowed(request: Request, actions: Mapping[str, Action]) -> dict[str, Action]:
    """Those that whoever asks may do."""
    role: Role = request.state.access.role
    return {name: action for name, action in actions.items() if role.allows(action.role)}


def possible(found: progress.JobProgress) -> dict[str, Action]:
    """The actions that this job allows."""
    names: Iterable[str]
    if found.ended:
        names = ["retry"] if found.n_failed else []
    elif found.state == JobState.CANCELLING:
        names = []
    else:
        names = ["resume" if found.state == JobState.PAUSED else "pause", "cancel"]
        names += [name for name, priority in _PRIORITIES.items() if priority != found.priority]
    return {name: ACTIONS[name] for name in names}


def _each(store: Store, action: Action, ids: list[int]) -> tuple[list[int], list[tuple[int, str]]]:
    """A transaction for each job: one that refuses leaves the others alone."""
    done: list[int] = []
    refused: list[tuple[int, str]] = []
    for job_id in ids:
        try:
            with store.write() as session:
                action.run(session, job_id)
            done.append(job_id)
        except StoreError as error:
            refused.append((job_id, str(error)))
    return done, refused


def _filter(words: Mapping[str, str]) -> JobFilter:
    state = words.get("state") or ""
    return JobFilter(
        words.get("kind") or "",
        state if state in STATES else "",
        words.get("collection") or "",
        _day(words.get("since")),
        _day(words.get("until"), plus=1),
        (words.get("words") or "").strip()[:200],
    )


def _day(text: str | None, plus: int = 0) -> datetime | None:
    """The beginning of a day in UTC, or of the day after it; None if there is none."""
    try:
        found = datetime.fromisoformat(text) if text else None
        return (
            None
            if found is None
            else datetime.combine(found, datetime.min.time(), UTC) + timedelta(days=plus)
        )
    except (ValueError, OverflowError):
        return None


def _words(chosen: JobFilter) -> dict[str, str]:
    """As in the address."""
    until = chosen.until - timedelta(days=1) if chosen.until else None
    found = {"kind": chosen.kind, "state": chosen.state, "collection": chosen.collection, "words": chosen.words,
             "since": f"{chosen.since:%Y-%m-%d}" if chosen.since else "",
             "until": f"{until:%Y-%m-%d}" if until else ""}  # fmt: skip
    return {name: value for name, value in found.items() if value}


ROUTES = [
    Route("/jobs", listing, name="jobs"),
    Route("/jobs/act", act, name="act_on_jobs", methods=["POST"]),
]
