"""Removing a collection whose documents are removed, and renaming one."""

from __future__ import annotations

from typing import Any

from sqlalchemy import delete, exists, select, update
from sqlalchemy.orm import Session

from db import documents, erased, limits
from db.errors import ConflictError
from db.files import SUFFIX
from db.sql import now
from db.tables import Collection, Document, GivenLabel, Schedule


def retire(session: Session, collection: int) -> bool:
    """Remove a collection, with its collection of files; False if somebody has added documents meanwhile. Its name is
    free then. Its rows stay under a name that nobody can type, because jobs and removed documents refer to them."""
    erased.alone(session)
    mine = (Collection.id == collection) | (Collection.files_of_id == collection)
    ids = session.scalars(select(Collection.id).where(mine).order_by(Collection.id).with_for_update()).all()
    there = exists().where(Document.collection_id.in_(ids), Document.version > 0)
    if session.scalar(select(there)):
        return False
    # Labels of keys whose documents were removed before docmill removed labels with them.
    session.execute(delete(GivenLabel).where(GivenLabel.collection_id == collection))
    limits.forget_collection(session, session.get_one(Collection, collection).name)
    for id_ in ids:
        # A no-break space: check_collection_name refuses it.
        retired = {"name": f"(removed\u00a0{id_})", "removed_at": now()}
        session.execute(update(Collection).where(Collection.id == id_).values(retired))
    return True


def rename(session: Session, name: str, new: str) -> list[str]:
    """Give a collection another name, also in limits and in the requests of schedules. Returns the names of the
    schedules that were changed. NotFoundError if there is no such collection, ConflictError if the new name is taken.
    """
    collection = documents.collection_id(session, name)
    if session.scalar(select(exists().where(Collection.name == new))):
        raise ConflictError(
            f"there is a collection {new!r} already: choose another name, or `docmill collections remove` that one"
        )
    session.execute(update(Collection).where(Collection.id == collection).values(name=new))
    of = Collection.files_of_id == collection
    session.execute(update(Collection).where(of).values(name=f"{new}{SUFFIX}"))
    limits.rename_collection(session, name, new)
    return [_rename_in(schedule, name, new) for schedule in naming(session, name)]


def naming(session: Session, name: str) -> list[Schedule]:
    """The schedules that fire and name a collection."""
    active = session.scalars(select(Schedule).where(Schedule.removed_at.is_(None)).order_by(Schedule.name))
    return [schedule for schedule in active if any(_names(each, name) for each in schedule.requests)]


def _names(request: Any, name: str) -> bool:
    return isinstance(request, dict) and request.get("collection") == name


def _rename_in(schedule: Schedule, name: str, new: str) -> str:
    schedule.requests = [
        each | {"collection": new} if _names(each, name) else each for each in schedule.requests
    ]
    return schedule.name
