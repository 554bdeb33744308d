"""The progress of jobs, for people and for commands that wait."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from db.errors import NoSuchJobError
from db.sql import StateText, UtcDateTime
from db.states import ENDED, JobState

#: The beginning of the note of a training that is going on.
_TOLD = re.compile(r"(\d+) %: ")
#: The beginning of the note of a job that has ended without a single result; the first document's error follows.
FAILED = "failed: "
#: Jobs of one query.
_AT_ONCE = 1_000


def note_of(done: int, total: int, words: str) -> str:
    """The note of a training that has done `done` of `total` steps: "45 %: epoch 3 of 6". It is 99 % at most, since
    the model is measured and judged after the last step."""
    return f"{min(99, 100 * done // max(1, total))} %: {words}"


def share_and_words(note: str) -> tuple[float, str]:
    """The share done, from 0 to 1, and the words of a note that `note_of` made; other notes have the share 0."""
    told = _TOLD.match(note)
    return (int(told[1]) / 100, note[told.end() :]) if told else (0.0, note)


def is_underway(note: str | None) -> bool:
    """Whether a note reports the progress of a training."""
    return note is not None and _TOLD.match(note) is not None


@dataclass(frozen=True, slots=True)
class JobProgress:
    """A row of v_job_progress."""

    job_id: int
    kind: str
    collection: str
    state: JobState
    n_documents: int
    n_ok: int
    #: Every document without a result, including those of a cancelled job.
    n_error: int
    #: Of those, the documents that were never tried, because the job was cancelled.
    n_cancelled: int
    n_chunks: int
    n_chunks_closed: int
    #: Chunks that workers hold now.
    n_chunks_leased: int
    priority: int
    model: str | None
    model_version: int | None
    note: str | None
    run_id: int | None
    after_job_id: int | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    #: Why a chunk waits that no worker could finish: "chunk 1 of 1 was put back 3 times: ...".
    fault: str | None
    #: The selection that chose its documents, as it was written; None for all.
    where_clause: str | None
    #: Who asked for it.
    submitter: str | None

    @property
    def n_done(self) -> int:
        return self.n_ok + self.n_error

    @property
    def n_failed(self) -> int:
        """Documents that were tried and failed."""
        return self.n_error - self.n_cancelled

    @property
    def ended(self) -> bool:
        return self.state in ENDED

    @property
    def failed(self) -> bool:
        """Whether it has ended by itself and no document has a result; the note says why. Its state is finished, since
        every document has its outcome."""
        return self.state == JobState.FINISHED and self.n_documents > 0 and not self.n_ok

    @property
    def shown_state(self) -> str:
        """The state for people: a failed job is not called finished."""
        return "failed" if self.failed else self.state

    @property
    def share(self) -> float:
        """The share done, 0 to 1: the largest of three shares. Chunks count, since the first stages of a kind give no
        document an outcome. The note counts, since the documents of a training are all done at once."""
        if self.ended or not self.n_documents:
            return 1.0 if self.ended else 0.0
        told, _ = share_and_words(self.note or "")
        return max(self.n_done / self.n_documents, self.n_chunks_closed / max(1, self.n_chunks), told)


_COLUMNS = tuple(JobProgress.__slots__)
_TYPES = {name: UtcDateTime() for name in ("created_at", "started_at", "finished_at")} | {
    "state": StateText(JobState)
}


def of(session: Session, job_id: int) -> JobProgress:
    """One job's progress, or NoSuchJobError."""
    found = _select(session, "WHERE job_id = :job_id", {"job_id": job_id})
    if not found:
        raise NoSuchJobError(job_id)
    return found[0]


def newest(session: Session, limit: int = 20) -> list[JobProgress]:
    """The last jobs, newest first."""
    return _select(session, "ORDER BY job_id DESC LIMIT :limit", {"limit": limit})


def of_these(session: Session, job_ids: Sequence[int]) -> list[JobProgress]:
    """Those of these jobs that exist, newest first."""
    found: list[JobProgress] = []
    newest_first = sorted(job_ids, reverse=True)
    for start in range(0, len(newest_first), _AT_ONCE):
        batch = newest_first[start : start + _AT_ONCE]
        named = {f"job_{place}": job_id for place, job_id in enumerate(batch)}
        those = ", ".join(f":{name}" for name in named)
        found += _select(session, f"WHERE job_id IN ({those}) ORDER BY job_id DESC", named)
    return found


def unfinished(session: Session, limit: int = 20) -> list[JobProgress]:
    """Jobs that have not ended, the oldest first."""
    ended = ", ".join(f"'{state}'" for state in ENDED)
    return _select(session, f"WHERE state NOT IN ({ended}) ORDER BY job_id LIMIT :limit", {"limit": limit})


def _select(session: Session, tail: str, values: dict[str, Any]) -> list[JobProgress]:
    query = text(f"SELECT {', '.join(_COLUMNS)} FROM v_job_progress {tail}").columns(**_TYPES)  # noqa: S608
    return [JobProgress(**row) for row in session.execute(query, values).mappings()]
