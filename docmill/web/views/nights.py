"""Nights and schedules: what ran, the digest of each, and what will run."""

from __future__ import annotations

from sqlalchemy import select
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from db.store import Store
from db.tables import Run, Schedule
from docmill.pages.night import digest
from docmill.web.access import number, view
from docmill.web.rendering import ONE_FILE, address, page

#: Nights of a page.
MOST = 50


@view()
def nights(request: Request) -> Response:
    """The newest nights, and the schedules."""
    store: Store = request.app.state.store
    before = request.query_params.get("before", "")
    runs = select(
        Run.id, Schedule.name, Run.due_at, Run.state, Run.cause, Run.started_at, Run.ended_at, Run.is_late,
        Run.fault, Run.note,
    ).join(Schedule, Schedule.id == Run.schedule_id).order_by(Run.id.desc()).limit(MOST + 1)  # fmt: skip
    if (number_before := number(before)) is not None:
        runs = runs.where(Run.id < number_before)
    with store.read() as session:
        found = [dict(row) for row in session.execute(runs).mappings()]
        schedules = [
            {
                "name": one.name, "cron": one.cron, "time_zone": one.time_zone, "next_at": one.next_at,
                "state": "paused" if one.paused_at else "on", "why": one.paused_why if one.paused_at else None,
                "name_url": address(request, "schedule", name=one.name),
            }
            for one in session.scalars(
                select(Schedule).where(Schedule.removed_at.is_(None)).order_by(Schedule.name).limit(1_000)
            )
        ]  # fmt: skip
    for row in found:
        row["why"] = row["fault"] or row["note"]
        row["state"] = "late" if row["is_late"] and row["ended_at"] is None else str(row["state"])
        row["due_at_url"] = None
        row["id_url"] = str(request.app.url_path_for("digest", run_id=row["id"]))
    older = found[MOST - 1]["id"] if len(found) > MOST else None
    return page(request, "nights.html", nights=found[:MOST], schedules=schedules, older=older)


@view()
def night(request: Request) -> Response:
    """The digest of a night, as `docmill digest` writes it."""
    store: Store = request.app.state.store
    language = request.query_params.get("language", "en")
    if language not in ("en", "ko"):
        raise HTTPException(400, "The language is en or ko.")
    return HTMLResponse(
        digest(store, int(request.path_params["run_id"]), language),
        headers={"content-security-policy": ONE_FILE},
    )


ROUTES = [Route("/nights", nights, name="nights"), Route("/nights/{run_id:int}", night, name="digest")]
