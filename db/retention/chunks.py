"""Chunks of old jobs: which documents a job had, in which order, is no longer known; its outcomes still are."""

from __future__ import annotations

from collections import Counter

from sqlalchemy import delete, exists, select
from sqlalchemy.orm import Session

from db.retention.policy import OfJobs
from db.retention.steps import Place, Step, next_job
from db.sql import one_of
from db.tables import Chunk, Job


def step(session: Session, rule: OfJobs, after: Place, limit: int, *, really: bool) -> Step:
    """Some chunks of one job."""
    first = after.first - 1 if after.second else after.first
    job = next_job(session, rule, first, exists().where(Chunk.job_id == Job.id))
    if job is None:
        return Step()
    start = after.second if job.id == after.first else 0
    most = max(1, limit // 10)
    some = select(Chunk.id).where(Chunk.job_id == job.id, Chunk.id > start).order_by(Chunk.id).limit(most)
    ids = session.scalars(some).all()
    if really and ids:
        session.execute(delete(Chunk).where(one_of(Chunk.id, ids)))
    return Step(Counter(chunks=len(ids)), Place(job.id, ids[-1]) if len(ids) == most else Place(job.id))
