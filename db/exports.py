"""What each export of changed rows has written, so that the next one writes only what differs.

A row is known by a hash of its key, and has changed if the hash of its values has. The rows of an attempt are stored
while it runs, in short transactions, and count once the attempt is completed: what was interrupted is as if it had
never been.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from sqlalchemy import (
    ColumnElement,
    CursorResult,
    LargeBinary,
    Select,
    bindparam,
    delete,
    exists,
    func,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, aliased

from db import bulk
from db.errors import ConflictError
from db.sql import now
from db.store import Store
from db.tables import Export, ExportRow

#: Rows of a transaction, and of a question. SQLite takes 32,766 parameters.
STEP = 2_000


@dataclass(frozen=True, slots=True)
class Attempt:
    """An export that is being made. No other attempt of the same name can write after it has begun."""

    export_id: int
    name: str
    number: int
    #: The last completed attempt; 0 if this is the first.
    completed: int
    #: The first place that no row has.
    n_places: int


@dataclass(frozen=True, slots=True)
class Known:
    """A row that was exported before."""

    place: int
    row_hash: bytes


@dataclass(frozen=True, slots=True)
class NewRow:
    """A row that this attempt writes; without a row_hash it is one that is gone."""

    key_hash: bytes
    place: int
    row_hash: bytes | None
    key: list[Any]


def begin(store: Store, name: str, query: str, key: Sequence[str], *, restart: bool) -> Attempt:
    """Begin an attempt and end the rights of those before it. With `restart`, everything counts as new. ConflictError
    if the name was used for another query or key."""
    with store.write() as session:
        row = session.scalar(select(Export).where(Export.name == name).with_for_update())
        if row is None:
            row = Export(name=name, query=query, key_columns=list(key), attempt=0, completed=0)
            session.add(row)
        elif not restart and (row.query, row.key_columns) != (query, list(key)):
            raise ConflictError(
                f"the export {name!r} was made with another query or key: give this one another --name, or begin anew "
                "with --restart"
            )
        row.query, row.key_columns = query, list(key)
        row.attempt += 1
        row.completed = 0 if restart else row.completed
        session.flush()
        export_id, number, completed = row.id, row.attempt, row.completed
    _forget(store, export_id, completed, before=number)
    with store.read() as session:
        n_places = session.scalar(select(func.max(ExportRow.place)).where(ExportRow.export_id == export_id))
    return Attempt(export_id, name, number, completed, 0 if n_places is None else n_places + 1)


def known(session: Session, attempt: Attempt, key_hashes: Sequence[bytes]) -> dict[bytes, Known]:
    """Of these keys, the rows that were exported before and have not gone since."""
    newest: dict[bytes, Known | None] = {}
    for start in range(0, len(key_hashes), STEP):
        found = select(ExportRow.key_hash, ExportRow.place, ExportRow.row_hash).where(
            *_standing(attempt),
            ExportRow.key_hash.in_(
                bindparam("hashes", list(key_hashes[start : start + STEP]), LargeBinary, expanding=True)
            ),
        )
        for hash_, place, row_hash in session.execute(found.order_by(ExportRow.attempt)):
            newest[hash_] = None if row_hash is None else Known(place, row_hash)
    return {hash_: row for hash_, row in newest.items() if row is not None}


def write(store: Store, attempt: Attempt, rows: Sequence[NewRow]) -> None:
    """Store rows of an attempt. ConflictError if a newer attempt has begun."""
    for start in range(0, len(rows), STEP):
        with _unique(), store.write() as session:
            _hold(session, attempt)
            bulk.insert_rows(
                session,
                ExportRow.__table__,  # type: ignore[arg-type]
                [
                    {
                        "export_id": attempt.export_id, "key_hash": row.key_hash, "attempt": attempt.number,
                        "place": row.place, "row_hash": row.row_hash, "key": row.key,
                    }
                    for row in rows[start : start + STEP]
                ],
            )  # fmt: skip


@contextmanager
def _unique() -> Iterator[None]:
    """Two rows of one attempt cannot have the same key."""
    try:
        yield
    except (IntegrityError, psycopg.errors.UniqueViolation):
        raise ConflictError(
            "two rows have the same key: name columns that tell rows apart with --key"
        ) from None


def unseen(store: Store, attempt: Attempt, seen: bytearray) -> Iterator[list[tuple[bytes, int, list[Any]]]]:
    """(key hash, place, key) of the rows that were exported before and whose bit is not set: they are gone."""
    after = b""
    while True:
        with store.read() as session:
            rows = session.execute(_from(attempt, after)).all()
        if not rows:
            return
        after = rows[-1].key_hash
        newest = {row.key_hash: row for row in rows if row.attempt <= attempt.completed}
        gone = [
            (row.key_hash, row.place, row.key)
            for row in newest.values()
            if row.row_hash is not None and not seen[row.place >> 3] & 1 << (row.place & 7)
        ]
        if gone:
            yield gone


def complete(store: Store, attempt: Attempt) -> None:
    """The attempt counts from now on. ConflictError if a newer one has begun."""
    with store.write() as session:
        count(session, attempt)
    _forget(store, attempt.export_id, attempt.number, before=attempt.number)


def count(session: Session, attempt: Attempt) -> None:
    """The same, in a transaction of the caller; what is not needed any more is deleted by the next attempt."""
    _hold(session, attempt)
    session.execute(
        update(Export)
        .where(Export.id == attempt.export_id)
        .values(completed=attempt.number, exported_at=now())
    )


def _from(attempt: Attempt, after: bytes) -> Select[Any]:
    """The rows of the next keys, with all attempts of each."""
    keys = (
        select(ExportRow.key_hash)
        .where(ExportRow.export_id == attempt.export_id, ExportRow.key_hash > after)
        .distinct()
        .order_by(ExportRow.key_hash)
        .limit(STEP)
        .subquery()
    )
    return (
        select(ExportRow.key_hash, ExportRow.attempt, ExportRow.place, ExportRow.row_hash, ExportRow.key)
        .join(keys, keys.c.key_hash == ExportRow.key_hash)
        .where(ExportRow.export_id == attempt.export_id)
        .order_by(ExportRow.key_hash, ExportRow.attempt)
    )


def _standing(attempt: Attempt) -> tuple[Any, ...]:
    return ExportRow.export_id == attempt.export_id, ExportRow.attempt <= attempt.completed


def _hold(session: Session, attempt: Attempt) -> None:
    """Hold the export's row, so that no other attempt begins or completes before this transaction has ended."""
    held: CursorResult[Any] = session.execute(  # type: ignore[assignment]
        update(Export)
        .where(Export.id == attempt.export_id, Export.attempt == attempt.number)
        .values(attempt=attempt.number)
    )
    if held.rowcount != 1:
        raise ConflictError(f"another export {attempt.name!r} has begun since: this one stops")


def _forget(store: Store, export_id: int, completed: int, *, before: int) -> None:
    """Delete, a step at a time, the rows that no attempt needs: those of attempts before this one that were not
    completed, those that a newer row has replaced, and those that are gone."""
    newer = aliased(ExportRow)
    is_replaced = exists().where(
        newer.export_id == export_id,
        newer.key_hash == ExportRow.key_hash,
        newer.attempt > ExportRow.attempt,
        newer.attempt <= completed,
    )
    is_left = (ExportRow.attempt > completed) & (ExportRow.attempt < before)
    for condition in (is_left, (ExportRow.attempt < completed) & is_replaced, ExportRow.row_hash.is_(None)):
        while _delete(store, export_id, condition & (ExportRow.attempt <= before)) == STEP:
            pass


def _delete(store: Store, export_id: int, condition: ColumnElement[bool]) -> int:
    with store.write() as session:
        some = select(ExportRow.key_hash, ExportRow.attempt).where(
            ExportRow.export_id == export_id, condition
        )
        doomed = [
            {"the_hash": hash_, "the_attempt": attempt}
            for hash_, attempt in session.execute(some.limit(STEP))
        ]
        if doomed:
            session.connection().execute(
                delete(ExportRow.__table__).where(  # type: ignore[arg-type]
                    ExportRow.export_id == export_id,
                    ExportRow.key_hash == bindparam("the_hash"),
                    ExportRow.attempt == bindparam("the_attempt"),
                ),
                doomed,
            )
    return len(doomed)


def key_as_json(values: Sequence[Any]) -> list[Any]:
    """The values in the key columns, as they are stored."""
    found: list[Any] = json.loads(json.dumps(values, default=str))
    return found
