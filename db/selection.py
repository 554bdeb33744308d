"""Which documents a job takes, as queries: choosing a million documents moves none of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import (
    ColumnElement,
    Select,
    Subquery,
    Table,
    case,
    exists,
    func,
    or_,
    select,
    true,
    union,
)
from sqlalchemy.orm import Session, aliased

from db.quarantine import held
from db.sql import each_id, one_of
from db.states import UNFINISHED, ChunkState, ErrorCode, OutcomeState
from db.tables import Base, Chunk, Collection, Document, GivenLabel, Job, Outcome


def latest(
    collection: int, *, labelled_only: bool = False, also: Sequence[int] = (), corrections: Sequence[int] = ()
) -> Select[int, int]:
    """Every latest document of a collection, and of these others too; and these documents, wherever they are. A
    selection by metadata (db.where) is a further condition on it."""
    is_there = Document.collection_id == collection
    if also:
        is_there = Document.collection_id.in_((collection, *also))
    if labelled_only:
        is_there &= or_(Document.label.is_not(None), _is_given_one())
    if corrections:
        is_there |= one_of(Document.id, corrections)
    return select(Document.id, Document.body_chars).where(is_there, Document.is_latest)


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


@dataclass(frozen=True, slots=True)
class DependsOn:
    """The results of a kind depend on other documents than their own (`nlp_tasks.kind.Others`)."""

    #: The result table whose rows name other documents, and that column.
    table: str
    column: str
    #: Whether a job over some documents brings the results of all others up to date.
    are_updated: bool
    of_all_collections: bool
    #: The table that tells which results have lost a row since (`is_cut`); empty for none.
    lists: str = ""


def depends_on(table: str, *, are_updated: bool, of_all_collections: bool, lists: str = "") -> DependsOn:
    """What NewOnly needs of a result table whose rows name other documents."""
    named = [
        key.parent.name
        for key in Base.metadata.tables[table].foreign_keys
        if key.column.table.name == Document.__tablename__ and key.parent.name != "document_id"
    ]
    return DependsOn(table, named[0], are_updated, of_all_collections, lists)


def outdated(
    depends_on: DependsOn, alike: Sequence[int], collection: int, going: Sequence[int] = ()
) -> Select[int]:
    """The documents whose newest result from these jobs names a document that is not the latest, or that is `going`; or
    named one that a removal took away. It begins with those, which are few, and finds by an index who names them."""
    rows = Base.metadata.tables[depends_on.table]
    named, jobs = aliased(Document), alike or (0,)
    is_gone = named.is_latest.is_(False)
    name_one = (
        select(rows.c.document_id)
        .join(named, named.id == rows.c[depends_on.column])
        .where(
            named.collection_id == collection,
            is_gone | one_of(named.id, going) if going else is_gone,
            one_of(rows.c.job_id, jobs),
            ~_has_newer(depends_on, rows, jobs),
        )
        .distinct()
    )
    if not depends_on.lists:
        return name_one
    lists = Base.metadata.tables[depends_on.lists]
    cut = select(lists.c.document_id).where(
        lists.c.is_cut, one_of(lists.c.job_id, jobs), ~_has_newer(depends_on, lists, jobs)
    )
    either = union(name_one, cut).subquery("outdated")
    return select(either.c.document_id)


def _has_newer(depends_on: DependsOn, rows: Table, jobs: Sequence[int]) -> ColumnElement[bool]:
    """Whether one of the jobs has a newer result of a row's document."""
    newer = Base.metadata.tables[depends_on.table].alias()
    return exists().where(
        newer.c.document_id == rows.c.document_id,
        newer.c.job_id > rows.c.job_id,
        one_of(newer.c.job_id, jobs),
    ) | exists().where(
        Outcome.document_id == rows.c.document_id,
        Outcome.job_id > rows.c.job_id,
        one_of(Outcome.job_id, jobs),
        Outcome.state == OutcomeState.OK,
    )


@dataclass(frozen=True)
class NewOnly:
    """Of some documents, those that are new to a job: they have no result from a job like it, they are in no job like
    it that has not ended, and they are not in quarantine.

    If results depend on other documents, a document is also new when the newest result names a document that is no
    longer the latest. If results are not updated one by one, all documents are new as soon as one has changed."""

    job: Job
    #: The jobs that do the same work (db.work).
    alike: tuple[int, ...]
    #: The job's model version is decided when it starts.
    model_comes_later: bool = False
    depends_on: DependsOn | None = None

    def of(self, query: Select[int, int]) -> Select[int, int]:
        """The new ones of a query's documents."""
        if self._takes_all:
            return query.where(self._has_changed(query), ~self._quarantined())
        planned = self._planned()
        return (
            query.outerjoin(planned, planned.c.id == Document.id)
            .where(planned.c.id.is_(None))
            .where(~self._needs_none(), ~self._quarantined())
        )

    def left_out(self, session: Session, query: Select[int, int]) -> LeftOut:
        """How many of a query's documents are not new."""
        if self._takes_all and session.scalar(select(self._has_changed(query))):
            n = session.scalar(query.where(self._quarantined()).with_only_columns(func.count()))
            return LeftOut(quarantined=n or 0)
        planned = self._planned()
        why = case(
            (self._needs_none(), "done"),
            (planned.c.id.is_not(None), "planned"),
            (self._quarantined(), "held"),
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

    @property
    def _takes_all(self) -> bool:
        return self.depends_on is not None and not self.depends_on.are_updated

    def _needs_none(self) -> ColumnElement[bool]:
        """Whether a document has its result, the newest job that had it did not fail to bring it up to date, and no
        document that it names is outdated."""
        if self.depends_on is None or self._takes_all:
            return self._done()
        return (
            self._done()
            & ~self._failed_since()
            & Document.id.not_in(outdated(self.depends_on, self.alike, self.job.collection_id))
        )

    def _has_changed(self, query: Select[int, int]) -> ColumnElement[bool]:
        """Whether one of a query's documents lacks an outcome that was made after the last change."""
        one = query.subquery("one")
        return exists(select(one.c.id).where(self._changed_since(one.c.id), ~held(self.job.kind, one.c.id)))

    def _changed_since(self, document_id: ColumnElement[int]) -> ColumnElement[bool]:
        """Whether a document has no outcome from a recent job like this one, and is in none that has not ended. Recent
        is what was submitted after the last change of the documents that results depend on."""
        recent = select(Job.id).where(one_of(Job.id, self.alike or (0,)), *self._is_recent())
        running = recent.where(
            Job.state.in_(UNFINISHED),
            Job.collection_id == self.job.collection_id,
            *self._same_later_model(),
        )
        mine = aliased(Outcome)
        has_outcome = exists().where(
            mine.document_id == document_id,
            mine.job_id.in_(recent.scalar_subquery()),
            func.coalesce(mine.error_code, "") != ErrorCode.CANCELLED,
        )
        return ~has_outcome & ~exists(running)

    def _is_recent(self) -> tuple[ColumnElement[bool], ...]:
        assert self.depends_on is not None
        document, gone, had = aliased(Document), aliased(Document), aliased(Outcome)
        added = select(func.max(document.added_at))
        if not self.depends_on.of_all_collections:
            added = added.where(document.collection_id == self.job.collection_id)
        # A document that the job had and that was removed since. (One that was replaced has a newer version.)
        removed = exists(
            select(had.document_id)
            .join(gone, gone.id == had.document_id)
            .where(had.job_id == Job.id, gone.is_latest.is_(False))
        ).correlate(Job)
        conditions = [Job.created_at > added.scalar_subquery(), ~removed]
        if self.depends_on.of_all_collections:
            # Another collection's documents count from the job on that gives them what this kind reads of them.
            elsewhere = aliased(Job)
            conditions.append(
                ~exists(
                    select(elsewhere.id).where(
                        elsewhere.collection_id != self.job.collection_id,
                        elsewhere.model_version_id == self.job.model_version_id,
                        elsewhere.finished_at >= Job.created_at,
                    )
                ).correlate(Job)
            )
        return tuple(conditions)

    def _done(self) -> ColumnElement[bool]:
        return exists().where(
            Outcome.document_id == Document.id,
            Outcome.state == OutcomeState.OK,
            one_of(Outcome.job_id, self.alike or (0,)),
        )

    def _failed_since(self) -> ColumnElement[bool]:
        """Whether a job gave a document an error, or was cancelled before it came to it, and none a result since."""
        failed, recovered = aliased(Outcome), aliased(Outcome)
        since = exists().where(
            recovered.document_id == failed.document_id,
            recovered.job_id > failed.job_id,
            recovered.state == OutcomeState.OK,
            one_of(recovered.job_id, self.alike or (0,)),
        )
        return exists().where(
            failed.document_id == Document.id,
            failed.state == OutcomeState.ERROR,
            one_of(failed.job_id, self.alike or (0,)),
            ~since,
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
