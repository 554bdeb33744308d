"""Why an open job makes no progress, as far as the store and the socket of the embedded Redis show it. `docmill doctor`
checks more and takes seconds; this is cheap enough for every `docmill status`."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from db import limits
from db.progress import JobProgress
from db.sql import clock, now
from db.tables import Chunk, Job
from docmill.doctor import members
from workers.settings import Settings

#: A scheduler requeues an expired lease, and resends what nobody claimed, long before.
SCHEDULER_SECONDS = 30.0


@dataclass(frozen=True)
class Standstill:
    """A job that no worker works on."""

    seconds: float
    #: What seems to be missing, and the command that starts it.
    why: str


def of(
    session: Session, jobs: Iterable[JobProgress], settings: Settings, still_seconds: float
) -> dict[int, Standstill]:
    """By job: those of `jobs` that should progress and that nobody has worked on for `still_seconds`."""
    open_ = [job for job in jobs if job.state in ("running", "cancelling") and not job.fault]
    if not open_:
        return {}
    at_once = f"nothing runs in {settings.home_path}: start `docmill up`" if _is_down(settings) else ""
    held_back = HeldBack(session, open_)
    found = {job.job_id: _look(session, job, settings, held_back.of(job)) for job in open_}
    return {
        job_id: Standstill(look.seconds, at_once or look.why)
        for job_id, look in found.items()
        if look is not None and (at_once or look.seconds > still_seconds)
    }


class HeldBack:
    """Which jobs a limit holds back at this moment."""

    def __init__(self, session: Session, jobs: Iterable[JobProgress]) -> None:
        may_be = any(job.state == "running" and not job.n_chunks_leased for job in jobs)
        self._binding = [state for state in limits.states(session) if state.reason] if may_be else []

    def of(self, job: JobProgress) -> str | None:
        """The limit that holds a job back, in words."""
        if job.state != "running" or job.n_chunks_leased:
            return None
        for state in self._binding:
            if state.scope.has(job.collection, job.kind, job.submitter):
                return f"{state.scope.words}: {state.reason} (`docmill limits list`)"
        return None


def _look(session: Session, job: JobProgress, settings: Settings, held_back: str | None) -> Standstill | None:
    ready = case((Chunk.state == "ready", 1))
    lost = case(((Chunk.state == "leased") & (Chunk.lease_until < now(-SCHEDULER_SECONDS)), 1))
    n_ready, n_leased, n_lost, last_sent, last_closed = session.execute(
        select(
            func.count(ready),
            func.count(case((Chunk.state == "leased", 1))),
            func.count(lost),
            func.max(case((Chunk.state == "ready", Chunk.sent_at))),
            func.max(Chunk.closed_at),
        ).where(Chunk.job_id == job.job_id)
    ).one()
    if n_leased > n_lost:
        return None
    moment = clock(session)
    since = max(filter(None, (last_closed, job.started_at, job.created_at)))
    seconds = (moment - since).total_seconds()
    if held_back and not n_lost:
        return Standstill(seconds, f"a limit holds it back: {held_back}")
    stale = last_sent is None or (moment - last_sent).total_seconds() > SCHEDULER_SECONDS
    if job.state == "cancelling" or n_lost or not n_ready or stale:
        return Standstill(seconds, f"no scheduler seems to run: start {_start(settings, 'scheduler')}")
    if busy := _busy_with(session, job.job_id):
        return Standstill(seconds, f"the workers are busy with job {busy}")
    if members.all_drained(session):
        return Standstill(seconds, f"every worker is drained: {members.UNDRAIN}")
    return Standstill(seconds, f"no worker takes its chunks: start {_start(settings, 'worker')}")


def _busy_with(session: Session, job_id: int) -> int | None:
    """Another job that a worker works on."""
    query = (
        select(func.min(Chunk.job_id))
        .join(Job, Job.id == Chunk.job_id)
        .where(Chunk.state == "leased", Chunk.lease_until > now(), Chunk.job_id != job_id)
    )
    return session.scalar(query)


def _start(settings: Settings, part: str) -> str:
    return f"`docmill {part}`" if settings.redis_url else "`docmill up`"


def _is_down(settings: Settings) -> bool:
    """Whether docmill is embedded and its Redis does not listen: then nothing runs."""
    if settings.redis_url:
        return False
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(1)
        try:
            probe.connect(str(settings.embedded_socket))
        except OSError:
            return True
    return False
