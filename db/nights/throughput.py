"""How fast work went: the time of recent chunks, by documents, characters and device."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select, true
from sqlalchemy.orm import Session

from db.sql import each_id
from db.states import ChunkState, JobState, StepState
from db.tables import Chunk, Document, Job, Model, ModelVersion, Night, NightPlanStep, NightStep
from db.work import Work

#: Of each kind, this many jobs are looked at, the last ones, and this many chunks of each stage.
MOST_JOBS, MOST_CHUNKS = 5, 60
#: Longer pauses between two chunks of a process are no part of the work: it had nothing to do.
LONGEST_GAP_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Measured:
    """One chunk that was worked without a fault."""

    job_id: int
    stage: int
    #: "cpu" or "cuda".
    device: str
    instance: str
    n_documents: int
    chars: int
    claimed_at: datetime
    closed_at: datetime

    @property
    def seconds(self) -> float:
        return (self.closed_at - self.claimed_at).total_seconds()


def chunks_of(session: Session, work: Work) -> list[Measured]:
    """Recent chunks of a kind, of jobs with the same parameters if there are any."""
    return [chunk for job_id in _recent_jobs(session, work) for chunk in _chunks(session, job_id)]


def _recent_jobs(session: Session, work: Work) -> Sequence[int]:
    measured = select(Chunk.id).where(Chunk.job_id == Job.id, Chunk.claimed_at.is_not(None)).exists()
    rows = session.execute(
        select(Job.id, Job.parameters)
        .where(Job.kind == work.kind, Job.state == JobState.FINISHED, Job.n_ok > 0, measured)
        .order_by(Job.id.desc())
        .limit(20 * MOST_JOBS)
    ).all()
    alike = [job_id for job_id, parameters in rows if work.has_parameters(parameters)]
    return (alike or [job_id for job_id, _ in rows])[:MOST_JOBS]


def _chunks(session: Session, job_id: int) -> list[Measured]:
    """The last chunks of each stage of a job. Their characters are summed here: a chunk does not store them."""
    place = func.row_number().over(partition_by=Chunk.stage, order_by=Chunk.closed_at.desc())
    ranked = (
        select(Chunk.id, place.label("place"))
        .where(
            Chunk.job_id == job_id,
            Chunk.state == ChunkState.CLOSED,
            Chunk.claimed_at.is_not(None),
            Chunk.n_put_back + Chunk.n_crashes + Chunk.n_lost == 0,
            Chunk.instance.is_not(None),
        )
        .subquery()
    )
    last = select(ranked.c.id).where(ranked.c.place <= MOST_CHUNKS)
    table, id_ = each_id(Chunk.document_ids)
    rows = session.execute(
        select(
            Chunk.job_id, Chunk.stage, Chunk.worker, Chunk.instance, Chunk.n_documents,
            func.sum(Document.body_chars), Chunk.claimed_at, Chunk.closed_at,
        )
        .select_from(Chunk).join(table, true()).join(Document, Document.id == id_)
        .where(Chunk.id.in_(last))
        .group_by(Chunk.id)
    )  # fmt: skip
    return [
        Measured(job, stage, device_of(worker), instance or "", n, int(chars), claimed, closed)
        for job, stage, worker, instance, n, chars, claimed, closed in rows
        if claimed is not None and closed is not None
    ]


def device_of(worker: str | None) -> str:
    """ "cuda" of "cuda:0@host" """
    return (worker or "cpu").partition("@")[0].partition(":")[0]


@dataclass(frozen=True, slots=True)
class Training:
    """A training that made a version."""

    n_documents: int
    seconds: float


def trainings(session: Session, kind: str, model: str) -> list[Training]:
    """The last trainings of a model, the newest first."""
    rows = session.execute(
        select(Job.n_documents, Job.started_at, Job.finished_at)
        .join(ModelVersion, ModelVersion.job_id == Job.id)
        .join(Model, Model.id == ModelVersion.model_id)
        .where(Model.name == model, Job.kind == kind, Job.finished_at.is_not(None))
        .order_by(ModelVersion.version.desc())
        .limit(MOST_JOBS)
    )
    return [Training(n, (end - start).total_seconds()) for n, start, end in rows if start and end]


@dataclass(frozen=True, slots=True)
class StepRun:
    """How long a step of an earlier night of the same name took, and what it had to do."""

    n_to_do: int
    n_unchanged: int
    seconds: float


def step_runs(session: Session, night: str, step: str) -> list[StepRun]:
    """The last runs of a step, the newest first."""
    rows: Any = session.execute(
        select(NightPlanStep.n_to_do, NightPlanStep.n_unchanged, NightStep.started_at, NightStep.finished_at)
        .join(Night, Night.id == NightStep.night_id)
        .join(
            NightPlanStep, (NightPlanStep.plan_id == Night.plan_id) & (NightPlanStep.step == NightStep.step)
        )
        .where(Night.name == night, NightStep.name == step, NightStep.state == StepState.DONE)
        .order_by(Night.id.desc())
        .limit(MOST_JOBS)
    )
    return [StepRun(n, m, (end - start).total_seconds()) for n, m, start, end in rows if start and end]
