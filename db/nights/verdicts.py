"""What each document is to a step: its result stands, or there is a reason to make it. One query for any number of
documents."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    Text,
    and_,
    case,
    exists,
    func,
    literal,
    literal_column,
    null,
    or_,
    select,
    true,
)
from sqlalchemy.orm import Session, aliased

from db import quarantine
from db.sql import each_id, json_ids, one_of
from db.states import HARMFUL, PASSING, UNFINISHED, ChunkState, ErrorCode, OutcomeState
from db.tables import Chunk, Document, Job, Outcome
from db.work import Jobs

#: Documents of one row of a plan.
PART_DOCUMENTS = 20_000


class Verdict(StrEnum):
    """What a document is to a step."""

    #: Its result stands.
    UNCHANGED = "unchanged"
    #: It failed, and would fail again.
    FAILED = "failed"
    #: It has killed workers.
    QUARANTINED = "quarantined"
    #: A job like this one, which has not ended, has to do it.
    ELSEWHERE = "elsewhere"
    #: What follows are the reasons for which a step takes a document.
    NEW = "new"
    CHANGED_TEXT = "changed text"
    NEWER_MODEL = "newer model"
    PARAMETERS = "other parameters"
    NEWER_CODE = "newer code"
    RETRY = "retry"
    CARRIED_OVER = "carried over"
    #: It comes from a file that is to be read first.
    FROM_FILE = "from a file"
    #: No source has it any more (of `add`).
    REMOVED = "removed"
    #: Its result may depend on documents that changed.
    OTHERS_CHANGED = "others changed"


STANDS = (Verdict.UNCHANGED, Verdict.FAILED, Verdict.QUARANTINED, Verdict.ELSEWHERE)
REASONS = tuple(verdict for verdict in Verdict if verdict not in STANDS)


@dataclass(frozen=True)
class Retry:
    """Which failed documents are tried again."""

    #: Error codes; None for every one but those of quarantine.
    codes: Collection[str] | None = PASSING


@dataclass(frozen=True, slots=True)
class Group:
    """Documents of one verdict; their ids if there is something to do."""

    verdict: Verdict
    #: The newest job that did them before, with another model or other parameters.
    last_job_id: int | None
    n_documents: int
    chars: int
    document_ids: Sequence[int] = field(default=())


def groups(
    session: Session, kind: str, jobs: Jobs, chosen: Select[*tuple[Any, ...]], retry: Retry
) -> list[Group]:
    """The documents of a query (id, characters), by verdict and last job, in parts of at most PART_DOCUMENTS: those
    whose ids are near each other."""
    judged = of_each(session, kind, jobs, chosen, retry).subquery("judged")
    is_listed = judged.c.verdict.not_in([str(verdict) for verdict in STANDS])
    part = case((is_listed, judged.c.id.op("/")(PART_DOCUMENTS)), else_=literal(0))
    rows = select(*judged.c, part.label("part"), is_listed.label("is_listed")).subquery("rows")
    query = (
        select(
            rows.c.verdict,
            rows.c.last_job_id,
            func.count(),
            func.sum(rows.c.chars),
            json_ids(rows.c.id).filter(rows.c.is_listed),
        )
        .group_by(rows.c.verdict, rows.c.last_job_id, rows.c.part)
        .order_by(rows.c.verdict, rows.c.last_job_id, rows.c.part)
    )
    return [
        Group(Verdict(verdict), last, n, int(chars or 0), _as_ids(ids))
        for verdict, last, n, chars, ids in session.execute(query)
    ]


def _as_ids(found: Any) -> Sequence[int]:
    """SQLite hands JSON out as text."""
    import json

    return json.loads(found) if isinstance(found, str) else found or ()


def of_each(
    session: Session, kind: str, jobs: Jobs, chosen: Select[*tuple[Any, ...]], retry: Retry
) -> Select[*tuple[Any, ...]]:
    """(id, chars, verdict, last_job_id) of each document of a query."""
    documents = chosen.add_columns(Document.version.label("version")).subquery("chosen")
    done = _done_alike(jobs, retry)
    held = quarantine.held_ids(kind).subquery("held")
    elsewhere = _elsewhere(session, jobs)
    ids = list(documents.c)
    query: Select[*tuple[Any, ...]] = (
        select(ids[0].label("id"), ids[1].label("chars"))
        .select_from(documents)
        .outerjoin(done, done.c.id == ids[0])
        .outerjoin(held, held.c.document_id == ids[0])
    )
    query, before = _with_before(session, query, jobs, ids[0], done.c.best)
    planned: ColumnElement[Any] = null()
    if elsewhere is not None:
        query = query.outerjoin(elsewhere, elsewhere.c.id == ids[0])
        planned = elsewhere.c.id
    verdict = case(
        (done.c.best == _OK, _text(Verdict.UNCHANGED)),
        (planned.is_not(None), _text(Verdict.ELSEWHERE)),
        (held.c.document_id.is_not(None), _text(Verdict.QUARANTINED)),
        (done.c.best == _FINAL, _text(Verdict.FAILED)),
        (done.c.best == _PASSING, _text(Verdict.RETRY)),
        (done.c.best == _CARRIED, _text(Verdict.CARRIED_OVER)),
        (before.is_not(None), _difference(jobs, before)),
        (and_(documents.c.version > 1, _has_older_outcome(jobs, ids[0])), _text(Verdict.CHANGED_TEXT)),
        else_=_text(Verdict.NEW),
    )
    return query.add_columns(verdict.label("verdict"), before.label("last_job_id"))


def _with_before(
    session: Session,
    query: Select[*tuple[Any, ...]],
    jobs: Jobs,
    id_: ColumnElement[Any],
    best: ColumnElement[Any],
) -> tuple[Select[*tuple[Any, ...]], ColumnElement[Any]]:
    """The newest job that did a document with another model, other parameters or older code. Where most results stand,
    the few others are looked up one by one; else all outcomes of those jobs are read once."""
    wanted = (one_of(Outcome.job_id, jobs.others or (0,)), Outcome.state == OutcomeState.OK)
    if not jobs.others:
        return query, null()
    n_alike, n_others = (_n_ok(session, ids) for ids in (jobs.alike, jobs.others))
    if n_alike >= n_others / max(1, len(jobs.others)):
        one = select(func.max(Outcome.job_id)).where(Outcome.document_id == id_, *wanted)
        return query, case((best == _OK, None), else_=one.scalar_subquery())
    before = (
        select(Outcome.document_id.label("id"), func.max(Outcome.job_id).label("job_id"))
        .where(*wanted)
        .group_by(Outcome.document_id)
        .subquery("before")
    )
    return query.outerjoin(before, before.c.id == id_), before.c.job_id


def _n_ok(session: Session, job_ids: Sequence[int]) -> int:
    return session.scalar(select(func.sum(Job.n_ok)).where(one_of(Job.id, job_ids or (0,)))) or 0


def _text(verdict: Verdict) -> ColumnElement[str]:
    return literal_column(f"'{verdict}'", Text)


_OK, _FINAL, _PASSING, _CARRIED = 4, 3, 2, 1


def _done_alike(jobs: Jobs, retry: Retry) -> Any:
    """(id, the best that came of it in jobs alike)"""
    passing: ColumnElement[bool] = (
        Outcome.error_code.not_in(HARMFUL) if retry.codes is None else Outcome.error_code.in_(retry.codes)
    )
    best = case(
        (Outcome.state == OutcomeState.OK, _OK),
        (Outcome.error_code == ErrorCode.CARRIED_OVER, _CARRIED),
        # Those of quarantine count there; once released, they are tried again.
        (or_(passing, Outcome.error_code.in_(HARMFUL)), _PASSING),
        else_=_FINAL,
    )
    return (
        select(Outcome.document_id.label("id"), func.max(best).label("best"))
        .where(one_of(Outcome.job_id, jobs.alike or (0,)))
        .group_by(Outcome.document_id)
        .subquery("done")
    )


def _difference(jobs: Jobs, job_id: ColumnElement[Any]) -> ColumnElement[Any]:
    """Why the result of another job does not stand."""
    return case(
        (one_of(job_id, jobs.other_parameters or (0,)), _text(Verdict.PARAMETERS)),
        (one_of(job_id, jobs.other_code or (0,)), _text(Verdict.NEWER_CODE)),
        else_=_text(Verdict.NEWER_MODEL),
    )


def _has_older_outcome(jobs: Jobs, id_: ColumnElement[Any]) -> ColumnElement[bool]:
    """Whether a job of the kind had an earlier version of the document."""
    this, older = aliased(Document), aliased(Document)
    # With LIMIT, PostgreSQL asks for each of the few documents instead of joining all versions with all outcomes.
    one = (
        select(literal(1))
        .select_from(this)
        .join(older, and_(older.collection_id == this.collection_id, older.key == this.key))
        .join(Outcome, Outcome.document_id == older.id)
        .where(
            this.id == id_,
            older.version < this.version,
            one_of(Outcome.job_id, (*jobs.alike, *jobs.others) or (0,)),
        )
        .limit(1)
        .correlate_except(this, older, Outcome)
    )
    return one.scalar_subquery().is_not(None)


def _elsewhere(session: Session, jobs: Jobs) -> Any:
    """(id) of what unfinished jobs alike still have to do; None if there are no such jobs."""
    open_jobs = session.scalars(
        select(Job.id).where(one_of(Job.id, jobs.alike or (0,)), Job.state.in_(UNFINISHED))
    ).all()
    if not open_jobs:
        return None
    table, id_ = each_id(Chunk.document_ids)
    is_done = exists().where(Outcome.job_id == Chunk.job_id, Outcome.document_id == id_)
    return (
        select(id_.label("id"))
        .select_from(Chunk)
        .join(table, true())
        .where(one_of(Chunk.job_id, open_jobs), Chunk.state != ChunkState.CLOSED, ~is_done)
        .distinct()
        .subquery("elsewhere")
    )
