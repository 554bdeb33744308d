"""Plans: stored with the documents behind each number, read, and compared with what would be planned now."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from db.errors import NotFoundError
from db.nights.verdicts import Verdict
from db.sql import clock, one_of
from db.tables import Document, NightPlan, NightPlanPart, NightPlanStep

#: Of what moved since a plan, at most this many keys are named.
NAMED = 3


@dataclass(frozen=True)
class Part:
    """Documents of a step with one reason: those of the store by id, those to come by key and content hash (hex). With
    the reason FROM_FILE, `coming` are the files that they are made of."""

    reason: Verdict
    last_job_id: int | None = None
    document_ids: Sequence[int] = ()
    coming: Sequence[tuple[str, str]] = ()

    @property
    def n_documents(self) -> int:
        return len(self.document_ids) + len(self.coming)


@dataclass(frozen=True)
class StepPlan:
    """What a step will do."""

    step: int
    name: str
    action: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    model_version_id: int | None = None
    n_unchanged: int = 0
    n_failed: int = 0
    n_quarantined: int = 0
    n_elsewhere: int = 0
    n_if_promoted: int = 0
    chars: int = 0
    seconds: float | None = None
    seconds_spread: float | None = None
    note: str | None = None
    parts: Sequence[Part] = ()
    #: Without the parts of a plan that was read: they are large.
    by_reason: Mapping[Verdict, int] = field(default_factory=dict)

    @property
    def n_to_do(self) -> int:
        return sum(self.counts.values())

    @property
    def counts(self) -> dict[Verdict, int]:
        """Documents to do, by reason."""
        if self.by_reason:
            return dict(self.by_reason)
        found: dict[Verdict, int] = {}
        for part in self.parts:
            found[part.reason] = found.get(part.reason, 0) + part.n_documents
        return found


@dataclass(frozen=True)
class Plan:
    """What a night will do."""

    name: str
    file: str
    folder: str
    file_digest: str
    steps: Sequence[StepPlan]
    n_workers: int = 0
    seconds: float | None = None
    seconds_spread: float | None = None
    id: int = 0
    created_at: datetime | None = None

    def step(self, name: str) -> StepPlan:
        """ValueError with the names there are."""
        for step in self.steps:
            if step.name == name:
                return step
        raise ValueError(
            f"the plan has no step {name!r}; it has: {', '.join(step.name for step in self.steps)}"
        )


def store(session: Session, plan: Plan) -> Plan:
    """Store a plan; returns it with its number."""
    row = NightPlan(
        name=plan.name,
        file=plan.file,
        folder=plan.folder,
        file_digest=plan.file_digest,
        n_workers=plan.n_workers,
        seconds=plan.seconds,
        seconds_spread=plan.seconds_spread,
    )
    session.add(row)
    session.flush()
    session.add_all(_step_row(row.id, step) for step in plan.steps)
    session.flush()
    for step in plan.steps:
        _store_parts(session, row.id, step)
    return replace(plan, id=row.id, created_at=clock(session))


def _step_row(plan_id: int, step: StepPlan) -> NightPlanStep:
    return NightPlanStep(
        plan_id=plan_id,
        step=step.step,
        name=step.name,
        action=step.action,
        parameters=dict(step.parameters),
        model_version_id=step.model_version_id,
        n_unchanged=step.n_unchanged,
        n_failed=step.n_failed,
        n_quarantined=step.n_quarantined,
        n_elsewhere=step.n_elsewhere,
        n_to_do=step.n_to_do,
        n_if_promoted=step.n_if_promoted,
        chars=step.chars,
        seconds=step.seconds,
        seconds_spread=step.seconds_spread,
        note=step.note,
    )


def _store_parts(session: Session, plan_id: int, step: StepPlan) -> None:
    for number, part in enumerate(step.parts):
        session.add(
            NightPlanPart(
                plan_id=plan_id,
                step=step.step,
                part=number,
                reason=str(part.reason),
                last_job_id=part.last_job_id,
                n_documents=part.n_documents,
                document_ids=list(part.document_ids),
                coming=[list(pair) for pair in part.coming],
            )
        )
        session.flush()
        session.expunge_all()


def load(session: Session, plan_id: int, *, parts: bool = False) -> Plan:
    """A stored plan; with its documents if asked for. NotFoundError if there is none of this number."""
    row = session.get(NightPlan, plan_id)
    if row is None:
        raise NotFoundError(f"there is no plan {plan_id}: `docmill night plan FILE` makes one")
    steps = session.scalars(
        select(NightPlanStep).where(NightPlanStep.plan_id == plan_id).order_by(NightPlanStep.step)
    ).all()
    counts = _counts(session, plan_id)
    return Plan(
        name=row.name,
        file=row.file,
        folder=row.folder,
        file_digest=row.file_digest,
        steps=[
            _as_step(step, counts.get(step.step, {}), parts_of(session, plan_id, step.step) if parts else ())
            for step in steps
        ],
        n_workers=row.n_workers,
        seconds=row.seconds,
        seconds_spread=row.seconds_spread,
        id=row.id,
        created_at=row.created_at,
    )


def _counts(session: Session, plan_id: int) -> dict[int, dict[Verdict, int]]:
    rows = session.execute(
        select(NightPlanPart.step, NightPlanPart.reason, func.sum(NightPlanPart.n_documents))
        .where(NightPlanPart.plan_id == plan_id)
        .group_by(NightPlanPart.step, NightPlanPart.reason)
    )
    found: dict[int, dict[Verdict, int]] = {}
    for step, reason, n in rows:
        found.setdefault(step, {})[Verdict(reason)] = int(n)
    return found


def _as_step(row: NightPlanStep, counts: Mapping[Verdict, int], parts: Sequence[Part]) -> StepPlan:
    return StepPlan(
        step=row.step,
        name=row.name,
        action=row.action,
        parameters=row.parameters,
        model_version_id=row.model_version_id,
        n_unchanged=row.n_unchanged,
        n_failed=row.n_failed,
        n_quarantined=row.n_quarantined,
        n_elsewhere=row.n_elsewhere,
        n_if_promoted=row.n_if_promoted,
        chars=row.chars,
        seconds=row.seconds,
        seconds_spread=row.seconds_spread,
        note=row.note,
        parts=parts,
        by_reason=counts,
    )


def parts_of(session: Session, plan_id: int, step: int) -> list[Part]:
    """The documents of a step."""
    rows = session.execute(
        select(
            NightPlanPart.reason,
            NightPlanPart.last_job_id,
            NightPlanPart.document_ids,
            NightPlanPart.coming,
        )
        .where(NightPlanPart.plan_id == plan_id, NightPlanPart.step == step)
        .order_by(NightPlanPart.part)
    )
    return [
        Part(Verdict(reason), last, ids, [(key, digest) for key, digest in coming])
        for reason, last, ids, coming in rows
    ]


@dataclass(frozen=True, slots=True)
class Listed:
    """A document of a plan."""

    key: str
    reason: str
    last_job_id: int | None


def documents_of(session: Session, plan_id: int, step: int, limit: int | None = None) -> Iterator[Listed]:
    """The documents of a step, each with its reason, by key within a reason."""
    n = 0
    for part in parts_of(session, plan_id, step):
        keys = [key for key, _ in part.coming]
        for start in range(0, len(part.document_ids), 2_000):
            some = part.document_ids[start : start + 2_000]
            keys += session.scalars(select(Document.key).where(one_of(Document.id, some)))
        for key in sorted(keys):
            if limit is not None and n >= limit:
                return
            n += 1
            yield Listed(key, str(part.reason), part.last_job_id)


# --- has the store moved since? -------------------------------------------------------------------------------------


def moved(session: Session, before: Plan, now: Plan) -> list[str]:
    """What is different now, in words; empty if the same documents would be done with the same models."""
    if before.file_digest != now.file_digest:
        return ["the file means something else now"]
    words: list[str] = []
    for old, new in zip(before.steps, now.steps, strict=True):
        words += _moved_step(session, old, new)
    # The same document counts in several steps: it is said once.
    return list(dict.fromkeys(words))


def _moved_step(session: Session, old: StepPlan, new: StepPlan) -> Iterator[str]:
    if old.model_version_id != new.model_version_id:
        yield f"{old.name}: the model is another one now"
    elif dict(old.parameters) != dict(new.parameters):
        yield f"{old.name}: its parameters mean something else now"
    if same_documents(old, new):
        return
    before, now = _documents(session, old), _documents(session, new)
    gone, come = before.keys() - now.keys(), now.keys() - before.keys()
    changed = {key for key in before.keys() & now.keys() if before[key] != now[key]}
    for keys, what in (
        (come, "to do now and were not"),
        (gone, "not to do any more"),
        (changed, "changed since"),
    ):
        if keys:
            named = ", ".join(sorted(keys)[:NAMED]) + (", ..." if len(keys) > NAMED else "")
            yield f"{old.name}: {len(keys):,} {'is' if len(keys) == 1 else 'are'} {what} ({named})"


def _documents(session: Session, step: StepPlan) -> dict[str, Any]:
    """Key -> content hash."""
    found: dict[str, Any] = {}
    ids: list[int] = []
    for part in step.parts:
        ids += part.document_ids
        prefix = "file " if part.reason == Verdict.FROM_FILE else ""
        found.update({f"{prefix}{key}": digest for key, digest in part.coming})
    for start in range(0, len(ids), 10_000):
        some = ids[start : start + 10_000]
        found.update(
            (key, digest.hex())
            for key, digest in session.execute(
                select(Document.key, Document.content_hash).where(one_of(Document.id, some))
            )
        )
    return found


def same_documents(before: StepPlan, now: StepPlan) -> bool:
    """Whether both plans have the same documents: asked first, since it reads nothing."""
    return _as_sets(before.parts) == _as_sets(now.parts)


def _as_sets(parts: Iterable[Part]) -> tuple[set[int], set[tuple[str, str]]]:
    ids: set[int] = set()
    coming: set[tuple[str, str]] = set()
    for part in parts:
        ids.update(part.document_ids)
        coming.update((key, digest) for key, digest in part.coming)
    return ids, coming
