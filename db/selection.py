"""Which documents a job takes, and how they are cut into chunks: inside the database, so that submitting a
million documents moves none of them."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Integer,
    Select,
    Subquery,
    case,
    cast,
    exists,
    func,
    insert,
    literal,
    or_,
    select,
    true,
)
from sqlalchemy.orm import Session, aliased

from db.quarantine import held
from db.sql import each_id, json_ids
from db.tables import Chunk, Collection, Document, GivenLabel, Job, Outcome


@dataclass(frozen=True, slots=True)
class ChunkSize:
    """At most so many documents, and about so many characters, in a chunk. None: everything in one chunk."""

    documents: int
    chars: int


def latest(collection: int, *, labelled_only: bool = False) -> Select[int, int]:
    """Every latest document of a collection."""
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
    """How many documents a job over new ones did not take, each counted once, and why."""

    #: A job like it gave them a result.
    done: int = 0
    #: A job like it that has not ended holds them: these jobs, and how many.
    planned: int = 0
    planned_in: tuple[int, ...] = ()
    #: They would kill workers every night.
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
    """Of some documents, those that are new to a job: no job like it has given them a result, none that has not
    ended holds them, and they are not in quarantine."""

    job: Job
    #: The job's model version is settled when it starts.
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
        alike = select(Job.id).where(*self._alike(Job)).scalar_subquery()
        return exists().where(
            Outcome.document_id == Document.id, Outcome.state == "ok", Outcome.job_id.in_(alike)
        )

    def _quarantined(self) -> ColumnElement[bool]:
        return held(self.job.kind, Document.id)

    def _planned(self) -> Subquery:
        """(id, job_id) of each document that a job like this one still has to do."""
        table, id_ = each_id(Chunk.document_ids)
        is_done = exists().where(Outcome.job_id == Chunk.job_id, Outcome.document_id == id_)
        return (
            select(id_.label("id"), func.min(Chunk.job_id).label("job_id"))
            .select_from(Chunk)
            .join(Job, Job.id == Chunk.job_id)
            .join(table, true())
            .where(
                Job.state.in_(("waiting", "running", "paused")),
                Job.collection_id == self.job.collection_id,
                *self._alike(Job),
                *self._same_later_model(),
                Chunk.state != "closed",
                ~is_done,
            )
            .group_by(id_)
            .subquery("planned")
        )

    def _alike(self, other: type[Job]) -> tuple[ColumnElement[bool], ...]:
        return (
            other.kind == self.job.kind,
            other.id != self.job.id,
            other.parameters == literal(self.job.parameters, Job.parameters.type),
            other.model_version_id.is_not_distinct_from(self.job.model_version_id),
        )

    def _same_later_model(self) -> tuple[ColumnElement[bool], ...]:
        """Two jobs whose model is not known yet will use the same one if they wait for the same job."""
        if not self.model_comes_later:
            return ()
        return (
            Job.after_job_id == self.job.after_job_id,
            Job.model_ref.is_not_distinct_from(self.job.model_ref),
        )


def one_at_a_time(session: Session, collection: int) -> None:
    """Wait for others who choose new documents of this collection now, so that no two of them take the same. SQLite
    has one writer anyway."""
    session.execute(select(Collection.id).where(Collection.id == collection).with_for_update(key_share=True))


def failed_in(job_id: int) -> Select[int, int]:
    """The latest versions of the documents that ended in an error in a job."""
    before = aliased(Document)
    return (
        select(Document.id, Document.body_chars)
        .join(before, (before.collection_id == Document.collection_id) & (before.key == Document.key))
        .join(Outcome, Outcome.document_id == before.id)
        .where(Outcome.job_id == job_id, Outcome.state == "error", Document.is_latest)
    )


def cut(session: Session, job: Job, documents: Select[int, int], size: ChunkSize | None, state: str) -> int:
    """Write the job's first-stage chunks over these documents, in the order of their ids; returns how many
    documents they hold."""
    chosen = documents.subquery("chosen")
    if size is None:
        slot = literal(0).label("slot")
    else:
        # A running sum of costs, cut at every `chars`: a document costs its characters, and no less than
        # would let more than `documents` of them share a chunk.
        floor = -(-size.chars // size.documents)
        cost = case((chosen.c.body_chars < floor, floor), else_=chosen.c.body_chars)
        # PostgreSQL's sum of bigint is a numeric, which is slow; its sum of integer is a bigint.
        position = cast(func.sum(cast(cost, Integer)).over(order_by=chosen.c.id) - 1, BigInteger)
        slot = position.op("/")(literal(size.chars, Integer)).label("slot")
    placed = select(chosen.c.id, slot).order_by(chosen.c.id).subquery("placed")
    session.execute(
        insert(Chunk.__table__).from_select(  # type: ignore[arg-type]
            ["job_id", "stage", "seq", "queue", "priority", "n_documents", "state", "document_ids"],
            select(
                literal(job.id), literal(0), func.row_number().over(order_by=placed.c.slot), literal(job.kind),
                literal(job.priority), func.count(), literal(state), json_ids(placed.c.id),
            ).group_by(placed.c.slot),
        )
    )  # fmt: skip
    n_documents = session.scalar(select(func.sum(Chunk.n_documents)).where(Chunk.job_id == job.id))
    return int(n_documents or 0)


def add_stage(session: Session, job: Job, stage: int) -> None:
    """Copy the first stage's chunks for a later one."""
    session.execute(
        insert(Chunk.__table__).from_select(  # type: ignore[arg-type]
            ["job_id", "stage", "seq", "queue", "priority", "n_documents", "state", "document_ids"],
            select(
                Chunk.job_id, literal(stage), Chunk.seq, Chunk.queue, Chunk.priority, Chunk.n_documents,
                literal("blocked"), Chunk.document_ids,
            ).where(Chunk.job_id == job.id, Chunk.stage == 0),
        )
    )  # fmt: skip
