"""Model versions that nobody needs: their files and vectors go, their rows and figures stay, since results name them.

Needed is a version that an alias stands for, or stood for before (for a rollback), that a job which has not ended uses,
that a job, schedule or parameter names, and the newest versions of each model.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Table, and_, delete, exists, func, or_, select, update
from sqlalchemy.orm import Session, aliased

from db import results
from db.retention.policy import OfVectors, OfVersions
from db.retention.steps import Place, Step, names_in_use
from db.sql import now, one_of
from db.states import ENDED
from db.tables import Base, Job, Model, ModelAlias, ModelVersion, Schedule


@dataclass(frozen=True, slots=True)
class Rules:
    """What decides about vectors."""

    vectors: OfVectors | None
    models: OfVersions | None


def step(session: Session, rule: OfVersions, after: Place, limit: int, *, really: bool) -> Step:  # noqa: ARG001
    """The next version that may go."""
    version = _next(session, after, *_is_old(rule))
    if version is None:
        return Step()
    if really:
        # A job that is being submitted has this row locked: after that its job is there to be seen.
        locked = select(ModelVersion).where(ModelVersion.id == version.id, ~_is_needed()).with_for_update()
        if session.scalar(locked) is None or _is_named(session, version):
            return Step(next=Place(version.id))
        pruned = update(ModelVersion).where(ModelVersion.id == version.id, ~_is_needed())
        session.execute(pruned.values(pruned_at=now()))
    elif _is_named(session, version):
        return Step(next=Place(version.id))
    counts = Counter({"model versions": 1})
    for table in _kept():
        mine = table.c.model_version_id == version.id
        counts[f"rows of {table.name}"] += (
            session.scalar(select(func.count()).select_from(table).where(mine)) or 0
        )
    return Step(+counts, Place(version.id), (version.path,) if really else ())


def vectors_step(session: Session, rules: Rules, after: Place, limit: int, *, really: bool) -> Step:
    """Some vectors of one model version: of one that is pruned, whose vectors are counted already, or of one that is
    not in use."""
    is_free: ColumnElement[bool] = ModelVersion.pruned_at.is_not(None)
    if rules.vectors is not None:
        is_old = ModelVersion.created_at < now(-rules.vectors.older_than)
        is_free = or_(is_free, and_(~_is_needed(), is_old))
    if not really:
        is_free = and_(is_free, ModelVersion.pruned_at.is_(None))
        if rules.models is not None:
            is_free = and_(is_free, ~and_(*_is_old(rules.models)))
    has_vectors = or_(*(exists().where(table.c.model_version_id == ModelVersion.id) for table in _kept()))
    query = select(ModelVersion).where(ModelVersion.id > after.first, is_free, has_vectors)
    version = session.scalar(query.order_by(ModelVersion.id).limit(1))
    if version is None:
        return Step()
    if version.pruned_at is None and _is_named(session, version):
        return Step(next=Place(version.id))
    counts: Counter[str] = Counter()
    for table in _kept():
        mine = table.c.model_version_id == version.id
        ids = session.scalars(select(table.c.document_id).where(mine).limit(limit if really else None)).all()
        if really:
            session.execute(delete(table).where(mine, one_of(table.c.document_id, ids)))
        counts[f"rows of {table.name}"] += len(ids)
    # As long as it has vectors, the same version is the next.
    following = Place(version.id - 1 if really else version.id)
    return Step(+counts if version.pruned_at is None else Counter(), following)


def folders(session: Session) -> list[str]:
    """The folders of pruned versions: a step that was killed may have left files."""
    return list(session.scalars(select(ModelVersion.path).where(ModelVersion.pruned_at.is_not(None))))


def _kept() -> list[Table]:
    return [Base.metadata.tables[name] for name in sorted(results.by_model_version())]


def _next(session: Session, after: Place, *conditions: ColumnElement[bool]) -> ModelVersion | None:
    query = select(ModelVersion).where(
        ModelVersion.id > after.first, ModelVersion.pruned_at.is_(None), ~_is_needed(), *conditions
    )
    return session.scalar(query.order_by(ModelVersion.id).limit(1))


def _is_old(rule: OfVersions) -> tuple[ColumnElement[bool], ...]:
    newer = aliased(ModelVersion)
    n_newer = (
        select(func.count())
        .where(newer.model_id == ModelVersion.model_id, newer.version > ModelVersion.version)
        .scalar_subquery()
    )
    return (ModelVersion.created_at < now(-rule.older_than), n_newer >= rule.keep_last)


def _is_needed() -> ColumnElement[bool]:
    return or_(
        exists().where(
            or_(
                ModelAlias.model_version_id == ModelVersion.id,
                ModelAlias.previous_version_id == ModelVersion.id,
            )
        ),
        exists().where(Job.model_version_id == ModelVersion.id, Job.state.not_in(ENDED)),
    )


def _is_named(session: Session, version: ModelVersion) -> bool:
    """Whether NAME@3 stands in a job that has not ended, or in a schedule."""
    name = session.scalars(select(Model.name).where(Model.id == version.model_id)).one()
    ref = f"{name}@{version.version}"
    return ref in names_in_use(session) or any(ref in _texts(each) for each in _requests(session))


def _requests(session: Session) -> Iterator[object]:
    for requests in session.scalars(select(Schedule.requests).where(Schedule.removed_at.is_(None))):
        yield from requests


def _texts(value: object) -> set[str]:
    """Every text in a value of JSON."""
    if isinstance(value, str):
        return {value}
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return {text for each in inner for text in _texts(each)}
