"""How long a plan takes, from what was measured. What was never measured has no time, and the plan says so.

The time of a chunk is a x documents + b x characters, fitted for each stage and device of the kind, and the pause
between two chunks of a process. Steps share the workers, so the night takes the sum.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import ceil, sqrt
from statistics import fmean, median, pstdev

from sqlalchemy.orm import Session

from db import registry, selection
from db.nights import throughput
from db.nights.plans import StepPlan
from db.nights.throughput import LONGEST_GAP_SECONDS, Measured
from db.work import Work
from nlp_tasks.kind import Kind
from nlp_tasks.parameters import defaults, without_effect
from workers import kinds

#: Of the time, where too few jobs were measured to know better.
UNKNOWN_SPREAD = 0.2
LEAST_SPREAD = 0.05
#: A job and each of its stages begin and end with a turn of the scheduler.
TURN_SECONDS = 0.3


@dataclass(frozen=True)
class Timed:
    """The steps with their times, and the night's."""

    steps: Sequence[StepPlan]
    n_workers: int
    seconds: float | None
    spread: float | None


def with_times(session: Session, night: str, steps: Sequence[StepPlan], collection: int | None) -> Timed:
    """Add the times. The night's is None if a step with something to do has none."""
    devices = [throughput.device_of(worker.device) for worker in registry.at_work(session)]
    timed = [_with_time(session, night, step, devices, collection) for step in steps]
    known = [step for step in timed if step.seconds is not None]
    is_whole = len(known) == len([step for step in timed if step.n_to_do])
    total = sum(step.seconds or 0.0 for step in known)
    spread = sqrt(sum((step.seconds_spread or 0.0) ** 2 for step in known))
    return Timed(timed, len(devices), total if is_whole else None, spread if is_whole else None)


def _with_time(
    session: Session, night: str, step: StepPlan, devices: Sequence[str], collection: int | None
) -> StepPlan:
    if not step.n_to_do:
        return step
    kind = kinds.all_kinds().get(step.action)
    if kind is None:
        found = _of_action(session, night, step)
    elif kind.train is not None:
        found = _of_training(session, kind, step, collection)
    else:
        found = _of_documents(session, kind, step, devices)
    if found is None:
        return step
    seconds, share = found
    return replace(step, seconds=seconds, seconds_spread=seconds * max(LEAST_SPREAD, share))


def _of_action(session: Session, night: str, step: StepPlan) -> tuple[float, float] | None:
    before = [run.seconds for run in throughput.step_runs(session, night, step.name)]
    if not before:
        return None
    middle = median(before)
    return middle, (pstdev(before) / middle if len(before) > 1 and middle else UNKNOWN_SPREAD)


def _of_training(
    session: Session, kind: Kind, step: StepPlan, collection: int | None
) -> tuple[float, float] | None:
    """In proportion to the documents."""
    model = next((key for part in step.parts for key, _ in part.coming), "")
    before = throughput.trainings(session, kind.name, model)
    rates = [one.seconds / max(1, one.n_documents) for one in before]
    if not rates or collection is None:
        return None
    from sqlalchemy import func, select

    latest = selection.latest(collection, labelled_only=kind.labelled_only).subquery()
    n = session.scalar(select(func.count()).select_from(latest)) or 0
    return fmean(rates) * n, (
        pstdev(rates) / fmean(rates) if len(rates) > 1 and any(rates) else UNKNOWN_SPREAD
    )


# --- jobs over documents -------------------------------------------------------------------------------------------


def _of_documents(
    session: Session, kind: Kind, step: StepPlan, devices: Sequence[str]
) -> tuple[float, float] | None:
    work = Work(
        kind.name,
        step.parameters,
        step.model_version_id,
        kind.epoch,
        defaults(kind.parameters),
        without_effect(kind.parameters),
    )
    measured = throughput.chunks_of(session, work)
    if not measured:
        return None
    known = {chunk.device for chunk in measured}
    workers = [device for device in devices if device in known] or _who_did(measured)
    n_chunks = max(1, ceil(step.n_to_do / kind.chunk_documents), ceil(step.chars / kind.chunk_chars))
    times = {
        device: _time_on([chunk for chunk in measured if chunk.device == device], step, n_chunks)
        for device in set(workers)
    }
    # Together they do one over each one's time; a last chunk is waited for.
    alone = 1 / sum(1 / times[device] for device in workers)
    rounds = ceil(n_chunks / len(workers)) * len(workers) / n_chunks
    stages = max(1, len(kind.stages))
    return alone * rounds + TURN_SECONDS * (1 + stages), _spread(measured)


def _who_did(measured: Sequence[Measured]) -> list[str]:
    """The devices of the workers of the newest job: what is there when a worker is started again."""
    newest = max(chunk.job_id for chunk in measured)
    return list({chunk.instance: chunk.device for chunk in measured if chunk.job_id == newest}.values())


def _time_on(measured: Sequence[Measured], step: StepPlan, n_chunks: int) -> float:
    """Seconds that one worker of a device takes."""
    total = n_chunks * _gap(measured)
    for stage in {chunk.stage for chunk in measured}:
        a, b = fitted([chunk for chunk in measured if chunk.stage == stage])
        total += a * step.n_to_do + b * step.chars
    return max(total, 1e-6)


def fitted(chunks: Sequence[Measured]) -> tuple[float, float]:
    """(a, b) of seconds = a x documents + b x characters, neither below 0: least squares, relative to the size."""
    rows = [(c.n_documents, c.chars, c.seconds, 1 / max(1.0, c.n_documents)) for c in chunks]
    nn = sum(w * n * n for n, _, _, w in rows)
    nc = sum(w * n * c for n, c, _, w in rows)
    cc = sum(w * c * c for _, c, _, w in rows)
    ns = sum(w * n * s for n, _, s, w in rows)
    cs = sum(w * c * s for _, c, s, w in rows)
    determinant = nn * cc - nc * nc
    if determinant > 1e-9 * nn * cc:
        a, b = (ns * cc - cs * nc) / determinant, (cs * nn - ns * nc) / determinant
        if a >= 0 and b >= 0:
            return a, b
    chars = sum(chunk.chars for chunk in chunks)
    seconds = sum(chunk.seconds for chunk in chunks)
    if chars:
        return 0.0, seconds / chars
    return seconds / max(1, sum(chunk.n_documents for chunk in chunks)), 0.0


def _gap(measured: Sequence[Measured]) -> float:
    """The usual pause between two chunks of one process."""
    gaps = []
    by_process: dict[tuple[int, str], list[Measured]] = {}
    for chunk in measured:
        by_process.setdefault((chunk.job_id, chunk.instance), []).append(chunk)
    for chunks in by_process.values():
        ordered = sorted(chunks, key=lambda chunk: chunk.claimed_at)
        for before, after in pairwise(ordered):
            gap = (after.claimed_at - before.closed_at).total_seconds()
            if 0 <= gap <= LONGEST_GAP_SECONDS:
                gaps.append(gap)
    return fmean(gaps) if gaps else 0.0


def _spread(measured: Iterable[Measured]) -> float:
    """How much the rates of the jobs differ, as a share."""
    by_job: dict[int, list[Measured]] = {}
    for chunk in measured:
        by_job.setdefault(chunk.job_id, []).append(chunk)
    rates = [
        sum(chunk.seconds for chunk in chunks) / max(1, sum(chunk.chars for chunk in chunks))
        for chunks in by_job.values()
    ]
    if len(rates) < 2 or not any(rates):
        return UNKNOWN_SPREAD
    return pstdev(rates) / fmean(rates)
