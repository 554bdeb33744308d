"""What the page of a job shows beside its progress."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup
from sqlalchemy import select
from sqlalchemy.orm import Session

from db import progress
from db.tables import Chunk, Job, Night, Run, Schedule
from docmill.pages.night.remedies import remedy
from docmill.web import causes, svg
from docmill.web.rendering import duration, number
from nlp_tasks.kind import Kind
from nlp_tasks.parameters import defaults
from workers.kinds import all_kinds

Row = dict[str, Any]

#: Bars of the throughput, and chunks that it is drawn from, the last.
BARS, CHUNKS = 40, 20_000


@dataclass(frozen=True, slots=True)
class Throughput:
    """Documents a second over the time of a job."""

    chart: Markup
    seconds: float
    #: Of the fastest bar.
    most: float


def seconds(found: progress.JobProgress) -> float | None:
    """Since it started, or until it ended."""
    if found.started_at is None:
        return None
    ended = found.finished_at.timestamp() if found.finished_at is not None else time.time()
    return max(0.0, ended - found.started_at.timestamp())


def failures(session: Session, found: progress.JobProgress) -> list[Row]:
    """Its causes with an example each, and what to do."""
    return [
        row | {"remedy": remedy(row, "en")}
        for cause in causes.of_job(session, found.job_id, found.n_error)
        if cause.code not in causes.NOT_TRIED
        and (row := causes.example(session, cause) | _plain(cause)).get("document_key") is not None
    ]


def parameters(job: Job) -> list[tuple[str, Any, bool]]:
    """(name, value, whether it is the default) in the order in which the kind has them."""
    kind = all_kinds().get(job.kind)
    usual = _defaults(kind) if kind is not None else {}
    names = [name for name in usual if name in job.parameters]
    names += [name for name in job.parameters if name not in usual]
    return [
        (name, job.parameters[name], name in usual and usual[name] == job.parameters[name]) for name in names
    ]


def origin(session: Session, job: Job) -> Row | None:
    """The run of a schedule that submitted it, and its plan if there was one."""
    if job.run_id is None:
        return None
    query = (
        select(Run.id.label("run_id"), Schedule.name.label("schedule"), Night.plan_id)
        .join(Schedule, Schedule.id == Run.schedule_id)
        .outerjoin(Night, Night.run_id == Run.id)
        .where(Run.id == job.run_id)
        .limit(1)
    )
    row = session.execute(query).mappings().first()
    return dict(row) if row is not None else None


def throughput(session: Session, found: progress.JobProgress) -> Throughput | None:
    """None before there is anything to draw."""
    closed = (
        select(Chunk.closed_at, Chunk.n_ok + Chunk.n_error)
        .where(Chunk.job_id == found.job_id, Chunk.closed_at.is_not(None))
        .order_by(Chunk.stage.desc(), Chunk.seq.desc())
        .limit(CHUNKS)
    )
    points = [(moment.timestamp(), n) for moment, n in session.execute(closed) if n and moment]
    if len(points) < 2 or found.started_at is None:
        return None
    began = min(found.started_at.timestamp(), min(moment for moment, _ in points))
    ended = max(moment for moment, _ in points)
    whole = max(ended - began, 1e-3)
    sums = [0] * BARS
    for moment, n in points:
        sums[min(BARS - 1, int((moment - began) / whole * BARS))] += n
    return _drawn(sums, whole)


def _drawn(sums: Sequence[int], whole: float) -> Throughput:
    each = whole / len(sums)
    rates = [n / each for n in sums]
    told = [f"after {duration(place * each)}: {number(rate)} a second" for place, rate in enumerate(rates)]
    return Throughput(svg.bars(rates, told, "Documents a second over time", last=False), whole, max(rates))


def _defaults(kind: Kind) -> dict[str, Any]:
    try:
        return defaults(kind.parameters)
    except ValueError:
        # One of them has no default.
        return {}


def _plain(cause: causes.Cause) -> Row:
    return {"error_code": cause.code, "n": cause.n, "is_more": cause.is_more, "job_id": cause.job_id}
