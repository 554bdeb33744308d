"""A schedule: when it fires and what it does; run it now, plan its night, pause it. And the page of a plan."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from db import runs, schedules
from db.access import Role
from db.nights import plans
from db.sql import clock
from db.store import Store
from docmill.commands import schedule_rows
from docmill.commands.schedules import as_words
from docmill.web.access import view
from docmill.web.rendering import address, page
from scheduler import cron, firing
from scheduler.nights import applying, reading, scheduled

#: Runs that a schedule shows.
RUNS = 20
#: What each action asks.
QUESTIONS = {
    "run": "Its jobs are submitted now, as one run, whatever else runs.",
    "plan": "Its sources are read, and a plan is stored: what the night would do, and why. Nothing runs yet.",
    "pause": "It does not fire until it is resumed. Its jobs go on; runs that wait for their turn are skipped.",
    "resume": "It fires from its next time on; times that have passed are not caught up.",
}


@view()
def schedule(request: Request) -> Response:
    """One schedule."""
    store: Store = request.app.state.store
    name = request.query_params.get("name", "")
    with store.read() as session:
        row = schedules.by_name(session, name)
        facts = {
            "cron": f"{row.cron} ({row.time_zone})",
            "next": row.next_at,
            "deadline": row.deadline,
            "finish by": row.finish_by,
            "overlap": str(row.overlap),
            "catch up": str(row.catchup),
            "paused": row.paused_why if row.paused_at else None,
        }
        history = [schedule_rows.run(session, run, "UTC")["exact"] | {"id": run.id, "why": run.fault or run.note}
                   for run in runs.history(session, row.id, RUNS)]  # fmt: skip
        does = [as_words(one) for one in row.requests]
        has_night = any(one.get("do") == scheduled.DO for one in row.requests)
    for one in history:
        one["id_url"] = str(request.app.url_path_for("digest", run_id=one["id"]))
    return page(
        request, "schedule.html", name=name, facts=facts, does=does, history=history, has_night=has_night,
        is_paused=facts["paused"] is not None,
    )  # fmt: skip


@view(Role.OPERATE)
def act(request: Request) -> Response:
    """Ask, then do it."""
    store: Store = request.app.state.store
    form: dict[str, list[str]] = request.state.form
    action, name = form.get("action", [""])[0], form.get("name", [""])[0]
    if action not in QUESTIONS:
        raise HTTPException(400, "Choose what to do.")
    with store.read() as session:
        schedules.by_name(session, name)
    if not form.get("confirmed"):
        return page(request, "confirm_schedule.html", name=name, action=action, question=QUESTIONS[action])
    if action == "plan":
        return RedirectResponse(_planned(request, store, name), 303)
    if action == "run":
        firing.run_now(store, name)
    else:
        with store.write() as session:
            _pause_or_resume(session, action, name, request.state.access.name)
    return RedirectResponse(address(request, "schedule", name=name), 303)


@view()
def plan(request: Request) -> Response:
    """What a night would do: each step with its documents by reason."""
    store: Store = request.app.state.store
    with store.read() as session:
        found = plans.load(session, int(request.path_params["plan_id"]))
    steps: list[dict[str, Any]] = [
        {
            "name": step.name, "action": step.action, "n_to_do": step.n_to_do, "n_unchanged": step.n_unchanged,
            "n_failed": step.n_failed, "n_quarantined": step.n_quarantined, "seconds": step.seconds,
            "why": "; ".join(f"{n:,} {reason}" for reason, n in step.counts.items()) or step.note,
        }
        for step in found.steps
    ]  # fmt: skip
    return page(request, "plan.html", plan=found, steps=steps, made_at=found.created_at)


@view(Role.OPERATE)
def run_plan(request: Request) -> Response:
    """Do exactly what a plan says; refused if the store has moved since."""
    store: Store = request.app.state.store
    plan_id = int(request.path_params["plan_id"])
    try:
        applying.run_plan(store, plan_id)
    except reading.NightFileError as error:
        raise HTTPException(409, str(error)) from None
    return RedirectResponse(str(request.app.url_path_for("nights")), 303)


def _planned(request: Request, store: Store, name: str) -> str:
    """The address of a new plan."""
    with store.read() as session:
        night = scheduled.copy_of(session, name)
    if night is None:
        raise HTTPException(
            409, f"The schedule {name} submits jobs and runs no night: there is nothing to plan."
        )
    return str(request.app.url_path_for("plan", plan_id=applying.plan(store, night).id))


def _pause_or_resume(session: Session, action: str, name: str, who: str) -> None:
    if action == "pause":
        schedules.pause(session, name, f"paused by {who}")
        return
    row = schedules.by_name(session, name)
    schedules.resume(session, name, cron.next_after(row.cron, row.time_zone, clock(session)))


ROUTES = [
    Route("/schedule", schedule, name="schedule"),
    Route("/schedule/act", act, name="act_on_schedule", methods=["POST"]),
    Route("/plans/{plan_id:int}", plan, name="plan"),
    Route("/plans/{plan_id:int}/run", run_plan, name="run_plan", methods=["POST"]),
]
