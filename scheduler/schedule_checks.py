"""What a schedule must be to be stored: refused now, not when it fires."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.orm import Session

from db import documents, where
from scheduler.requests import JobRequest
from workers import kinds


def check_name(name: str) -> None:
    """ValueError for a name that no line of a table and no mail header can hold."""
    if not name.strip() or name != name.strip() or not name.isprintable() or len(name) > 100:
        raise ValueError(f"{name!r} is no name for a schedule: use letters, digits, - and _")


def check_requests(session: Session, requests: Sequence[JobRequest]) -> None:
    """ValueError or NotFoundError for what would fail when the schedule fires."""
    for request in requests:
        if request.where is not None:
            where.parse(request.where)
        kinds.parameters_of(kinds.find(request.kind), request.parameters, request.model)
        for name in (request.collection, *request.also):
            documents.collection_id(session, name)
