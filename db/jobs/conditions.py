"""Which jobs a scheduler has to do with."""

from __future__ import annotations

from sqlalchemy import ColumnElement, ScalarSelect, and_, exists, func, or_, select
from sqlalchemy.orm import aliased

from db.chunks.conditions import has_not_ended
from db.jobs.turns import runs_beside_none
from db.states import ENDED, ChunkState, JobState
from db.tables import Chunk, Job

#: No stage: of a job without such chunks.
_NONE = -1


def is_underway() -> ColumnElement[bool]:
    """The condition that a job runs or is being stopped."""
    return and_(Job.state.in_((JobState.RUNNING, JobState.CANCELLING)), has_not_ended())


def can_start() -> ColumnElement[bool]:
    """The condition that a job waits for nothing any more."""
    before = aliased(Job)
    still_open = exists().where(before.id == Job.after_job_id, before.state.not_in(ENDED))
    return and_(Job.state == JobState.WAITING, has_not_ended(), ~still_open, runs_beside_none())


def can_move() -> ColumnElement[bool]:
    """The condition that a job has a next step: it can start, its next stage can be opened, or it can end."""
    has_next = and_(
        Job.state == JobState.RUNNING,
        has_not_ended(),
        _first_stage(Chunk.state == ChunkState.BLOCKED) == _first_stage(Chunk.state != ChunkState.CLOSED),
    )
    is_stopping = and_(Job.state == JobState.CANCELLING, has_not_ended())
    return or_(can_start(), has_next, is_stopping)


def _first_stage(is_so: ColumnElement[bool]) -> ColumnElement[int]:
    """The first stage in which a chunk is so."""
    stage: ScalarSelect[int] = (
        select(func.min(Chunk.stage)).where(Chunk.job_id == Job.id, is_so).correlate(Job).scalar_subquery()
    )
    return func.coalesce(stage, _NONE)
