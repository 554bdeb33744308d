"""Outcomes of old jobs go with their result rows, where a newer job of the same kind, parameters and model has the
document too: so what every view shows of a document stays, and so does what `submit --new` and quarantine look at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ColumnElement,
    CursorResult,
    Select,
    Table,
    and_,
    delete,
    exists,
    func,
    or_,
    select,
    union,
    update,
)
from sqlalchemy.orm import Session, aliased

from db import results
from db.retention.policy import OfJobs, words
from db.retention.steps import Place, Step, next_job
from db.sql import insert_for, now, one_of
from db.states import HARMFUL, OutcomeState
from db.tables import Base, Document, Job, ModelVersion, Outcome, Pruned
from db.tables.base import tables_of
from db.tables.result import JobResult
from db.work import Work

_OUTCOME = Base.metadata.tables[Outcome.__tablename__]


@dataclass(frozen=True, slots=True)
class _Old:
    """What is the same in all steps of a job. It has ended; newer jobs that are submitted meanwhile count in the next
    pass."""

    job_id: int
    tables: tuple[Table, ...]
    #: Jobs that do the same, the one with the most documents first.
    newer: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Range:
    """Documents with numbers above `after` up to `last`."""

    after: int
    last: int

    def of(self, column: ColumnElement[int]) -> ColumnElement[bool]:
        return and_(column > self.after, column <= self.last)


class Outcomes:
    """The steps of one pass over the outcomes."""

    def __init__(self, rule: OfJobs, work_of: Callable[[Job], Work]) -> None:
        """`work_of`: what a job does; older jobs lack parameters that their kind has got since."""
        self._rule = rule
        self._work_of = work_of
        self._old: _Old | None = None

    def __call__(self, session: Session, after: Place, limit: int, *, really: bool) -> Step:
        """Look at some outcomes of one job, in the order of their documents."""
        # `after.second` is 0 where the last job is done with, else that job goes on.
        old = self._old
        if old is None or not after.second or old.job_id != after.first:
            job = next_job(session, self._rule, after.first - bool(after.second), ~_is_provenance())
            if job is None:
                return Step()
            newer = _newer_like(session, job, self._work_of(job))
            old = self._old = _Old(job.id, _tables_of(session, job.id) if newer else (), newer)
        if not old.newer:
            return Step(next=Place(old.job_id))
        some = _next_range(session, old.job_id, after.second if old.job_id == after.first else 0, limit)
        if some is None:
            return Step(next=Place(old.job_id))
        counts = _prune(session, old, some, words("outcomes", self._rule.older_than), really=really)
        return Step(+counts, Place(old.job_id, some.last))


def _next_range(session: Session, job_id: int, after: int, limit: int) -> _Range | None:
    """The next N outcomes of a job; None after the last."""
    rest = select(Outcome.document_id).where(Outcome.job_id == job_id, Outcome.document_id > after)
    some = rest.order_by(Outcome.document_id).limit(limit).subquery()
    last = session.scalar(select(func.max(some.c.document_id)))
    return None if last is None else _Range(after, last)


def _prune(session: Session, old: _Old, some: _Range, policy: str, *, really: bool) -> Counter[str]:
    """Delete what may go of a range, or count it. Most often all of it may, and no document is looked at by itself."""
    unlike = _unlike(session, old, some)
    kept = set(unlike).difference(_superseded(session, old, unlike)) if unlike else set()
    if not kept:
        return _delete_all(session, old, policy, lambda table: some.of(table.c.document_id), really=really)
    rows = select(Outcome.document_id).where(Outcome.job_id == old.job_id, some.of(_OUTCOME.c.document_id))
    ids = [id_ for id_ in session.scalars(rows) if id_ not in kept]
    if not ids:
        return Counter()
    return _delete_all(session, old, policy, lambda table: one_of(table.c.document_id, ids), really=really)


def _delete_all(
    session: Session, old: _Old, policy: str, chosen: Callable[[Table], ColumnElement[bool]], *, really: bool
) -> Counter[str]:
    """The outcomes of the chosen documents, and the rows that belong to them."""
    counts: Counter[str] = Counter()
    for table in old.tables:
        counts[f"rows of {table.name}"] = _delete(session, table, old.job_id, chosen(table), really=really)
    if really:
        _open(session, old.job_id, policy)
    counts["outcomes"] = _delete(session, _OUTCOME, old.job_id, chosen(_OUTCOME), really=really)
    if really:
        mine = (Pruned.job_id == old.job_id, Pruned.policy == policy)
        session.execute(update(Pruned).where(*mine).values(is_open=False))
    return counts


def _unlike(session: Session, old: _Old, some: _Range) -> list[int]:
    """Those documents of a range that the largest newer job does not stand for by itself: it has no success with the
    same version, or no rows in a table in which the old one has some. The keys lead to all that this reads."""
    shown = [table for table in old.tables if table.name in tables_of(JobResult)]
    return sorted(session.scalars(union(*(_without_newer(old, some, table) for table in (_OUTCOME, *shown)))))


def _without_newer(old: _Old, some: _Range, table: Table) -> Select[int]:
    mine, newer = table.alias("mine"), table.alias("newer")
    there = exists().where(
        newer.c.job_id == old.newer[0],
        newer.c.document_id == mine.c.document_id,
        some.of(newer.c.document_id),
        *((newer.c.state == OutcomeState.OK,) if table is _OUTCOME else ()),
    )
    return select(mine.c.document_id).where(mine.c.job_id == old.job_id, some.of(mine.c.document_id), ~there)


def _is_provenance() -> ColumnElement[bool]:
    """The job trained a model that is there: its outcomes say which documents it was trained on."""
    return exists().where(ModelVersion.job_id == Job.id, ModelVersion.pruned_at.is_(None))


def _tables_of(session: Session, job_id: int) -> tuple[Table, ...]:
    """The tables in which the job has results."""
    tables = [Base.metadata.tables[name] for name in sorted(results.by_job())]
    there = session.execute(select(*(exists().where(table.c.job_id == job_id) for table in tables))).one()
    return tuple(table for table, is_there in zip(tables, there, strict=True) if is_there)


def _superseded(session: Session, old: _Old, ids: Sequence[int]) -> list[int]:
    """Those of these documents of a job that newer results stand for; and removed ones, which no view shows."""
    document, later, its = aliased(Document), aliased(Document), aliased(Outcome)
    replaced = exists().where(
        later.collection_id == document.collection_id,
        later.key == document.key,
        later.version >= document.version,
        its.document_id == later.id,
        one_of(its.job_id, old.newer),
        or_(
            its.state == OutcomeState.OK,
            # A later failure stands for a failure; only a success ends a quarantine.
            and_(Outcome.state == OutcomeState.ERROR, Outcome.error_code.not_in(HARMFUL)),
        ),
    )
    indexed = tables_of(JobResult)
    shown = [_is_shown(table, old.job_id, document) for table in old.tables if table.name in indexed]
    query = (
        select(Outcome.document_id)
        .join(document, document.id == Outcome.document_id)
        .where(
            Outcome.job_id == old.job_id,
            one_of(Outcome.document_id, ids),
            or_(document.version == 0, and_(replaced, *(~each for each in shown))),
        )
        .order_by(Outcome.document_id)
    )
    return list(session.scalars(query))


def _newer_like(session: Session, job: Job, work: Work) -> tuple[int, ...]:
    """Ended jobs after this one that do the same: the kind, the parameters and the model's name are equal."""
    mine, other = aliased(ModelVersion), aliased(ModelVersion)
    query = (
        select(Job.id, Job.parameters)
        .outerjoin(other, other.id == Job.model_version_id)
        .outerjoin(mine, mine.id == job.model_version_id)
        .where(
            Job.id > job.id,
            Job.kind == job.kind,
            other.model_id.is_not_distinct_from(mine.model_id),
        )
    )
    rows = session.execute(query.order_by(Job.n_documents.desc(), Job.id.desc()))
    return tuple(id_ for id_, parameters in rows if work.has_parameters(parameters))


def _is_shown(table: Table, job_id: int, document: Any) -> ColumnElement[bool]:
    """Whether the job's rows about a document are the newest of its key in this table: a view shows them."""
    mine, newer, of = table.alias(), table.alias(), aliased(Document)
    has_newer = exists().where(
        of.collection_id == document.collection_id,
        of.key == document.key,
        newer.c.document_id == of.id,
        or_(
            of.version > document.version,
            and_(of.version == document.version, newer.c.job_id > job_id),
        ),
    )
    has_rows = exists().where(mine.c.job_id == job_id, mine.c.document_id == document.id)
    return and_(has_rows, ~has_newer)


def _delete(session: Session, table: Table, job_id: int, where: ColumnElement[bool], *, really: bool) -> int:
    """Delete the job's rows about these documents, or count them."""
    mine = (table.c.job_id == job_id, where)
    if not really:
        return session.scalar(select(func.count()).select_from(table).where(*mine)) or 0
    result: CursorResult[Any] = session.execute(delete(table).where(*mine))  # type: ignore[assignment]
    return int(result.rowcount)


def _open(session: Session, job_id: int, policy: str) -> None:
    """A trigger refuses to delete outcomes, unless the row in `pruned` is open, and counts them there."""
    opened = insert_for(session, Pruned).values(job_id=job_id, policy=policy, n_ok=0, n_error=0, is_open=True)
    session.execute(
        opened.on_conflict_do_update(
            index_elements=["job_id", "policy"], set_={"is_open": True, "last_at": now()}
        )
    )
