"""Whether a training is due: by what is new since the newest version of its model."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from db import drift, labels, selection
from db.sql import clock
from db.states import UNFINISHED
from db.tables import Document, Job, Model, ModelVersion
from scheduler.nights.definition import WhenTable, seconds_of, share_or_number


@dataclass(frozen=True)
class Due:
    """Whether a training is due, and why or why not, for people."""

    is_due: bool
    why: str


#: If the file says nothing.
ANYTHING_NEW = WhenTable(new_documents=1, corrections=1)


def due(
    session: Session,
    kind: str,
    model: str,
    collection: int | None,
    when: WhenTable | None,
    *,
    n_coming: int,
    labelled_only: bool,
    learns_labels: bool,
) -> Due:
    """Whether a model has to be trained on a collection to which `n_coming` documents will be added. Corrections count
    where the model is used, too, if its training learns them."""
    pending = session.scalar(
        select(func.max(Job.id)).where(Job.kind == kind, Job.model_ref == model, Job.state.in_(UNFINISHED))
    )
    if pending is not None:
        return Due(False, f"job {pending} trains it already")
    newest = session.execute(
        select(Job.created_at, ModelVersion.created_at)
        .join(ModelVersion, ModelVersion.job_id == Job.id)
        .join(Model, Model.id == ModelVersion.model_id)
        .where(Model.name == model, Model.kind == kind)
        .order_by(ModelVersion.version.desc())
        .limit(1)
    ).one_or_none()
    if newest is None:
        return Due(True, "there is no version yet")
    n_corrections = labels.corrections_since(session, model) if learns_labels else 0
    found = _facts(
        session, collection, newest[0], newest[1], n_coming, n_corrections, labelled_only=labelled_only
    )
    # It reads every label that the model gave, so only if it is asked for.
    drifted = drift.of(session, model) if when is not None and when.drift is not None else None
    return _judged(when or ANYTHING_NEW, replace(found, drift=drifted))


@dataclass(frozen=True, slots=True)
class _Facts:
    n_new: int
    n_all: int
    n_corrections: int
    age_seconds: float
    drift: drift.Drift | None = None

    @property
    def share(self) -> float:
        return self.n_new / self.n_all if self.n_all else 0.0


def _facts(
    session: Session,
    collection: int | None,
    began_at: datetime,
    made_at: datetime,
    n_coming: int,
    n_corrections: int,
    *,
    labelled_only: bool,
) -> _Facts:
    latest = selection.latest(collection or 0, labelled_only=labelled_only).subquery()
    n_all = session.scalar(select(func.count()).select_from(latest)) or 0
    n_new = session.scalar(
        select(func.count())
        .select_from(latest)
        .join(Document, Document.id == latest.c.id)
        .where(Document.added_at > began_at)
    )
    age = (clock(session) - made_at).total_seconds()
    return _Facts((n_new or 0) + n_coming, n_all + n_coming, n_corrections, age)


def _judged(when: WhenTable, found: _Facts) -> Due:
    told = (
        f"{found.n_new:,} documents are new ({found.share:.1%}), {found.n_corrections:,} labels were corrected, "
        f"it is {_age(found.age_seconds)} old"
    )
    if found.drift is not None:
        told += f", {_of_drift(found.drift)}"
    return Due(any(_reached(when, found)), told)


def _reached(when: WhenTable, found: _Facts) -> list[bool]:
    reached = []
    if when.new_documents is not None:
        least, is_share = share_or_number(when.new_documents)
        reached.append(found.n_new > 0 and (found.share if is_share else found.n_new) >= least)
    if when.corrections is not None:
        reached.append(found.n_corrections >= when.corrections)
    if when.older_than is not None:
        reached.append(found.age_seconds >= seconds_of(when.older_than))
    if when.drift is not None and found.drift is not None and found.drift.psi is not None:
        reached.append(found.drift.psi >= when.drift)
    return reached


def _of_drift(found: drift.Drift) -> str:
    if found.psi is not None:
        return f"its labels have drifted by {found.psi:.3f}"
    few, which = (found.n_new, "new") if found.n_new < drift.LEAST_DOCUMENTS else (found.n_before, "earlier")
    return f"it has labelled {few:,} {which} documents, too few to measure drift ({drift.LEAST_DOCUMENTS})"


def _age(seconds: float) -> str:
    if seconds >= 86_400:
        return f"{seconds / 86_400:.0f} days"
    return f"{seconds / 3_600:.0f} hours" if seconds >= 3_600 else f"{seconds / 60:.0f} minutes"
