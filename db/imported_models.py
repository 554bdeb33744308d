"""Versions of models that were imported and not trained: no job has made them, and no gate has judged them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

from db import model_versions
from db.model_versions import CHAMPION, Version
from db.tables import Model, ModelMetric, ModelVersion


def check(session: Session, name: str, maker: str) -> None:
    """Refuse a name that is none for a model, or belongs to models of another maker, with ConflictError."""
    model_versions.check_name(session, name, maker)


def same(session: Session, name: str, manifest_sha256: str) -> Version | None:
    """The version of a model that has exactly these files; None if there is none."""
    query = (
        select(ModelVersion.id)
        .join(Model, Model.id == ModelVersion.model_id)
        .where(
            Model.name == name,
            ModelVersion.manifest_sha256 == manifest_sha256,
            ModelVersion.pruned_at.is_(None),
        )
        .order_by(ModelVersion.version.desc())
        .limit(1)
    )
    found = session.scalar(query)
    return None if found is None else model_versions.by_id(session, found)


def register(
    session: Session,
    name: str,
    maker: str,
    path: str,
    manifest_sha256: str,
    parameters: dict[str, Any],
    metrics: dict[str, float],
) -> Version:
    """Store imported files as the next version of a model, and make it the champion. ConflictError as for `check`."""
    check(session, name, maker)
    model = model_versions.locked(session, name, maker)
    newest = select(func.max(ModelVersion.version)).where(ModelVersion.model_id == model.id)
    version = ModelVersion(
        model_id=model.id,
        version=(session.scalar(newest) or 0) + 1,
        path=path,
        manifest_sha256=manifest_sha256,
        parameters=parameters,
    )
    session.add(version)
    session.flush()
    rows = [{"model_version_id": version.id, "name": each, "value": value} for each, value in metrics.items()]
    session.execute(insert(ModelMetric), rows)
    model_versions.point(session, model.id, CHAMPION, version.id)
    return model_versions.by_id(session, version.id)
