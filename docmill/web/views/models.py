"""Models: their versions with figures and gates, the page of a version, promote and roll back."""

from __future__ import annotations

from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from db import growth, model_versions
from db.access import Role
from db.errors import NotFoundError
from db.store import Store
from docmill.commands import model_figures
from docmill.pages.registry import version_page
from docmill.web import svg
from docmill.web.access import view
from docmill.web.rendering import ONE_FILE, page

Version = dict[str, Any]
Row = dict[str, Any]

#: Versions of a model that are listed, and that are put beside each other.
SHOWN, COMPARED = 10, 6
#: Versions in the chart of a figure.
CHARTED = 30


@view()
def models(request: Request) -> Response:
    """Every version of every model."""
    store: Store = request.app.state.store
    with store.read() as session:
        versions = model_versions.listing(session, newest=SHOWN)
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


@view()
def compare(request: Request) -> Response:
    """The versions of a model beside each other: figures, gates, parameters."""
    store: Store = request.app.state.store
    name = request.query_params.get("model", "")
    with store.read() as session:
        every = model_versions.listing(session, name, newest=CHARTED)
        moves = growth.last_moves_of_versions(session, [one["id"] for one in every])
    shown = [one for place, one in enumerate(every) if place < COMPARED or one["aliases"]]
    names = sorted({metric for one in shown for metric in one["metrics"]})
    parameters = sorted({parameter for one in shown for parameter in one["parameters"]})
    return page(
        request, "compare.html", name=name, kind=every[0]["kind"], versions=shown, metrics=names,
        n_more=len(every) - len(shown), chart=_chart(every, model_figures.first_of(every[0])),
        # Those that differ, since the others explain nothing.
        parameters=[one for one in parameters if len({repr(v["parameters"].get(one)) for v in shown}) > 1],
        told={one["version"]: model_figures.gate_in_short(one["gate"]) for one in shown},
        pages={one["version"] for one in shown if _has_page(one)},
        moves={one["version"]: moves[one["id"]] for one in shown if one["id"] in moves},
    )  # fmt: skip


def _chart(versions: list[Version], metric: str | None) -> Row | None:
    """A figure over the versions, the oldest first."""
    found = [(one["version"], one["metrics"][metric]) for one in versions[::-1] if metric in one["metrics"]]
    if metric is None or len(found) < 2 or min(value for _, value in found) < 0:
        return None
    told = [f"version {number}: {value:.4g}" for number, value in found]
    drawn = svg.bars([value for _, value in found], told, f"{metric} by version")
    return {"metric": metric, "chart": drawn, "first": found[0], "last": found[-1]}


@view(Role.OPERATE)
def move(request: Request) -> Response:
    """Ask, naming what will change; then make a version the champion, or go back to the one before."""
    store: Store = request.app.state.store
    form = request.state.form
    name, action = form.get("model", [""])[0], form.get("action", [""])[0]
    version = form.get("version", [""])[0]
    if action not in ("promote", "rollback") or (action == "promote" and not _is_number(version)):
        raise HTTPException(400, "Choose a version to promote, or roll back.")
    if not form.get("confirmed"):
        with store.read() as session:
            champion = model_versions.champion(session, name)
            every = model_versions.listing(session, name, newest=SHOWN)
        return page(
            request, "confirm_model.html", name=name, action=action, version=version, champion=champion,
            before=next((v for v in every if champion and v["version"] == champion.version), None),
            after=next((v for v in every if str(v["version"]) == version), None),
        )  # fmt: skip
    with store.write() as session:
        if action == "rollback":
            model_versions.rollback(session, name)
        else:
            model_versions.promote(session, f"{name}@{version}")
    return RedirectResponse(str(request.app.url_path_for("models")), 303)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 10


def _has_page(version: Version) -> bool:
    try:
        version_page(version)
    except ValueError:
        return False
    return True


ROUTES = [
    Route("/models", models, name="models"),
    Route("/models/compare", compare, name="compare"),
    Route("/models/figures", figures, name="figures"),
    Route("/models/move", move, name="move_champion", methods=["POST"]),
]
