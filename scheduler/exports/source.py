"""From what a user names to a query: a view or table, a job's results, or the user's own SELECT."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from db import progress, results, views
from db.store import Store
from db.tables import Base
from db.view_keys import KEYS
from scheduler.exports.request import ExportRequest
from workers import kinds


@dataclass(frozen=True)
class Source:
    """A query, and the columns that tell its rows apart, if they are known."""

    query: str
    key: tuple[str, ...]


def of(store: Store, request: ExportRequest) -> Source:
    """What a request asks for. Views, tables and jobs are in the order of their key, so that the same store gives the
    same file. ValueError if there is no such view, NoSuchJobError if there is no such job."""
    what = request.what.strip()
    key = tuple(name.strip() for name in request.key)
    if what.isdecimal():
        source = _job(store, int(what), request.table)
    elif request.table is not None:
        raise ValueError("--table belongs to a job: give its number")
    elif re.fullmatch(r"\w+", what):
        source = view(what)
    else:
        source = Source(what, ())
    return Source(source.query, key or source.key)


def check_key(key: Sequence[str], columns: Sequence[str], why: str) -> None:
    """ValueError unless there is a key, and the query has its columns."""
    if not key:
        raise ValueError(
            f"{why} needs the columns that tell rows apart: add --key, such as --key collection,document_key"
        )
    for name in key:
        if name not in columns:
            close = difflib.get_close_matches(name, columns, n=1)
            hint = f"did you mean {close[0]}?" if close else f"the columns are {', '.join(columns)}"
            raise ValueError(f"--key {','.join(key)}: the query has no column {name}: {hint}")


def view(name: str) -> Source:
    """All rows of a view or table. ValueError if there is none of this name."""
    there_are = [*views.VIEWS, *sorted(Base.metadata.tables)]
    if name not in there_are:
        close = difflib.get_close_matches(name, there_are, n=1)
        hint = f"did you mean {close[0]}?" if close else f"the views are {', '.join(views.VIEWS)}"
        raise ValueError(f"there is no view or table {name!r}: {hint}")
    key = KEYS.get(name, ())
    if name in Base.metadata.tables:
        key = tuple(column.name for column in Base.metadata.tables[name].primary_key.columns)
    order = f" ORDER BY {', '.join(key)}" if key else ""
    return Source(f"SELECT * FROM {name}{order}", key)  # noqa: S608 (a known name)


def _job(store: Store, job_id: int, table: str | None) -> Source:
    with store.read() as session:
        job = progress.of(session, job_id)
    chosen = kinds.result_table(job.kind, table, job.model)
    query, key = results.query_of(job_id, chosen)
    compiled = query.compile(store.engine, compile_kwargs={"literal_binds": True})
    return Source(str(compiled), key)
