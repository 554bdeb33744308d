"""The keys of documents that are being removed, in tables that are not about documents: plans of nights, what exports
of changed rows remember, and messages.

Each of these tables is read whole, so that many keys are looked for at once.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import ARRAY, JSON, Text, bindparam, delete, or_, select, text, update
from sqlalchemy.orm import Session

from db.compare_and_set import n_changed
from db.removal.choosing import versions
from db.tables import (
    Base,
    ExportRow,
    Night,
    NightPlanPart,
    NightPlanStep,
    NightStep,
    Notification,
    Run,
)

#: What messages say in place of a key.
REMOVED = "(removed)"
#: In messages, a shorter key cannot be told from other words.
LEAST_CHARS = 4
#: Messages, in which a key may stand between other words.
_MESSAGES = (
    (Night, ("note",)),
    (NightStep, ("note",)),
    (NightPlanStep, ("note",)),
    (Run, ("note", "fault")),
    (Notification, ("title", "body", "fault")),
)


def names(session: Session, collection: int, keys: Sequence[str]) -> list[str]:
    """The keys of everything that a removal of these keys removes."""
    chosen = versions(session, collection, keys)
    return sorted({*chosen.documents, *chosen.files})


def unname(session: Session, keys: Sequence[str]) -> None:
    """Forget these keys."""
    if keys:
        _in_plans(session, keys)
        _in_exports(session, keys)
        _in_messages(session, keys)


def _in_plans(session: Session, keys: Sequence[str]) -> None:
    """The documents that a plan expected to come or to go: it does without these."""
    columns = ("plan_id", "step", "part")
    has_some = _any_of("night_plan_part", columns, "coming", keys, session)
    query = select(NightPlanPart.plan_id, NightPlanPart.step, NightPlanPart.part).where(has_some)
    gone = set(keys)
    for plan, step, part in session.execute(query).all():
        mine = (NightPlanPart.plan_id == plan, NightPlanPart.step == step, NightPlanPart.part == part)
        coming = session.scalars(select(NightPlanPart.coming).where(*mine).with_for_update()).one()
        left = [pair for pair in coming if pair[0] not in gone]
        n_changed(session, update(NightPlanPart).where(*mine).values(coming=left))


def _in_exports(session: Session, keys: Sequence[str]) -> None:
    """Rows with one of the keys among the values that tell them apart. The hashes go too: a key could be guessed."""
    has_some = _any_of("export_row", ("export_id", "key_hash", "attempt"), "key", keys, session)
    session.execute(delete(ExportRow).where(has_some), execution_options={"synchronize_session": False})


def _any_of(table: str, row: Sequence[str], column: str, keys: Sequence[str], session: Session) -> Any:
    """The rows in which a JSON array has one of the keys, or a list that begins with one. One join over the whole
    table: a subquery for each row took a minute for a thousand keys."""
    mine, rows = ", ".join(row), ", ".join(f"r.{each}" for each in row)
    first = " ->> 0" if column == "coming" else ""
    if session.get_bind().dialect.name == "postgresql":
        words = (
            f"({mine}) IN (SELECT {rows} FROM {table} r "  # noqa: S608 (our own names)
            f"CROSS JOIN LATERAL jsonb_array_elements{'' if first else '_text'}(r.{column}) e(value) "
            f"JOIN unnest(:keys) k(key) ON e.value{first} = k.key)"
        )
        return text(words).bindparams(bindparam("keys", list(keys), ARRAY(Text)))
    words = (
        f"({mine}) IN (SELECT {rows} FROM {table} r, json_each(r.{column}) e "  # noqa: S608 (our own names)
        f"WHERE e.value{first} IN (SELECT k.value FROM json_each(:keys) k))"
    )
    return text(words).bindparams(bindparam("keys", list(keys), JSON))


def _in_messages(session: Session, keys: Sequence[str]) -> None:
    found = Finder(keys)
    for table, columns in _MESSAGES:
        key = tuple(Base.metadata.tables[table.__tablename__].primary_key.columns)
        texts = [getattr(table, column) for column in columns]
        rows = select(*key, *texts).where(or_(*(each.is_not(None) for each in texts)))
        for row in session.execute(rows).all():
            before = dict(zip(columns, row[len(key) :], strict=True))
            after = {column: words and found.without(words) for column, words in before.items()}
            if after != before:
                mine = (column == value for column, value in zip(key, row, strict=False))
                n_changed(session, update(table).where(*mine).values(after))


class Finder:
    """Finds many keys in many texts: each key by its longest word, so that a text is not searched for every key."""

    def __init__(self, keys: Iterable[str]) -> None:
        self._by_word: dict[str, list[str]] = {}
        for key in keys:
            if len(key) >= LEAST_CHARS and not key.isdigit():
                word = max(_WORD.findall(key) or [""], key=len)
                self._by_word.setdefault(word, []).append(key)

    def without(self, words: str) -> str:
        """The text, with a mark in place of each key."""
        for word in {"", *_WORD.findall(words)}:
            # Of two keys of which one contains the other, the longer one stands there.
            for key in sorted(self._by_word.get(word, ()), key=len, reverse=True):
                if key in words:
                    words = re.sub(rf"(?<!\w){re.escape(key)}(?!\w)", REMOVED, words)
        return words


_WORD = re.compile(r"\w+")
