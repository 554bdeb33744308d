"""Counters of the store: each transaction adds what it did in one statement at its end, and commits both or neither.

They only grow: what retention prunes stays counted. A counter is a row for each of SHARDS shards, and a transaction
adds to one of them, chosen at random, since every row is locked from here to the commit. Rows are added to in the
order of their keys, so that no two transactions can wait for each other.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from enum import StrEnum
from functools import cache

from sqlalchemy import TextClause, func, select, text
from sqlalchemy.orm import Session

from db.tables import Tally

#: On PostgreSQL. SQLite has one writer at a time, and one shard.
SHARDS = 32
#: A label of another form is counted as this one: kinds choose their error codes freely.
OTHER = "OTHER"
_LABEL = re.compile(r"\w{1,64}", re.ASCII)
_ADDED = "docmill_tallies"
_CALLED = "docmill_called_with_tallies"


class Counted(StrEnum):
    """What is counted, and what `label` says of it."""

    #: Outcomes: "ok" or the error code.
    DOCUMENTS = "documents"
    #: Result rows that were written: the table.
    ROWS = "rows"
    #: Chunks that became ready again: a Requeue.
    REQUEUES = "requeues"
    #: Jobs that ended: the state.
    JOBS = "jobs"
    #: Notifications whose delivery ended: the state.
    NOTIFICATIONS = "notifications"


class Requeue(StrEnum):
    """Why a leased chunk became ready again."""

    LEASE_EXPIRED = "lease_expired"
    WORKER_LOST = "worker_lost"
    CRASHED = "crashed"
    PUT_BACK = "put_back"
    GIVEN_BACK = "given_back"


def add(session: Session, counted: Counted, kind: str, label: str, n: int = 1) -> None:
    """Count this when the transaction of `Store.write` commits."""
    if n > 0:
        added: Counter[tuple[str, str, str]] = session.info.setdefault(_ADDED, Counter())
        # Plain strings: the driver asks the database for the type of an enumeration.
        added[counted.value, str(kind), label_of(label)] += n


def label_of(label: str) -> str:
    """As it is counted."""
    return str(label) if _LABEL.fullmatch(label) else OTHER


def first_call(session: Session, function: str, number: int, document: str) -> None:
    """On PostgreSQL: call this function of a number and a JSON document with the statement that writes what was added,
    before it writes: its locks, too, are held for the commit alone, and it needs no message of its own."""
    session.info[_CALLED] = (function, number, document)


def flush(session: Session) -> None:
    """Write what was added. The last statement of a transaction: its locks are held for the commit alone."""
    added = session.info.pop(_ADDED, None) or Counter()
    function, number, document = session.info.pop(_CALLED, (None, 0, ""))
    if not added and function is None:
        return
    is_sqlite = session.get_bind().dialect.name == "sqlite"
    values: dict[str, str | int] = {"shard": 0 if is_sqlite else random.randrange(SHARDS)}
    if function is not None:
        values |= {"number": number, "document": document}
    for place, ((name, kind, label), n) in enumerate(sorted(added.items())):
        values |= {f"name{place}": name, f"kind{place}": kind, f"label{place}": label, f"n{place}": n}
    session.connection().execute(_upsert(len(added), function), values)


def totals(session: Session) -> dict[tuple[str, str, str], int]:
    """(what, kind, label) -> how many so far."""
    query = select(Tally.name, Tally.kind, Tally.label, func.sum(Tally.n))
    rows = session.execute(query.group_by(Tally.name, Tally.kind, Tally.label))
    return {(name, kind, label): int(n) for name, kind, label, n in rows}


@cache
def _upsert(n_rows: int, function: str | None) -> TextClause:
    # As text: SQLAlchemy would compile an INSERT of many rows again each time.
    called = f"{function}(:number, CAST(:document AS jsonb))"
    rows = ", ".join(f"(:name{i}, :kind{i}, :label{i}, :shard, :n{i})" for i in range(n_rows))
    of_call = f"SELECT added.* FROM {called}, (VALUES {rows}) AS added"  # noqa: S608 (names of ours)
    source = f"VALUES {rows}" if function is None else of_call
    into = "INSERT INTO tally (name, kind, label, shard, n)"
    ending = "ON CONFLICT (name, kind, label, shard) DO UPDATE SET n = tally.n + excluded.n"
    statement = text(f"{into} {source} {ending}" if n_rows else f"SELECT {called}")
    return statement.execution_options(docmill_prepare=True)
