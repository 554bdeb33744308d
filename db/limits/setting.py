"""Limits, set and removed by people."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from sqlalchemy import delete, select, text, update
from sqlalchemy.exc import DataError
from sqlalchemy.orm import Session

from db.compare_and_set import n_changed
from db.errors import ConflictError, NotFoundError
from db.limits.scopes import Limit, Scope, limit_of, scope_of
from db.sql import insert_for
from db.tables import JobLimit

_ORDER = (JobLimit.collection, JobLimit.kind, JobLimit.submitter)


def put(session: Session, scope: Scope, limit: Limit) -> None:
    """Set the limits of a scope, in place of others. What was used of them still counts. ConflictError if the database
    does not know the time zone: on PostgreSQL it is the one that counts nights."""
    _insist_on_a_known_time_zone(session, limit.time_zone)
    values = asdict(limit)
    statement = insert_for(session, JobLimit).values(**asdict(scope), **values)
    session.execute(statement.on_conflict_do_update(index_elements=list(asdict(scope)), set_=values))


def _insist_on_a_known_time_zone(session: Session, name: str) -> None:
    if session.get_bind().dialect.name != "postgresql":
        return
    try:
        session.execute(text("SELECT now() AT TIME ZONE :name"), {"name": name})
    except DataError as error:
        raise ConflictError(
            f"the database does not know the time zone {name!r}: choose a city, such as Asia/Seoul, or UTC"
        ) from error


def remove(session: Session, scope: Scope) -> None:
    """Remove the limits of a scope, or NotFoundError."""
    if not n_changed(session, delete(JobLimit).where(*_is(scope))):
        raise NotFoundError(f"there is no limit for {scope.words}: `docmill limits list` shows them")


def forget_collection(session: Session, name: str) -> None:
    """The collection is removed: no limit names it any more."""
    _lock(session, name)
    n_changed(session, delete(JobLimit).where(JobLimit.collection == name))


def rename_collection(session: Session, name: str, new: str) -> None:
    """The collection has another name. Limits of that name, of a collection that is no longer there, go."""
    _lock(session, name, new)
    forget_collection(session, new)
    renamed = update(JobLimit).where(JobLimit.collection == name)
    n_changed(session, renamed.values(collection=new))


def _lock(session: Session, *names: str) -> None:
    """Lock the limits of these collections in the order of their keys, as whoever claims locks them: in another order,
    each could wait for the other."""
    limits = select(JobLimit.collection).where(JobLimit.collection.in_(names))
    session.execute(limits.order_by(*_ORDER).with_for_update()).all()


def all_(session: Session) -> dict[Scope, Limit]:
    """What is set, by scope."""
    return {scope_of(row): limit_of(row) for row in session.scalars(select(JobLimit).order_by(*_ORDER))}


def of(session: Session, scope: Scope) -> Limit | None:
    """What is set for a scope."""
    row = session.scalars(select(JobLimit).where(*_is(scope))).one_or_none()
    return limit_of(row) if row is not None else None


def _is(scope: Scope) -> tuple[Any, ...]:
    return tuple(getattr(JobLimit, name) == value for name, value in asdict(scope).items())
