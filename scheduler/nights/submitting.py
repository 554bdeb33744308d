"""The job of a step: over exactly the documents of the plan."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import ColumnElement, Select, case, func, select, union
from sqlalchemy.orm import Session

from db import jobs, model_versions, where
from db.jobs import NewJob
from db.nights import plans, running, verdicts
from db.nights.plans import StepPlan
from db.nights.verdicts import REASONS, Verdict
from db.sql import one_of
from db.states import OutcomeState
from db.tables import Document, Night, NightPlanPart, NightStep, Outcome
from db.where import operands
from nlp_tasks.kind import Kind
from scheduler import requests
from scheduler.nights import planning
from scheduler.nights.reading import NightFile
from scheduler.nights.steps import EXTRACT, ORDERS, Step, order_of
from workers import kinds


@dataclass(frozen=True)
class NothingToDo:
    """A step that makes no job, and why."""

    why: str


@dataclass(frozen=True)
class Made:
    """The job that a step made."""

    job_id: int
    #: Planned documents that it does not have, since their text is another one now.
    n_moved: int = 0
    note: str | None = None


def submit(session: Session, night: Night, file: NightFile, step: Step) -> Made | NothingToDo:
    """Submit the job of a step. Raises as `requests.prepare` does if it cannot run now."""
    assert night.plan_id is not None
    planned = plans.load(session, night.plan_id).step(step.name)
    kind = kinds.find(step.action)
    if kind.train is not None:
        return _train(session, night, step, planned)
    if step.judges is not None:
        return _judge(session, night, file, step)
    if not planned.n_to_do and not planned.n_if_promoted:
        return NothingToDo(planned.note or "nothing to do")
    new = planning.resolve(session, step).new
    is_promoted = _is_promoted(session, night, file, step, planned, new)
    if planned.model_version_id is not None and not is_promoted:
        new = replace(new, model_version_id=planned.model_version_id)
    chosen, n_planned = _documents(session, night, file, step, kind, new, everything=is_promoted)
    made = _submit(session, night, step, replace(new, documents=_in_order(night, step, chosen)))
    if isinstance(made, NothingToDo):
        return made
    return replace(made, n_moved=0 if is_promoted else max(0, n_planned - _n_of(session, made.job_id)))


def _submit(session: Session, night: Night, step: Step, new: NewJob) -> Made | NothingToDo:
    from db.errors import NothingToDoError

    new = replace(new, key=f"night {night.id}: {step.name}", run_id=night.run_id)
    try:
        with session.begin_nested():
            return Made(jobs.submit(session, new).job_id)
    except NothingToDoError as error:
        return NothingToDo(f"{error}" if new.documents is None else "nothing of the plan is left to do")


def _train(session: Session, night: Night, step: Step, planned: StepPlan) -> Made | NothingToDo:
    if not planned.n_to_do:
        return NothingToDo(planned.note or "not due")
    return _submit(session, night, step, requests.prepare(session, planning.request_of(step)))


def _judge(session: Session, night: Night, file: NightFile, step: Step) -> Made | NothingToDo:
    """Over the documents that the judged job has done."""
    wanted, judged = step.judges, planning.judged_step(step, file.steps)
    job_id = _job_of(session, night, judged) if judged is not None else None
    if wanted is None or judged is None or job_id is None:
        return NothingToDo(f"{judged.name if judged else 'the step before'} had nothing to do")
    request = planning.request_of(step)
    given = {**request.parameters, wanted.parameter: job_id}
    new = requests.prepare(session, replace(request, parameters=given))
    done = select(Outcome.document_id).where(Outcome.job_id == job_id, Outcome.state == OutcomeState.OK)
    chosen = select(Document.id, Document.body_chars).where(Document.id.in_(done))
    return _submit(session, night, step, replace(new, documents=chosen))


def _is_promoted(
    session: Session, night: Night, file: NightFile, step: Step, planned: StepPlan, new: NewJob
) -> bool:
    """Whether a training of this night has made the version that the step would use now, in place of the planned."""
    if planned.model_version_id is None or new.model_version_id in (None, planned.model_version_id):
        return False
    version = model_versions.by_id(session, new.model_version_id or 0)
    makers = [
        one
        for one in file.steps
        if one.number in step.waits_for and one.action == kinds.find(step.action).model_from
    ]
    made = {_job_of(session, night, one) for one in makers} - {
        None
    }  # a step without a job, an imported model
    return model_versions.job_of(session, version.id) in made


def _job_of(session: Session, night: Night, step: Step) -> int | None:
    return session.scalar(
        select(NightStep.job_id).where(NightStep.night_id == night.id, NightStep.step == step.number)
    )


# --- documents ----------------------------------------------------------------------------------------------------


def _documents(
    session: Session, night: Night, file: NightFile, step: Step, kind: Kind, new: NewJob, *, everything: bool
) -> tuple[Any, int]:
    """The ids of the documents, as a query; and how many were planned, without those from files."""
    plan_id = night.plan_id or 0
    collection = new.collection_id
    come = running.come(session, plan_id, step.number, collection)
    came = select(Document.id).where(one_of(Document.id, come or (0,)))
    if step.table.where is not None and come:
        came = came.where(where.where(session, step.table.where, collection))
    parts = [running.planned_documents(plan_id, step.number, collection), came]
    extracted = None if kind.over_files else _extraction(session, night, file, step)
    if everything or extracted is not None:
        chosen = planning.chosen_of(session, step, collection)
        if not everything:
            chosen = chosen.where(Document.id.in_(running.made_by(extracted or 0, collection)))
        parts.append(_not_standing(session, step, kind, new, chosen))
    n_planned = session.scalar(
        select(func.coalesce(func.sum(NightPlanPart.n_documents), 0)).where(
            NightPlanPart.plan_id == plan_id,
            NightPlanPart.step == step.number,
            NightPlanPart.reason != str(Verdict.FROM_FILE),
        )
    )
    return union(*parts).subquery("wanted"), int(n_planned or 0)


def _extraction(session: Session, night: Night, file: NightFile, step: Step) -> int | None:
    """The job of the extraction that a step waited for."""
    before = [one for one in file.steps if one.number in step.waits_for and one.action == EXTRACT]
    return next((job for one in before if (job := _job_of(session, night, one)) is not None), None)


def _not_standing(
    session: Session, step: Step, kind: Kind, new: NewJob, chosen: Select[*tuple[Any, ...]]
) -> Any:
    """Of some documents (id, characters), those without a result that stands."""
    from db import work

    alike = work.compared(session, new.work, new.collection_id)
    judged = verdicts.of_each(session, kind.name, alike, chosen, planning.retry_of(step.table)).subquery()
    return select(judged.c.id).where(judged.c.verdict.in_([str(reason) for reason in REASONS]))


def _in_order(night: Night, step: Step, wanted: Any) -> Select[*tuple[Any, ...]]:
    """(id, characters, place, ...): first what was carried over, then by value."""
    query: Select[*tuple[Any, ...]] = select(Document.id, Document.body_chars).where(
        Document.id.in_(select(wanted.c.id)), Document.is_latest
    )
    if step.table.value is None:
        return query
    carried = running.carried(night.plan_id or 0, step.number)
    first = case((Document.id.in_(carried), 0), else_=1).label("carried")
    return query.add_columns(first, _place(step.table.value).label("place"))


def _place(value: str) -> ColumnElement[Any]:
    """A number for each document, from 1, in the order of a value; documents without it come last."""
    name, is_descending = order_of(value)
    missing, *columns = _columns(name)
    ordered = [column.desc() if is_descending else column.asc() for column in columns]
    return func.row_number().over(order_by=(case((missing.is_(None), 1), else_=0), *ordered, Document.id))


def _columns(name: str) -> list[ColumnElement[Any]]:
    """What documents are ordered by, after the one that is missing where there is no value: a column of theirs, or a
    field of the metadata, as a number where it is one."""
    if name in ORDERS:
        column: ColumnElement[Any] = getattr(Document, ORDERS[name])
        return [column, column]
    field = operands.in_meta(name.split("."))
    number = func.coalesce(field.number, 0.0)
    return [field.present, number, operands.bytewise(field.text)]


def _n_of(session: Session, job_id: int) -> int:
    from db.tables import Job

    return session.scalar(select(Job.n_documents).where(Job.id == job_id)) or 0
