"""Models: their versions with figures and gates, the page of a version, promote and roll back."""

from __future__ import annotations

from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from db import model_versions
from db.access import Role
from db.errors import NotFoundError
from db.store import Store
from docmill.commands import model_figures
from docmill.pages.night.page import POLICY as ONE_FILE
from docmill.pages.registry import version_page
from docmill.web.access import view
from docmill.web.rendering import page

Version = dict[str, Any]


@view()
def models(request: Request) -> Response:
    """Every version of every model."""
    store: Store = request.app.state.store
    with store.read() as session:
        versions = model_versions.listing(session)
    by_model: dict[str, list[Version]] = {}
    for version in versions:
        shown = version | {
            "figures": model_figures.in_short(version),
            "told": model_figures.gate_in_short(version["gate"]),
        }
        by_model.setdefault(version["model"], []).append(shown)
    return page(request, "models.html", models=by_model)


@view()
def figures(request: Request) -> Response:
    """The page with charts of a version, as `docmill models show --html` writes it."""
    store: Store = request.app.state.store
    name, number = request.query_params.get("model", ""), request.query_params.get("version", "")
    with store.read() as session:
        every = model_versions.listing(session, name)
        chosen = next((one for one in every if str(one["version"]) == number), None)
        if chosen is None:
            raise NotFoundError(f"{name} has no version {number}")
        whole = chosen | model_versions.figures(session, chosen["id"])
    text = version_page(whole).write(whole, every)
    # One file that carries its own style.
    return HTMLResponse(text, headers={"content-security-policy": ONE_FILE})


@view(Role.OPERATE)
def move(request: Request) -> Response:
    """Make a version the champion, or go back to the one before."""
    store: Store = request.app.state.store
    form = request.state.form
    name = form.get("model", [""])[0]
    with store.write() as session:
        if form.get("action") == ["rollback"]:
            model_versions.rollback(session, name)
        elif form.get("action") == ["promote"] and (version := form.get("version", [""])[0]).isdecimal():
            model_versions.promote(session, f"{name}@{version}")
        else:
            raise HTTPException(400, "Choose a version to promote, or roll back.")
    return RedirectResponse(str(request.app.url_path_for("models")), 303)


ROUTES = [
    Route("/models", models, name="models"),
    Route("/models/figures", figures, name="figures"),
    Route("/models/move", move, name="move_champion", methods=["POST"]),
]
