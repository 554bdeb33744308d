"""What a worker may still write about documents that were removed while it had them: that they were removed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from sqlalchemy.orm import Session

from db import erased, similar
from db.results import Rows
from db.states import ErrorCode
from db.tables import Base, Document

if TYPE_CHECKING:
    from db.chunks.claims import Written

DETAIL = "the document was removed while the job ran"


def without_removed(session: Session, written: Written) -> Written:
    """The same without results about removed documents, and without rows that name one: each that would get an outcome
    here gets the error REMOVED. The caller holds the lock (`erased.together`)."""
    gone = erased.among(session, sorted(_named(written)))
    return _without(written, gone) if gone else written


def _named(written: Written) -> set[int]:
    ids = {*written.ok_ids, *(error[0] for error in written.errors), *(origin for origin, _ in written.made)}
    for table, rows in (*written.rows.items(), *written.about_others.items()):
        for place in _places(table, rows):
            ids.update(row[place] for row in rows.values)
    return ids


def _places(table: str, rows: Rows) -> list[int]:
    """The columns that hold numbers of documents."""
    source = Base.metadata.tables[table]
    documents = {
        key.parent.name for key in source.foreign_keys if key.column.table.name == Document.__tablename__
    }
    return [place for place, column in enumerate(rows.columns) if column in documents]


def _without(written: Written, gone: set[int]) -> Written:
    errors = [error for error in written.errors if error[0] not in gone]
    outcomes = {*written.ok_ids, *(error[0] for error in written.errors)}
    errors += [(id_, ErrorCode.REMOVED, DETAIL) for id_ in sorted(outcomes & gone)]
    return replace(
        written,
        ok_ids=[id_ for id_ in written.ok_ids if id_ not in gone],
        errors=errors,
        rows=_all_kept(written.rows, gone),
        about_others=_all_kept(written.about_others, gone),
        made=[made for made in written.made if made[0] not in gone],
    )


def _all_kept(before: Mapping[str, Rows], gone: set[int]) -> dict[str, Rows]:
    after = {table: _kept(table, found, gone) for table, found in before.items()}
    similar.drop_terms(before, after)
    similar.mark_lists(before, after)
    return after


def _kept(table: str, rows: Rows, gone: set[int]) -> Rows:
    places = _places(table, rows)
    return replace(
        rows, values=[row for row in rows.values if not any(row[place] in gone for place in places)]
    )
