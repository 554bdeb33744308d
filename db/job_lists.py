"""Lists of jobs, chosen by what people filter by; read page by page, newest first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Select, case, cast, func, literal, or_, select
from sqlalchemy.orm import Session, aliased

from db.states import ENDED, ErrorCode, JobState, OutcomeState
from db.tables import Chunk, Collection, Job, Outcome

#: Jobs that one action may change.
MOST = 1_000
#: Words are looked for in this number of jobs, the newest.
SEARCHED = 20_000


@dataclass(frozen=True, slots=True)
class JobFilter:
    """Which jobs; what is None or empty leaves none out."""

    kind: str = ""
    #: A state, "open" for every job that has not ended, "ended" for the others, or "failing" for those with documents
    #: that failed.
    state: str = ""
    collection: str = ""
    #: Submitted at or after this moment, and before that one.
    since: datetime | None = None
    until: datetime | None = None
    #: A part of its key, note, selection, model or submitter, in any case.
    words: str = ""

    def conditions(self) -> list[ColumnElement[bool]]:
        """For a query over Job joined with Collection."""
        found: list[ColumnElement[bool]] = []
        if self.kind:
            found.append(Job.kind == self.kind)
        if self.collection:
            found.append(Job.collection_id.in_(_collections(self.collection)))
        if self.since is not None:
            found.append(Job.created_at >= self.since)
        if self.until is not None:
            found.append(Job.created_at < self.until)
        if self.words:
            found += [Job.id > _first_searched(), _has(self.words)]
        if self.state == "open":
            found.append(Job.state.not_in(ENDED))
        elif self.state == "ended":
            found.append(Job.state.in_(ENDED))
        elif self.state == "failing":
            # Exact for finished jobs; the chunks of a running one are not counted here.
            found += [Job.n_error > 0, Job.state == JobState.FINISHED]
        elif self.state:
            found.append(Job.state == JobState(self.state))
        return found


@dataclass(frozen=True, slots=True)
class JobLine:
    """A job in a list."""

    job_id: int
    kind: str
    collection: str
    state: JobState
    n_documents: int
    n_ok: int
    #: Documents that were tried and failed.
    n_failed: int
    #: Documents without a result: also those of a cancelled job that were not tried.
    n_error: int
    note: str | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None

    @property
    def share(self) -> float:
        """The share of documents that are done, 0 to 1."""
        if self.state in ENDED:
            return 1.0
        return (self.n_ok + self.n_error) / self.n_documents if self.n_documents else 0.0

    @property
    def shown_state(self) -> str:
        """A job that ended without one result is not called finished."""
        failed = self.state == JobState.FINISHED and self.n_documents > 0 and not self.n_ok
        return "failed" if failed else self.state


def page(session: Session, chosen: JobFilter, *, before: int | None = None, limit: int = 50) -> list[JobLine]:
    """The newest jobs, or those older than the job `before`."""
    query = _lines().where(*chosen.conditions()).order_by(Job.id.desc()).limit(limit)
    if before is not None:
        query = query.where(Job.id < before)
    return [JobLine(*row) for row in session.execute(query)]


def chosen_ids(session: Session, chosen: JobFilter) -> list[int]:
    """The numbers of the jobs that match, newest first, at most MOST."""
    query = _joined(select(Job.id)).where(*chosen.conditions()).order_by(Job.id.desc()).limit(MOST)
    return list(session.scalars(query))


def kinds_and_collections(session: Session) -> tuple[Sequence[str], Sequence[str]]:
    """What a filter may offer: kinds of the last jobs, and the collections."""
    newest = select(Job.kind).order_by(Job.id.desc()).limit(MOST).subquery()
    kinds = session.scalars(select(newest.c.kind).distinct().order_by(newest.c.kind)).all()
    names = session.scalars(
        select(Collection.name).where(Collection.files_of_id.is_(None)).order_by(Collection.name).limit(MOST)
    ).all()
    return kinds, names


_FilesOf = aliased(Collection)


def _collections(name: str) -> Select[int]:
    """The number of a collection, and that of its files."""
    named = select(Collection.id).where(Collection.name == name).scalar_subquery()
    return select(Collection.id).where(or_(Collection.name == name, Collection.files_of_id == named))


def _first_searched() -> ColumnElement[int]:
    newest = aliased(Job)
    return func.coalesce(select(func.max(newest.id) - SEARCHED).scalar_subquery(), 0)


def _has(words: str) -> ColumnElement[bool]:
    columns = (Job.key, Job.note, Job.where_clause, Job.model_ref, Job.submitter)
    return or_(*(column.icontains(words, autoescape=True) for column in columns))


def _collection() -> ColumnElement[str]:
    """The name of a job's collection; of files, the one that their texts go to."""
    return func.coalesce(_FilesOf.name, Collection.name)


def _joined(query: Select[Any]) -> Select[Any]:
    return query.join(Collection, Collection.id == Job.collection_id).outerjoin(
        _FilesOf, _FilesOf.id == Collection.files_of_id
    )


def n_failed() -> ColumnElement[int]:
    """Of the job of a row, how many documents were tried and failed. A cancelled job counts those that were not tried
    in `n_error`, too: of it, the other errors are counted, which the index of errors by code finds at once."""
    in_between = (
        Outcome.error_code < ErrorCode.CANCELLED,
        (Outcome.error_code > ErrorCode.CANCELLED) & (Outcome.error_code < ErrorCode.CARRIED_OVER),
        Outcome.error_code > ErrorCode.CARRIED_OVER,
    )
    n_others = sum(
        (
            select(func.count())
            .where(Outcome.job_id == Job.id, Outcome.state == OutcomeState.ERROR, codes)
            .correlate(Job)
            .scalar_subquery()
            for codes in in_between
        ),
        literal(0),
    )
    stopped = Job.state.in_((JobState.CANCELLED, JobState.CANCELLING))
    return case((stopped, n_others), else_=_counted(Job.n_error, Chunk.n_error))


def _counted(column: Any, of_chunk: Any) -> Any:
    """The job's own count, or while it runs, the sum of its chunks'."""
    of_chunks = select(func.sum(of_chunk)).where(Chunk.job_id == Job.id).correlate(Job).scalar_subquery()
    # PostgreSQL's sum of integers is a numeric.
    return cast(func.coalesce(case((column.is_(None), of_chunks), else_=column), 0), BigInteger)


def _lines() -> Select[Any]:
    return _joined(
        select(
            Job.id, Job.kind, _collection(), Job.state, Job.n_documents, _counted(Job.n_ok, Chunk.n_ok),
            n_failed(), _counted(Job.n_error, Chunk.n_error), Job.note, Job.created_at, Job.started_at, Job.finished_at,
        ).select_from(Job)
    )  # fmt: skip
