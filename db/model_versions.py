"""Names of models: register a version, find one by name, move an alias."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, func, insert, select, update
from sqlalchemy.orm import Session

from db import bulk, gates, held_out, run_messages
from db.errors import ConflictError, NotFoundError
from db.gates import Judgement
from db.results import Rows
from db.sql import one_of
from db.tables import (
    Base,
    Job,
    Model,
    ModelAlias,
    ModelMetric,
    ModelVersion,
)
from db.tables.base import tables_of
from db.tables.model import ModelFigure

#: The alias that a job gets if it asks for a name without a version.
CHAMPION = "champion"
#: How the names of kinds that train begin. A model of another maker was imported.
_TRAIN = "train-"


@dataclass(frozen=True, slots=True)
class Version:
    """One model version as others see it."""

    id: int
    model: str
    kind: str
    version: int
    path: str
    manifest_sha256: str
    created_at: datetime
    parameters: dict[str, Any]

    @property
    def ref(self) -> str:
        return f"{self.model}@{self.version}"


@dataclass(frozen=True, slots=True)
class Registered:
    """A model that was built, and whether it is the champion."""

    version: int
    is_champion: bool
    #: For people: why it is, or is not, the champion.
    note: str


def resolve(session: Session, ref: str, *makers: str) -> Version:
    """The version that NAME, NAME@3 or NAME@alias stands for, made by one of these; NotFoundError says what there is
    instead."""
    name, _, which = ref.partition("@")
    model = session.scalar(select(Model).where(Model.name == name))
    if model is None:
        there_are = session.scalars(
            select(Model.name).where(Model.kind.in_(makers)).order_by(Model.name)
        ).all()
        raise NotFoundError(
            f"there is no model {name!r} (of this kind there are: {', '.join(there_are) or 'none'}); "
            f"{' or '.join(_how_to_make(maker, name) for maker in makers)} makes it"
        )
    if model.kind not in makers:
        raise ConflictError(
            f"model {name!r} was made by {model.kind}, and one made by {' or '.join(makers)} is needed"
        )
    query = _versions().where(ModelVersion.model_id == model.id)
    if which.isdigit():
        query = query.where(ModelVersion.version == int(which))
    else:
        query = query.join(ModelAlias, ModelAlias.model_version_id == ModelVersion.id).where(
            ModelAlias.alias == (which or CHAMPION)
        )
    # Held until the caller's transaction ends, so that nobody prunes a version that a job is being submitted with.
    held = query.add_columns(ModelVersion.pruned_at).with_for_update(
        of=ModelVersion, key_share=True, read=True
    )
    row = session.execute(held).one_or_none()
    if row is not None and row.pruned_at is not None:
        raise NotFoundError(
            f"the files of model {name}@{row.version} were deleted on {row.pruned_at:%Y-%m-%d} by retention: "
            "`docmill models list` shows the versions that are there"
        )
    if row is None:
        raise NotFoundError(
            f"model {name!r} has no version {which or CHAMPION!r}: `docmill models list` shows them"
        )
    return Version(*row[:-1])


def sole_model(session: Session, *makers: str) -> str:
    """The name of the only model that one of these has made; NotFoundError if there is none or a choice."""
    names = session.scalars(select(Model.name).where(Model.kind.in_(makers)).order_by(Model.name)).all()
    if len(names) == 1:
        return names[0]
    if names:
        raise NotFoundError(f"there are several models ({', '.join(names)}): choose one with --model NAME")
    how = " or ".join(_how_to_make(maker) for maker in makers)
    raise NotFoundError(f"there is no model yet: make one with {how}")


def _how_to_make(maker: str, name: str | None = None) -> str:
    """The command that makes a model."""
    if maker.startswith(_TRAIN):
        return f"`docmill train {maker.removeprefix(_TRAIN)}{f' --model {name}' if name else ''}`"
    return f"`docmill models import PACKAGE --name {name or 'NAME'}`"


def by_id(session: Session, version_id: int) -> Version:
    """The version of this number."""
    return Version(*session.execute(_versions().where(ModelVersion.id == version_id)).one())


def job_of(session: Session, version_id: int) -> int | None:
    """The job that trained a version; None if it was imported."""
    return session.scalars(select(ModelVersion.job_id).where(ModelVersion.id == version_id)).one()


def with_that_of(session: Session, job_id: int) -> list[dict[str, Any]]:
    """The version that a job trained and then the others of its model, as `listing` has them; empty if it made none."""
    made = session.execute(_versions().where(ModelVersion.job_id == job_id)).one_or_none()
    if made is None:
        return []
    of_job = Version(*made)
    return sorted(listing(session, of_job.model), key=lambda one: one["id"] != of_job.id)


def listing(session: Session, name: str | None = None, newest: int | None = None) -> list[dict[str, Any]]:
    """Versions, newest first, each with its aliases and metrics; with `newest`, of each model at most so many, and
    those that have an alias."""
    query = _versions().order_by(Model.name, ModelVersion.version.desc())
    if name is not None:
        query = query.where(Model.name == name)
    if newest is not None:
        query = query.where(ModelVersion.id.in_(_newest_and_named(newest)))
    found = [Version(*row) for row in session.execute(query)]
    if name is not None and not found:
        raise NotFoundError(f"there is no model {name!r}: `docmill models list` shows them")
    ids = [version.id for version in found]
    aliases: dict[int, list[str]] = {}
    of_found = select(ModelAlias.model_version_id, ModelAlias.alias)
    for id_, alias in session.execute(of_found.where(one_of(ModelAlias.model_version_id, ids))):
        aliases.setdefault(id_, []).append(alias)
    metrics: dict[int, dict[str, float]] = {}
    figures = select(ModelMetric.model_version_id, ModelMetric.name, ModelMetric.value)
    for id_, metric, value in session.execute(figures.where(one_of(ModelMetric.model_version_id, ids))):
        metrics.setdefault(id_, {})[metric] = value
    gone = select(ModelVersion.id, ModelVersion.pruned_at).where(
        ModelVersion.pruned_at.is_not(None), one_of(ModelVersion.id, ids)
    )
    pruned = {row.id: row.pruned_at for row in session.execute(gone)}
    judged = gates.of_many(session, ids)
    beside = [one.champion_version_id for one in judged.values() if one.champion_version_id is not None]
    numbers_of = select(ModelVersion.id, ModelVersion.version).where(one_of(ModelVersion.id, beside))
    numbers = {row.id: row.version for row in session.execute(numbers_of)}
    return [
        {
            "id": version.id,
            "model": version.model,
            "version": version.version,
            "kind": version.kind,
            "aliases": sorted(aliases.get(version.id, ())),
            "metrics": metrics.get(version.id, {}),
            "gate": _gate(judged.get(version.id), numbers),
            "parameters": version.parameters,
            "created_at": version.created_at,
            "path": version.path,
            "pruned_at": pruned.get(version.id),
        }
        for version in found
    ]


def _newest_and_named(newest: int) -> Select[int]:
    place = func.row_number().over(partition_by=ModelVersion.model_id, order_by=ModelVersion.version.desc())
    numbered = select(ModelVersion.id, place.label("place")).subquery()
    named = select(ModelAlias.model_version_id)
    return select(numbered.c.id).where((numbered.c.place <= newest) | numbered.c.id.in_(named))


def figure_tables() -> set[str]:
    """The tables of figures of model versions, beside their metrics."""
    return tables_of(ModelFigure)


def figures(session: Session, version_id: int) -> dict[str, list[dict[str, Any]]]:
    """The rows of a model version in each table of figures, in order."""
    found = {}
    for name in sorted(figure_tables()):
        table = Base.metadata.tables[name]
        columns = [column for column in table.c if column.name != "model_version_id"]
        query = (
            select(*columns)
            .where(table.c.model_version_id == version_id)
            .order_by(*table.primary_key.columns)
        )
        found[name] = [dict(row) for row in session.execute(query).mappings()]
    return found


def champion(session: Session, name: str) -> Version | None:
    """The version that jobs get for this name; None if there is no such model."""
    query = (
        _versions()
        .join(ModelAlias, ModelAlias.model_version_id == ModelVersion.id)
        .where(Model.name == name, ModelAlias.alias == CHAMPION)
    )
    row = session.execute(query).one_or_none()
    return Version(*row) if row is not None else None


def metrics(session: Session, version_id: int) -> dict[str, float]:
    """The metrics of a version from its training, by name."""
    query = select(ModelMetric.name, ModelMetric.value).where(ModelMetric.model_version_id == version_id)
    return {row.name: row.value for row in session.execute(query)}


def register(
    session: Session,
    job_id: int,
    path: str,
    manifest_sha256: str,
    metrics: dict[str, float],
    judgement: Judgement | None = None,
    figures: dict[str, Rows] | None = None,
) -> Registered:
    """Store what a training job built as the next version of its model. It becomes the champion if there is
    none yet, if its kind has no gate, or if the gate passed it beside the current champion. The job's note says which,
    and whether it was measured on too few documents. Call it in the transaction that closes the job's chunk, so that a
    job makes one version."""
    job = session.execute(select(Job.kind, Job.model_ref, Job.parameters).where(Job.id == job_id)).one()
    model = locked(session, job.model_ref or job.kind, job.kind)
    newest = select(func.max(ModelVersion.version)).where(ModelVersion.model_id == model.id)
    version = ModelVersion(
        model_id=model.id,
        version=(session.scalar(newest) or 0) + 1,
        job_id=job_id,
        path=path,
        manifest_sha256=manifest_sha256,
        parameters=job.parameters,
    )
    session.add(version)
    session.flush()
    rows = [{"model_version_id": version.id, "name": name, "value": value} for name, value in metrics.items()]
    if rows:
        session.execute(insert(ModelMetric), rows)
    for table, found in (figures or {}).items():
        owner = ("model_version_id", version.id)
        bulk.insert_tuples(
            session,
            Base.metadata.tables[table],
            found.columns,
            found.values,
            owner=owner,
            skip_existing=False,
        )
    if judgement is not None:
        gates.write(session, version.id, judgement)
    refusal = _refusal(session, model, judgement)
    if not refusal:
        point(session, model.id, CHAMPION, version.id)
    note = refusal or f"{model.name}@{version.version} is the champion now"
    if doubt := held_out.doubt(metrics):
        note += f"; {doubt}"
    session.execute(update(Job).where(Job.id == job_id).values(model_version_id=version.id, note=note))
    if judgement is not None and not judgement.passed and refusal:
        run_messages.model_refused(session, job_id, model.name, version.version, note)
    return Registered(version.version, not refusal, note)


def _refusal(session: Session, model: Model, judgement: Judgement | None) -> str:
    """Why a new version does not replace the champion; nothing if it does."""
    current = champion(session, model.name)
    if current is None or judgement is None:
        return ""
    stays = f"{current.ref} stays the champion"
    if judgement.champion_version_id != current.id:
        return f"{stays}: it became that while the new version was being judged beside another"
    return "" if judgement.passed else f"{stays}, the gate refused the new version: {judgement}"


def promote(session: Session, ref: str, alias: str = CHAMPION, *, force: bool = False) -> Version:
    """Point an alias to a version; the version before is kept for `rollback`. A version that the gate refused becomes
    champion only with `force`; else ConflictError gives its figures and thresholds."""
    name, _, which = ref.partition("@")
    model = _by_name(session, name)
    if not which:
        raise ConflictError(f"say which version: {name}@1, say; `docmill models show {name}` lists them")
    version = resolve(session, ref, model.kind)
    judgement = gates.of(session, version.id)
    if alias == CHAMPION and not force and judgement is not None and not judgement.passed:
        raise ConflictError(
            f"the gate refuses {version.ref}: {judgement}. "
            f"`docmill models promote {version.ref} --force` promotes it all the same"
        )
    point(session, model.id, alias, version.id)
    return version


def rollback(session: Session, name: str, alias: str = CHAMPION) -> Version:
    """Point an alias to the version before again."""
    model = _by_name(session, name)
    row = session.get(ModelAlias, (model.id, alias))
    if row is None or row.previous_version_id is None:
        raise ConflictError(f"{name}@{alias} has never stood for another version")
    point(session, model.id, alias, row.previous_version_id)
    return by_id(session, row.model_version_id)


def check_name(session: Session, name: str, kind: str) -> None:
    """Refuse a model name for training that is malformed or belongs to another kind of model."""
    if not name or "@" in name or not name.isprintable() or len(name) > 100 or name != name.strip():
        raise ConflictError(f"{name!r} is no name for a model: use letters, digits, - and _, and no @")
    kind_before = session.scalar(select(Model.kind).where(Model.name == name))
    if kind_before is not None and kind_before != kind:
        raise ConflictError(f"model {name!r} was made by {kind_before}: choose another name")


def _gate(judgement: Judgement | None, versions: dict[int, int]) -> dict[str, Any] | None:
    """A judgement as plain values; `versions` are the numbers of the versions that it may be beside."""
    if judgement is None:
        return None
    beside = judgement.champion_version_id
    return {
        "passed": judgement.passed,
        "beside_version": versions[beside] if beside is not None else None,
        "figures": [asdict(figure) for figure in judgement.figures],
        "words": str(judgement),
    }


def _versions() -> Select[int, str, str, int, str, str, datetime, dict[str, Any]]:
    return select(
        ModelVersion.id, Model.name, Model.kind, ModelVersion.version, ModelVersion.path,
        ModelVersion.manifest_sha256, ModelVersion.created_at, ModelVersion.parameters,
    ).join(Model, Model.id == ModelVersion.model_id)  # fmt: skip


def _by_name(session: Session, name: str) -> Model:
    model = session.scalar(select(Model).where(Model.name == name))
    if model is None:
        raise NotFoundError(f"there is no model {name!r}: `docmill models list` shows them")
    return model


def locked(session: Session, name: str, kind: str) -> Model:
    """The model's row, locked, or a new one: two trainings of one name get two versions."""
    model = session.scalar(select(Model).where(Model.name == name).with_for_update())
    if model is None:
        model = Model(name=name, kind=kind)
        session.add(model)
        session.flush()
    return model


def point(session: Session, model_id: int, alias: str, version_id: int) -> None:
    """An alias stands for a version from now on; the one before is kept for `rollback`."""
    row = session.get(ModelAlias, (model_id, alias))
    if row is None:
        session.add(ModelAlias(model_id=model_id, alias=alias, model_version_id=version_id))
    elif row.model_version_id != version_id:
        row.previous_version_id, row.model_version_id = row.model_version_id, version_id
    session.flush()
