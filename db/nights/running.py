"""Nights and their steps: every transition is a compare-and-set."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, func, or_, select, true, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, aliased

from db import runs
from db.compare_and_set import changed, n_changed
from db.errors import ConflictError, NotFoundError
from db.nights.verdicts import Verdict
from db.sql import each_id, now, one_of
from db.states import NIGHT_ENDED, STEP_ENDED, ErrorCode, NightState, OutcomeState, StepState
from db.tables import Document, ExtractionText, Job, Night, NightPlanPart, NightStep, Outcome, Run


@dataclass(frozen=True, slots=True)
class NewStep:
    """A step of a night that begins."""

    number: int
    name: str
    action: str


def begin(
    session: Session,
    *,
    name: str,
    file: str,
    folder: str,
    plan_id: int | None = None,
    run_id: int | None = None,
    finish_by: datetime | None = None,
    steps: Iterable[NewStep] = (),
) -> int:
    """A new night: running with a plan, or to be planned. ConflictError if one of this name has not ended."""
    night = Night(
        name=name,
        file=file,
        folder=folder,
        plan_id=plan_id,
        run_id=run_id,
        finish_by=finish_by,
        state=NightState.RUNNING if plan_id is not None else NightState.PLANNING,
    )
    try:
        with session.begin_nested():
            session.add(night)
            session.flush()
    except IntegrityError:
        running = open_of(session, name)
        if running is None:
            raise
        raise ConflictError(
            f"night {running} of {name} has not ended: `docmill night show {running}` shows it, "
            f"`docmill night cancel {running}` ends it"
        ) from None
    _add_steps(session, night.id, steps)
    return night.id


def planned(session: Session, night_id: int, plan_id: int, steps: Iterable[NewStep]) -> bool:
    """planning -> running."""
    won = changed(
        session,
        update(Night)
        .where(Night.id == night_id, Night.state == NightState.PLANNING)
        .values(state=NightState.RUNNING, plan_id=plan_id),
    )
    if won:
        _add_steps(session, night_id, steps)
    return won


def _add_steps(session: Session, night_id: int, steps: Iterable[NewStep]) -> None:
    session.add_all(
        NightStep(
            night_id=night_id, step=one.number, name=one.name, action=one.action, state=StepState.WAITING
        )
        for one in steps
    )
    session.flush()


def open_of(session: Session, name: str) -> int | None:
    """The night of this name that has not ended."""
    return session.scalar(select(Night.id).where(Night.name == name, Night.state.not_in(NIGHT_ENDED)))


def by_id(session: Session, night_id: int) -> Night:
    """The night of this number, or NotFoundError."""
    night = session.get(Night, night_id, populate_existing=True)
    if night is None:
        raise NotFoundError(f"there is no night {night_id}: `docmill night list` shows them")
    return night


def newest(session: Session, limit: int, name: str | None = None) -> list[Night]:
    """The last nights, the newest first."""
    query = select(Night).order_by(Night.id.desc()).limit(limit)
    return list(session.scalars(query.where(Night.name == name) if name is not None else query))


def steps_of(session: Session, night_id: int) -> list[NightStep]:
    """The steps of a night, in order."""
    query = select(NightStep).where(NightStep.night_id == night_id).order_by(NightStep.step)
    return list(session.scalars(query.execution_options(populate_existing=True)))


def last_done(session: Session, name: str) -> datetime | None:
    """When the last night of this name began that was done."""
    query = select(func.max(Night.created_at)).where(Night.name == name, Night.state == NightState.DONE)
    found: datetime | None = session.scalar(query)
    return found


def forget_runs(session: Session, run_ids: Sequence[int]) -> None:
    """The runs are being deleted: their nights, which have ended, no longer say which run they belonged to."""
    session.execute(update(Night).where(one_of(Night.run_id, run_ids)).values(run_id=None))


# --- who works on it ----------------------------------------------------------------------------------------------


def to_advance(session: Session, holder: str) -> list[int]:
    """The nights that this scheduler may work on."""
    free = or_(Night.holder.is_(None), Night.holder == holder, Night.held_until < now())
    query = select(Night.id).where(Night.state.not_in(NIGHT_ENDED), free).order_by(Night.id)
    return list(session.scalars(query))


def is_held(session: Session, night_id: int, holder: str, seconds: float) -> bool:
    """Whether this scheduler has a night for so long still."""
    query = select(Night.id).where(
        Night.id == night_id, Night.holder == holder, Night.held_until > now(seconds)
    )
    return session.scalar(query) is not None


def hold(session: Session, night_id: int, holder: str, seconds: float) -> bool:
    """Take a night, or keep it; False if another scheduler has it."""
    free = or_(Night.holder.is_(None), Night.holder == holder, Night.held_until < now())
    return changed(
        session,
        update(Night)
        .where(Night.id == night_id, Night.state.not_in(NIGHT_ENDED), free)
        .values(holder=holder, held_until=now(seconds)),
    )


def let_go(session: Session, night_id: int, holder: str) -> None:
    """Leave a night to whoever comes first."""
    n_changed(
        session,
        update(Night)
        .where(Night.id == night_id, Night.holder == holder)
        .values(holder=None, held_until=None),
    )


# --- transitions --------------------------------------------------------------------------------------------------


def start_step(session: Session, night_id: int, step: int, job_id: int | None, **values: Any) -> bool:
    """waiting -> running."""
    return _move_step(
        session,
        night_id,
        step,
        StepState.WAITING,
        StepState.RUNNING,
        job_id=job_id,
        started_at=now(),
        **values,
    )


def end_step(
    session: Session,
    night_id: int,
    step: int,
    before: StepState,
    after: StepState,
    note: str | None,
    **values: Any,
) -> bool:
    """waiting or running -> an end."""
    return _move_step(session, night_id, step, before, after, note=note, finished_at=now(), **values)


def _move_step(
    session: Session, night_id: int, step: int, before: StepState, after: StepState, **values: Any
) -> bool:
    return changed(
        session,
        update(NightStep)
        .where(NightStep.night_id == night_id, NightStep.step == step, NightStep.state == before)
        .values(state=after, **values),
    )


def stop(session: Session, night_id: int, note: str) -> bool:
    """running -> stopping, since its time is over."""
    return changed(
        session,
        update(Night)
        .where(Night.id == night_id, Night.state == NightState.RUNNING)
        .values(state=NightState.STOPPING, note=note),
    )


def end(session: Session, night_id: int, state: NightState, note: str | None) -> bool:
    """Any state that is not an end -> an end. The run that it belongs to ends, too."""
    won = changed(
        session,
        update(Night)
        .where(Night.id == night_id, Night.state.not_in(NIGHT_ENDED))
        .values(state=state, note=note, finished_at=now(), holder=None, held_until=None),
    )
    run_id = session.scalar(select(Night.run_id).where(Night.id == night_id))
    if won and run_id is not None:
        fault = note if state == NightState.FAILED else None
        runs.no_more(session, run_id, fault, None if fault else note)
    return won


def is_replaced(session: Session, night: Night) -> bool:
    """Whether the run of a night was told to stop, because a later one replaces it."""
    query = select(Run.stopped_at).where(Run.id == (night.run_id or 0))
    return session.scalar(query) is not None


def are_over(steps: Sequence[NightStep]) -> bool:
    """Whether every step has ended."""
    return all(step.state in STEP_ENDED for step in steps)


# --- the documents of a step --------------------------------------------------------------------------------------


def planned_documents(plan_id: int, step: int, collection: int) -> Select[int]:
    """The latest versions (ids) of a step's documents whose text is as it was planned. Those that came since the plan
    are found by key and content hash."""
    planned = aliased(Document)
    table, id_ = each_id(NightPlanPart.document_ids)
    same = or_(Document.id == planned.id, Document.content_hash == planned.content_hash)
    stored = (
        select(Document.id)
        .select_from(NightPlanPart)
        .join(table, true())
        .join(planned, planned.id == id_)
        .join(
            Document, (Document.collection_id == planned.collection_id) & (Document.key == planned.key) & same
        )
        .where(NightPlanPart.plan_id == plan_id, NightPlanPart.step == step, Document.is_latest)
    )
    return stored.where(Document.collection_id == collection)


def carried(plan_id: int, step: int) -> Select[int]:
    """The documents (ids) of a step that the last night carried over."""
    table, id_ = each_id(NightPlanPart.document_ids)
    return (
        select(id_)
        .select_from(NightPlanPart)
        .join(table, true())
        .where(
            NightPlanPart.plan_id == plan_id,
            NightPlanPart.step == step,
            NightPlanPart.reason == str(Verdict.CARRIED_OVER),
        )
    )


def come(session: Session, plan_id: int, step: int, collection: int) -> list[int]:
    """Of the documents that were to come, those that are in the store now, as planned."""
    rows = session.scalars(
        select(NightPlanPart.coming).where(
            NightPlanPart.plan_id == plan_id,
            NightPlanPart.step == step,
            NightPlanPart.reason != str(Verdict.FROM_FILE),
        )
    )
    wanted = {key: digest for part in rows for key, digest in part}
    keys, found = list(wanted), []
    for start in range(0, len(keys), 2_000):
        query = select(Document.key, Document.id, Document.content_hash).where(
            Document.collection_id == collection,
            Document.is_latest,
            one_of(Document.key, keys[start : start + 2_000]),
        )
        found += [id_ for key, id_, digest in session.execute(query) if digest.hex() == wanted[key]]
    return found


def made_by(job_id: int, collection: int) -> Select[int]:
    """The documents (ids) that an extraction made, or found unchanged."""
    return (
        select(Document.id)
        .join(ExtractionText, ExtractionText.text_key == Document.key)
        .where(ExtractionText.job_id == job_id, Document.collection_id == collection, Document.is_latest)
    )


def removed_keys(session: Session, plan_id: int, step: int) -> list[str]:
    """The keys that no source has any more, as planned."""
    rows = session.scalars(
        select(NightPlanPart.coming).where(
            NightPlanPart.plan_id == plan_id,
            NightPlanPart.step == step,
            NightPlanPart.reason == str(Verdict.REMOVED),
        )
    )
    return [key for part in rows for key, _ in part]


def n_carried_over(session: Session, job_id: int) -> int:
    """Documents of a job that were left for the next night."""
    query = select(func.count()).where(
        Outcome.job_id == job_id,
        Outcome.state == OutcomeState.ERROR,
        Outcome.error_code == ErrorCode.CARRIED_OVER,
    )
    return session.scalar(query) or 0


def job_state(session: Session, job_id: int) -> Any:
    """(state, n_documents, n_ok, n_error, note) of a job."""
    return session.execute(
        select(Job.state, Job.n_documents, Job.n_ok, Job.n_error, Job.note).where(Job.id == job_id)
    ).one()
