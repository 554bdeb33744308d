"""The list of jobs with its filter, actions on several, and the page of a job."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from urllib.parse import urlencode

from sqlalchemy import text
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
from db.tables import Job
from docmill.doctor.obstacles import obstacles
from docmill.pages.night.remedies import remedy
from docmill.web.access import view
from docmill.web.rendering import page
from docmill.web.views import job_results
from scheduler import requests

#: Jobs of a page.
MOST = 50
STATES = ("open", "failing", *JobState)
#: Causes of a job's failures that are shown.
CAUSES = 20
_FAILURES = """
SELECT f.error_code, f.n, d.key AS document_key, d.source, o.error_detail
FROM (SELECT error_code, COUNT(*) AS n, MIN(document_id) AS document_id FROM outcome
      WHERE job_id = :job_id AND state = 'error' AND error_code NOT IN ('CANCELLED', 'CARRIED_OVER')
      GROUP BY error_code) f
JOIN outcome o ON o.job_id = :job_id AND o.document_id = f.document_id
JOIN document d ON d.id = f.document_id ORDER BY f.n DESC, f.error_code LIMIT :most
"""


@dataclass(frozen=True)
class Action:
    """What can be done to jobs."""

    verb: str
    #: What will happen, for the question before.
    told: str
    run: Callable[[Session, int], object]
    role: Role = Role.OPERATE


def _cancel(session: Session, job_id: int) -> None:
    jobs.stop(session, job_id, "CANCELLED", "the job was cancelled")


ACTIONS = {
    "retry": Action(
        "Retry",
        "a new job is submitted for each, over the documents that failed",
        requests.retry,
        Role.SUBMIT,
    ),
    "pause": Action("Pause", "workers finish what they hold and take nothing more of them", jobs.pause),
    "resume": Action("Resume", "workers go on with them", jobs.resume),
    "cancel": Action(
        "Cancel", "results that are there stay; the other documents get the outcome CANCELLED", _cancel
    ),
}


@view()
def listing(request: Request) -> Response:
    """The newest jobs that match the filter, which is in the address."""
    store: Store = request.app.state.store
    chosen = _filter(request.query_params)
    before = _number(request.query_params.get("before"))
    with store.read() as session:
        found = job_lists.page(session, chosen, before=before, limit=MOST + 1)
        kinds, collections = job_lists.kinds_and_collections(session)
    older = None
    if len(found) > MOST:
        older = urlencode({**_words(chosen), "before": found[MOST - 1].job_id})
    return page(
        request, "jobs.html", jobs=found[:MOST], chosen=chosen, kinds=kinds, collections=collections,
        states=STATES, actions=_allowed(request, ACTIONS), older=older, words=_words(chosen),
    )  # fmt: skip


@view(Role.SUBMIT)
def act(request: Request) -> Response:
    """Ask, then do something to the jobs that were ticked, or to all that match."""
    store: Store = request.app.state.store
    form: dict[str, list[str]] = request.state.form
    name = form.get("action", [""])[0]
    if name not in ACTIONS:
        raise HTTPException(400, "Choose what to do.")
    if name not in _allowed(request, ACTIONS):
        raise HTTPException(403, f"This needs the role {ACTIONS[name].role}.")
    chosen = _filter({key: values[0] for key, values in form.items()})
    with store.read() as session:
        if form.get("all"):
            ids = job_lists.chosen_ids(session, chosen)
        else:
            ids = [number for value in form.get("job", []) if (number := _number(value)) is not None]
    ids = ids[: job_lists.MOST]
    if not ids:
        raise HTTPException(400, "Tick at least one job.")
    if not form.get("confirmed"):
        return page(request, "confirm.html", action=name, what=ACTIONS[name], ids=ids, words=_words(chosen))
    done, refused = _each(store, ACTIONS[name], ids)
    return page(request, "acted.html", what=ACTIONS[name], done=done, refused=refused, words=_words(chosen))


@view()
def job(request: Request) -> Response:
    """One job: how far it is and how fast, what failed and what to do about it, what it was asked."""
    store: Store = request.app.state.store
    job_id = int(request.path_params["job_id"])
    with store.read() as session:
        found = progress.of(session, job_id)
        failures = [
            dict(row)
            | {"remedy": remedy({**row, "job_id": job_id, "collection": found.collection}, "en")}
            | {"url": job_results.document_url(request, found, row["document_key"])}
            for row in session.execute(text(_FAILURES), {"job_id": job_id, "most": CAUSES}).mappings()
        ]
        parameters = session.get_one(Job, job_id).parameters
        obstacle = obstacles(session, [found]).get(job_id)
        rows = job_results.first(request, session, found)
    return page(
        request, "job.html", job=found, found=rows, failures=failures, parameters=parameters, obstacle=obstacle,
        seconds=_seconds(found), actions=_allowed(request, _possible(found)),
    )  # fmt: skip


def _allowed(request: Request, actions: Mapping[str, Action]) -> dict[str, Action]:
    """Those that whoever asks may do."""
    role: Role = request.state.access.role
    return {name: action for name, action in actions.items() if role.allows(action.role)}


def _possible(found: progress.JobProgress) -> dict[str, Action]:
    """The actions that this job allows."""
    names: Iterable[str]
    if found.ended:
        names = ["retry"] if found.n_error else []
    elif found.state == JobState.PAUSED:
        names = ["resume", "cancel"]
    else:
        names = ["cancel"] if found.state == JobState.CANCELLING else ["pause", "cancel"]
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


def _seconds(found: progress.JobProgress) -> float | None:
    if found.started_at is None:
        return None
    ended = found.finished_at.timestamp() if found.finished_at is not None else time.time()
    return max(0.0, ended - found.started_at.timestamp())


def _filter(words: object) -> JobFilter:
    get = words.get  # type: ignore[attr-defined]
    state = get("state") or ""
    return JobFilter(get("kind") or "", state if state in STATES else "", get("collection") or "")


def _words(chosen: JobFilter) -> dict[str, str]:
    return {name: value for name, value in asdict(chosen).items() if value}


def _number(value: str | None) -> int | None:
    return (
        int(value) if value is not None and value.isascii() and value.isdigit() and len(value) < 18 else None
    )


ROUTES = [
    Route("/jobs", listing, name="jobs"),
    Route("/jobs/act", act, name="act_on_jobs", methods=["POST"]),
    Route("/jobs/{job_id:int}", job, name="job"),
]
