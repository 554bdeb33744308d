"""What a schedule does when something is in the way: times that were missed, a run that has not ended, failures."""

from __future__ import annotations

from dataclasses import dataclass

from db.states import Catchup, Overlap


@dataclass(frozen=True)
class Policies:
    """The policies of one schedule."""

    #: What becomes of times that were missed while no scheduler ran.
    catchup: Catchup = Catchup.LATEST
    #: A missed time that is older is not caught up; None: however old.
    catchup_within_seconds: int | None = None
    #: What becomes of a time that comes while a run has not ended.
    overlap: Overlap = Overlap.SKIP
    #: Pause the schedule after this many failed runs in a row.
    pause_on_failure: int | None = None
    #: Local time, "07:00": a run that is not done by the first one after it is due is late.
    deadline: str | None = None
    #: Local time at which a night's work stops.
    finish_by: str | None = None
    #: From 0 to 1: people are notified of a job with a larger share of errors.
    max_error_share: float | None = None
