"""A user's own query, run so that it can change nothing."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from contextlib import contextmanager

import db.reading
from db import ad_hoc, views
from db.ad_hoc import Found, QueryError
from db.reading import Reading
from db.store import Store
from db.tables import Base
from scheduler.column_hints import naming_columns
from workers.settings import settings


def run(store: Store, query: str, limit: int | None = None) -> Found:
    """The columns and the first `limit` rows of a SELECT. ValueError if it is none, or the database refuses it."""
    with _in_words(store, query):
        return ad_hoc.run(store, query, seconds=settings().query_seconds, limit=limit)


@contextmanager
def reading(store: Store, query: str, seconds: float) -> Iterator[Reading]:
    """The rows of a SELECT piece by piece, in one snapshot. ValueError as above."""
    with _in_words(store, query), db.reading.reading(store, query, seconds=seconds) as found:
        yield found


@contextmanager
def _in_words(store: Store, query: str) -> Iterator[None]:
    with naming_columns(store, query):
        try:
            yield
        except QueryError as error:
            raise ValueError(f"the query: {error}{_did_you_mean(str(error))}") from None


def _did_you_mean(said: str) -> str:
    """The view or table whose name is most like the missing one."""
    missing = re.search(r'no such table: (\S+)|relation "(\S+)" does not exist', said)
    if missing is None:
        return ""
    there_are = [*views.VIEWS, *Base.metadata.tables]
    close = difflib.get_close_matches(missing[1] or missing[2], there_are, n=1)
    return f": did you mean {close[0]}?" if close else f"; the views are {', '.join(views.VIEWS)}"
