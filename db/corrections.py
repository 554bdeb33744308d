"""Corrections: labels that people gave where a model is used, for the model's next training to learn from.

A model is used in a collection if a job over that collection ran with one of its versions. Labels that were given in
the collections that it is trained on are learned in any case.
"""

from __future__ import annotations

from collections.abc import Collection as Several
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from db.tables import Collection, Document, GivenLabel, Job, Model, ModelVersion


@dataclass(frozen=True, slots=True)
class Sources:
    """What a training learns from, beside its first collection."""

    #: The numbers of further collections, of which all labelled documents are taken.
    collections: tuple[int, ...] = ()
    #: Whether it takes the corrections too.
    corrections: bool = False

    @classmethod
    def of_job(cls, job: Job) -> Sources:
        found = job.sources or {}
        return cls(tuple(found.get("collections", ())), bool(found.get("corrections", False)))

    def as_json(self) -> dict[str, Any] | None:
        """None for nothing beside the first collection."""
        return None if self == Sources() else {**asdict(self), "collections": list(self.collections)}


def since(session: Session, model: str) -> int:
    """How many documents were given a label since the newest version's training was submitted, where the model is
    used or was trained; all of them for a model without a version, 0 for a name that no training and no job has had."""
    trained_at = _trained_at(session, model)
    where = used_in(session, model) | _trained_on(session, model)
    keys = (
        select(GivenLabel.collection_id, GivenLabel.document_key)
        .where(GivenLabel.collection_id.in_(where), GivenLabel.rank == 1)
        .where(*([] if trained_at is None else [GivenLabel.given_at > trained_at]))
    )
    return int(session.scalar(select(func.count()).select_from(keys.subquery())) or 0)


def used_in(session: Session, model: str) -> set[int]:
    """The numbers of the collections over which a job ran with a version of this model."""
    query = (
        select(Job.collection_id)
        .join(ModelVersion, ModelVersion.id == Job.model_version_id)
        .join(Model, Model.id == ModelVersion.model_id)
        .where(Model.name == model)
        .distinct()
    )
    return set(session.scalars(query))


def given_in(session: Session, collections: Several[int]) -> dict[int, tuple[str, ...]]:
    """The labels that the latest documents of these collections were given, by document id; none is ()."""
    query = (
        select(Document.id, GivenLabel.label)
        .join(
            GivenLabel,
            (GivenLabel.collection_id == Document.collection_id) & (GivenLabel.document_key == Document.key),
        )
        .where(Document.collection_id.in_(collections), Document.is_latest)
        .order_by(Document.id, GivenLabel.rank)
    )
    found: dict[int, tuple[str, ...]] = {}
    for id_, label in session.execute(query):
        found[id_] = found.get(id_, ()) + (() if label is None else (label,))
    return found


def names(session: Session, collections: Several[int]) -> list[str]:
    """The names of collections, in alphabetical order."""
    return list(
        session.scalars(
            select(Collection.name).where(Collection.id.in_(collections)).order_by(Collection.name)
        )
    )


def _trained_at(session: Session, model: str) -> datetime | None:
    """When the training of the newest version was submitted: labels that were given later may not be in it."""
    found: datetime | None = session.scalar(
        select(Job.created_at)
        .join(ModelVersion, ModelVersion.job_id == Job.id)
        .join(Model, Model.id == ModelVersion.model_id)
        .where(Model.name == model)
        .order_by(ModelVersion.version.desc())
        .limit(1)
    )
    return found


def _trained_on(session: Session, model: str) -> set[int]:
    trainings = session.scalars(
        select(Job)
        .join(ModelVersion, ModelVersion.job_id == Job.id)
        .join(Model, Model.id == ModelVersion.model_id)
        .where(Model.name == model)
    )
    return {number for job in trainings for number in (job.collection_id, *Sources.of_job(job).collections)}
