"""Batches of requests that have ended, with their files; and files that no batch has. Documents and jobs stay."""

from __future__ import annotations

from collections import Counter

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from db import api_files, request_batches
from db.retention.policy import OfAge
from db.retention.steps import Place, Step
from db.tables import RequestLine


def step(session: Session, rule: OfAge, after: Place, limit: int, *, really: bool) -> Step:
    """Some requests of the next old batch, and with the last of them the batch."""
    batch = request_batches.old(session, after.first, rule.older_than, lock=really)
    if batch is None:
        return Step()
    counted = select(func.count()).where(RequestLine.batch_id == batch.id)
    whole = Step(+Counter({"batches": 1, "requests": session.scalar(counted) or 0}), Place(batch.id))
    n_lines = request_batches.remove_some(session, batch, limit) if really else None
    # If some are left, they come next.
    return whole if n_lines is None else Step(Counter({"requests": n_lines}), after)


def files_step(session: Session, rule: OfAge, after: Place, limit: int, *, really: bool) -> Step:
    """Some files. Their content is deleted soon after."""
    found = api_files.old(session, after.first, rule.older_than, max(1, limit // 10))
    if not found:
        return Step()
    last = found[-1].id
    if really:
        api_files.forget(session, [file.public_id for file in found])
    return Step(Counter({"uploaded files": len(found)}), Place(last))
