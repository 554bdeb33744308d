"""What stops a job from progressing, for `docmill status` and `docmill watch`. Doctor checks the rest."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from docmill.commands.output import duration, one_line

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from db.progress import JobProgress

#: A job without work for this long is reported.
STILL_SECONDS = 10.0


def obstacles(session: Session, jobs: Iterable[JobProgress]) -> dict[int, str]:
    """By job: what stops it at this moment."""
    from docmill.doctor import standstill
    from workers.settings import settings

    found = list(jobs)
    said = {
        job_id: f"no worker has worked on it for {_about(still.seconds)}: {still.why}"
        for job_id, still in standstill.of(session, found, settings(), STILL_SECONDS).items()
    }
    held_back = standstill.HeldBack(session, found)
    for job in found:
        if job.fault:
            said[job.job_id] = one_line(job.fault)
        elif job.state == "waiting":
            said[job.job_id] = _waits_for(session, job)
        elif why := held_back.of(job):
            said[job.job_id] = f"held back by a limit: {why}"
    return said


def _waits_for(session: Session, job: JobProgress) -> str:
    from db.jobs import in_the_way

    if job.after_job_id is not None:
        return f"waiting for job {job.after_job_id}"
    return f"waiting for job {in_the_way(session, job.job_id)}: one of the two is exclusive"


def _about(seconds: float) -> str:
    return duration(seconds) if seconds > STILL_SECONDS else f"{seconds:.0f} s"


class Obstacles:
    """Reports each thing that stops a job once."""

    def __init__(self) -> None:
        self.said: set[str] = set()
        self.seen: object = None
        self.moved_at = 0.0

    def news(self, now: JobProgress, seconds: float, why: Callable[[], str] = lambda: "") -> str:
        """A line about the job at this moment; empty if it progresses or the same was reported before. `why` is called
        if no worker has worked on the job."""
        moved = (now.state, now.n_done, now.n_chunks_closed, now.n_chunks_leased)
        if now.n_chunks_leased or moved != self.seen:
            self.seen, self.moved_at = moved, seconds
        if now.fault and now.state != "paused":
            cause, words = now.fault.partition(": ")[2], f"{one_line(now.fault)}; it will be retried"
        elif now.state in ("running", "cancelling") and seconds - self.moved_at > STILL_SECONDS:
            cause = words = f"no worker has worked on it for {STILL_SECONDS:.0f} s"
        else:
            return ""
        if cause in self.said:
            return ""
        self.said.add(cause)
        if not now.fault and (reason := why()):
            words = f"{words}: {reason}"
        return f"job {now.job_id}: {words} (run `docmill doctor` to find the cause)"
