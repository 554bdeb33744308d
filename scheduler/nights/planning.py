"""The plan of a night: for each step its documents, each with the reason why it is done. Nothing is written."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from db import documents, files, selection, where, work
from db.errors import NotFoundError, StoreError
from db.jobs import NewJob
from db.nights import verdicts
from db.nights.plans import Part, Plan, StepPlan
from db.nights.verdicts import Group, Retry, Verdict
from db.sql import one_of
from db.states import PASSING
from db.tables import Document
from nlp_tasks.kind import Kind
from scheduler import requests
from scheduler.nights import actions, estimating, training
from scheduler.nights.coming import Coming, Found
from scheduler.nights.definition import StepTable
from scheduler.nights.reading import NightFile
from scheduler.nights.steps import ADD, Step
from scheduler.requests import JobRequest
from workers import kinds


def make(session: Session, night: NightFile, coming: Coming) -> Plan:
    """The plan of a night, not stored."""
    planner = _Planner(session, night, coming)
    steps = [planner.plan(step) for step in night.steps]
    told = night.definition
    timed = estimating.with_times(session, told.name, steps, _collection(session, told.collection))
    return replace(
        Plan(told.name, night.text, str(night.folder), night.digest, timed.steps),
        n_workers=timed.n_workers,
        seconds=timed.seconds,
        seconds_spread=timed.spread,
    )


@dataclass(frozen=True)
class Resolved:
    """What a step does to the documents of the store: the job without its documents, and which jobs are alike."""

    new: NewJob
    jobs: work.Jobs


class _Planner:
    def __init__(self, session: Session, night: NightFile, coming: Coming) -> None:
        self._session = session
        self._night = night
        self._coming = coming
        #: The trainings of this night that are due, by the name of the model.
        self._trained: set[str] = set()
        self._to_extract: list[tuple[str, str]] = []
        self._planned: dict[int, StepPlan] = {}

    def plan(self, step: Step) -> StepPlan:
        plan = self._of(step)
        self._planned[step.number] = plan
        return plan

    def _of(self, step: Step) -> StepPlan:
        base = StepPlan(step.number, step.name, step.action)
        if step.action == ADD:
            return self._add(base)
        kind = step.kind
        if kind is None:
            return replace(base, note=actions.ACTIONS[step.action].note(step.table.others))
        parameters = parameters_of(step)
        base = replace(base, parameters=parameters)
        if kind.train is not None:
            return self._train(base, step, kind)
        if step.judges is not None:
            return self._judge(base, step)
        return self._documents(base, step, kind)

    # --- steps by sort ----------------------------------------------------------------------------------------------

    def _add(self, base: StepPlan) -> StepPlan:
        found, of_files = self._coming.documents, self._coming.files
        new, changed = [*found.new, *of_files.new], [*found.changed, *of_files.changed]
        removed = [(key, "") for key, _ in (*found.removed, *of_files.removed)]
        parts = [
            Part(reason, coming=pairs)
            for reason, pairs in (
                (Verdict.NEW, _pairs(new)),
                (Verdict.CHANGED_TEXT, _pairs(changed)),
                (Verdict.REMOVED, removed),
            )
            if pairs
        ]
        notes = []
        if found.n_relabelled:
            notes.append(f"{found.n_relabelled:,} get another label")
        if self._coming.bad:
            notes.append(
                f"bad records, which are left out: {len(self._coming.bad):,} (the first: {self._coming.bad[0]})"
            )
        if self._coming.note:
            notes.append(self._coming.note)
        n_unchanged = found.n_unchanged + found.n_relabelled + of_files.n_unchanged
        chars = sum(n for _, _, n in (*new, *changed))
        return replace(base, n_unchanged=n_unchanged, chars=chars, parts=parts, note="; ".join(notes) or None)

    def _train(self, base: StepPlan, step: Step, kind: Kind) -> StepPlan:
        model = step.trains or ""
        collection = _collection(self._session, step.collection)
        found = training.due(
            self._session,
            kind.name,
            model,
            collection,
            step.table.when,
            n_coming=self._n_coming(step, kind),
            labelled_only=kind.labelled_only,
            learns_labels=kind.labelled_only or kind.takes_corrections,
        )
        if not found.is_due:
            return replace(base, note=f"not due: {found.why}")
        self._trained.add(model)
        return replace(base, note=f"due: {found.why}", parts=(Part(Verdict.NEW, coming=[(model, "")]),))

    def _n_coming(self, step: Step, kind: Kind) -> int:
        if step.collection != self._night.definition.collection or kind.labelled_only:
            # Whether new documents will have labels is not known before they are stored.
            return 0
        return len(self._coming.documents.new) + len(self._coming.documents.changed)

    def _judge(self, base: StepPlan, step: Step) -> StepPlan:
        """It reads the results of an earlier step's job, of all its documents."""
        judged = judged_step(step, self._night.steps)
        if judged is None:
            return replace(
                base, note=f"cannot run: there is no earlier step {step.judges and step.judges.kind!r}"
            )
        before = self._planned[judged.number]
        return replace(base, chars=before.chars, parts=before.parts, note=f"over what {judged.name} does")

    def _documents(self, base: StepPlan, step: Step, kind: Kind) -> StepPlan:
        resolved: Resolved | None = None
        note: str | None = None
        try:
            resolved = resolve(self._session, step, will_train=self._trained)
        except _NotYetError as error:
            # An earlier step stores the first documents, or makes the model.
            note = error.note if self._coming_parts(step, kind) else str(error)
        except (StoreError, ValueError) as error:
            return replace(base, note=f"cannot run: {error}")
        groups = self._groups(step, kind, resolved)
        parts = [Part(g.verdict, g.last_job_id, g.document_ids) for g in groups if g.document_ids]
        parts += self._coming_parts(step, kind)
        plan = replace(
            base,
            model_version_id=resolved.new.model_version_id if resolved else None,
            n_unchanged=_count(groups, Verdict.UNCHANGED),
            n_failed=_count(groups, Verdict.FAILED),
            n_quarantined=_count(groups, Verdict.QUARANTINED),
            n_elsewhere=_count(groups, Verdict.ELSEWHERE),
            chars=sum(group.chars for group in groups if group.document_ids) + self._coming_chars(step, kind),
            parts=parts,
            note=note,
        )
        if step.table.where is not None and any(part.coming for part in parts):
            note = f"of those that come, only where {step.table.where}"
            plan = replace(plan, note=note if plan.note is None else f"{plan.note}; {note}")
        plan = self._with_others(plan, step, kind, resolved)
        if kind.over_files:
            self._to_extract += self._file_keys(plan)
        if resolved is not None and self._is_trained(step, kind):
            model = resolved.new.model_ref or ""
            plan = replace(
                plan,
                n_if_promoted=plan.n_unchanged + plan.n_failed,
                note=f"and {plan.n_unchanged + plan.n_failed:,} more if the new version of {model} is taken into use",
            )
        return plan

    # --- documents --------------------------------------------------------------------------------------------------

    def _groups(self, step: Step, kind: Kind, resolved: Resolved | None) -> Sequence[Group]:
        collection = _target(self._session, step.collection, kind)
        if collection is None:
            return ()
        chosen = chosen_of(self._session, step, collection)
        gone = self._gone(step, kind)
        if gone:
            chosen = chosen.where(~one_of(Document.id, gone))
        jobs = resolved.jobs if resolved is not None else work.Jobs()
        return verdicts.groups(self._session, kind.name, jobs, chosen, retry_of(step.table))

    def _gone(self, step: Step, kind: Kind) -> list[int]:
        """The versions that will not be the latest any more."""
        found = self._found(step, kind)
        return [*found.replaced, *(id_ for _, id_ in found.removed)] if found is not None else []

    def _found(self, step: Step, kind: Kind) -> Found | None:
        if step.collection != self._night.definition.collection:
            return None
        return self._coming.files if kind.over_files else self._coming.documents

    def _coming_parts(self, step: Step, kind: Kind) -> list[Part]:
        found = self._found(step, kind)
        if found is None:
            return []
        from_files = [] if kind.over_files else self._to_extract
        by_reason = (
            (Verdict.NEW, _pairs(found.new)),
            (Verdict.CHANGED_TEXT, _pairs(found.changed)),
            (Verdict.FROM_FILE, from_files),
        )
        return [Part(reason, coming=pairs) for reason, pairs in by_reason if pairs]

    def _coming_chars(self, step: Step, kind: Kind) -> int:
        found = self._found(step, kind)
        return sum(n for _, _, n in (*found.new, *found.changed)) if found is not None else 0

    def _file_keys(self, plan: StepPlan) -> list[tuple[str, str]]:
        """The files that will be extracted: what is made of them comes to the later steps."""
        ids = [id_ for part in plan.parts for id_ in part.document_ids]
        stored = self._session.execute(
            select(Document.key, Document.content_hash).where(one_of(Document.id, ids or (0,)))
        )
        return [
            *((key, digest.hex()) for key, digest in stored),
            *(pair for part in plan.parts for pair in part.coming),
        ]

    def _with_others(self, plan: StepPlan, step: Step, kind: Kind, resolved: Resolved | None) -> StepPlan:
        """Of a kind whose results depend on other documents, what is done again because of those: if a job brings the
        other results up to date, only the results that name a document which goes or has gone; else all of them, as
        soon as a document is new, changed or removed."""
        depends_on = resolved.new.depends_on if resolved is not None else None
        if resolved is None or depends_on is None or not plan.n_unchanged:
            return plan
        found, gone = self._found(step, kind), self._gone(step, kind)
        if not depends_on.are_updated and not plan.n_to_do and not (found is not None and found.removed):
            return plan
        collection = resolved.new.collection_id
        judged = verdicts.of_each(
            self._session,
            kind.name,
            resolved.jobs,
            chosen_of(self._session, step, collection),
            retry_of(step.table),
        ).subquery()
        standing = select(judged.c.id, judged.c.chars).where(judged.c.verdict == str(Verdict.UNCHANGED))
        if depends_on.are_updated:
            outdated = selection.outdated(depends_on, resolved.jobs.alike, collection, gone)
            standing = standing.where(judged.c.id.in_(outdated))
        done = {id_ for part in plan.parts for id_ in part.document_ids} | set(gone)
        others = [
            (id_, n) for id_, n in self._session.execute(standing.order_by(judged.c.id)) if id_ not in done
        ]
        ids = [id_ for id_, _ in others]
        parts = [
            Part(Verdict.OTHERS_CHANGED, document_ids=ids[start : start + verdicts.PART_DOCUMENTS])
            for start in range(0, len(ids), verdicts.PART_DOCUMENTS)
        ]
        return replace(
            plan,
            n_unchanged=plan.n_unchanged - len(ids),
            chars=plan.chars + sum(n for _, n in others),
            parts=[*plan.parts, *parts],
        )

    def _is_trained(self, step: Step, kind: Kind) -> bool:
        """Whether an earlier step of this night trains the model that a step uses."""
        if kind.model_from is None:
            return False
        makers = [
            one for one in self._night.steps if one.number in step.waits_for and one.action == kind.model_from
        ]
        return any(one.trains in self._trained for one in makers)


# --- what others ask, too ----------------------------------------------------------------------------------------


_MODEL_FIRST = "its model is made first"


class _NotYetError(StoreError):
    """What a step needs is made by an earlier step of the night. `note` is worth saying in any case."""

    def __init__(self, words: str, note: str | None = None) -> None:
        super().__init__(words)
        self.note = note


def resolve(session: Session, step: Step, *, will_train: Collection[str] = ()) -> Resolved:
    """The job of a step as it would be now, without its documents. Raises as `requests.prepare` does."""
    if _target(session, step.collection, _kind(step)) is None:
        raise _NotYetError(f"nothing of the collection {step.collection!r} is stored yet")
    request = request_of(step)
    try:
        new = requests.prepare(session, request)
    except NotFoundError:
        name = step.model_name
        if (name in will_train) if name else will_train:
            raise _NotYetError(_MODEL_FIRST, _MODEL_FIRST) from None
        raise
    return Resolved(new, work.compared(session, new.work, new.collection_id))


def request_of(step: Step) -> JobRequest:
    """A step as a request."""
    table = step.table
    return JobRequest(
        step.action, step.collection, table.model, dict(table.parameters), table.priority, where=table.where
    )


def parameters_of(step: Step) -> dict[str, Any]:
    """A step's parameters, with every default."""
    from dataclasses import asdict

    return asdict(kinds.parameters_of(_kind(step), step.table.parameters, step.table.model))


def retry_of(table: StepTable) -> Retry:
    """Which failed documents a step tries again."""
    passing = {*PASSING, *files.PASSING}
    if table.retry == "all":
        return Retry(None)
    if table.retry == "none":
        return Retry(frozenset())
    return Retry(frozenset(passing if table.retry == "passing" else {*passing, *table.retry}))


def chosen_of(session: Session, step: Step, collection: int) -> Select[*tuple[Any, ...]]:
    """The documents that a step may take: (id, characters). ValueError for a selection that cannot be read."""
    chosen = selection.latest(collection)
    if step.table.where is None:
        return chosen
    return chosen.where(where.where(session, step.table.where, collection))


def judged_step(step: Step, steps: Sequence[Step]) -> Step | None:
    """The last earlier step whose results a step judges."""
    judged = step.judges
    if judged is None:
        return None
    before = [one for one in steps if one.number < step.number and one.action == judged.kind]
    return before[-1] if before else None


def _kind(step: Step) -> Kind:
    return kinds.find(step.action)


def _collection(session: Session, name: str) -> int | None:
    try:
        return documents.collection_id(session, name)
    except NotFoundError:
        return None


def _target(session: Session, name: str, kind: Kind) -> int | None:
    """The collection whose documents a kind takes: its own documents, or its files."""
    collection = _collection(session, name)
    if collection is None or not kind.over_files:
        return collection
    return files.collection_of(session, collection)


def _pairs(found: Iterable[tuple[str, str, int]]) -> list[tuple[str, str]]:
    return [(key, digest) for key, digest, _ in found]


def _count(groups: Iterable[Group], verdict: Verdict) -> int:
    return sum(group.n_documents for group in groups if group.verdict == verdict)
