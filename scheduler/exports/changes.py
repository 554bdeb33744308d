"""Which rows of a query differ from those that were exported before, and which have disappeared.

A row is known by its key. It is new if no row with its key was exported before, changed if one of its values differs
from what was exported last, and gone if it was exported and the query does not return its key any more. Nothing is
assumed about times or numbers in the rows, so this holds for every query.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from db import exports
from db.exports import Attempt, Known, NewRow
from db.reading import BATCH, Column, Reading, Row, Type
from db.store import Store
from scheduler.cells import plain_text

#: The column that says what has happened to a row, and its values.
CHANGE = "change"
NEW, CHANGED, GONE = "new", "changed", "gone"
_HASH_BYTES = 16


def changed(store: Store, attempt: Attempt, reading: Reading, key: Sequence[str]) -> Iterator[list[Row]]:
    """The rows that differ, each after what has happened to it. Of a row that is gone, only the key is known; the
    other values are None. They are stored as rows of the attempt. ValueError if two rows have the same key."""
    places = [[column.name for column in reading.columns].index(name) for name in key]
    seen = bytearray(attempt.n_places // 8 + 1)
    n_places = attempt.n_places
    for batch in reading.batches:
        hashed = [(_hash([row[place] for place in places]), row) for row in batch]
        with store.read() as session:
            known = exports.known(session, attempt, [hash_ for hash_, _ in hashed])
        found: list[Row] = []
        new: list[NewRow] = []
        for hash_, row in hashed:
            before = known.get(hash_)
            if before is not None:
                _see(seen, before, key, [row[place] for place in places])
            values = _hash(row)
            if before is not None and before.row_hash == values:
                continue
            found.append((NEW if before is None else CHANGED, *row))
            key_values = [_stored(row[place]) for place in places]
            new.append(NewRow(hash_, n_places if before is None else before.place, values, key_values))
            n_places += before is None
        exports.write(store, attempt, new)
        if found:
            yield found
    yield from _gone(store, attempt, reading.columns, places, seen)


def _gone(
    store: Store, attempt: Attempt, columns: Sequence[Column], places: Sequence[int], seen: bytearray
) -> Iterator[list[Row]]:
    for rows in exports.unseen(store, attempt, seen):
        found: list[Row] = []
        for _, _, key in rows:
            values: list[Any] = [None] * len(columns)
            for place, value in zip(places, key, strict=True):
                values[place] = _restored(value, columns[place].type)
            found.append((GONE, *values))
        exports.write(store, attempt, [NewRow(hash_, place, None, key) for hash_, place, key in rows])
        for start in range(0, len(found), BATCH):
            yield found[start : start + BATCH]


def _see(seen: bytearray, known: Known, key: Sequence[str], values: Sequence[Any]) -> None:
    byte, bit = known.place >> 3, 1 << (known.place & 7)
    if seen[byte] & bit:
        shown = ", ".join(map(plain_text, values))
        raise ValueError(
            f"--key {','.join(key)}: two rows have the key {shown}: name columns that tell rows apart"
        )
    seen[byte] |= bit


def _hash(values: Sequence[Any]) -> bytes:
    text = json.dumps([_stored(value) for value in values], ensure_ascii=False)
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=_HASH_BYTES).digest()


def _stored(value: Any) -> Any:
    """A value as JSON has it."""
    return plain_text(value) if isinstance(value, date | Decimal | bytes) else value


def _restored(value: Any, type_: Type) -> Any:
    if value is None:
        return None
    if type_ is Type.TIME:
        return datetime.fromisoformat(value)
    if type_ is Type.DATE:
        return date.fromisoformat(value)
    if type_ is Type.DECIMAL:
        return Decimal(value)
    return bytes.fromhex(value) if type_ is Type.BYTES else value
