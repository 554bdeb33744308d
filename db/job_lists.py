"""Lists of jobs, chosen by what people filter by; read page by page, newest first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Select, case, cast, func, select
from sqlalchemy.orm import Session, aliased

from db.states import ENDED, JobState
from db.tables import Chunk, Collection, Job

#: Jobs that one action may change.
MOST = 1_000


@dataclass(frozen=True, slots=True)
class JobFilter:
    """Which jobs; what is None or empty leaves none out."""

    kind: str = ""
    #: A state, "open" for every job that has not ended, or "failing" for those with documents that failed.
    state: str = ""
    collection: str = ""

    def conditions(self) -> list[ColumnElement[bool]]:
        """For a query over Job joined with Collection."""
        found: list[ColumnElement[bool]] = []
        if self.kind:
            found.append(Job.kind == self.kind)
        if self.collection:
            found.append(_collection() == self.collection)
        if self.state == "open":
            found.append(Job.state.not_in(ENDED))
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
    def n_failed(self) -> int:
        """Documents without a result; of a cancelled job nothing is said, since most were not tried."""
        return 0 if self.state in (JobState.CANCELLED, JobState.CANCELLING) else self.n_error

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


def _collection() -> ColumnElement[str]:
    """The name of a job's collection; of files, the one that their texts go to."""
    return func.coalesce(_FilesOf.name, Collection.name)


def _joined(query: Select[Any]) -> Select[Any]:
    return query.join(Collection, Collection.id == Job.collection_id).outerjoin(
        _FilesOf, _FilesOf.id == Collection.files_of_id
    )


def _lines() -> Select[Any]:
    def of_chunks(column: Any) -> Any:
        # PostgreSQL's sum of whole numbers is a decimal number.
        return (
            select(cast(func.sum(column), BigInteger))
            .where(Chunk.job_id == Job.id)
            .correlate(Job)
            .scalar_subquery()
        )

    def counted(column: Any, of_chunk: Any) -> Any:
        return func.coalesce(case((column.is_(None), of_chunks(of_chunk)), else_=column), 0)

    return _joined(
        select(
            Job.id, Job.kind, _collection(), Job.state, Job.n_documents, counted(Job.n_ok, Chunk.n_ok),
            counted(Job.n_error, Chunk.n_error), Job.note, Job.created_at, Job.started_at, Job.finished_at,
        ).select_from(Job)
    )  # fmt: skip
