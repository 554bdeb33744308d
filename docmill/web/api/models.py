"""Models: their versions with figures, promote and roll back. The lists also suit OpenAI's clients."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field
from sqlalchemy.orm import Session

from db import model_versions
from db.access import Role
from db.errors import NotFoundError
from docmill.web.api.operation import Call, Model, Query, operation

Alias = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^@\s]+$")]


class ModelVersion(BaseModel):
    """A version of a model."""

    id: Annotated[str, Field(description="NAME@VERSION")]
    object: Literal["model"] = "model"
    created: Annotated[int, Field(description="seconds since 1970")]
    owned_by: Literal["docmill"] = "docmill"
    model: str
    version: int
    kind: Annotated[str, Field(description="the kind that trained it")]
    aliases: Annotated[list[str], Field(description="`champion` is what a job gets that names no version")]
    metrics: dict[str, float]
    gate: Annotated[
        dict[str, Any] | None, Field(description="whether it was accepted beside the champion, and why")
    ]
    parameters: dict[str, Any]
    created_at: datetime
    pruned_at: Annotated[datetime | None, Field(description="when retention deleted its files")]


class ModelWithFigures(ModelVersion):
    """A version with all its figures."""

    figures: Annotated[
        dict[str, list[dict[str, Any]]], Field(description="the rows of each table of figures")
    ]


class Models(BaseModel):
    """Versions of models, by name, the newest first."""

    object: Literal["list"] = "list"
    data: list[ModelVersion]


class WhichModels(Query):
    """Which models."""

    model: Annotated[str | None, Field(max_length=100, description="the versions of this one only")] = None


class Promote(Model):
    """What the version is to be called."""

    alias: Alias = model_versions.CHAMPION
    force: Annotated[bool, Field(description="also a version that the gate refused")] = False


class Rollback(Model):
    """Which alias goes back."""

    alias: Alias = model_versions.CHAMPION


@operation("GET", "/models", tag="models", query=WhichModels, answers=Models, problems=(404,))
def list_models(call: Call) -> Models:
    """Every version of every model."""
    with call.store.read() as session:
        found = model_versions.listing(session, call.query(WhichModels).model)
    return Models(data=[ModelVersion(**_plain(one)) for one in found])


@operation("GET", "/models/{model_id}", tag="models", answers=ModelWithFigures, problems=(404,))
def get_model(call: Call) -> ModelWithFigures:
    """A version with its figures. NAME alone is the champion; NAME@3 and NAME@alias are possible, too."""
    with call.store.read() as session:
        return _whole(session, call.path["model_id"])


@operation(
    "POST", "/models/{model_id}/promote", role=Role.OPERATE, tag="models", body=Promote, answers=ModelWithFigures,
    writes=True, problems=(404, 409),
)  # fmt: skip
def promote_model(call: Call, session: Session) -> ModelWithFigures:
    """Let an alias stand for this version: `champion`, unless told otherwise."""
    body = call.body(Promote)
    version = model_versions.promote(session, call.path["model_id"], body.alias, force=body.force)
    return _whole(session, version.ref)


@operation(
    "POST", "/models/{model_id}/rollback", role=Role.OPERATE, tag="models", body=Rollback, answers=ModelWithFigures,
    writes=True, problems=(404, 409),
)  # fmt: skip
def roll_back_model(call: Call, session: Session) -> ModelWithFigures:
    """Let an alias of the model of this name stand for the version before again."""
    name = call.path["model_id"].partition("@")[0]
    return _whole(session, model_versions.rollback(session, name, call.body(Rollback).alias).ref)


def _whole(session: Session, ref: str) -> ModelWithFigures:
    name, _, which = ref.partition("@")
    which = which or model_versions.CHAMPION
    for one in model_versions.listing(session, name):
        if which in (str(one["version"]), *one["aliases"]):
            return ModelWithFigures(**_plain(one), figures=model_versions.figures(session, one["id"]))
    raise NotFoundError(f"model {name!r} has no version {which!r}: `docmill models list` shows them")


def _plain(one: dict[str, Any]) -> dict[str, Any]:
    shown = {name: value for name, value in one.items() if name in ModelVersion.model_fields}
    return shown | {"id": f"{one['model']}@{one['version']}", "created": int(one["created_at"].timestamp())}


OPERATIONS = (list_models, get_model, promote_model, roll_back_model)
