"""How far each limit is used."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from math import inf

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from db.limits.scopes import Limit, Scope, holds_for, limit_of, night_from, scope_of
from db.sql import now
from db.states import ChunkState
from db.tables import Chunk, Job, JobLimit

#: A limit of documents a minute makes up for pauses of so long.
CATCH_UP_SECONDS = 1.0
#: So far before its time a message is sent.
AHEAD_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class State:
    """A limit and what is used of it."""

    scope: Scope
    limit: Limit
    moment: datetime
    #: Chunks that workers hold.
    n_held: int
    #: When the next chunk may be claimed, if documents a minute are limited.
    next_at: datetime | None
    #: This night, without the chunks that are held; and what one took on average.
    seconds_used: float
    seconds_a_chunk: float

    @property
    def seconds_expected(self) -> float:
        """The device seconds of this night when the chunks that are held end."""
        return self.seconds_used + self.n_held * self.seconds_a_chunk

    def chunks_left(self, n_documents: int) -> float:
        """How many chunks of `n_documents` may be claimed now."""
        return min(self._at_once(), self._of_minute(n_documents), self._of_night())

    @property
    def reason(self) -> str | None:
        """Why no chunk may be claimed now; None if one may."""
        limit = self.limit
        if self._at_once() < 1:
            return f"at most {limit.chunks_at_once} {_chunks(limit.chunks_at_once)} at once"
        if self._of_minute(1) < 1:
            return f"at most {limit.documents_per_minute:,} documents a minute"
        if self._of_night() < 1:
            return f"at most {limit.device_seconds_per_night:,} device seconds a night"
        return None

    def _at_once(self) -> float:
        most = self.limit.chunks_at_once
        return inf if most is None else max(0, most - self.n_held)

    def _of_minute(self, n_documents: int) -> float:
        rate = self.limit.documents_per_minute
        if rate is None:
            return inf
        behind = CATCH_UP_SECONDS
        if self.next_at is not None:
            behind = min(behind, (self.moment - self.next_at).total_seconds() + AHEAD_SECONDS)
        return 0 if behind < 0 else 1 + int(behind * rate / 60 / max(1, n_documents))

    def _of_night(self) -> float:
        most = self.limit.device_seconds_per_night
        if most is None:
            return inf
        if not self.seconds_a_chunk:
            return inf if self.seconds_used < most else 0
        return max(0, int((most - self.seconds_expected) / self.seconds_a_chunk))


def _chunks(n: int | None) -> str:
    return "chunk" if n == 1 else "chunks"


def states(session: Session) -> list[State]:
    """The state of every limit; one statement."""
    return [_state(row, n_held, moment) for row, n_held, moment in session.execute(select_states())]


def select_states() -> Select[JobLimit, int, datetime]:
    """Rows of limits, the chunks that are held under each, and the time."""
    held = (
        select(func.count())
        .select_from(Chunk)
        .join(Job, Job.id == Chunk.job_id)
        .where(Chunk.state == ChunkState.LEASED, holds_for())
        .correlate(JobLimit.__table__)
        .scalar_subquery()
    )
    return select(JobLimit, held, now()).order_by(JobLimit.collection, JobLimit.kind, JobLimit.submitter)


def _state(row: JobLimit, n_held: int, moment: datetime) -> State:
    is_tonight = row.night_from is not None and row.night_from == night_from(moment, row.time_zone)
    used = row.seconds_used if is_tonight else 0.0
    # The mean of the night before is a good guess at the beginning of the next.
    mean = row.seconds_used / row.chunks_done if row.chunks_done else 0.0
    return State(scope_of(row), limit_of(row), moment, n_held, row.next_at, used, mean)
