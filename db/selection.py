"""Which documents a job takes, as queries: choosing a million documents moves none of them."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import (
    ColumnElement,
    Select,
    Subquery,
    case,
    exists,
    func,
    or_,
    select,
    true,
)
from sqlalchemy.orm import Session, aliased

from db.quarantine import held
from db.sql import each_id, one_of
from db.states import UNFINISHED, ChunkState, OutcomeState
from db.tables import Chunk, Collection, Document, GivenLabel, Job, Outcome


def latest(collection: int, *, labelled_only: bool = False) -> Select[int, int]:
    """Every latest document of a collection. A selection by metadata (db.where) is a further condition on it."""
    query = select(Document.id, Document.body_chars).where(
        Document.collection_id == collection, Document.is_latest
    )
    return query.where(or_(Document.label.is_not(None), _is_given_one())) if labelled_only else query


def _is_given_one() -> ColumnElement[bool]:
    return exists().where(
        GivenLabel.collection_id == Document.collection_id, GivenLabel.document_key == Document.key
    )


@dataclass(frozen=True, slots=True)
class LeftOut:
    """How many documents a job over new ones left out, each counted once, and why."""

    #: They have a result from a job like it.
    done: int = 0
    #: They are in a job like it that has not ended, and these are the jobs.
    planned: int = 0
    planned_in: tuple[int, ...] = ()
    #: They have killed workers, and might do so every night.
    quarantined: int = 0

    @property
    def words(self) -> str:
        """ "5 have their result, 2 are in job 7, which has not ended, 1 is in quarantine"; empty for none."""
        parts = []
        if self.done:
            parts.append(f"{self.done:,} {'has its' if self.done == 1 else 'have their'} result")
        if self.planned:
            names = ", ".join(map(str, self.planned_in))
            which = (
                f"job {names}, which has" if len(self.planned_in) == 1 else f"the jobs {names}, which have"
            )
            parts.append(f"{self.planned:,} {'is' if self.planned == 1 else 'are'} in {which} not ended")
        if self.quarantined:
            parts.append(f"{self.quarantined:,} {'is' if self.quarantined == 1 else 'are'} in quarantine")
        return ", ".join(parts)


@dataclass(frozen=True)
class NewOnly:
    """Of some documents, those that are new to a job: they have no result from a job like it, they are in no job like
    it that has not ended, and they are not in quarantine."""

    job: Job
    #: The jobs that do the same work (db.work).
    alike: tuple[int, ...]
    #: The job's model version is decided when it starts.
    model_comes_later: bool = False

    def of(self, query: Select[int, int]) -> Select[int, int]:
        """The new ones of a query's documents."""
        planned = self._planned()
        return (
            query.outerjoin(planned, planned.c.id == Document.id)
            .where(planned.c.id.is_(None))
            .where(~self._done(), ~self._quarantined())
        )

    def left_out(self, session: Session, query: Select[int, int]) -> LeftOut:
        """How many of a query's documents are not new."""
        planned = self._planned()
        why = case(
            (self._done(), "done"), (planned.c.id.is_not(None), "planned"), (self._quarantined(), "held")
        )
        reasons = (
            query.outerjoin(planned, planned.c.id == Document.id)
            .with_only_columns(why.label("why"), planned.c.job_id.label("job_id"))
            .subquery()
        )
        rows = session.execute(
            select(reasons.c.why, reasons.c.job_id, func.count()).group_by(reasons.c.why, reasons.c.job_id)
        ).all()
        count = {why: sum(n for w, _, n in rows if w == why) for why in ("done", "planned", "held")}
        where = tuple(sorted({job_id for w, job_id, _ in rows if w == "planned"}))
        return LeftOut(count["done"], count["planned"], where, count["held"])

    def _done(self) -> ColumnElement[bool]:
        return exists().where(
            Outcome.document_id == Document.id,
            Outcome.state == OutcomeState.OK,
            one_of(Outcome.job_id, self.alike or (0,)),
        )

    def _quarantined(self) -> ColumnElement[bool]:
        return held(self.job.kind, Document.id)

    def _planned(self) -> Subquery:
        """(id, job_id) of each document that another job like this one still has to run."""
        table, id_ = each_id(Chunk.document_ids)
        is_done = exists().where(Outcome.job_id == Chunk.job_id, Outcome.document_id == id_)
        return (
            select(id_.label("id"), func.min(Chunk.job_id).label("job_id"))
            .select_from(Chunk)
            .join(Job, Job.id == Chunk.job_id)
            .join(table, true())
            .where(
                Job.state.in_(UNFINISHED),
                one_of(Job.id, self.alike or (0,)),
                *self._same_later_model(),
                Chunk.state != ChunkState.CLOSED,
                ~is_done,
            )
            .group_by(id_)
            .subquery("planned")
        )

    def _same_later_model(self) -> tuple[ColumnElement[bool], ...]:
        """Two jobs whose model is not decided yet will use the same one if they wait for the same job."""
        if not self.model_comes_later:
            return ()
        return (
            Job.after_job_id == self.job.after_job_id,
            Job.model_ref.is_not_distinct_from(self.job.model_ref),
        )


def one_at_a_time(session: Session, collection: int) -> None:
    """Wait for other transactions that choose new documents of this collection, so that no two of them choose the same.
    SQLite has only one writer anyway."""
    session.execute(select(Collection.id).where(Collection.id == collection).with_for_update(key_share=True))


def failed_in(job_id: int) -> Select[int, int]:
    """The latest versions of the documents that failed in a job."""
    before = aliased(Document)
    return (
        select(Document.id, Document.body_chars)
        .join(before, (before.collection_id == Document.collection_id) & (before.key == Document.key))
        .join(Outcome, Outcome.document_id == before.id)
        .where(Outcome.job_id == job_id, Outcome.state == OutcomeState.ERROR, Document.is_latest)
    )
